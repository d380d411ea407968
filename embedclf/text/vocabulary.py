"""Tokens and their ids: the most frequent ones, counted in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
import pyarrow as pa

from embedclf.system.arrays import Int64s
from embedclf.system.arrow import (
    index_in,
    mask_column,
    number_column,
    pc,
    text_column,
    to_numpy,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from embedclf.system.arrays import Int32s, Mask
    from embedclf.text.tokens import TokenCounts

Items = TypeVar("Items", pa.StringArray, Int64s)
"""(distinct,) the counted items: tokens, or numbers that stand for n-grams."""

MergeCounts = Callable[[list[tuple[Items, Int64s]]], tuple[Items, Int64s]]

PADDING, UNKNOWN = 0, 1
"""The first two ids of every vocabulary."""

RESERVED = ("", " ")
"""Stand for padding and unknown in a list of tokens; no token can be either."""

_FEW_TOKENS = 1 << 9
"""Tokens up to which a dictionary finds them faster than Arrow, which hashes the vocabulary."""

_MAX_COUNTED = 1 << 22
"""Distinct tokens held at once: about 200 MB of words."""


def most_frequent_tokens(
    chunks: Iterable[TokenCounts], size: int, min_count: int = 1
) -> tuple[str, ...]:
    """Find the most frequent tokens of all chunks; ties are in code point order.

    Args:
        chunks: Token counts of chunks of the texts.
        size: Maximum number of tokens to return.
        min_count: Minimum number of occurrences of a token.
    """
    # Halved, it still has room for twice as many tokens as are returned.
    counter = token_counter(max(_MAX_COUNTED, 4 * size))
    for counts in chunks:
        counter.add(counts)
    return tuple(rank_tokens(counter.total(), size, min_count)[0].to_pylist())


def rank_tokens(counts: TokenCounts, size: int, min_count: int = 1) -> TokenCounts:
    """Return the most frequent tokens, in order, with their counts; as `most_frequent_tokens`."""
    tokens, totals = counts
    frequent = filter_counts(tokens, totals, totals >= min_count)
    # Only tokens that can be returned are sorted by name, with all that tie for the last place.
    tokens, totals = _keep_most_frequent(frequent, size, ties=True)
    # Arrow sorts by UTF-8 bytes, which is code point order; the stable sort keeps it for ties.
    by_name = to_numpy(pc.sort_indices(tokens))
    by_count = np.argsort(-totals[by_name], kind="stable")
    ranked = by_name[by_count[:size]]
    return tokens.take(number_column(ranked)), totals[ranked]


@dataclass(frozen=True)
class Vocabulary:
    """Finds the ids of tokens."""

    tokens: tuple[str, ...]
    """In the order of their ids, which follow those of padding and unknown."""

    def find(self, tokens: pa.StringArray) -> Int32s:
        """Return the id of each token (n,), `UNKNOWN` for those that are not known."""
        if len(tokens) > _FEW_TOKENS:
            return index_in(tokens, self.column, default=UNKNOWN)
        return np.array([self.id_of.get(token, UNKNOWN) for token in tokens.to_pylist()], np.int32)

    @cached_property  # making the column takes longer than a look-up
    def column(self) -> pa.StringArray:
        """(ids,) the token of each id; that of padding is "", and that of unknown " "."""
        return text_column([*RESERVED, *self.tokens])

    @cached_property
    def id_of(self) -> dict[str, int]:
        """The id of each token, padding and unknown included."""
        return {token: number for number, token in enumerate((*RESERVED, *self.tokens))}


class LossyCounter(Generic[Items]):
    """Counts of many distinct items, added up chunk by chunk in bounded memory.

    When there are more distinct items than `max_items`, the rarest are dropped and count from zero
    if they occur again (lossy counting; Manku and Motwani, Approximate Frequency Counts over Data
    Streams, 2002). The counts of items that are frequent throughout stay exact.
    """

    def __init__(self, merge: MergeCounts[Items], max_items: int) -> None:
        """Create an empty counter.

        Args:
            merge: Merges the counts of several chunks, possibly none, into one without duplicates.
            max_items: Maximum number of items held at once.
        """
        self._merge: MergeCounts[Items] = merge
        self._max_items = max_items
        self._chunks: list[tuple[Items, Int64s]] = []
        self._size = 0

    def add(self, counts: tuple[Items, Int64s]) -> None:
        """Add the counts of a chunk."""
        self._chunks.append(counts)
        self._size += len(counts[1])
        if self._size > self._max_items:
            # ties=False: with ties, nothing would be dropped where all items occur once.
            self._chunks = [_keep_most_frequent(self.total(), self._max_items // 2, ties=False)]
            self._size = len(self._chunks[0][1])

    def total(self) -> tuple[Items, Int64s]:
        """Return each item once, with its total count."""
        total: tuple[Items, Int64s] = self._merge(self._chunks)
        return total


def token_counter(max_tokens: int = _MAX_COUNTED) -> LossyCounter[pa.StringArray]:
    """Create an empty counter of tokens that holds at most `max_tokens` distinct ones at once."""
    return LossyCounter(merge_token_counts, max_tokens)


def sum_counts(chunks: Iterable[TokenCounts]) -> TokenCounts:
    """Add up the counts of all chunks: each token once; beyond a limit, the rarest are dropped."""
    counter = token_counter()
    for counts in chunks:
        counter.add(counts)
    return counter.total()


def merge_token_counts(chunks: list[TokenCounts]) -> TokenCounts:
    """Merge counts of chunks, possibly none; tokens whose total is 0 are dropped."""
    # concat_arrays needs at least one array.
    chunks = chunks or [(text_column([]), np.zeros(0, np.int64))]
    encoded = pa.concat_arrays([tokens for tokens, _ in chunks]).dictionary_encode()
    counts = np.concatenate([counts for _, counts in chunks])
    # Weights make bincount add in float64, which is exact up to 2**53.
    totals = np.bincount(to_numpy(encoded.indices), counts, len(encoded.dictionary))
    return filter_counts(encoded.dictionary, totals.astype(np.int64), totals > 0)


def _keep_most_frequent(
    counts: tuple[Items, Int64s], size: int, *, ties: bool
) -> tuple[Items, Int64s]:
    """Keep the items of the highest counts, with all or none of those that tie with the last."""
    items, totals = counts
    if len(totals) <= size:
        return counts
    last = np.partition(totals, len(totals) - size)[len(totals) - size]
    return filter_counts(items, totals, totals >= last if ties else totals > last)


def filter_counts(items: Items, counts: Int64s, mask: Mask) -> tuple[Items, Int64s]:
    """Keep the items where a mask (distinct,) is true, with their counts."""
    if isinstance(items, np.ndarray):
        return items[mask], counts[mask]
    return items.filter(mask_column(mask)), counts[mask]
