"""Arrays of a number per row are the same in memory and in a mapped file."""

from __future__ import annotations

import numpy as np
import pytest

from embedclf.system.memory.mapped_arrays import (
    ArrayFile,
    compress,
    count_numbers,
    permutation,
    positions_of,
    take,
)
from embedclf.system.memory.release import release_memory

SIZES = [0, 1, 1000, 600_000]
"""The last one is mapped, and more than one block."""


@pytest.mark.parametrize("count", SIZES)
def test_appended_numbers_are_read_in_order_and_can_be_changed(count: int) -> None:
    numbers = np.arange(count, dtype=np.int64)
    file = ArrayFile(np.int64)
    for part in np.array_split(numbers, 7):
        file.append(part)
    assert len(file) == count
    mapped = file.map(writable=True)
    assert mapped.tolist() == numbers.tolist()
    mapped[:] = 1
    assert mapped.sum() == count


@pytest.mark.parametrize("count", SIZES)
def test_selecting_is_that_of_numpy(count: int) -> None:
    rng = np.random.default_rng(count)
    values, mask = rng.integers(0, 9, count), rng.random(count) < 0.5
    rows = rng.integers(0, max(count, 1), count)
    assert (take(values, rows) == values[rows]).all()
    assert compress(values, mask).tolist() == values[mask].tolist()
    assert positions_of(mask).tolist() == np.flatnonzero(mask).tolist()
    assert count_numbers(values, 9).tolist() == np.bincount(values, minlength=9).tolist()


@pytest.mark.parametrize("count", SIZES)
def test_a_permutation_is_that_of_the_generator(count: int) -> None:
    expected = np.random.default_rng(3).permutation(count)
    assert permutation(count, np.random.default_rng(3)).tolist() == expected.tolist()


def test_released_numbers_are_read_again() -> None:
    file = ArrayFile(np.int64)
    file.append(np.arange(600_000))
    mapped = file.map()
    release_memory()
    assert (mapped == np.arange(600_000)).all()
