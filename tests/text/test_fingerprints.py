from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from embedclf.text.fingerprints import fingerprints
from embedclf.text.tokens import normalize, tokenize

TEXTS = st.lists(st.text("abA é'!漢", max_size=8), max_size=30)


def numbers(texts: list[str]) -> list[int]:
    tokens = tokenize(normalize(pa.array(texts, pa.string()), lowercase=False), "word")
    return list(fingerprints(tokens).tolist())


@given(TEXTS)
def test_texts_share_a_number_if_and_only_if_they_share_their_tokens(texts: list[str]) -> None:
    tokens = tokenize(normalize(pa.array(texts, pa.string()), lowercase=True), "word").to_lists()
    given_numbers = numbers(texts)
    assert len(given_numbers) == len(texts)
    for one, first in zip(given_numbers, tokens, strict=True):
        for other, second in zip(given_numbers, tokens, strict=True):
            assert (one == other) == (first == second)


def test_bytes_do_not_wander_between_tokens() -> None:
    assert len(set(numbers(["ab c", "ac b", "a bc", "abc", "c ab", "ba c", "a b c"]))) == 7


def test_the_number_is_the_same_on_every_machine() -> None:
    assert numbers(["Good, bad", ""]) == [17009810886764517984, 0]


def test_it_does_not_matter_where_a_text_stands() -> None:
    words = [f"w{number} x{number % 7}" for number in range(20_000)]
    assert len(set(numbers(words))) == 20_000
    assert numbers(words)[12_345:] == numbers(words[12_345:])
