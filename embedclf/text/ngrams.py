"""N-grams found by token ids.

A text has padding before its first token and behind its last, and a run may begin or end with it:
what texts begin and end with is a run of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from embedclf.system.threads import in_order
from embedclf.text.vocabulary import PADDING, UNKNOWN, Counter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from embedclf.system.arrays import Int32s, Offsets


Keys = npt.NDArray[np.int64]

KeyCounts = tuple[Keys, npt.NDArray[np.int64]]
"""Keys in ascending order, each once, and how often they are there."""

_MOST_COUNTED = 1 << 23
"""Different n-grams of one length that are held while they are counted: 128 MiB."""


@dataclass(frozen=True, eq=False)
class Ngrams:
    """Known n-grams, those of two tokens first; their ids follow those of the tokens.

    An n-gram is a pair of ids: of the token or shorter n-gram that it begins with, and of its last
    token. Both are in one number, and the numbers in ascending order, so that those of a text are
    found by searching for sorted numbers among sorted ones.
    """

    longest: int = 1
    """Most tokens of one; 1 where there are none."""
    keys: Keys = field(default_factory=lambda: np.zeros(0, np.int64))
    """(ngrams,) head · 2³² + tail."""

    @classmethod
    def of(cls, longest: int, heads: Int32s, tails: Int32s) -> Ngrams:
        """Join heads and tails, both (ngrams,)."""
        return cls(longest, heads.astype(np.int64) << 32 | tails)

    def __len__(self) -> int:
        return len(self.keys)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ngrams):
            return NotImplemented
        return self.longest == other.longest and np.array_equal(self.keys, other.keys)

    def __hash__(self) -> int:
        return hash((self.longest, self.keys.tobytes()))

    @property
    def heads(self) -> Int32s:
        """(ngrams,) ids of all tokens but the last, as one."""
        return (self.keys >> 32).astype(np.int32)

    @property
    def tails(self) -> Int32s:
        """(ngrams,) ids of the last token, or `PADDING`."""
        return self.keys.astype(np.int32)

    def spell(self, number: int, first: int) -> list[int]:
        """The ids of the tokens that an id stands for, itself where it is below the first."""
        tails = []
        while number >= first:
            number, tail = divmod(int(self.keys[number - first]), 1 << 32)
            tails.append(tail)
        return [number, *tails[::-1]]

    def to_json(self) -> dict[str, Any]:
        """Plain values for `text.json`."""
        heads, tails = self.heads.tolist(), self.tails.tolist()
        return {"longest": self.longest, "heads": heads, "tails": tails}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Ngrams:
        """The n-grams that `to_json` wrote."""
        heads, tails = (np.array(values[key], np.int32) for key in ("heads", "tails"))
        return cls.of(values["longest"], heads, tails)

    def find(self, ids: Int32s, first: int) -> Iterator[Int32s]:
        """Find the n-grams of texts.

        Args:
            ids: (places,) of all texts, as `framed` lays them out.
            first: The id of the first n-gram.

        Yields:
            For two tokens, three, and so on up to `longest`: (places,) the id of the n-gram that
            begins at each place, or `PADDING`.
        """
        heads = ids
        for length in range(2, self.longest + 1):
            places, keys = keys_of(heads, ids, length)
            heads = np.full(len(ids), PADDING, np.int32)
            heads[places] = self._look_up(keys, first)
            yield heads

    def _look_up(self, keys: Keys, first: int) -> Int32s:
        order = np.argsort(keys)
        ordered = keys[order]
        at = np.searchsorted(self.keys, ordered)
        at[at == len(self.keys)] = 0
        found = np.full(len(keys), PADDING, np.int32)
        if len(self.keys):
            found[order] = np.where(self.keys[at] == ordered, at + first, PADDING)
        return found


def slots(sequence_length: int, longest: int) -> int:
    """Ids of a text: of its tokens and, for each length, of the n-grams that begin before them."""
    return longest * (sequence_length + 1) - 1


def framed(ids: Int32s, ends: Offsets) -> tuple[Int32s, Offsets]:
    """Lay padding before, between and behind texts.

    Args:
        ids: (tokens,) of all texts, one behind the other.
        ends: (n,) where the tokens of each text end.

    Returns:
        (tokens + n + 1,) ids, and (n,) the place before the first token of each text.
    """
    padded = np.insert(ids, np.concatenate([[0], ends]), PADDING)
    return padded, np.concatenate([[0], ends])[:-1] + np.arange(len(ends))


def keys_of(heads: Int32s, ids: Int32s, length: int) -> tuple[npt.NDArray[np.intp], Keys]:
    """The keys of all n-grams of a length whose heads and last tokens are known.

    Args:
        heads: (places,) id of the n-gram one token shorter that begins at each place.
        ids: (places,) of the tokens, with padding around each text.
        length: Tokens of an n-gram, padding included.

    Returns:
        (found,) the places at which they begin, and (found,) their keys.
    """
    behind = length - 1
    tails = ids[behind:]
    heads, last = heads[: len(tails)], ids[behind - 1 :][: len(tails)]  # last token of each head
    known = (heads > UNKNOWN) & (last > UNKNOWN) & (tails != UNKNOWN)
    if length == 2:
        known |= (heads == PADDING) & (tails > UNKNOWN)
    places = np.flatnonzero(known)
    return places, heads[places].astype(np.int64) << 32 | tails[places]


def learn(
    texts: Callable[[], Iterable[Int32s]],
    first: int,
    *,
    longest: int,
    size: int,
    min_count: int,
) -> Ngrams:
    """Learn the most frequent n-grams of texts.

    They are counted length by length, and a longer one only where the shorter one that it begins
    with is frequent enough itself (Agrawal and Srikant, Fast Algorithms for Mining Association
    Rules, 1994, section 2.1). Where there are more than can be held, the rarest are forgotten on
    the way.

    Args:
        texts: Gives parts of the texts as often as it is called: (places,) ids, as `framed` lays
            them out.
        first: The first id that is free.
        longest: Most tokens of an n-gram.
        size: Most n-grams; of equally frequent ones the shorter are kept.
        min_count: How often an n-gram must be there.
    """
    found = Ngrams()
    counts = np.zeros(0, np.int64)
    for length in range(2, longest + 1):
        keys, times = _counted(texts(), found, first, min_count)
        found = Ngrams(length, np.concatenate([found.keys, keys]))
        counts = np.concatenate([counts, times])
    return _most_frequent(found, counts, first, size)


def _counted(texts: Iterable[Int32s], known: Ngrams, first: int, min_count: int) -> KeyCounts:
    def count(ids: Int32s) -> KeyCounts:
        *_, heads = ids, *known.find(ids, first)
        _, keys = keys_of(heads, ids, known.longest + 1)
        return np.unique(keys, return_counts=True)

    counts = Counter(_added_up, _MOST_COUNTED)
    for part in in_order(count, texts):
        counts.add(part)
    keys, times = counts.total()
    enough = times >= min_count
    return keys[enough], times[enough]


def _added_up(parts: list[KeyCounts]) -> KeyCounts:
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    keys = np.concatenate([keys for keys, _ in parts])
    counts = np.concatenate([counts for _, counts in parts])
    order = np.argsort(keys)
    keys, counts = keys[order], counts[order]
    firsts = np.flatnonzero(np.diff(keys, prepend=-1))
    return keys[firsts], np.add.reduceat(counts, firsts) if len(firsts) else counts


def _most_frequent(found: Ngrams, counts: npt.NDArray[np.int64], first: int, size: int) -> Ngrams:
    """The most frequent of all, each only with those that it begins with."""
    kept = np.zeros(len(found), np.bool_)
    kept[np.argsort(-counts, kind="stable")[:size]] = True
    heads = found.heads
    longer, shorter = heads >= first, np.maximum(heads - first, 0)  # what they begin with
    for _ in range(3, found.longest + 1):
        kept[longer] &= kept[shorter[longer]]
    moved = np.cumsum(kept, dtype=np.int32) + np.int32(first - 1)
    heads[longer] = moved[shorter[longer]]
    return Ngrams.of(found.longest, heads[kept], found.tails[kept])
