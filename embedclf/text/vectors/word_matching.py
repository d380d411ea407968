"""Words of the vocabulary, matched with those of a vector source regardless of case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from embedclf.system.arrow import index_in, to_numpy
from embedclf.text.normalization import normalize

if TYPE_CHECKING:
    import pyarrow as pa

    from embedclf.system.arrays import Floats, Int32s, Int64s, Mask, Rows

_NO_MATCH = -1


@dataclass(frozen=True)
class WordVectors:
    """The vectors that a source holds for the requested words."""

    found: Mask
    """(words,) whether a word has a vector."""
    rows: Floats
    """(words, embedding_dim); zeros for words without a vector."""
    unreadable: int = 0
    """Words of the source that are not UTF-8, so no text can contain them."""


@dataclass(frozen=True)
class WordMatches:
    """The requested words that the words of a source match; -1 is none."""

    exact: Int32s
    """(n,) index of the requested word with the same spelling."""
    folded: Int32s
    """(n,) index of the lower-case form with the same letters."""

    @property
    def hits(self) -> Rows:
        """Positions of the source words that match any requested word."""
        return np.flatnonzero((self.exact != _NO_MATCH) | (self.folded != _NO_MATCH))

    def take(self, positions: Rows) -> WordMatches:
        """Return the matches at some positions."""
        return WordMatches(self.exact[positions], self.folded[positions])


class WordForms:
    """The requested words in both spellings they are looked up by: their own, and lower case."""

    def __init__(self, words: pa.StringArray) -> None:
        """Prepare to look up words (words,), all distinct, as a tokenizer returns them."""
        encoded = _fold(words).dictionary_encode()
        self._words, self._forms = words, encoded.dictionary
        self.form_of: Int32s = to_numpy(encoded.indices)
        """(words,) index of each word's lower-case form."""

    def __len__(self) -> int:
        return len(self._words)

    @property
    def forms(self) -> int:
        """Number of distinct lower-case forms."""
        return len(self._forms)

    def match(self, source_words: pa.StringArray) -> WordMatches:
        """Look up the words (n,) of a source; safe in several threads at once."""
        return WordMatches(
            index_in(source_words, self._words, default=_NO_MATCH),
            index_in(_fold(source_words), self._forms, default=_NO_MATCH),
        )


class VectorCollector:
    """Collects the vectors of the requested words from a source, chunk by chunk.

    A cased source can hold `The`, `the` and `THE`. A word gets the vector of the first occurrence
    of its own spelling, or, without one, that of the first occurrence in another case.
    """

    def __init__(self, words: WordForms, embedding_dim: int) -> None:
        self._words = words
        self._exact = np.full(len(words), _NO_MATCH, np.int64)  # rows collected by exact spelling
        self._folded = np.full(words.forms, _NO_MATCH, np.int64)  # ... and by lower-case form
        # concatenate needs at least one chunk.
        self._chunks = [np.zeros((0, embedding_dim), np.float32)]
        self._size = 0

    def add(self, matches: WordMatches, rows: Floats) -> None:
        """Add the next words of the source, with their vectors (n, embedding_dim)."""
        exact, exact_at = _first_matches(matches.exact, self._exact)
        folded, folded_at = _first_matches(matches.folded, self._folded)
        kept = np.union1d(exact_at, folded_at)
        # union1d sorts, so searchsorted finds the place of each row in this chunk.
        self._exact[exact] = self._size + np.searchsorted(kept, exact_at)
        self._folded[folded] = self._size + np.searchsorted(kept, folded_at)
        self._chunks.append(rows[kept])
        self._size += len(kept)

    def vectors(self, unreadable: int = 0) -> WordVectors:
        """Return the collected vectors, after all words of the source have been added."""
        by_form = self._folded[self._words.form_of]
        source_rows = np.where(self._exact != _NO_MATCH, self._exact, by_form)  # (words,)
        found = source_rows != _NO_MATCH
        collected = np.concatenate(self._chunks)
        rows = np.zeros((len(source_rows), collected.shape[1]), np.float32)
        rows[found] = collected[source_rows[found]]
        return WordVectors(found, rows, unreadable)


def _fold(words: pa.StringArray) -> pa.StringArray:
    return normalize(words, lowercase=True)


def _first_matches(indices: Int32s, collected: Int64s) -> tuple[Int32s, Rows]:
    """Return the indices matched for the first time, and the position of each first match."""
    # return_index is each index's first occurrence, which wins.
    distinct, positions = np.unique(indices, return_index=True)
    # Indexing by -1 reads the last entry, which the first condition masks.
    new = (distinct != _NO_MATCH) & (collected[distinct] == _NO_MATCH)
    return distinct[new], positions[new]
