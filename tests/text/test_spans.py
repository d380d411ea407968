"""Tokens are found in the text as it was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.system.arrow import text_column
from embedclf.text.spans import find_token_spans
from embedclf.text.tokens import normalize, tokenize

UNITS = ("word", "character")


def tokens_of(text: str, unit: str, *, lowercase: bool) -> list[str]:
    (tokens,) = tokenize(normalize(text_column([text]), lowercase=lowercase), unit).to_lists()
    return tokens


def slices(text: str, tokens: list[str], *, lowercase: bool) -> list[str]:
    return [text[slice(*span)] for span in find_token_spans(text, tokens, lowercase=lowercase)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A Wonderful, little place!", ["A", "Wonderful", "little", "place"]),
        ("don’t 'quote' ROCK''n''roll", ["don’t", "quote", "ROCK''n''roll"]),
        ("Cafe\u0301 – E\u0301clair, İzmir", ["Cafe\u0301", "E\u0301clair", "İzmir"]),
        ("\u1112\u1161\u11ab\u1100\u116e\u11a8 ok", ["\u1112\u1161\u11ab\u1100\u116e\u11a8", "ok"]),
        ("😀 \u0958\u0958? \u212bngström", ["\u0958\u0958", "\u212bngström"]),
        ("", []),
        (" \n!", []),
    ],
)
def test_words_keep_their_case_and_accents(text: str, words: list[str]) -> None:
    assert slices(text, tokens_of(text, "word", lowercase=True), lowercase=True) == words


def test_a_character_of_two_tokens_belongs_to_the_first() -> None:
    text = "\u0958!"  # two code points in NFC
    tokens = tokens_of(text, "character", lowercase=False)
    assert slices(text, tokens, lowercase=False) == ["\u0958", "", "!"]


@given(text=st.text(), unit=st.sampled_from(UNITS), lowercase=st.booleans())
def test_spans_ascend_within_the_text(text: str, unit: str, lowercase: bool) -> None:
    tokens = tokens_of(text, unit, lowercase=lowercase)
    spans = find_token_spans(text, tokens, lowercase=lowercase)
    assert len(spans) == len(tokens)
    edges = [0, *(edge for span in spans for edge in span), len(text)]
    assert edges == sorted(edges)
    kept = spans[: len(spans) // 2]
    assert find_token_spans(text, tokens[: len(kept)], lowercase=lowercase) == kept


WRITTEN = st.lists(
    st.one_of(
        st.characters(categories=["L", "N", "P", "S", "Z"]),
        st.sampled_from(
            [
                "e\u0301",
                "A\u030a",
                "o\u0323\u0302",
                "o\u0302\u0323",
                "x\u030c",
                "\u1112\u1161\u11ab",
            ]
        ),
        st.sampled_from(["\u0958", "\u212b", "\u2126", "İ", "ẞ", "’", "'", " ", "\n", "!", "😀"]),
    ),
    max_size=20,
).map("".join)


@given(text=WRITTEN, unit=st.sampled_from(UNITS), lowercase=st.booleans())
def test_what_spans_hold_is_normalized_to_the_tokens(text: str, unit: str, lowercase: bool) -> None:
    tokens = tokens_of(text, unit, lowercase=lowercase)
    found = slices(text, tokens, lowercase=lowercase)
    if unit == "character":  # one character can become several tokens
        found, tokens = ["".join(found)], ["".join(tokens)]
    assert normalize(text_column(found), lowercase=lowercase).to_pylist() == tokens
