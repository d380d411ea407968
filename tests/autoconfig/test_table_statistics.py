from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.autoconfig.table_statistics import find_separator


@pytest.mark.parametrize("sign", ["|", ";", ","])
def test_labels_that_stand_alone_and_together_are_parted(sign: str) -> None:
    assert find_separator(["a", "b", "c", f"a{sign}b", f"b {sign} c"]) == sign


@given(
    sign=st.sampled_from("|;,"),
    labels=st.lists(st.text("abcdef .-", min_size=1).filter(str.strip), min_size=4, max_size=6),
)
def test_all_pairs_of_labels_are_parted(sign: str, labels: list[str]) -> None:
    different = sorted({label.strip() for label in labels})
    pairs = [sign.join(pair) for pair in combinations(different, 2)]
    assert find_separator(pairs) == (sign if len(different) >= 4 else None)


@given(st.lists(st.text("abc. -/_"), unique=True))
def test_cells_without_a_sign_are_not_parted(cells: list[str]) -> None:
    assert find_separator(cells) is None


@pytest.mark.parametrize(
    "cells",
    [
        ["cs.LG", "cs.CL", "math.ST"],
        ["Books, Music", "Toys, Games", "Food"],
        ["Smith, John", "Smith, Anna", "Jones, Mary", "Brown, Peter"],
        ["a, b", "a"],
        ["a", "b", "a|b", "|"],
        [],
    ],
)
def test_signs_within_labels_do_not_part_them(cells: list[str]) -> None:
    assert find_separator(cells) is None
