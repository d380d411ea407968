"""The most frequent tokens, counted in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from embedclf.system.arrays import Int64s
from embedclf.system.arrow import mask_column, number_column, numbers_of, text_column

if TYPE_CHECKING:
    from collections.abc import Iterable

    from embedclf.text.tokens import Counted


Kind = TypeVar("Kind", pa.StringArray, Int64s)
"""What is counted: (things,) words, or numbers that stand for something."""

AddUp = Callable[[list[tuple[Kind, Int64s]]], tuple[Kind, Int64s]]

PADDING, UNKNOWN = 0, 1
"""The first ids of every vocabulary."""

RESERVED = ("", " ")
"""What stands for them in a list of tokens; no token can be either."""

MOST_COUNTED = 1 << 22
"""Tokens that are held at once: about 200 MB of words."""


class Counter(Generic[Kind]):
    """How often each of many things is there, added up part by part.

    Where there are more different ones than can be held, the rarest are forgotten on the way and
    count from zero when they come again (lossy counting; Manku and Motwani, Approximate Frequency
    Counts over Data Streams, 2002). What is frequent everywhere is not touched by that.
    """

    def __init__(self, add_up: AddUp[Kind], most: int) -> None:
        """Begin to count.

        Args:
            add_up: Makes of the counts of parts, of none too, those of all: each thing once.
            most: Things that are held at once.
        """
        self._add_up: AddUp[Kind] = add_up
        self._most = most
        self._held: list[tuple[Kind, Int64s]] = []
        self._count = 0

    def add(self, counted: tuple[Kind, Int64s]) -> None:
        """Add the counts of a part."""
        self._held.append(counted)
        self._count += len(counted[1])
        if self._count > self._most:
            self._held = [_commonest(self.total(), self._most // 2, ties=False)]
            self._count = len(self._held[0][1])

    def total(self) -> tuple[Kind, Int64s]:
        """Each thing once, with the sum of its counts."""
        total: tuple[Kind, Int64s] = self._add_up(self._held)
        return total


def token_counts(most: int = MOST_COUNTED) -> Counter[pa.StringArray]:
    """Begin to count tokens; so many are held at once."""
    return Counter(_added_up, most)


def most_frequent(parts: Iterable[Counted], size: int, min_count: int = 1) -> tuple[str, ...]:
    """Find the most frequent tokens of all parts, ties in code point order.

    Args:
        parts: Counts of parts of the texts.
        size: Most tokens to return.
        min_count: How often they must be there.
    """
    counts = token_counts(max(MOST_COUNTED, 4 * size))
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
    parts = parts or [(text_column([]), np.zeros(0, np.int64))]
    encoded = pa.concat_arrays([tokens for tokens, _ in parts]).dictionary_encode()
    counts = np.concatenate([counts for _, counts in parts])
    totals = np.bincount(numbers_of(encoded.indices), counts, len(encoded.dictionary))
    return _where(encoded.dictionary, totals.astype(np.int64), totals > 0)


def _commonest(counted: tuple[Kind, Int64s], size: int, *, ties: bool) -> tuple[Kind, Int64s]:
    """The things of the highest counts, with all or none of those that tie with the last one."""
    things, counts = counted
    if len(counts) <= size:
        return counted
    last = np.partition(counts, len(counts) - size)[len(counts) - size]
    return _where(things, counts, counts >= last if ties else counts > last)


def _where(things: Kind, counts: Int64s, mask: npt.NDArray[np.bool_]) -> tuple[Kind, Int64s]:
    if isinstance(things, np.ndarray):
        return things[mask], counts[mask]
    return things.filter(mask_column(mask)), counts[mask]
