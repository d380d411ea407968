from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from embedclf.text.fingerprints import find_repeated, find_shared, fingerprint_texts
from embedclf.text.token_rules import TokenRules

TEXTS = st.lists(st.text("abA é'!漢", max_size=8), max_size=30)


def fingerprints(texts: list[str]) -> list[int]:
    tokens = TokenRules(lowercase=False).tokenize(pa.array(texts, pa.string()))
    return list(fingerprint_texts(tokens).tolist())


@given(TEXTS)
def test_texts_have_equal_fingerprints_if_and_only_if_they_have_equal_tokens(
    texts: list[str],
) -> None:
    tokens = TokenRules().tokenize(pa.array(texts, pa.string())).to_lists()
    numbers = fingerprints(texts)
    assert len(numbers) == len(texts)
    for one, first in zip(numbers, tokens, strict=True):
        for other, second in zip(numbers, tokens, strict=True):
            assert (one == other) == (first == second)


def test_bytes_do_not_move_between_tokens() -> None:
    assert len(set(fingerprints(["ab c", "ac b", "a bc", "abc", "c ab", "ba c", "a b c"]))) == 7


def test_fingerprints_are_the_same_on_every_machine() -> None:
    assert fingerprints(["Good, bad", ""]) == [17009810886764517984, 0]


def test_the_position_of_a_text_does_not_matter() -> None:
    words = [f"w{number} x{number % 7}" for number in range(20_000)]
    assert len(set(fingerprints(words))) == 20_000
    assert fingerprints(words)[12_345:] == fingerprints(words[12_345:])


NUMBERS = st.lists(st.integers(0, 30), max_size=40)


@given(NUMBERS, NUMBERS)
def test_shared_numbers_are_those_that_occur_in_both_arrays(
    left: list[int], right: list[int]
) -> None:
    shared = find_shared(np.array(left, np.uint64), np.array(right, np.uint64))
    assert shared.tolist() == [row for row, number in enumerate(left) if number in right]


@given(NUMBERS)
def test_repeated_numbers_are_those_that_occur_several_times(numbers: list[int]) -> None:
    repeated = find_repeated(np.array(numbers, np.uint64))
    assert repeated.tolist() == [
        row for row, number in enumerate(numbers) if numbers.count(number) > 1
    ]


def test_repeated_numbers_are_found_across_blocks() -> None:
    numbers = np.arange(600_000, dtype=np.uint64) // np.uint64(3)  # blocks end inside of triples
    assert len(find_repeated(numbers)) == 600_000
