"""Hashes of tokens: a sum over characters, so that tensors can compute them.

A token is hashed in its decomposed form. Each code point adds a pseudorandom number times an odd
constant to the power of its place, modulo 2**64. Combining marks have the place of the character
that they belong to. Their order does not count, as it does not in Unicode's normalization where
they are on different sides of a character. Where a vocabulary has characters with several marks
above, such as those of Vietnamese, the order of these counts. Texts that are equal once they are
normalized thus have equal hashes, however they are written.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from embedclf.export.tensors.characters.code_points import Sequences, is_mark, mark_orders
from embedclf.system.arrow import pc, text_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from embedclf.system.arrays import Int32s, Int64s, Mask

_RADIX = np.uint64(0xD1342543DE82EF95)
"""An odd multiplier with good spectral properties (Steele and Vigna, Computationally Easy,
Spectrally Good Multipliers for Congruential Pseudorandom Number Generators, 2022, table 6)."""

_RANK_RADIX = np.uint64(0xAEF17502108EF2D9)
"""Another one from there."""

_ACUTE = "\u0301"

_GAMMA, _FIRST, _SECOND = (
    np.uint64(each) for each in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)
"""Constants of SplitMix64 (Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators,
2014)."""


@dataclass(frozen=True)
class TokenHashes:
    """How tokens are hashed; arrays are int64, and wrap."""

    composed: bool
    """Whether tokens are in their composed form, where every code point has a place of its own:
    with `unit: character`, what is composed is one token."""
    longest: int
    """Places of the longest token that is hashed correctly; longer ones get some other hash."""

    ranks_marks: bool = False
    """Whether the order of marks above a character counts."""

    @classmethod
    def of_tokens(cls, tokens: Sequence[str], *, composed: bool) -> TokenHashes:
        """Return the hashes that fit a vocabulary."""
        decomposed = pc.utf8_normalize(text_column(tokens), "NFD").to_pylist()
        points = np.array(list(map(ord, "\n".join(decomposed))), np.int32)
        above = _are_above(points)
        other = above[1:] & above[:-1] & (points[1:] != points[:-1])
        ranks_marks = not composed and bool(other.any())
        return cls(composed, max(map(len, decomposed), default=0), ranks_marks)

    @cached_property
    def powers(self) -> Int64s:
        """(longest + 2,) the weight of each place."""
        return _powers(_RADIX, self.longest + 2)

    @cached_property
    def rank_powers(self) -> Int64s:
        """(longest + 2,) the weight of a mark above with so many others before it in its token."""
        return _powers(_RANK_RADIX, self.longest + 2)

    def hash_tokens(self, tokens: Sequence[str]) -> Int64s:
        """(n,) the hash of each token, in normalized form."""
        column = text_column(tokens)
        if not self.composed:
            column = pc.utf8_normalize(column, "NFD")
        written = column.to_pylist()
        points = np.frombuffer("".join(written).encode("utf-32-le"), np.int32)
        starts = np.concatenate([[0], np.cumsum([len(token) for token in written], dtype=np.int64)])
        hashes = self.hash_characters(Sequences(points, starts))
        return hashes.values + hashes.ranked

    def hash_characters(self, sequences: Sequences) -> CharacterHashes:
        """Return the hash of each sequence at the first place of a token."""
        points, starts = sequences.points, sequences.starts
        takes_place = np.full(len(points), 1) if self.composed else ~is_mark()[points]
        above = _are_above(points) & self.ranks_marks
        places, ranks = _Totals(takes_place, starts), _Totals(above, starts)
        weights = self.powers[np.minimum(places.up_to, self.longest + 1)].view(np.uint64)
        rank_weights = self.rank_powers[np.minimum(ranks.up_to - above, self.longest + 1)]
        terms = mix(points) * weights * np.where(above, rank_weights, 1).view(np.uint64)
        values, ranked = (
            _Totals(np.where(mask, terms, np.uint64(0)), starts).of_sequences.view(np.int64)
            for mask in (~above, above)
        )
        return CharacterHashes(values, places.of_sequences, ranked, ranks.of_sequences)


class CharacterHashes(NamedTuple):
    """What characters add to the hash of a token; each is (n,)."""

    values: Int64s
    """Of all but the marks that are ranked, at the first place of a token."""
    widths: Int64s
    """Places that they take."""
    ranked: Int64s
    """Of the marks that are ranked, if they are the first ones."""
    ranks: Int64s
    """Number of marks that are ranked."""


class _Totals:
    """Totals of numbers (all,) within sequences."""

    def __init__(self, numbers: npt.NDArray[Any], starts: Int64s) -> None:
        dtype = np.uint64 if numbers.dtype == np.uint64 else np.int64
        totals = np.insert(np.cumsum(numbers, dtype=dtype), 0, 0)
        self.of_sequences = totals[starts[1:]] - totals[starts[:-1]]
        """(n,)"""
        self.up_to = totals[1:] - np.repeat(totals[starts[:-1]], np.diff(starts))
        """(all,) total from the beginning of the sequence up to each number."""


def _are_above(points: Int32s) -> Mask:
    """Return whether code points are marks above characters, as the acute accent is."""
    above: Mask = mark_orders()[points] == mark_orders()[ord(_ACUTE)]
    return above


def _powers(radix: np.uint64, count: int) -> Int64s:
    powers = np.full(count, radix, np.uint64)
    powers[0] = 1
    return np.cumprod(powers).view(np.int64)


def mix(numbers: Iterable[int]) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """(n,) a pseudorandom number of 64 bits for each number."""
    state = (np.asarray(numbers).astype(np.uint64) + np.uint64(1)) * _GAMMA
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    mixed: np.ndarray[tuple[int], np.dtype[np.uint64]] = state ^ (state >> np.uint64(31))
    return mixed
