"""Vocabularies: the most frequent tokens, counted in parts and in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from embedclf.columns import mask_column, number_column, numbers_of, text_column

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from embedclf.tokens import Counted

MOST_COUNTED = 1 << 22
"""Tokens that are held at once: about 200 MB of words."""


class TokenCounts:
    """How often each token is there, added up part by part.

    Where there are more different tokens than can be held, the rarest are forgotten on the way and
    count from zero when they come again (lossy counting; Manku and Motwani, Approximate Frequency
    Counts over Data Streams, 2002). What is frequent everywhere is not touched by that.
    """

    def __init__(self, most: int = MOST_COUNTED) -> None:
        """Begin to count.

        Args:
            most: Tokens that are held at once.
        """
        self._most = most
        self._held: list[Counted] = []

    def add(self, counted: Counted) -> None:
        """Add the counts of a part of the texts."""
        self._held.append(counted)
        if sum(len(tokens) for tokens, _ in self._held) > self._most:
            self._held = [_commonest(_added_up(self._held), self._most // 2, ties=False)]

    def total(self) -> Counted:
        """Each token once, with the sum of its counts."""
        nothing = text_column([]), np.zeros(0, np.int64)
        return _added_up(self._held or [nothing])


def most_frequent(parts: Iterable[Counted], size: int, min_count: int = 1) -> tuple[str, ...]:
    """Find the most frequent tokens of all parts, ties in code point order.

    Args:
        parts: Counts of parts of the texts.
        size: Most tokens to return.
        min_count: How often they must be there.
    """
    counts = TokenCounts(max(MOST_COUNTED, 4 * size))
    for counted in parts:
        counts.add(counted)
    tokens, totals = counts.total()
    tokens, totals = _commonest(_where(tokens, totals, totals >= min_count), size, ties=True)
    by_name = numbers_of(pc.sort_indices(tokens))
    by_count = np.argsort(-totals[by_name], kind="stable")
    ranked = number_column(by_name[by_count[:size]])
    return tuple(tokens.take(ranked).to_pylist())


def _added_up(parts: list[Counted]) -> Counted:
    """Each token once, with the sum of its counts, if it is there at all."""
    encoded = pa.concat_arrays([tokens for tokens, _ in parts]).dictionary_encode()
    counts = np.concatenate([counts for _, counts in parts])
    totals = np.bincount(numbers_of(encoded.indices), counts, len(encoded.dictionary))
    return _where(encoded.dictionary, totals.astype(np.int64), totals > 0)


def _commonest(counted: Counted, size: int, *, ties: bool) -> Counted:
    """The tokens of the highest counts, with all or none of those that tie with the last one."""
    tokens, counts = counted
    if len(tokens) <= size:
        return counted
    last = np.partition(counts, len(counts) - size)[len(counts) - size]
    return _where(tokens, counts, counts >= last if ties else counts > last)


def _where(
    tokens: pa.StringArray, counts: npt.NDArray[np.int64], mask: npt.NDArray[np.bool_]
) -> Counted:
    return tokens.filter(mask_column(mask)), counts[mask]
