"""Hashes of tokens: a sum over characters, so that tensors can compute them.

A token is hashed in its decomposed form. Each code point adds a pseudorandom number times an odd
constant to the power of its place, modulo 2**64. Combining marks have the place of the character
that they belong to: their order does not count, as it does not in Unicode's normalization where
they are written at different sides of the character. Texts that are equal once they are normalized
thus have equal hashes, however they are written.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from embedclf.export.tensors.code_points import is_mark
from embedclf.system.arrow import text_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from embedclf.export.tensors.code_points import Sequences
    from embedclf.system.arrays import Int64s

_RADIX = np.uint64(0xD1342543DE82EF95)
"""An odd multiplier with good spectral properties (Steele and Vigna, Computationally Easy,
Spectrally Good Multipliers for Congruential Pseudorandom Number Generators, 2022, table 6)."""

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

    @classmethod
    def of_tokens(cls, tokens: Sequence[str], *, composed: bool) -> TokenHashes:
        """Return the hashes that fit a vocabulary."""
        longest = max(
            map(len, pc.utf8_normalize(text_column(tokens), "NFD").to_pylist()), default=0
        )
        return cls(composed, longest)

    @cached_property
    def powers(self) -> Int64s:
        """(longest + 2,) the weight of each place."""
        powers = np.full(self.longest + 2, _RADIX, np.uint64)
        powers[0] = 1
        return np.cumprod(powers).view(np.int64)

    def hash_tokens(self, tokens: Sequence[str]) -> Int64s:
        """(n,) the hash of each token, in normalized form."""
        column = text_column(tokens)
        if not self.composed:
            column = pc.utf8_normalize(column, "NFD")
        written = column.to_pylist()
        points = np.frombuffer("".join(written).encode("utf-32-le"), np.int32)
        starts = np.concatenate([[0], np.cumsum([len(token) for token in written], dtype=np.int64)])
        return self._hash(points, starts)[0]

    def hash_characters(self, sequences: Sequences) -> tuple[Int64s, Int64s]:
        """Return the hash of each sequence at the first place of a token, and its places."""
        return self._hash(sequences.points, sequences.starts)

    def _hash(self, points: Iterable[int], starts: Int64s) -> tuple[Int64s, Int64s]:
        points = np.asarray(points)
        takes_place = np.full(len(points), 1) if self.composed else (~is_mark()[points]).astype(int)
        before = np.concatenate([[0], np.cumsum(takes_place)])
        sizes = np.diff(starts)
        places = before[1:] - np.repeat(before[starts[:-1]], sizes)
        weights = self.powers[np.minimum(places, self.longest + 1)].view(np.uint64)
        totals = np.cumsum(np.insert(mix(points) * weights, 0, 0), dtype=np.uint64)
        hashes = totals[starts[1:]] - totals[starts[:-1]]
        return hashes.view(np.int64), before[starts[1:]] - before[starts[:-1]]


def mix(numbers: Iterable[int]) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """(n,) a pseudorandom number of 64 bits for each number."""
    state = (np.asarray(numbers).astype(np.uint64) + np.uint64(1)) * _GAMMA
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    mixed: np.ndarray[tuple[int], np.dtype[np.uint64]] = state ^ (state >> np.uint64(31))
    return mixed
