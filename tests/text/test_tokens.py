"""Words are those of the regular expression that defines them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given, settings
from hypothesis import strategies as st

from embedclf.text.tokens import split_words

SEPARATOR = r"'*[^\pL\pN\pM'][^\pL\pN\pM]*"
"""A character that is no letter, number, mark or apostrophe, with its neighbors of that kind."""


def split_by_regex(texts: list[str]) -> list[list[str]]:
    spaced = pa.array([f" {text} " for text in texts], pa.string())
    split: list[list[str]] = pc.split_pattern_regex(spaced, SEPARATOR).to_pylist()
    return split


TEXTS = st.text(
    st.one_of(
        st.sampled_from("ab'’  .-é\u0301ß漢字ไทย😀\u00a0\u2028\x00\t٣"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=20,
)


@settings(max_examples=500)
@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_words_are_those_of_the_definition(texts: list[str]) -> None:
    assert split_words(pa.array(texts, pa.string())).to_pylist() == split_by_regex(texts)


def test_every_code_point_separates_words_or_belongs_to_them() -> None:
    for plane in range(0, 0x110000, 0x8000):
        points = [point for point in range(plane, plane + 0x8000) if not 0xD800 <= point < 0xE000]
        text = " ".join(f"x{chr(point)}y" for point in points)
        assert split_words(pa.array([text], pa.string())).to_pylist() == split_by_regex([text])


def test_a_slice_is_split_as_a_whole() -> None:
    texts = pa.array(["left out", "it's 'quoted' – rock''n'", "", "the end"], pa.string())
    found = split_words(texts.slice(1, 2)).to_pylist()
    assert found == [["", "it's", "quoted", "rock''n", ""], ["", ""]]
