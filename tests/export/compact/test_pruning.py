"""A tokenizer with fewer tokens and n-grams finds those that are left."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from embedclf.export.compact.pruning import complete, find_threshold, measure_effects, select
from embedclf.text.vocabulary import UNKNOWN
from tests.text.test_ngrams import fit

WORDS = st.lists(st.sampled_from("abcde"), max_size=8).map(" ".join)


@given(
    texts=st.lists(WORDS, min_size=1, max_size=6),
    max_n=st.integers(1, 3),
    wanted=st.lists(st.booleans(), min_size=200, max_size=200),
)
def test_what_is_left_is_found_as_before(texts: list[str], max_n: int, wanted: list[bool]) -> None:
    tokenizer = fit(texts, ngrams=max_n)
    kept = complete(tokenizer, np.array(wanted)[: tokenizer.vocabulary_rows])
    fewer = select(tokenizer, kept)
    assert fewer.vocabulary_rows == kept.sum()
    new_ids = np.cumsum(kept) - 1
    for before, after in zip(tokenizer.encode(texts).ids, fewer.encode(texts).ids, strict=True):
        tokens = np.where(kept[before], new_ids[before], UNKNOWN)
        stays = kept[before] | (before < tokenizer.first_ngram_id)
        assert after.tolist() == tokens[stays].tolist()
    kept_ids = np.flatnonzero(kept).astype(np.int32)
    assert fewer.decode(np.arange(kept.sum(), dtype=np.int32)) == tokenizer.decode(kept_ids)


def test_an_effect_is_that_of_a_token_that_becomes_unknown() -> None:
    tokenizer = fit(["a b a b"])  # ids 2 and 3, then n-grams
    rows = np.zeros((tokenizer.vocabulary_rows, 1), np.float32)
    rows[UNKNOWN], rows[2], rows[3], rows[4] = 1.0, 1.0, 3.0, -2.0
    effects = measure_effects(tokenizer, rows, np.full(len(rows), 10.0))
    assert effects[[2, 3, 4]].tolist() == [0.0, 40.0, 40.0]


@given(st.lists(st.integers(0, 99), min_size=1, max_size=30), st.floats(0.0, 0.5))
def test_a_threshold_leaves_out_at_most_a_fraction(effects: list[int], fraction: float) -> None:
    numbers = np.array(effects, np.float64)
    left_out = numbers < find_threshold(numbers, fraction)
    assert numbers[left_out].sum() <= fraction * numbers.sum() + 1e-9
