"""Arrow columns are made and read without importing pandas."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.system.arrow import format_decimals, number_column, text_column, to_numpy

TEXTS = st.lists(st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]))))


@given(TEXTS)
def test_a_text_column_holds_the_texts(texts: list[str | None]) -> None:
    column = text_column(texts)
    column.validate(full=True)
    assert column.to_pylist() == [text or "" for text in texts]


def test_values_that_are_not_texts_are_refused() -> None:
    with pytest.raises(TypeError, match="a text must be a str or None, not float"):
        text_column(["a", float("nan")])  # type: ignore[list-item]
    with pytest.raises(UnicodeEncodeError):
        text_column(["\ud800"])
    assert len(text_column(["ab", "cd"], max_bytes=4)) == 2
    with pytest.raises(OverflowError, match="pass it in several calls"):
        text_column(["ab", "cd"], max_bytes=3)


@given(st.lists(st.integers(-5, 5)))
def test_numbers_survive_the_way_to_arrow_and_back(numbers: list[int]) -> None:
    column = number_column(np.array(numbers, np.int32))
    assert column.to_pylist() == numbers
    assert to_numpy(column).tolist() == numbers
    assert to_numpy(pa.array([n > 0 for n in numbers], pa.bool_())).tolist() == [
        n > 0 for n in numbers
    ]


@given(st.lists(st.floats(0, 1)))
def test_decimals_are_rounded(numbers: list[float]) -> None:
    written = format_decimals(np.array(numbers, np.float64), 6).to_pylist()
    for number, text in zip(numbers, written, strict=True):
        assert len(text) == 8
        assert abs(float(text) - number) <= 0.5000001e-6


def test_pandas_is_not_imported() -> None:
    code = (
        "import sys, numpy; from embedclf.system.arrow import *; "
        "to_numpy(number_column(numpy.arange(3))); text_column(['a'])[0].as_py(); "
        "format_decimals(numpy.array([0.5]), 2); assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
