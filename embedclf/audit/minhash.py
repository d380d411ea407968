"""Near-equal texts by MinHash.

The Jaccard similarity of two sets is the share of their union that is in both. The least of the
hashed tokens of a set is that of another one with the probability of their similarity (Broder, On
the resemblance and containment of documents, 1997). Of 64 such numbers four make a band; texts that
agree in a band may be similar (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section
3.4), if they also agree in most of one bit from each number (Li and König, b-bit minwise hashing,
2010). Those are compared in earnest. Of pairs of similarity 0.8 the bands miss 2 in 10,000, the
bits 1 in 1,000.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from embedclf.system.threads import in_order
from embedclf.text.fingerprints import Fingerprints, token_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.system.arrays import Doubles, Offsets
    from embedclf.text.tokens import Tokens


_BANDS, _IN_BAND = 16, 4

_DIFFERENT = 14
"""Most bits of 64 that similar texts differ in: at a similarity of 0.8 it is 6 give or take 2.4,
while texts of a similarity of 0.2 differ in 26 give or take 4."""

_BIT = np.uint32(1 << 8)
"""The bit taken of each number: the high ones of the least number are 0 anyway."""

SHINGLE = {"word": 1, "character": 3}
"""Tokens in a row that are compared as one: single letters are the same in all texts."""

_MOST_OF_BUCKET, _MOST = 64, 16
"""Texts of a bucket whose bits are compared with those of a text, and the most like it of all
buckets that are compared with it in earnest: where a table is made from a template, all texts of it
agree in a band."""

_TEXTS_AT_ONCE, _PAIRS_AT_ONCE = 1 << 10, 1 << 12

_FACTORS = np.random.default_rng(1).integers(0, 1 << 31, (_BANDS, _IN_BAND), np.uint32) * 2 + 1

_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Sketches:
    """What is kept of sets to find similar ones by."""

    bands: npt.NDArray[np.uint32]
    """(n, bands) of which similar sets have some in common."""
    bits: npt.NDArray[np.uint64]
    """(n,) 64 bits, most of which similar sets have in common."""
    large: npt.NDArray[np.bool_]
    """(n,) whether a set is large enough to be compared; the others have no sketch."""

    def take(self, places: Offsets) -> Sketches:
        """Those at some places."""
        return Sketches(self.bands[places], self.bits[places], self.large[places])

    @classmethod
    def joined(cls, parts: Sequence[Sketches]) -> Sketches:
        """Those of several parts, in order."""
        return cls(
            np.concatenate([part.bands for part in parts]),
            np.concatenate([part.bits for part in parts]),
            np.concatenate([part.large for part in parts]),
        )


@dataclass(frozen=True)
class Sets:
    """Sets of the shingles of texts."""

    numbers: Fingerprints
    """(shingles,) each once a text, text behind text."""
    sizes: Offsets
    """(n,) different shingles of each text."""

    @property
    def starts(self) -> Offsets:
        """(n,) where the shingles of each text begin."""
        starts: Offsets = np.cumsum(self.sizes) - self.sizes
        return starts

    @classmethod
    def joined(cls, parts: Sequence[Sets]) -> Sets:
        """The sets of several parts, in order."""
        return cls(
            np.concatenate([part.numbers for part in parts]),
            np.concatenate([part.sizes for part in parts]),
        )


@dataclass(frozen=True)
class Candidates:
    """Pairs of texts that may be similar."""

    left: Offsets
    """(pairs,)"""
    right: Offsets
    """(pairs,)"""
    crowded: Offsets
    """The left texts that agree in a band with more texts than they were compared with."""


def shingle_sets(tokens: Tokens, unit: str) -> Sets:
    """The set of shingles of each text: words, or three characters in a row."""
    size, different = SHINGLE[unit], len(tokens.dictionary)
    numbers, rows = token_numbers(tokens), np.repeat(np.arange(len(tokens.ends)), tokens.lengths)
    count = max(len(rows) - size + 1, 0)
    whole = rows[size - 1 :] == rows[:count]  # shingles that end in the text they begin in
    keys = rows[:count][whole]
    for place in range(size):
        keys = keys * different + tokens.codes[place : place + count][whole]
    keys.sort()
    keys = keys[np.diff(keys, prepend=-1) > 0]  # (shingles,)
    hashed = np.zeros(len(keys), np.uint64)
    for _ in range(size):
        keys, codes = np.divmod(keys, max(different, 1))
        hashed = (hashed ^ numbers[codes]) * _MIX
    return Sets(hashed, np.bincount(keys, minlength=len(tokens.ends)))


def sketch(sets: Sets, *, least: int) -> Sketches:
    """Sketch sets (n,) of at least so many shingles."""
    bands = np.zeros((len(sets.sizes), _BANDS), np.uint32)
    bits = np.zeros(len(sets.sizes), np.uint64)
    large = sets.sizes >= least
    if not large.any():
        return Sketches(bands, bits, large)
    hashed = (sets.numbers[np.repeat(large, sets.sizes)] >> np.uint64(32)).astype(np.uint32)
    starts = np.cumsum(sets.sizes[large]) - sets.sizes[large]
    drawn = np.zeros(len(starts), np.uint64)
    for band, factors in enumerate(_FACTORS):
        key = np.zeros(len(starts), np.uint64)
        for factor in factors:
            lowest = np.minimum.reduceat(hashed * factor, starts)
            key = (key ^ lowest) * _MIX
            drawn = drawn << np.uint64(1) | ((lowest & _BIT) != 0)
        bands[large, band] = key >> np.uint64(32)
    bits[large] = drawn
    return Sketches(bands, bits, large)


def candidates(left: Sketches, right: Sketches) -> Candidates:
    """Find pairs of a set of the left and one of the right that are similar by their sketches.

    Args:
        left: All of them large.
        right: All of them large.
    """
    orders = [np.argsort(band, kind="stable") for band in right.bands.T]
    keys = [band[order] for band, order in zip(right.bands.T, orders, strict=True)]

    def find(start: int) -> tuple[Offsets, Offsets]:
        piece = left.take(np.arange(start, min(start + _TEXTS_AT_ONCE, len(left.bits))))
        found, crowded = [np.zeros(0, np.int64)], np.zeros(len(piece.bits), np.bool_)
        for band, ordered, order in zip(piece.bands.T, keys, orders, strict=True):
            first = np.searchsorted(ordered, band)
            counts = np.searchsorted(ordered, band, "right") - first
            crowded |= counts > _MOST_OF_BUCKET
            counts = np.minimum(counts, _MOST_OF_BUCKET)
            ours = np.repeat(np.arange(len(band)), counts)
            theirs = order[_ranges(first, counts)]
            alike = np.bitwise_count(piece.bits[ours] ^ right.bits[theirs]) <= _DIFFERENT
            found.append(ours[alike] * len(right.bits) + theirs[alike])
        ours, theirs = np.divmod(np.unique(np.concatenate(found)), max(len(right.bits), 1))
        ranks = _ranks(ours, np.bitwise_count(piece.bits[ours] ^ right.bits[theirs]))
        crowded[ours[ranks >= _MOST]] = True
        kept = ranks < _MOST
        pairs = (start + ours[kept]) * len(right.bits) + theirs[kept]
        return pairs, start + np.flatnonzero(crowded)

    pieces = [*in_order(find, range(0, len(left.bits), _TEXTS_AT_ONCE))]
    pairs = np.concatenate([np.zeros(0, np.int64), *(found for found, _ in pieces)])
    crowded = np.concatenate([np.zeros(0, np.int64), *(rows for _, rows in pieces)])
    return Candidates(*np.divmod(pairs, max(len(right.bits), 1)), crowded)


def jaccard(left: Sets, right: Sets, pairs: Candidates) -> Doubles:
    """(pairs,) the share of the union of two sets that is in both; of two empty sets 0."""
    known, ranks = np.unique(right.numbers, return_inverse=True)
    there = np.repeat(np.arange(len(right.sizes)), right.sizes) * len(known) + ranks
    there.sort()

    def compare(piece: slice) -> Doubles:
        ours, theirs = pairs.left[piece], pairs.right[piece]
        sizes = left.sizes[ours]
        numbers = left.numbers[_ranges(left.starts[ours], sizes)]
        pair = np.repeat(np.arange(len(ours)), sizes)
        ranks = np.minimum(np.searchsorted(known, numbers), len(known) - 1)
        wanted = theirs[pair] * len(known) + ranks
        places = np.minimum(np.searchsorted(there, wanted), len(there) - 1)
        shared = (known[ranks] == numbers) & (there[places] == wanted)
        both = np.bincount(pair[shared], minlength=len(ours))
        similar: Doubles = both / np.maximum(sizes + right.sizes[theirs] - both, 1)
        return similar

    if not len(known):
        return np.zeros(len(pairs.left))
    starts = [*range(0, len(pairs.left), _PAIRS_AT_ONCE), len(pairs.left)]
    pieces = (slice(start, end) for start, end in pairwise(starts))
    return np.concatenate([np.zeros(0), *in_order(compare, pieces)])


def _ranks(groups: Offsets, values: npt.NDArray[np.uint8]) -> Offsets:
    """(n,) the rank of each value in its group, the lowest first; the groups ascend."""
    ranks = np.empty(len(groups), np.int64)
    starts: Offsets = np.searchsorted(groups, groups)
    ranks[np.lexsort((values, groups))] = np.arange(len(groups)) - starts
    return ranks


def _ranges(starts: Offsets, counts: Offsets) -> Offsets:
    """The numbers from each start on, so many of each, one range behind the other."""
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(counts.sum())
