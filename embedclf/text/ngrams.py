"""N-grams, found by token ids.

Every text has padding before its first token and after its last. An n-gram can begin or end with
it, so the tokens at the beginning and the end of a text form n-grams of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.system.arrays import Int64s
from embedclf.system.threads import parallel_map
from embedclf.text.vocabulary import PADDING, UNKNOWN, LossyCounter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from embedclf.system.arrays import Counts, Int32s, Mask, Offsets, Rows

Keys = Int64s  # (n,) n-grams as head * 2**32 + tail

KeyCounts = tuple[Keys, Int64s]
"""Distinct keys in ascending order, and the number of occurrences of each."""

_MAX_COUNTED = 1 << 23
"""Distinct n-grams of one length held at once while they are counted: 128 MiB."""


@dataclass(frozen=True, eq=False)
class Ngrams:
    """Known n-grams, bigrams first; their ids follow those of the tokens.

    An n-gram is a pair of ids: its head (a token, or the n-gram that is one token shorter) and its
    tail (the last token). Both are packed into one integer. The integers are in ascending order, so
    a text's n-grams are found by binary search.
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
            positions, keys = _ngram_keys(heads, token_ids, n)
            heads = np.full(len(token_ids), PADDING, np.int32)
            heads[positions] = self._ids_of(keys, first_id)
            yield heads

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

    def to_json(self) -> dict[str, Any]:
        """Plain values for `text.json`."""
        heads, tails = self.heads.tolist(), self.tails.tolist()
        return {"longest": self.max_n, "heads": heads, "tails": tails}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Ngrams:
        """Rebuild the n-grams that `to_json` wrote."""
        heads, tails = (np.array(values[key], np.int32) for key in ("heads", "tails"))
        return cls.from_pairs(values["longest"], heads, tails)

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
        order = np.argsort(keys)  # ascending needles: the binary searches share cached memory
        ordered = keys[order]
        places = np.searchsorted(self.keys, ordered)
        # Past the end, any place will do: the key there is smaller and does not match.
        places[places == len(self.keys)] = 0
        ids = np.full(len(keys), PADDING, np.int32)
        if len(self.keys):
            ids[order] = np.where(self.keys[places] == ordered, places + first_id, PADDING)
        return ids


def input_length(sequence_length: int, max_n: int) -> int:
    """Return the number of ids a text becomes.

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


def row_places(starts: Offsets, counts: Offsets, width: int) -> tuple[Mask, Rows]:
    """Map runs of a flat array to the beginnings of rows of equal width.

    Args:
        starts: (n,) where each run starts in the flat array.
        counts: (n,) length of each run, at most `width`.
        width: Of the rows.

    Returns:
        (n, width) which places of the rows are filled, and (sum of counts,) the positions in the
        flat array of the values that fill them.
    """
    ends = np.cumsum(counts)
    return (
        np.arange(width) < counts[:, None],
        # Moves each run from where it would be, packed tightly, to where it starts.
        np.arange(counts.sum()) + np.repeat(starts - (ends - counts), counts),
    )


def fit_ngrams(
    read_texts: Callable[[], Iterable[Int32s]],
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
        read_texts: Returns the texts in chunks, once for each length: (positions,) token ids,
            padded by `pad_texts`.
        first_id: The first unused id.
        max_n: Maximum number of tokens of an n-gram.
        size: Maximum number of n-grams; among equally frequent ones, shorter ones are kept.
        min_count: Minimum number of occurrences of an n-gram.
        max_counted: Distinct n-grams of one length held at once; beyond it the rarest are dropped.
    """
    ngrams = Ngrams()
    totals = np.zeros(0, np.int64)
    for n in range(2, max_n + 1):
        counter = LossyCounter(_merge_key_counts, max_counted)
        count = partial(_count_keys, known=ngrams, first_id=first_id)
        for counts in parallel_map(count, read_texts()):
            counter.add(counts)
        keys, counts_of_keys = counter.total()
        frequent = counts_of_keys >= min_count
        # Keys stay ascending: the heads of longer n-grams have higher ids.
        ngrams = Ngrams(n, np.concatenate([ngrams.keys, keys[frequent]]))
        totals = np.concatenate([totals, counts_of_keys[frequent]])
    return _keep_most_frequent(ngrams, totals, first_id, size)


def _ngram_keys(heads: Int32s, token_ids: Int32s, n: int) -> tuple[Offsets, Keys]:
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


def _count_keys(token_ids: Int32s, known: Ngrams, first_id: int) -> KeyCounts:
    """Count the n-grams that are one token longer than the known ones."""
    # The longest n-grams known so far, or the tokens themselves if there are none.
    *_, heads = token_ids, *known.find(token_ids, first_id)
    _, keys = _ngram_keys(heads, token_ids, known.max_n + 1)
    return np.unique(keys, return_counts=True)


def _merge_key_counts(chunks: list[KeyCounts]) -> KeyCounts:
    if not chunks:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    keys = np.concatenate([keys for keys, _ in chunks])
    counts = np.concatenate([counts for _, counts in chunks])
    order = np.argsort(keys)
    keys, counts = keys[order], counts[order]
    # Keys are not negative, so the first one always differs from -1.
    firsts = np.flatnonzero(np.diff(keys, prepend=-1))
    return keys[firsts], np.add.reduceat(counts, firsts) if len(firsts) else counts


def _keep_most_frequent(ngrams: Ngrams, counts: Counts, first_id: int, size: int) -> Ngrams:
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
