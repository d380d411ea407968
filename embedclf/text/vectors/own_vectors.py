"""Word vectors learned from the texts themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.system.arrow import index_in, text_column
from embedclf.system.progress import activity
from embedclf.system.threads import single_threaded_blas
from embedclf.text.fields import are_fields
from embedclf.text.vectors.word_matching import WordVectors
from embedclf.text.vocabulary import most_frequent_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from embedclf.system.arrays import Floats, Int64s
    from embedclf.text.tokens import Tokens

OWN_DIM = 100
"""Numbers in a vector; fewer if there are fewer words."""

_WINDOW = 5
"""Tokens to either side that count as neighbors; the nearest counts most."""

_MAX_WORDS = 20_000

_MIN_COUNT = 2

_SMOOTHING = 0.75

_MAX_PAIRS = 1 << 22
"""Pairs of words to collect before they are added up: about 50 MB."""

_NONE = -1


@dataclass(frozen=True, eq=False)
class OwnVectors:
    """Vectors of the words that occur at least twice in the texts."""

    words: tuple[str, ...]
    """The most frequent first."""
    rows: Floats
    """(words, embedding_dim)"""
    name: str = "own"
    files: tuple[Path, ...] = ()
    """None: they are learned from the tables."""

    @property
    def embedding_dim(self) -> int:
        """Length of a vector; less than 100 if there are fewer words."""
        width: int = self.rows.shape[1]
        return width

    def read(self, words: pa.StringArray) -> WordVectors:
        """Return the vectors of distinct words (words,)."""
        places = index_in(words, text_column(self.words), default=_NONE)
        found = places != _NONE
        rows = np.zeros((len(places), self.embedding_dim), np.float32)
        rows[found] = self.rows[places[found]]
        return WordVectors(found, rows)


@activity("learning word vectors")
def learn_vectors(
    read_chunks: Callable[[], Iterable[Tokens]], fields: Sequence[str], seed: int
) -> OwnVectors:
    """Learn vectors of the words of some texts from the words around them.

    A vector is a row of a truncated singular value decomposition: of the positive pointwise mutual
    information of words and their neighbors. The window is 5 tokens, weights fall with the
    distance, and neighbors' frequencies are raised to 0.75 (Levy, Goldberg and Dagan, Improving
    Distributional Similarity with Lessons Learned from Word Embeddings, 2015).

    Args:
        read_chunks: Returns the texts in chunks; called twice.
        fields: Columns whose tokens are no words of the texts.
        seed: Of the decomposition.
    """
    counts = (tokens.count() for tokens in read_chunks())
    frequent = most_frequent_tokens(counts, _MAX_WORDS, _MIN_COUNT)
    is_field = are_fields(text_column(frequent), fields)
    words = tuple(word for word, skip in zip(frequent, is_field, strict=True) if not skip)
    if len(words) < 2:
        return OwnVectors((), np.zeros((0, 1), np.float32))
    information = _mutual_information(_count_neighbors(read_chunks(), words))
    return OwnVectors(words, _decompose(information, seed))


def _count_neighbors(chunks: Iterable[Tokens], words: Sequence[str]) -> Any:
    """Return a sparse matrix (words, words): how often words occur together, symmetric."""
    from scipy import sparse

    size = len(words)
    total = sparse.csr_array((size, size), dtype=np.float32)
    vocabulary = text_column(words)
    for sequence in _sequences(chunks, vocabulary):
        pairs = [_pairs(sequence, distance) for distance in range(1, _WINDOW + 1)]
        lefts, rights = (np.concatenate(side) for side in zip(*pairs, strict=True))
        weights = [
            np.full(len(left), (_WINDOW + 1 - distance) / _WINDOW, np.float32)
            for distance, (left, _) in enumerate(pairs, start=1)
        ]
        # Equal pairs are added up when the format changes
        added = sparse.coo_array((np.concatenate(weights), (lefts, rights)), shape=(size, size))
        total = total + added.tocsr()
    return (total + total.T).tocsr()


def _sequences(chunks: Iterable[Tokens], vocabulary: pa.StringArray) -> Iterator[Int64s]:
    """Yield the texts as indices of words, with a gap after each text; -1 is no word."""
    collected, size = [np.zeros(0, np.int64)], 0
    for tokens in chunks:
        of_dictionary = index_in(tokens.dictionary, vocabulary, default=_NONE)
        # A gap of the window's length keeps words of different texts apart
        gaps = np.repeat(tokens.ends, _WINDOW)
        collected.append(np.insert(of_dictionary[tokens.codes].astype(np.int64), gaps, _NONE))
        size += len(collected[-1])
        if size * _WINDOW > _MAX_PAIRS:
            yield np.concatenate(collected)
            collected, size = [np.zeros(0, np.int64)], 0
    yield np.concatenate(collected)


def _pairs(sequence: Int64s, distance: int) -> tuple[Int64s, Int64s]:
    """Return the left and right words of all pairs at a distance."""
    lefts, rights = sequence[:-distance], sequence[distance:]
    both = (lefts != _NONE) & (rights != _NONE)
    return lefts[both], rights[both]


def _mutual_information(counts: Any) -> Any:
    """Return the positive pointwise mutual information (words, words) of counts."""
    from scipy import sparse

    pairs = counts.tocoo()
    totals = np.asarray(counts.sum(axis=1), np.float64).reshape(-1)
    smoothed = totals**_SMOOTHING
    expected = totals[pairs.row] * smoothed[pairs.col] / max(float(smoothed.sum()), 1.0)
    information = np.log(pairs.data / expected)
    positive = information > 0
    places = pairs.row[positive], pairs.col[positive]
    values = information[positive].astype(np.float32)
    return sparse.csr_array((values, places), shape=counts.shape)


def _decompose(information: Any, seed: int) -> Floats:
    """Return vectors (words, at most 100): singular vectors times the roots of singular values."""
    from sklearn.utils.extmath import randomized_svd

    size = information.shape[0]
    # In one thread: several would round differently on another machine
    with single_threaded_blas():
        left, values, _ = randomized_svd(
            information, min(OWN_DIM, size - 1), n_iter=3, random_state=seed
        )
    vectors: Floats = (left * np.sqrt(values)).astype(np.float32)
    return vectors
