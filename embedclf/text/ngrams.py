"""N-grams, found by token ids.

Every text has padding before its first token and after its last. An n-gram can begin or end with
it, so the tokens at the beginning and the end of a text form n-grams of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from embedclf.system.arrays import Int64s
from embedclf.text.encodings import TokenIds
from embedclf.text.vocabulary import PADDING, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.system.arrays import Int32s, Offsets, Rows

Keys = Int64s  # (n,) n-grams as head * 2**32 + tail

_NO_KEY = -1

_FEW = 16
"""Known keys for each key to look up, up to which hashing them pays: 0.1 s for a million."""

_RADIX = np.uint64(0x9E3779B97F4A7C15)
"""2**64 divided by the golden ratio: multiples are spread evenly (Knuth, The Art of Computer
Programming, volume 3, section 6.4)."""


@dataclass(frozen=True, eq=False)
class Ngrams:
    """Known n-grams, bigrams first; their ids follow those of the tokens.

    An n-gram is a pair of ids: its head (a token, or the n-gram that is one token shorter) and its
    tail (the last token). Both are packed into one integer. The integers are in ascending order.
    """

    max_n: int = 1
    """Maximum number of tokens of an n-gram; 1 if there are none."""
    keys: Keys = field(default_factory=lambda: np.zeros(0, np.int64))
    """(ngrams,) head * 2**32 + tail."""

    @classmethod
    def from_pairs(cls, max_n: int, heads: Int32s, tails: Int32s) -> Ngrams:
        """Pack heads and tails, both (ngrams,)."""
        # Ids are never negative, so a tail leaves the upper 32 bits alone.
        return cls(max_n, heads.astype(np.int64) << 32 | tails)

    def __len__(self) -> int:
        return len(self.keys)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ngrams):
            return NotImplemented
        return self.max_n == other.max_n and np.array_equal(self.keys, other.keys)

    def __hash__(self) -> int:
        return hash((self.max_n, self.keys.tobytes()))

    @property
    def heads(self) -> Int32s:
        """(ngrams,) id of the token or n-gram that each begins with."""
        return (self.keys >> 32).astype(np.int32)

    @property
    def tails(self) -> Int32s:
        """(ngrams,) id of the last token, or `PADDING`."""
        return self.keys.astype(np.int32)  # keeps the low 32 bits

    def token_ids(self, ngram_id: int, first_id: int) -> list[int]:
        """Return the ids of an n-gram's tokens; a token id (below `first_id`) is its own."""
        tails = []
        while ngram_id >= first_id:
            ngram_id, tail = divmod(int(self.keys[ngram_id - first_id]), 1 << 32)
            tails.append(tail)
        return [ngram_id, *tails[::-1]]

    def find(self, token_ids: Int32s, first_id: int) -> Iterator[Int32s]:
        """Find the n-grams of texts.

        Args:
            token_ids: (positions,) of all texts, padded by `pad_texts`.
            first_id: Id of the first n-gram.

        Yields:
            For two tokens, three, and so on up to `max_n`: (positions,) the id of the n-gram that
            begins at each position, or `PADDING`.
        """
        heads = token_ids
        for n in range(2, self.max_n + 1):
            heads = self.find_longer(heads, token_ids, n, first_id)
            yield heads

    def find_longer(self, heads: Int32s, token_ids: Int32s, n: int, first_id: int) -> Int32s:
        """Find the n-grams of `n` tokens that begin with those of one token less.

        Args:
            heads: (positions,) as this returns them for one token less; with 2, the token ids.
            token_ids: (positions,) of all texts, padded by `pad_texts`.
            n: Tokens of an n-gram.
            first_id: Id of the first n-gram.

        Returns:
            (positions,) the id of the n-gram that begins at each position, or `PADDING`.
        """
        positions, keys = ngram_keys(heads, token_ids, n)
        found = np.full(len(token_ids), PADDING, np.int32)
        found[positions] = self._ids_of(keys, first_id)
        return found

    def find_in_texts(
        self, token_ids: TokenIds, first_id: int, sequence_length: int
    ) -> Iterator[tuple[TokenIds, Rows]]:
        """Find the n-grams within the first tokens of texts.

        Args:
            token_ids: Of the texts, not truncated.
            first_id: Id of the first n-gram.
            sequence_length: Maximum number of tokens of a text.

        Yields:
            For two tokens, three, and so on: the ids of the n-grams, and (ids,) the position of
            each in its text, where 0 is the padding before the text.
        """
        if self.max_n == 1:
            return
        read = token_ids.truncate(sequence_length + 1)
        padded, before = pad_texts(read.values, read.ends)
        # Where a text is truncated is not its end: no n-gram ends with UNKNOWN.
        padded[before[read.lengths > sequence_length] + sequence_length + 1] = UNKNOWN
        for found in self.find(padded, first_id):
            places = np.flatnonzero(found)
            ends = np.searchsorted(places, np.append(before[1:], len(padded))[: len(before)])
            starts = np.repeat(before, np.diff(ends, prepend=0))
            yield TokenIds(found[places], ends), places - starts

    def find_in_few(
        self, texts: Sequence[list[int]], first_id: int, sequence_length: int
    ) -> list[list[int]]:
        """Find the n-grams that `find_in_texts` finds, faster if there are only a few texts.

        Returns:
            The ids of the n-grams of each text: bigrams in their order, then trigrams, and so on.
        """
        if not len(self):
            return [[] for _ in texts]
        return [self._find_in_text(text, first_id, sequence_length) for text in texts]

    def _find_in_text(self, text: list[int], first_id: int, sequence_length: int) -> list[int]:
        """Find the n-grams of a text by the ids of its tokens."""
        # Where a text is truncated is not its end: no n-gram ends with UNKNOWN.
        last = UNKNOWN if len(text) > sequence_length else PADDING
        padded = [PADDING, *text[:sequence_length], last]
        # No known key has a token that `ngram_keys` leaves out, so all pairs are looked up
        keys = [head << 32 | tail for head, tail in pairwise(padded)]
        heads: list[int] = []
        found: list[int] = []
        for n in range(2, self.max_n + 1):
            if n > 2:
                pairs = zip(heads, padded[n - 1 :], strict=False)
                keys = [head << 32 | tail if head else _NO_KEY for head, tail in pairs]
            places = self._search(np.array(keys, np.int64)).tolist()
            heads = [place + first_id if place >= 0 else PADDING for place in places]
            found += filter(None, heads)
        return found

    def union(self, other: Ngrams, first_id: int) -> Ngrams:
        """Return the n-grams of both; those of each keep their order."""
        merged = Ngrams(self.max_n)
        for _ in range(2, self.max_n + 1):
            # The heads of one length are renumbered by the union of the shorter ones.
            sides = (self._keys_in(merged, first_id), other._keys_in(merged, first_id))
            merged = Ngrams(self.max_n, np.union1d(*sides))
        return merged

    def ids_in(self, other: Ngrams, first_id: int) -> Int64s:
        """Return the ids (ngrams,) that these n-grams have in others, which must include them."""
        keys = self._keys_in(other, first_id)
        ids: Int64s = np.searchsorted(other.keys, keys) + first_id
        return ids

    def shift(self, first_id: int, new_first_id: int) -> Ngrams:
        """Return the same n-grams with ids that begin elsewhere."""
        heads = self.heads
        heads[heads >= first_id] += np.int32(new_first_id - first_id)
        return Ngrams.from_pairs(self.max_n, heads, self.tails)

    def _keys_in(self, other: Ngrams, first_id: int) -> Keys:
        """Return the keys of these n-grams with the ids that their heads have in others.

        An n-gram whose head is not among the others is left out, and so are longer ones.
        """
        keys, known = self.keys.copy(), self.heads < first_id
        for _ in range(3, self.max_n + 1):
            # Length by length: the key of a head must be that of `other` before it is looked up.
            heads = np.maximum(self.heads - first_id, 0)
            new_heads = other._ids_of(keys[heads], first_id).astype(np.int64)
            renumbered = new_heads << 32 | self.tails
            longer = self.heads >= first_id
            keys = np.where(longer, renumbered, self.keys)
            known = ~longer | (known[heads] & (new_heads != PADDING))
        return keys[known]

    def _ids_of(self, keys: Keys, first_id: int) -> Int32s:
        """Return the ids of keys (n,), `PADDING` for those that are not known."""
        if not len(self):
            return np.full(len(keys), PADDING, np.int32)
        places = self._search(keys) if _FEW * len(keys) < len(self) else self._look_up(keys)
        return np.where(places < 0, np.int32(PADDING), places + np.int32(first_id))

    def _search(self, keys: Keys) -> Int32s:
        """Return the place of each key (n,) among the known ones, or -1, by a binary search."""
        places = self.keys.searchsorted(keys)
        known = self.keys.take(places, mode="clip") == keys
        return np.where(known, places, -1).astype(np.int32)

    def _look_up(self, keys: Keys) -> Int32s:
        """Return the place of each key (n,) among the known ones, or -1, by its hash.

        With a million known keys, this takes 0.1 μs for each, and a binary search 0.3 μs.
        """
        slots = _hash(keys, len(self._table))
        places = self._table[slots]
        # -1 is the place of the last key, which is not among `left`: its slot is not empty.
        left = np.flatnonzero((self.keys[places] != keys) & (places >= 0))
        slots, keys = slots[left], keys[left]
        while len(left):
            # Keys with the same hash are in the slots that follow, up to an empty one.
            slots = (slots + 1) & (len(self._table) - 1)
            places[left] = found = self._table[slots]
            more = (self.keys[found] != keys) & (found >= 0)
            left, slots, keys = left[more], slots[more], keys[more]
        return places

    @cached_property
    def _table(self) -> Int32s:
        """(slots,) the place in `keys` of the key with this hash; -1 if there is none."""
        table = np.full(4 << len(self).bit_length(), -1, np.int32)
        left = np.arange(len(self), dtype=np.int32)
        slots = _hash(self.keys, len(table))
        while len(left):
            empty = table[slots] < 0
            table[slots[empty]] = left[empty]
            # Of several keys with the same hash, one is in its slot. The others take the next one.
            lost = table[slots] != left
            left, slots = left[lost], (slots[lost] + 1) & (len(table) - 1)
        return table


