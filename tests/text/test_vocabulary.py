from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from embedclf.text.vocabulary import most_frequent_tokens, token_counter

if TYPE_CHECKING:
    from embedclf.text.tokens import TokenCounts

CHUNKS = st.lists(st.dictionaries(st.text("abé", max_size=3), st.integers(0, 9)), max_size=5)


def count(chunk: dict[str, int]) -> TokenCounts:
    return pa.array([*chunk], pa.string()), np.array([*chunk.values()], np.int64)


@given(chunks=CHUNKS, size=st.integers(1, 20))
def test_the_most_frequent_come_first_and_ties_in_code_point_order(
    chunks: list[dict[str, int]], size: int
) -> None:
    total: Counter[str] = Counter()
    for chunk in chunks:
        total.update(chunk)
    present = [token for token in total if total[token]]
    expected = sorted(present, key=lambda token: (-total[token], token))[:size]
    assert most_frequent_tokens(map(count, chunks), size) == tuple(expected)


def test_frequent_tokens_are_counted_exactly_in_bounded_memory() -> None:
    counts = token_counter(500)
    frequent = {f"often{number:02}": 40 - number for number in range(30)}
    chunks = [frequent | {f"once{run}-{number}": 1 for number in range(100)} for run in range(200)]
    for chunk in map(count, chunks):
        counts.add(chunk)
        assert len(counts.total()[0]) <= 500
    tokens, totals = counts.total()
    found = dict(zip(tokens.to_pylist(), totals.tolist(), strict=True))
    assert {token: found[token] for token in frequent} == {
        token: 200 * times for token, times in frequent.items()
    }
    assert most_frequent_tokens(map(count, chunks), 30) == tuple(frequent)
