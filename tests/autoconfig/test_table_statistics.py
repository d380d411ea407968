from __future__ import annotations

from itertools import combinations, product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.autoconfig.table_statistics import find_separator
from embedclf.config.loading import load_config
from tests.conftest import write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Invoke


@pytest.mark.parametrize("separator", ["|", ";", ",", "#"])
def test_labels_that_occur_alone_and_together_are_split(separator: str) -> None:
    assert find_separator(["a", "b", "c", f"a{separator}b", f"b {separator} c"]) == separator


@given(
    separator=st.sampled_from("|;,#"),
    labels=st.lists(st.text("abcdef .-", min_size=1).filter(str.strip), min_size=4, max_size=6),
)
def test_pairs_of_labels_are_split(separator: str, labels: list[str]) -> None:
    distinct = sorted({label.strip() for label in labels})
    pairs = [separator.join(pair) for pair in combinations(distinct, 2)]
    assert find_separator(pairs) == (separator if len(distinct) >= 4 else None)


@given(st.lists(st.text("abc. -/_"), unique=True))
def test_cells_without_a_separator_are_not_split(cells: list[str]) -> None:
    assert find_separator(cells) is None


@pytest.mark.parametrize(
    "cells",
    [
        ["cs.LG", "cs.CL", "math.ST"],
        ["Books, Music", "Toys, Games", "Food"],
        ["C#", "F#", "C++", "C"],
        ["ticket #1", "ticket #2", "ticket #3", "ticket"],
        ["Smith, John", "Smith, Anna", "Jones, Mary", "Brown, Peter"],
        ["a, b", "a"],
        ["a", "b", "a|b", "|"],
        [],
    ],
)
def test_separators_within_labels_do_not_split_them(cells: list[str]) -> None:
    assert find_separator(cells) is None


def test_texts_with_too_many_words_are_split_into_characters(
    tmp_path: Path, invoke: Invoke
) -> None:
    words = [*map("".join, product("aeiouklst", repeat=5))][:20_000]
    rows = [
        (" ".join(words[start : start + 20]), "ab"[start % 40 // 20])
        for start in range(0, 20_000, 20)
    ]
    write_csv(tmp_path / "rich.csv", ["text", "label"], rows)
    write_csv(
        tmp_path / "long.csv", ["text", "label"], [(text * 11, label) for text, label in rows]
    )
    # Symbols that stand between words say nothing about these.
    write_csv(
        tmp_path / "symbols.csv",
        ["text", "label"],
        [(text.replace(" ", " ! ! " if label == "a" else " ? ? "), label) for text, label in rows],
    )
    units = {}
    for name in ("rich", "long", "symbols"):
        invoke("init", tmp_path / f"{name}.csv", "-o", tmp_path / f"{name}.yaml", "-q")
        text = load_config(tmp_path / f"{name}.yaml").text
        units[name] = (text.unit, text.ngrams)
    assert units == {"rich": ("character", 4), "long": ("word", 3), "symbols": ("character", 4)}