def input_length(sequence_length: int, max_n: int) -> int:
    """Return the maximum number of ids that a text becomes.

    `sequence_length` ids are of tokens; each length of n-grams adds one per token and one for the
    n-gram that begins before the first token.
    """
    return max_n * (sequence_length + 1) - 1


def pad_texts(token_ids: Int32s, ends: Offsets) -> tuple[Int32s, Offsets]:
    """Insert padding before, between and after texts.

    Args:
        token_ids: (tokens,) of all texts, one text after the other.
        ends: (n,) where the tokens of each text end.

    Returns:
        (tokens + n + 1,) ids, and (n,) the position of the padding before each text.
    """
    # Positions are those before inserting; empty texts repeat one and get a padding each.
    padded = np.insert(token_ids, np.concatenate([[0], ends]), PADDING)
    # Every text before has inserted one padding.
    return padded, np.concatenate([[0], ends])[:-1] + np.arange(len(ends))


def ngram_keys(heads: Int32s, token_ids: Int32s, n: int) -> tuple[Offsets, Keys]:
    """Return the keys of all n-grams of a length whose heads and last tokens are known.

    Args:
        heads: (positions,) id of the n-gram one token shorter that begins at each position.
        token_ids: (positions,) with padding around each text.
        n: Tokens of an n-gram, padding included.

    Returns:
        (found,) the positions at which they begin, and (found,) their keys.
    """
    tails = token_ids[n - 1 :]
    last_of_heads = token_ids[n - 2 :][: len(tails)]
    heads = heads[: len(tails)]
    # A head that ends with padding is at the end of its text; a tail may be that padding.
    known = (heads > UNKNOWN) & (last_of_heads > UNKNOWN) & (tails != UNKNOWN)
    if n == 2:
        # Only bigrams can begin with padding; longer n-grams have such a bigram as their head.
        known |= (heads == PADDING) & (tails > UNKNOWN)
    positions = np.flatnonzero(known)
    return positions, heads[positions].astype(np.int64) << 32 | tails[positions]


def _hash(keys: Keys, slots: int) -> Offsets:
    """Return the hashes of keys (n,), below a power of 2 of slots."""
    shift = np.uint64(65 - slots.bit_length())
    return (keys.view(np.uint64) * _RADIX >> shift).view(np.int64)
