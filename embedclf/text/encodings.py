"""Token ids of texts, and what was lost in making them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from embedclf.text.vocabulary import PADDING, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.system.arrays import Counts, Doubles, Int32s, Mask, Offsets, Rows

Ids = npt.NDArray[Any]  # (ids,) int32, or uint16 where it suffices

PaddedIds = npt.NDArray[np.int32]  # (n, width)

_LONG_TEXT = 32
"""Ids of a text from which a copy of the whole text is faster than one by positions of its ids."""


@dataclass(frozen=True, eq=False)
class TokenIds:
    """Token ids of texts, one text after the other: its tokens, then its known n-grams."""

    values: Ids
    """(ids,) of all texts, without padding; may be memory-mapped."""
    ends: Offsets
    """(n,) where the ids of each text end; may be memory-mapped."""

    def __len__(self) -> int:
        return len(self.ends)

    def __iter__(self) -> Iterator[Ids]:
        """Yield the ids of each text."""
        start = 0
        for end in self.ends.tolist():
            yield self.values[start:end]
            start = end

    @property
    def starts(self) -> Offsets:
        """(n,) where the ids of each text start."""
        return np.concatenate([[0], self.ends])[:-1]  # also if n is 0

    @property
    def lengths(self) -> Counts:
        """(n,) number of ids of each text."""
        lengths = np.array(self.ends)
        lengths[1:] -= self.ends[:-1]  # np.diff takes several times as long for a few texts
        return lengths

    def __getitem__(self, rows: slice | Rows | Mask) -> TokenIds:
        """Select texts by positions from 0, by a mask, or by a slice, which copies no ids."""
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step == 1:
                return self._slice(start, max(start, stop))
            rows = np.arange(start, stop, step)
        elif rows.dtype == np.bool_:
            rows = np.flatnonzero(rows)
        stops = self.ends[rows]
        starts = np.where(rows > 0, self.ends[rows - 1], 0)
        return self._copy(starts, stops - starts)

    def truncate(self, length: int) -> TokenIds:
        """Keep at most that many ids of each text, the first ones."""
        lengths = self.lengths
        if lengths.max(initial=0) <= length:
            return self
        return self._copy(self.starts, np.minimum(lengths, length))

    def count(self, mask: Mask) -> Counts:
        """(n,) for how many ids of each text a mask (ids,) is true."""
        # A cumulative sum of a mask takes 4 to 6 times as long
        before = mask.nonzero()[0].searchsorted(self.ends)
        counts = before.copy()
        counts[1:] -= before[:-1]
        return counts

    def pad(self, width: int) -> PaddedIds:
        """Return rows (n, width) of equal length: the ids of each text, then padding."""
        rows = np.full((len(self), width), PADDING, np.int32)
        rows[np.arange(width) < self.lengths[:, None]] = self.values
        return rows

    @classmethod
    def concatenate(cls, parts: Sequence[TokenIds]) -> TokenIds:
        """Return the texts of each of `parts`, one after the other (at least one part)."""
        ends = np.cumsum(np.concatenate([part.lengths for part in parts]))
        return cls(np.concatenate([part.values for part in parts]), ends)

    @classmethod
    def join(cls, parts: Sequence[TokenIds]) -> TokenIds:
        """Return the same texts (n,) with the ids of each of `parts` (at least one), in order."""
        if len(parts) == 1:
            return parts[0]
        lengths = [part.lengths for part in parts]
        totals = np.sum(lengths, axis=0, dtype=np.int64)
        ends = np.cumsum(totals)
        values = np.empty(totals.sum(), np.int32)
        starts = ends - totals
        for part, counts in zip(parts, lengths, strict=True):
            values[expand_ranges(starts, counts)] = part.values
            starts = starts + counts
        return cls(values, ends)

    def _slice(self, first: int, last: int) -> TokenIds:
        start = int(self.ends[first - 1]) if first else 0
        ends = self.ends[first:last] - start
        return TokenIds(self.values[start : start + int(ends[-1]) if len(ends) else start], ends)

    def _copy(self, starts: Offsets, lengths: Counts) -> TokenIds:
        """Copy the ids (lengths,) from where each text (n,) starts."""
        ends = np.cumsum(lengths)
        if len(ends) and ends[-1] > _LONG_TEXT * len(ends):
            pairs = zip(starts.tolist(), (starts + lengths).tolist(), strict=True)
            return TokenIds(np.concatenate([self.values[one:end] for one, end in pairs]), ends)
        return TokenIds(self.values[expand_ranges(starts, lengths)], ends)


@dataclass(frozen=True)
class Encoding:
    """Texts as network input, with the tokens that were truncated or not in the vocabulary."""

    ids: TokenIds
    """Of each text: its tokens, at most `sequence_length`, where 1 is an out-of-vocabulary token.
    Then its known n-grams within these tokens: bigrams in their order in the text, then trigrams,
    and so on."""
    lengths: Int32s
    """(n,) tokens of each text before truncation."""
    unknown: Int32s
    """(n,) out-of-vocabulary tokens among them."""

    @property
    def has_known_token(self) -> Mask:
        """(n,) whether the network reads a token of the vocabulary."""
        known: Mask = self.ids.count(self.ids.values <= UNKNOWN) < self.ids.lengths
        return known

    @property
    def unknown_share(self) -> Doubles:
        """(n,) fraction of the tokens that are out of vocabulary; 1 for a text without tokens."""
        # A text without tokens counts as one that is unknown
        share: Doubles = (self.unknown + (self.lengths == 0)) / np.maximum(self.lengths, 1)
        return share

    @classmethod
    def from_lists(
        cls, ids: Sequence[list[int]], ngrams: Sequence[list[int]], sequence_length: int
    ) -> Encoding:
        """Make it of the ids of all tokens of each text (n,), and of the n-grams within the first.

        Args:
            ids: Not truncated.
            ngrams: In their order.
            sequence_length: Maximum number of tokens of a text.
        """
        pairs = zip(ids, ngrams, strict=True)
        rows = [[*text[:sequence_length], *others] for text, others in pairs]
        values = np.array([*chain.from_iterable(rows)], np.int32)
        return cls(
            TokenIds(values, np.array([*accumulate(map(len, rows))], np.int64)),
            np.array([len(text) for text in ids], np.int32),
            np.array([text.count(UNKNOWN) for text in ids], np.int32),
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Encoding]) -> Encoding:
        """Return the texts of each of `parts`, one after the other (at least one part)."""
        return cls(
            TokenIds.concatenate([part.ids for part in parts]),
            np.concatenate([part.lengths for part in parts]),
            np.concatenate([part.unknown for part in parts]),
        )

    def filter(self, mask: Mask) -> Encoding:
        """Keep the texts where a mask (n,) is true."""
        if mask.all():
            return self
        return Encoding(self.ids[mask], self.lengths[mask], self.unknown[mask])


def expand_ranges(starts: Offsets, lengths: Counts) -> Rows:
    """Return the places of ranges (n,) in a longer array, one range after the other."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    # Moves each range from where it would be, packed tightly, to where it starts.
    places: Rows = np.arange(total) + np.repeat(starts - (ends - lengths), lengths)
    return places
