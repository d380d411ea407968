"""Vectors for gensim, the Projector, NumPy, Parquet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from embedclf.errors import DataError, RequestError
from embedclf.system.arrow import number_column, text_column
from embedclf.system.files import draft_file, draft_folder, publish_folder
from embedclf.system.terminal import visible

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from embedclf.inference.embeddings import Embeddings
    from embedclf.system.arrays import Counts, Floats

Form = Literal["word2vec", "tsv", "npz", "parquet"]

_ROWS = 8_192
"""Vectors that become text together."""

_MOST_LETTERS = 1 << 26
"""Of all tokens of an npz file, each as wide as the longest: 256 MiB."""

_PROJECTOR = """\
embeddings {
  tensor_name: "embedding"
  tensor_path: "vectors.tsv"
  metadata_path: "metadata.tsv"
}
"""


def export(embeddings: Embeddings, target: Path, form: Form, *, phrases: bool = False) -> int:
    """Write the vectors of a run, in the order of its vocabulary; a phrase is joined by `_`.

    Args:
        embeddings: Of the run.
        target: A file; with `tsv` a folder, where nothing may be yet.
        form: `word2vec` is the text form of that program, which gensim reads; `tsv` what
            TensorBoard's Projector loads; `npz` and `parquet` have names, counts, vectors, pushes.
        phrases: Whether phrases are written behind the tokens.

    Returns:
        How many vectors there are.

    Raises:
        RequestError: Something is there, where a folder is wanted.
        DataError: The target cannot be written.
    """
    columns = _Columns.of(embeddings, phrases=phrases)
    try:
        if form == "tsv":
            _write_folder(target, columns)
        else:
            with draft_file(target) as file:
                _WRITE[form](file, columns)
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error.strerror}") from error
    return len(columns.names)


@dataclass(frozen=True)
class _Columns:
    """What is known of each token, in the order of the vocabulary."""

    names: list[str]
    counts: Counts | None
    """(n,)."""
    vectors: Floats
    """(n, embedding_dim)."""
    pushes: Floats
    """(n, labels)."""
    labels: tuple[str, ...]

    @classmethod
    def of(cls, embeddings: Embeddings, *, phrases: bool) -> _Columns:
        numbers = embeddings.numbers(phrases=phrases)
        vectors = embeddings.weights.embedding[numbers]
        return cls(
            [name.replace(" ", "_") for name in embeddings.tokenizer.decode(numbers)],
            None if embeddings.counts is None else embeddings.counts[numbers],
            vectors,
            embeddings.pushes(vectors),
            embeddings.labels.names,
        )

    def lines(self, separator: str, *, names: bool) -> Iterator[bytes]:
        """Vectors as lines, each number in the fewest digits that give it again."""
        for start in range(0, len(self.names), _ROWS):
            part = np.ascontiguousarray(self.vectors[start : start + _ROWS].T)
            columns = [number_column(column).cast(pa.string()) for column in part]
            if names:
                columns.insert(0, text_column(self.names[start : start + _ROWS]))
            lines = pc.binary_join_element_wise(*columns, text_column([separator])[0])
            yield "".join(f"{line}\n" for line in lines.to_pylist()).encode()


def _write_word2vec(file: IO[bytes], columns: _Columns) -> None:
    rows, width = columns.vectors.shape
    file.write(f"{rows} {width}\n".encode())
    file.writelines(columns.lines(" ", names=True))


def _write_npz(file: IO[bytes], columns: _Columns) -> None:
    longest = max(map(len, columns.names), default=1)
    if longest * len(columns.names) > _MOST_LETTERS:
        raise RequestError(f"a token has {longest:,} letters, too many for npz; write parquet")
    arrays: dict[str, Any] = {
        "tokens": np.array(columns.names, np.str_),
        "vectors": columns.vectors,
        "labels": np.array(columns.labels, np.str_),
        "pushes": columns.pushes,
    }
    if columns.counts is not None:
        arrays["counts"] = columns.counts
    np.savez(file, **arrays)


def _write_parquet(file: IO[bytes], columns: _Columns) -> None:
    numbers = number_column(columns.vectors.reshape(-1))
    table = {
        "token": text_column(columns.names),
        "count": _counts(columns),
        "vector": pa.FixedSizeListArray.from_arrays(numbers, columns.vectors.shape[1]),
    }
    for label, pushes in zip(columns.labels, columns.pushes.T, strict=True):
        table[f"push_{label}"] = number_column(np.ascontiguousarray(pushes))
    parquet.write_table(pa.table(table), file)


def _counts(columns: _Columns) -> pa.Array:
    rows = len(columns.names)
    return pa.nulls(rows, pa.int64()) if columns.counts is None else number_column(columns.counts)


def _write_folder(target: Path, columns: _Columns) -> None:
    if target.exists() or target.is_symlink():
        raise RequestError(f"{target}: is there already; name another folder, or move it")
    best = columns.pushes.argmax(axis=1)
    counts = [""] * len(best) if columns.counts is None else columns.counts.tolist()
    told = zip(columns.names, counts, best, columns.pushes.max(axis=1), strict=True)
    with draft_folder(target.absolute().parent) as folder:
        with (folder / "vectors.tsv").open("wb") as file:
            file.writelines(columns.lines("\t", names=False))
        with (folder / "metadata.tsv").open("w", encoding="utf-8", newline="\n") as rows:
            rows.write("token\tcount\ttowards\tpush\n")
            rows.writelines(
                f"{name}\t{count}\t{visible(columns.labels[label])}\t{push:.4f}\n"
                for name, count, label, push in told
            )
        (folder / "projector_config.pbtxt").write_text(_PROJECTOR, encoding="utf-8")
        if not publish_folder(folder, target):
            raise RequestError(f"{target}: exists by now; nothing was written")


_WRITE = {"word2vec": _write_word2vec, "npz": _write_npz, "parquet": _write_parquet}
