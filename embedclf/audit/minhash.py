"""Near-duplicate texts by MinHash and locality-sensitive hashing.

The Jaccard similarity of two sets is the size of their intersection over that of their union. The
smallest hash of a set equals that of another set with the probability of their similarity (Broder,
On the resemblance and containment of documents, 1997). A signature is 64 such MinHashes in bands of
four. Two texts are candidates if they share a bucket in some band (Leskovec, Rajaraman and Ullman,
Mining of Massive Datasets, section 3.4), and most of the single bits kept of each MinHash agree (Li
and König, b-bit minwise hashing, 2010). For candidates, the exact similarity is computed. Of pairs
with a similarity of 0.8, banding misses 2 in 10,000, and the bits miss 1 in 1,000.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from embedclf.system.memory.mapped_arrays import ArrayFile, compress
from embedclf.system.progress import activity
from embedclf.system.threads import parallel_map
from embedclf.text.encodings import expand_ranges
from embedclf.text.fingerprints import Fingerprints, find_shared, fingerprint_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.system.arrays import Counts, Doubles, Mask, Offsets, Rows
    from embedclf.text.tokens import Tokens

SHINGLE_SIZES = {"word": 1, "character": 3}
"""Consecutive tokens per shingle; single characters would be the same in all texts."""

_BANDS, _BAND_HASHES = 16, 4

_MAX_DIFFERING_BITS = 14
"""Of 64. At a similarity of 0.8, 6 ± 2.4 bits differ; at 0.2, 26 ± 4."""

_SIGNATURE_BIT = np.uint32(1 << 8)
"""The bit taken of each MinHash; the high bits of a minimum are 0 anyway."""

_MAX_BUCKET, _MAX_CANDIDATES = 64, 16
"""Texts compared per bucket, and candidates kept per text, the most similar first. Without these
limits, a table of texts from one template would need every pair."""

_TEXTS_AT_ONCE, _PAIRS_AT_ONCE = 1 << 10, 1 << 12

# Multiplying by odd numbers permutes the 32-bit hashes: one permutation per MinHash.
_FACTORS = np.random.default_rng(1).integers(0, 1 << 31, (_BANDS, _BAND_HASHES), np.uint32) * 2 + 1

_MIX = np.uint64(0x9E3779B97F4A7C15)
"""2**64 over the golden ratio: multiplying by it spreads the bits of a hash."""


@dataclass(frozen=True)
class Signatures:
    """MinHash signatures of the sets that are large enough to compare."""

    sets: Rows
    """(k,) the numbers of these sets; ascending."""
    buckets: Sequence[npt.NDArray[np.uint32]]
    """(bands, k) the bucket in each band; similar sets share some."""
    bits: npt.NDArray[np.uint64]
    """(k,) 64 bits, most of which are equal for similar sets."""

    def take(self, places: Rows) -> Signatures:
        """Select the signatures at some places (m,)."""
        buckets = tuple(of_band[places] for of_band in self.buckets)
        return Signatures(self.sets[places], buckets, self.bits[places])

    def renumber(self, sets: Rows) -> Signatures:
        """Keep some of the sets (m,), ascending, and number them from 0."""
        if not len(sets):
            return self.take(sets)
        numbers = np.searchsorted(sets, self.sets)
        mask: Mask = sets[np.minimum(numbers, len(sets) - 1)] == self.sets
        buckets = tuple(compress(of_band, mask) for of_band in self.buckets)
        return Signatures(numbers[mask], buckets, compress(self.bits, mask))

    def sharing_buckets(self, others: Signatures) -> Signatures:
        """Keep the sets that share a bucket with one of the others."""
        shared = np.zeros(len(self.bits), np.bool_)
        pairs = zip(self.buckets, others.buckets, strict=True)
        for rows in parallel_map(lambda pair: find_shared(*pair), pairs):
            shared[rows] = True
        return self.take(np.flatnonzero(shared))


class SignaturesFile:
    """Signatures of batches of sets, one after the other, which can be many."""

    def __init__(self) -> None:
        """Start without sets."""
        self._sets, self._bits = ArrayFile(np.int64), ArrayFile(np.uint64)
        self._buckets = [ArrayFile(np.uint32) for _ in range(_BANDS)]
        self._count = 0

    def append(self, signatures: Signatures, count: int) -> None:
        """Add the signatures of the next batch, of `count` sets."""
        self._sets.append(signatures.sets + self._count)
        self._bits.append(signatures.bits)
        for file, of_band in zip(self._buckets, signatures.buckets, strict=True):
            file.append(of_band)
        self._count += count

    def map(self) -> Signatures:
        """Return all signatures, mapped if they are many; after that, no more can be added."""
        buckets = tuple(file.map() for file in self._buckets)
        return Signatures(self._sets.map(), buckets, self._bits.map())


@dataclass(frozen=True)
class ShingleSets:
    """The distinct shingles of each text, as hashes."""

    shingles: Fingerprints
    """(shingles,) text by text."""
    sizes: Offsets
    """(n,) distinct shingles of each text."""

    @property
    def starts(self) -> Offsets:
        """(n,) where the shingles of each text start."""
        starts: Offsets = np.cumsum(self.sizes) - self.sizes
        return starts

    @classmethod
    def concatenate(cls, batches: Sequence[ShingleSets]) -> ShingleSets:
        """Join batches of sets."""
        return cls(
            np.concatenate([batch.shingles for batch in batches]),
            np.concatenate([batch.sizes for batch in batches]),
        )


@dataclass(frozen=True)
class CandidatePairs:
    """Pairs of texts that may be similar."""

    left: Rows
    """(pairs,)"""
    right: Rows
    """(pairs,)"""
    crowded: Rows
    """The left texts with more texts in their buckets than they were compared with."""


def build_shingle_sets(tokens: Tokens, unit: str) -> ShingleSets:
    """Collect the distinct shingles of each text: single words, or runs of three characters."""
    size, vocabulary_size = SHINGLE_SIZES[unit], len(tokens.dictionary)
    hashes, rows = (
        fingerprint_tokens(tokens),
        np.repeat(np.arange(len(tokens.ends)), tokens.lengths),
    )
    count = max(len(rows) - size + 1, 0)
    within_text = rows[size - 1 :] == rows[:count]  # shingles that end in the text they start in
    # One integer per shingle, with the text in the highest digits: one sort finds repeats.
    keys = rows[:count][within_text]
    for offset in range(size):
        keys = keys * vocabulary_size + tokens.codes[offset : offset + count][within_text]
    keys.sort()
    keys = keys[np.diff(keys, prepend=-1) > 0]  # (shingles,)
    shingles = np.zeros(len(keys), np.uint64)
    # Unpacks the digits, the last token first; what remains is the text.
    for _ in range(size):
        keys, codes = np.divmod(keys, max(vocabulary_size, 1))
        shingles = (shingles ^ hashes[codes]) * _MIX
    return ShingleSets(shingles, np.bincount(keys, minlength=len(tokens.ends)))


def sign_texts(tokens: Tokens, unit: str, *, min_shingles: int) -> Signatures:
    """Compute the signatures of the texts (n,) with at least `min_shingles` shingles."""
    is_long = tokens.lengths >= min_shingles  # shorter texts have fewer shingles
    sets = build_shingle_sets(tokens.filter(is_long), unit)
    signatures = compute_signatures(sets, min_shingles=min_shingles)
    return replace(signatures, sets=np.flatnonzero(is_long)[signatures.sets])


def compute_signatures(sets: ShingleSets, *, min_shingles: int) -> Signatures:
    """Compute the signatures of those of the sets (n,) with at least `min_shingles` shingles."""
    large = np.flatnonzero(sets.sizes >= min_shingles)
    buckets = np.zeros((_BANDS, len(large)), np.uint32)
    bits = np.zeros(len(large), np.uint64)
    # The high half: after the multiplication, its bits depend on all lower ones.
    hashes = (sets.shingles >> np.uint64(32)).astype(np.uint32)
    starts, sizes = sets.starts[large], sets.sizes[large]
    widths = _round_up(sizes)
    for width in np.unique(widths).tolist():
        group = np.flatnonzero(widths == width)
        # Repeating the last shingle fills the rows, and leaves the minimum as it is.
        places = starts[group] + np.minimum(np.arange(width)[:, None], sizes[group] - 1)
        buckets[:, group], bits[group] = _sign(hashes[places])
    return Signatures(large, tuple(buckets), bits)


def find_candidates(left: Signatures, right: Signatures) -> CandidatePairs:
    """Find pairs of a left and a right set with similar signatures.

    Args:
        left: Of some sets.
        right: Of others.

    Returns:
        Pairs of places in `left` and `right`.
    """
    orders = [*parallel_map(partial(np.argsort, kind="stable"), right.buckets)]
    sorted_buckets = [buckets[order] for buckets, order in zip(right.buckets, orders, strict=True)]

    def search(start: int) -> tuple[Rows, Rows]:
        batch = left.take(np.arange(start, min(start + _TEXTS_AT_ONCE, len(left.bits))))
        matches, crowded = [np.zeros(0, np.int64)], np.zeros(len(batch.bits), np.bool_)
        for buckets, in_order, order in zip(batch.buckets, sorted_buckets, orders, strict=True):
            first = np.searchsorted(in_order, buckets)
            counts = np.searchsorted(in_order, buckets, "right") - first
            crowded |= counts > _MAX_BUCKET
            counts = np.minimum(counts, _MAX_BUCKET)
            ours = np.repeat(np.arange(len(buckets)), counts)
            theirs = order[expand_ranges(first, counts)]
            differing = np.bitwise_count(batch.bits[ours] ^ right.bits[theirs])
            similar = differing <= _MAX_DIFFERING_BITS
            # One integer per pair, so `np.unique` removes pairs that share several bands.
            matches.append(ours[similar] * len(right.bits) + theirs[similar])
        ours, theirs = np.divmod(np.unique(np.concatenate(matches)), max(len(right.bits), 1))
        ranks = _rank_in_groups(ours, np.bitwise_count(batch.bits[ours] ^ right.bits[theirs]))
        crowded[ours[ranks >= _MAX_CANDIDATES]] = True
        kept = ranks < _MAX_CANDIDATES
        pairs = (start + ours[kept]) * len(right.bits) + theirs[kept]
        return pairs, start + np.flatnonzero(crowded)

    batches = []
    with activity("looking for near-duplicates", total=len(left.bits), unit="rows") as searching:
        for batch in parallel_map(search, range(0, len(left.bits), _TEXTS_AT_ONCE)):
            batches.append(batch)
            searching.advance(_TEXTS_AT_ONCE)
    # With empty arrays, because `np.concatenate` refuses an empty list.
    pairs = np.concatenate([np.zeros(0, np.int64), *(pairs for pairs, _ in batches)])
    crowded = np.concatenate([np.zeros(0, np.int64), *(rows for _, rows in batches)])
    return CandidatePairs(*np.divmod(pairs, max(len(right.bits), 1)), crowded)


def jaccard_similarity(left: ShingleSets, right: ShingleSets, pairs: CandidatePairs) -> Doubles:
    """(pairs,) the exact Jaccard similarity of each pair; 0 for two empty sets."""
    distinct, codes = np.unique(right.shingles, return_inverse=True)
    if not len(distinct):
        return np.zeros(len(pairs.left))
    # One integer per text and shingle, so a binary search tests whether the text has it.
    members = np.repeat(np.arange(len(right.sizes)), right.sizes) * len(distinct) + codes
    members.sort()

    def compare(batch: slice) -> Doubles:
        ours, theirs = pairs.left[batch], pairs.right[batch]
        sizes = left.sizes[ours]
        shingles = left.shingles[expand_ranges(left.starts[ours], sizes)]
        pair = np.repeat(np.arange(len(ours)), sizes)
        # A shingle of no right text gets a wrong code, and fails the first test below.
        codes = np.minimum(np.searchsorted(distinct, shingles), len(distinct) - 1)
        keys = theirs[pair] * len(distinct) + codes
        places = np.minimum(np.searchsorted(members, keys), len(members) - 1)
        shared = (distinct[codes] == shingles) & (members[places] == keys)
        intersections = np.bincount(pair[shared], minlength=len(ours))
        unions = sizes + right.sizes[theirs] - intersections
        similarities: Doubles = intersections / np.maximum(unions, 1)
        return similarities

    starts = [*range(0, len(pairs.left), _PAIRS_AT_ONCE), len(pairs.left)]
    batches = (slice(start, end) for start, end in pairwise(starts))
    similarities = [np.zeros(0)]
    with activity("comparing near-duplicates", total=len(pairs.left), unit="pairs") as comparing:
        for batch in parallel_map(compare, batches):
            similarities.append(batch)
            comparing.advance(len(batch))
    return np.concatenate(similarities)


def _round_up(sizes: Counts) -> Counts:
    """Round sizes (n,) up to one of four numbers between two powers of two."""
    steps = 1 << np.maximum(np.frexp(sizes - 1)[1].astype(np.int64) - 3, 0)
    rounded: Counts = -(-sizes // steps) * steps
    return rounded


def _sign(hashes: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[np.uint32], Fingerprints]:
    """Return the buckets (bands, n) and the bits (n,) of sets of equal size.

    With one row per shingle, the minima of all sets are computed at once. That takes a fifth of the
    time of `np.minimum.reduceat` over sets one after the other.

    Args:
        hashes: (shingles, n)
    """
    buckets = np.zeros((_BANDS, hashes.shape[1]), np.uint32)
    bits = np.zeros(hashes.shape[1], np.uint64)
    for band, factors in enumerate(_FACTORS):
        bucket = np.zeros(len(bits), np.uint64)
        for factor in factors:
            minhash = (hashes * factor).min(axis=0)
            bucket = (bucket ^ minhash) * _MIX
            # One shift per MinHash, 64 in all, which fills the integer exactly.
            bits = bits << np.uint64(1) | ((minhash & _SIGNATURE_BIT) != 0)
        buckets[band] = bucket >> np.uint64(32)
    return buckets, bits


def _rank_in_groups(groups: Rows, values: npt.NDArray[np.uint8]) -> Rows:
    """(n,) the rank of each value in its group, lowest first; groups are in ascending order."""
    ranks = np.empty(len(groups), np.int64)
    starts = np.searchsorted(groups, groups)  # (n,) where the group of each value starts
    # `lexsort` sorts by its last key first. The groups stay in place, so `starts` is valid.
    ranks[np.lexsort((values, groups))] = np.arange(len(groups)) - starts
    return ranks
