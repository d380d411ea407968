"""The most frequent n-grams of texts."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from embedclf.system.arrays import Int64s
from embedclf.system.memory.mapped_arrays import ArrayFile
from embedclf.system.threads import parallel_map
from embedclf.text.ngrams import Keys, Ngrams, ngram_keys
from embedclf.text.vocabulary import LossyCounter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from embedclf.system.arrays import Counts, Int32s

KeyCounts = tuple[Keys, Int64s]
"""Distinct keys in ascending order, and the number of occurrences of each."""

_MAX_COUNTED = 1 << 23
"""Distinct n-grams of one length held at once while they are counted: 128 MiB."""

_KEYS_AT_ONCE = 1 << 18
"""Keys of all chunks, about, that are merged at once."""


def fit_ngrams(
    texts: Iterable[Int32s],
    first_id: int,
    *,
    max_n: int,
    size: int,
    min_count: int,
    max_counted: int = _MAX_COUNTED,
) -> Ngrams:
    """Learn the most frequent n-grams of texts.

    They are counted length by length. A longer one is counted only if the shorter one that it
    begins with is itself frequent (Agrawal and Srikant, Fast Algorithms for Mining Association
    Rules, 1994, section 2.1).

    Args:
        texts: The texts in chunks: (positions,) token ids, padded by `pad_texts`.
        first_id: The first unused id.
        max_n: Maximum number of tokens of an n-gram.
        size: Maximum number of n-grams; among equally frequent ones, shorter ones are kept.
        min_count: Minimum number of occurrences of an n-gram.
        max_counted: Distinct n-grams of one length held at once; beyond it the rarest are dropped.
    """
    ngrams, totals = Ngrams(), np.zeros(0, np.int64)
    chunks = _Chunks(texts)
    for n in range(2, max_n + 1):
        counter = LossyCounter(merge_key_counts, max_counted)
        for counts in chunks.count(ngrams, first_id):
            counter.add(counts)
        keys, counts_of_keys = counter.total()
        frequent = counts_of_keys >= min_count
        # Keys stay ascending: the heads of longer n-grams have higher ids.
        ngrams = Ngrams(n, np.concatenate([ngrams.keys, keys[frequent]]))
        totals = np.concatenate([totals, counts_of_keys[frequent]])
    return keep_most_frequent(ngrams, totals, first_id, size)


def count_longer(token_ids: Int32s, known: Ngrams, first_id: int) -> KeyCounts:
    """Count the n-grams of texts that are one token longer than the known ones.

    Args:
        token_ids: (positions,) of the texts, padded by `pad_texts`.
        known: N-grams, whose ids begin with `first_id`.
        first_id: The first id that is not a token's.
    """
    heads = token_ids
    for found in known.find(token_ids, first_id):
        heads = found
    _, keys = ngram_keys(heads, token_ids, known.max_n + 1)
    return np.unique(keys, return_counts=True)


class _Chunks:
    """Chunks of texts with the longest known n-gram of each position, in temporary files."""

    def __init__(self, texts: Iterable[Int32s]) -> None:
        token_ids, heads, edges = ArrayFile(np.int32), ArrayFile(np.int32), [0]
        for chunk in texts:
            token_ids.append(chunk)
            heads.append(chunk)  # at first, the tokens themselves
            edges.append(len(token_ids))
        self._token_ids, self._heads = token_ids.map(), heads.map(writable=True)
        self._slices = [slice(*pair) for pair in pairwise(edges)]

    def count(self, known: Ngrams, first_id: int) -> Iterator[KeyCounts]:
        """Count the n-grams of each chunk that are one token longer than the known ones."""

        def count(chunk: slice) -> KeyCounts:
            token_ids, heads = self._token_ids[chunk], self._heads[chunk]
            if known.max_n > 1:
                # A view: what is found for this length is not looked up again for the next one.
                heads[:] = known.find_longer(heads, token_ids, known.max_n, first_id)
            _, keys = ngram_keys(heads, token_ids, known.max_n + 1)
            return np.unique(keys, return_counts=True)

        return parallel_map(count, self._slices)


def merge_key_counts(chunks: list[KeyCounts]) -> KeyCounts:
    """Merge the counts of chunks, range by range of the keys, on all cores."""
    largest = max((keys for keys, _ in chunks), key=len, default=np.zeros(0, np.int64))
    step = max(1, _KEYS_AT_ONCE // max(1, len(chunks)))
    borders = largest[step::step]
    places = [np.searchsorted(keys, borders) for keys, _ in chunks]
    ranges = zip(
        *(
            zip(np.split(keys, at), np.split(counts, at), strict=True)
            for (keys, counts), at in zip(chunks, places, strict=True)
        ),
        strict=True,
    )
    merged = [*parallel_map(_merge_range, ranges)]
    if not merged:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    keys, counts = zip(*merged, strict=True)
    return np.concatenate(keys), np.concatenate(counts)


def _merge_range(chunks: Sequence[KeyCounts]) -> KeyCounts:
    # Keys alone are sorted, which takes a sixth of the time of an argsort. Each counts once for
    # every chunk; what is more than that is added for the few that repeat in a chunk.
    keys = np.sort(np.concatenate([keys for keys, _ in chunks]))
    # Keys are not negative, so the first one always differs from -1.
    firsts = np.flatnonzero(np.diff(keys, prepend=-1))
    distinct, totals = keys[firsts], np.diff(firsts, append=len(keys))
    for keys_of_chunk, counts in chunks:
        repeated = counts > 1
        # A chunk has each key once, so that no total is written twice.
        totals[np.searchsorted(distinct, keys_of_chunk[repeated])] += counts[repeated] - 1
    return distinct, totals


def keep_most_frequent(ngrams: Ngrams, counts: Counts, first_id: int, size: int) -> Ngrams:
    """Keep the most frequent n-grams, but none without the shorter one that it begins with."""
    kept = np.zeros(len(ngrams), np.bool_)
    # Stable, and shorter n-grams come first: they win ties.
    kept[np.argsort(-counts, kind="stable")[:size]] = True
    heads = ngrams.heads
    longer, shorter = heads >= first_id, np.maximum(heads - first_id, 0)  # n-gram and its head
    # Exact counts never rank an n-gram above its head, but those of a lossy counter can.
    for _ in range(3, ngrams.max_n + 1):
        kept[longer] &= kept[shorter[longer]]
    new_ids = np.cumsum(kept, dtype=np.int32) + np.int32(first_id - 1)
    # Renumbering keeps the order, so the keys stay ascending.
    heads[longer] = new_ids[shorter[longer]]
    return Ngrams.from_pairs(ngrams.max_n, heads[kept], ngrams.tails[kept])
