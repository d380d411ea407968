"""Two sources of word vectors, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from embedclf.text.vectors.word_matching import WordVectors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from embedclf.system.arrays import Floats
    from embedclf.text.vectors.pretrained import GlovePackage
    from embedclf.text.vectors.use_words import UsePackage

_SCALED_WORDS = 1_000
"""The first words of the list; each source is scaled by the mean norm of their vectors."""


@dataclass(frozen=True)
class JoinedVectors:
    """The packages of `glove` and `use`; a word of either has a vector."""

    glove: GlovePackage
    use: UsePackage
    name: str = "glove+use"

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of both."""
        return *self.glove.files, *self.use.files

    @property
    def embedding_dim(self) -> int:
        """Length of a vector."""
        return self.glove.embedding_dim + self.use.embedding_dim

    def words(self, unit: str) -> Iterator[pa.StringArray]:
        """Yield the words of `glove` in chunks, the most frequent first.

        Raises:
            DataError: A package is damaged.
        """
        return self.glove.words(unit)

    def read(self, words: pa.StringArray) -> WordVectors:
        """Read the vectors of distinct words (words,).

        Raises:
            DataError: A package is damaged.
        """
        parts = [source.read(words) for source in (self.glove, self.use)]
        rows = [part.rows / norm for part, norm in zip(parts, self._norms, strict=True)]
        return WordVectors(parts[0].found | parts[1].found, np.concatenate(rows, axis=1))

    @cached_property
    def _norms(self) -> tuple[Floats, Floats]:
        """The mean norm of the vectors of each source, so that both count alike."""
        words = next(self.words("word"))[:_SCALED_WORDS]
        return _mean_norm(self.glove.read(words)), _mean_norm(self.use.read(words))


def _mean_norm(vectors: WordVectors) -> Floats:
    found = vectors.rows[vectors.found]
    norm: Floats = np.linalg.norm(found - found.mean(axis=0), axis=1).mean()
    return norm
