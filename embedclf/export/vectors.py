"""Vectors for gensim, the Projector, NumPy, Parquet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from embedclf.errors import DataError, RequestError
from embedclf.system.arrow import number_column, pc, text_column
from embedclf.system.control_characters import escape_controls
from embedclf.system.progress import activity
from embedclf.system.publishing.drafts import draft_directory, draft_file, publish_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from embedclf.inference.embeddings import Embeddings
    from embedclf.system.arrays import Counts, Floats

VectorFormat = Literal["word2vec", "tsv", "npz", "parquet"]

_BLOCK_ROWS = 8_192
"""Vectors that are formatted at once."""

_MAX_NPZ_CHARACTERS = 1 << 26
"""Of the names in an npz file, where NumPy makes each as wide as the longest: 256 MiB."""

_PROJECTOR_CONFIG = """\
embeddings {
  tensor_name: "embedding"
  tensor_path: "vectors.tsv"
  metadata_path: "metadata.tsv"
}
"""


@activity("writing vectors")
def export_vectors(
    embeddings: Embeddings, target: Path, export_format: VectorFormat, *, ngrams: bool = False
) -> int:
    """Write the vectors of a run, in the order of its vocabulary.

    The words of an n-gram are joined by `_`, since a space separates columns.

    Args:
        embeddings: Of the run.
        target: A file; for `tsv` a directory, which must not exist.
        export_format: `word2vec` is the text format of that program, which gensim reads; `tsv` is
            what TensorBoard's Projector loads; `npz` and `parquet` hold names, counts, vectors and
            label contributions.
        ngrams: Whether to write n-grams after the tokens.

    Returns:
        The number of vectors.

    Raises:
        RequestError: The directory exists, or a name is too long for the format.
        DataError: The target cannot be written.
    """
    vectors = _NamedVectors.select(embeddings, ngrams=ngrams)
    try:
        if export_format == "tsv":
            _write_directory(target, vectors)
        else:
            with draft_file(target, seeks=export_format == "npz") as file:
                _WRITERS[export_format](file, vectors)
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error.strerror}") from error
    return len(vectors.names)


@dataclass(frozen=True)
class _NamedVectors:
    """Tokens and n-grams in the order of the vocabulary, with counts and vectors."""

    names: list[str]
    counts: Counts | None
    """(n,)."""
    vectors: Floats
    """(n, embedding_dim)."""
    label_contributions: Floats
    """(n, labels)."""
    labels: tuple[str, ...]

    @classmethod
    def select(cls, embeddings: Embeddings, *, ngrams: bool) -> _NamedVectors:
        rows = embeddings.select_rows(ngrams=ngrams)
        vectors = embeddings.weights.embedding[rows]
        return cls(
            [name.replace(" ", "_") for name in embeddings.tokenizer.decode(rows)],
            None if embeddings.counts is None else embeddings.counts[rows],
            vectors,
            embeddings.label_contributions(vectors),
            embeddings.labels.names,
        )

    def lines(self, separator: str, *, names: bool) -> Iterator[bytes]:
        """Yield vectors as lines; numbers have the fewest digits that restore them exactly."""
        for start in range(0, len(self.names), _BLOCK_ROWS):
            # (embedding_dim, rows), contiguous, since `number_column` does not copy the buffer
            block = np.ascontiguousarray(self.vectors[start : start + _BLOCK_ROWS].T)
            columns = [number_column(column).cast(pa.string()) for column in block]
            if names:
                columns.insert(0, text_column(self.names[start : start + _BLOCK_ROWS]))
            lines = pc.binary_join_element_wise(*columns, text_column([separator])[0])
            yield "".join(f"{line}\n" for line in lines.to_pylist()).encode()


def _write_word2vec(file: IO[bytes], vectors: _NamedVectors) -> None:
    rows, width = vectors.vectors.shape
    file.write(f"{rows} {width}\n".encode())
    file.writelines(vectors.lines(" ", names=True))


def _write_npz(file: IO[bytes], vectors: _NamedVectors) -> None:
    longest = max(map(len, vectors.names), default=1)
    if longest * len(vectors.names) > _MAX_NPZ_CHARACTERS:
        raise RequestError(
            f"a token has {longest:,} characters, too many for npz; use --format parquet"
        )
    arrays: dict[str, Any] = {
        "tokens": np.array(vectors.names, np.str_),
        "vectors": vectors.vectors,
        "labels": np.array(vectors.labels, np.str_),
        "pushes": vectors.label_contributions,
    }
    if vectors.counts is not None:
        arrays["counts"] = vectors.counts
    np.savez(file, **arrays)


def _write_parquet(file: IO[bytes], vectors: _NamedVectors) -> None:
    numbers = number_column(vectors.vectors.reshape(-1))
    columns = {
        "token": text_column(vectors.names),
        "count": _count_column(vectors),
        "vector": pa.FixedSizeListArray.from_arrays(numbers, vectors.vectors.shape[1]),
    }
    for label, contributions in zip(vectors.labels, vectors.label_contributions.T, strict=True):
        columns[f"push_{label}"] = number_column(np.ascontiguousarray(contributions))
    parquet.write_table(pa.table(columns), file)


def _count_column(vectors: _NamedVectors) -> pa.Array:
    if vectors.counts is None:
        return pa.nulls(len(vectors.names), pa.int64())
    return number_column(vectors.counts)


def _write_directory(target: Path, vectors: _NamedVectors) -> None:
    """Write the files of TensorBoard's Projector; the directory appears as a whole."""
    if target.exists() or target.is_symlink():
        raise RequestError(f"{target}: already exists; name another folder, or move it")
    best = vectors.label_contributions.argmax(axis=1)
    largest = vectors.label_contributions.max(axis=1)
    counts = [""] * len(best) if vectors.counts is None else vectors.counts.tolist()
    with draft_directory(target.absolute().parent) as folder:
        with (folder / "vectors.tsv").open("wb") as file:
            file.writelines(vectors.lines("\t", names=False))
        with (folder / "metadata.tsv").open("w", encoding="utf-8", newline="\n") as metadata:
            metadata.write("token\tcount\ttowards\tpush\n")
            metadata.writelines(
                f"{name}\t{count}\t{escape_controls(vectors.labels[label])}\t{contribution:.4f}\n"
                for name, count, label, contribution in zip(
                    vectors.names, counts, best, largest, strict=True
                )
            )
        (folder / "projector_config.pbtxt").write_text(_PROJECTOR_CONFIG, encoding="utf-8")
        if not publish_directory(folder, target):
            raise RequestError(f"{target}: was created meanwhile; choose another -o")


_WRITERS = {"word2vec": _write_word2vec, "npz": _write_npz, "parquet": _write_parquet}
