"""Vocabulary words matched with a source, case-insensitively."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from embedclf.system.arrow import number_column, numbers_of
from embedclf.text.tokens import normalize

if TYPE_CHECKING:
    from embedclf.system.arrays import Floats, Int32s, Mask

_NONE = -1


@dataclass(frozen=True)
class WordVectors:
    """What a source holds for the words wanted."""

    found: Mask
    """(words,) whether a word has a vector."""
    rows: Floats
    """(words, embedding_dim); zeros where there is none."""
    unreadable: int = 0
    """Words of the source that are not UTF-8, and therefore no words of a text."""


@dataclass(frozen=True)
class WordMatches:
    """Which words wanted those of a part of a source are; -1 is none."""

    exact: Int32s
    """(n,) the number of the word spelled alike."""
    alike: Int32s
    """(n,) the number of the form that is the same in small letters."""

    @property
    def hits(self) -> npt.NDArray[np.int64]:
        """Places in the part of all that are wanted."""
        return np.flatnonzero((self.exact != _NONE) | (self.alike != _NONE))

    def take(self, places: npt.NDArray[np.int64]) -> WordMatches:
        """Those at some places."""
        return WordMatches(self.exact[places], self.alike[places])


class WordForms:
    """The words wanted, in the two spellings that they are looked for in."""

    def __init__(self, words: pa.StringArray) -> None:
        """Prepare to look for words (words,), each there once, as a tokenizer gives them."""
        encoded = _folded(words).dictionary_encode()
        self._words, self._forms = words, encoded.dictionary
        self.form_of: Int32s = numbers_of(encoded.indices)
        """(words,) the form of each word in small letters."""

    def __len__(self) -> int:
        return len(self._words)

    @property
    def forms(self) -> int:
        """How many forms in small letters there are."""
        return len(self._forms)

    def match(self, spelled: pa.StringArray) -> WordMatches:
        """Look up words (n,) of a source; several threads may do it at once."""
        return WordMatches(
            _places(spelled, self._words),
            _places(_folded(spelled), self._forms),
        )


class VectorCollector:
    """The vectors found so far: of each word the first spelled alike, else the first alike.

    A cased source may hold `The`, `the` and `THE`. The word wanted has the vector of its own
    spelling wherever that stands; only where there is none, that of the first in another case.
    """

    def __init__(self, spellings: WordForms, embedding_dim: int) -> None:
        self._spellings = spellings
        self._exact = np.full(len(spellings), _NONE, np.int64)
        self._alike = np.full(spellings.forms, _NONE, np.int64)
        self._rows = [np.zeros((0, embedding_dim), np.float32)]
        self._count = 0

    def add(self, matches: WordMatches, rows: Floats) -> None:
        """Add the next words of the source, with their vectors (n, embedding_dim)."""
        exact, exact_at = _first(matches.exact, self._exact)
        alike, alike_at = _first(matches.alike, self._alike)
        kept = np.union1d(exact_at, alike_at)
        self._exact[exact] = self._count + np.searchsorted(kept, exact_at)
        self._alike[alike] = self._count + np.searchsorted(kept, alike_at)
        self._rows.append(rows[kept])
        self._count += len(kept)

    def vectors(self, unreadable: int = 0) -> WordVectors:
        """What was found once all words of the source were added."""
        alike = self._alike[self._spellings.form_of]
        at = np.where(self._exact != _NONE, self._exact, alike)  # (words,)
        found = at != _NONE
        gathered = np.concatenate(self._rows)
        rows = np.zeros((len(at), gathered.shape[1]), np.float32)
        rows[found] = gathered[at[found]]
        return WordVectors(found, rows, unreadable)


def _folded(words: pa.StringArray) -> pa.StringArray:
    return normalize(words, lowercase=True)


def _places(words: pa.StringArray, among: pa.StringArray) -> Int32s:
    none = number_column(np.array([_NONE], np.int32))[0]
    places: Int32s = numbers_of(pc.coalesce(pc.index_in(words, value_set=among), none))
    return places


def _first(
    numbers: Int32s, known: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """The numbers that are there for the first time, and where they are."""
    different, at = np.unique(numbers, return_index=True)
    fresh = (different != _NONE) & (known[different] == _NONE)
    return different[fresh], at[fresh]
