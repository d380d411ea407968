"""Integers survive their planes of bytes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from embedclf.runs.contents.arrays import read_integers
from embedclf.runs.contents.byte_planes import join_planes, split_planes, write_integers

EDGES = [0, 1, -1, 127, -128, 128, -129, 255, 2**15 - 1, -(2**15), 2**23, 2**31 - 1, -(2**31)]
NUMBERS = st.lists(st.sampled_from(EDGES) | st.integers(-(2**31), 2**31 - 1), max_size=30)


@given(NUMBERS)
def test_numbers_are_those_that_were_split(numbers: list[int]) -> None:
    planes = split_planes(np.array(numbers, np.int64))
    assert join_planes(planes).tolist() == numbers
    assert all(plane.dtype == np.uint8 for plane in planes)
    largest = max([0, *(2 * number if number >= 0 else -2 * number - 1 for number in numbers)])
    assert len(planes) == max(1, -(-largest.bit_length() // 8))


@given(st.lists(st.integers(-(2**15), 2**15 - 1), max_size=30))
def test_narrow_numbers_have_the_same_planes_as_wide_ones(numbers: list[int]) -> None:
    wide, narrow = (split_planes(np.array(numbers, dtype)) for dtype in (np.int64, np.int16))
    assert [plane.tolist() for plane in wide] == [plane.tolist() for plane in narrow]


@given(st.lists(st.tuples(st.sampled_from(EDGES), st.integers(-5, 5)), max_size=20))
def test_columns_of_different_widths_share_a_file(rows: list[tuple[int, int]]) -> None:
    wide, narrow = ([row[place] for row in rows] for place in (0, 1))
    columns = {"wide": np.array(wide, np.int64), "narrow": np.array(narrow, np.int64)}
    content = memoryview(write_integers(columns, 3))
    read = read_integers(content, "numbers.arrow", "wide", "narrow")
    assert [column.tolist() for column in read] == [wide, narrow]
