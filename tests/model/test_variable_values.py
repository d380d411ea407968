"""Copies of the values of variables."""

from __future__ import annotations

import io
import mmap
import sys
from pathlib import Path

import numpy as np
import pytest

from embedclf.model.backend import tf
from embedclf.model.variable_values import (
    assign_value,
    copy_value,
    read_variables,
    save_value,
    write_variables,
)


@pytest.mark.parametrize(
    "shape", [(3,), (1 << 20,), ((1 << 20) + 1,), (3, 700_001), (2, 3, 400_000), (1, 2_000_000)]
)
def test_variables_of_any_size_get_their_values_back(shape: tuple[int, ...]) -> None:
    value = np.random.default_rng(0).random(shape, np.float32)
    large, small = tf.Variable(value), tf.Variable(np.array([1 << 40, -2]))
    file = io.BytesIO()
    write_variables(file, [small, large])
    small.assign([0, 0])
    assign_value(large, np.zeros(shape, np.float32))
    assert not copy_value(large).any()
    read_variables(file, [small, large])
    assert (copy_value(large) == value).all()
    assert copy_value(small).tolist() == [1 << 40, -2]


@pytest.mark.parametrize("shape", [(3,), ((1 << 20) + 1,), (3, 700_001)])
def test_a_variable_is_saved_as_numpy_saves_an_array(shape: tuple[int, ...]) -> None:
    value = np.random.default_rng(0).random(shape, np.float32)
    saved, expected = io.BytesIO(), io.BytesIO()
    save_value(saved, tf.Variable(value))
    np.save(expected, value)
    assert saved.getvalue() == expected.getvalue()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_of_a_variable_is_returned() -> None:
    def resident() -> int:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * mmap.PAGESIZE

    size = 4 * 50_000_000
    before = resident()
    variable = tf.Variable(tf.fill([50_000_000], 1.0))
    assert resident() - before > 0.8 * size
    del variable
    assert resident() - before < 0.2 * size
