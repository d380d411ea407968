"""Rows of a table are summed and compared text by text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedclf.model.pooling import largest_in_rows, sum_rows
from embedclf.text.encodings import TokenIds


def draw_ids(seed: int, texts: int, *, vocabulary_rows: int, longest: int) -> TokenIds:
    """Texts with up to `longest` ids, some with none."""
    rng = np.random.default_rng(seed)
    ends = np.cumsum(rng.integers(0, longest + 1, texts))
    return TokenIds(rng.integers(1, vocabulary_rows, ends[-1]).astype(np.int32), ends)


@settings(max_examples=40)
@given(seed=st.integers(0, 1000), numbers=st.sampled_from([1, 2, 5, 8]), longest=st.integers(0, 40))
def test_sums_and_maxima_are_those_of_each_text(seed: int, numbers: int, longest: int) -> None:
    ids = draw_ids(seed, 9, vocabulary_rows=20, longest=longest)
    table = np.random.default_rng(seed).normal(size=(20, numbers)).astype(np.float32)
    sums, largest = sum_rows(table, ids), largest_in_rows(table, ids)
    assert sums.dtype == largest.dtype == np.float32
    for text, text_ids in enumerate(ids):
        rows = table[text_ids]
        assert sums[text] == pytest.approx(rows.sum(axis=0), abs=1e-4)
        assert (
            largest[text].tolist()
            == (rows.max(axis=0) if len(rows) else np.zeros(numbers)).tolist()
        )


@settings(max_examples=40)
@given(
    seed=st.integers(0, 1000), numbers=st.sampled_from([1, 3, 8, 70_000]), start=st.integers(0, 8)
)
def test_a_sum_does_not_depend_on_the_other_texts(seed: int, numbers: int, start: int) -> None:
    ids = draw_ids(seed, 9, vocabulary_rows=5, longest=30)
    table = np.random.default_rng(seed).normal(size=(5, numbers)).astype(np.float32)
    for some in (slice(start, start + 1), slice(start, None), np.arange(9)[::-1]):
        assert (sum_rows(table, ids[some]) == sum_rows(table, ids)[some]).all()


def test_many_texts_are_summed_in_blocks() -> None:
    ids = draw_ids(1, 40_000, vocabulary_rows=50, longest=6)
    table = np.eye(50, dtype=np.float32)
    counts = np.zeros((len(ids), 50))
    np.add.at(counts, (np.repeat(np.arange(len(ids)), ids.lengths), ids.values), 1)
    assert (sum_rows(table, ids) == counts).all()
