"""Where scored rows go: CSV, TSV, JSON lines, Parquet.

Rows are rendered in whatever thread scored them and written in one, in order.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from embedclf.errors import DataError
from embedclf.inference.serialization import Csv, Json, objects
from embedclf.system.arrow import BLOCK_BYTES
from embedclf.system.files import draft_file
from embedclf.system.formats import Kind, is_packed, suffix_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_HELD_BYTES = 1 << 24

_GROUP_BYTES = 1 << 23


class Output(Protocol):
    """Takes scored rows, batch by batch."""

    def render(self, rows: pa.RecordBatch, records: pa.Array | None) -> Any:
        """Turn rows into what can be written; threads may do so at once.

        Args:
            rows: (n,) what is kept of them and what was added.
            records: (n,) JSON records as they stand, which `rows` are added to.
        """

    def write(self, rendered: Any) -> None:
        """Write it; the order of calls is the order of rows."""

    def flush(self) -> None:
        """Let readers have what was written, as far as the kind of table allows."""


@contextmanager
def open_output(
    path: Path | None, kind: Kind, columns: Sequence[str], *, safe: bool = False
) -> Iterator[Output]:
    """Open where scored rows go.

    Args:
        path: The table; its ending tells the delimiter and whether to pack it. It is there, whole,
            when the block ends well. None is standard output.
        kind: What it is.
        columns: Of the rows that will come.
        safe: Whether to neutralise cells that a spreadsheet would run as formulas.

    Raises:
        DataError: The folder cannot be written to, or a kind of table cannot hold the columns.
    """
    if kind != "delimited":
        _refuse_twins(columns, path)
    if path is None:
        yield _Lines(sys.stdout.buffer, _format(kind, ",", columns, safe=safe))
        return
    try:
        with draft_file(path) as file:
            if kind == "parquet":
                with _Parquet(file) as output:
                    yield output
            else:
                delimiter = "\t" if suffix_of(path) == ".tsv" else ","
                form = _format(kind, delimiter, columns, safe=safe)
                yield _Lines(file, form, packed=is_packed(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}") from error


@contextmanager
def open_object(name: str, run: str, columns: Sequence[str] = ()) -> Iterator[Output]:
    """Print elements as a list in one JSON object, once all of them are there.

    Args:
        name: Of the list.
        run: What the object names as `run`.
        columns: Of the rows that will come, where the elements are rows.

    Raises:
        DataError: Two columns have one name.
    """
    _refuse_twins(columns, None)
    with whole_output() as file:
        output = _Object(file)
        opening = {"run": run, name: []}
        file.write(json.dumps(opening, ensure_ascii=False).removesuffix("]}").encode())
        yield output
        file.write(b"\n]}\n")


@contextmanager
def whole_output() -> Iterator[IO[bytes]]:
    """Hold what is written, on disk where it is much, and print it when the block ends well."""
    with tempfile.SpooledTemporaryFile(_HELD_BYTES) as file:
        yield file
        file.seek(0)
        while chunk := file.read(BLOCK_BYTES):
            write_all(sys.stdout.buffer, chunk)


def write_all(file: IO[bytes], content: bytes | memoryview) -> None:
    """Write all of it, also to a file without a buffer, which may take less at once."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


@dataclass(frozen=True)
class RowBuffer:
    """Rows in memory, as plain values."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def render(self, rows: pa.RecordBatch, records: pa.Array | None) -> list[dict[str, Any]]:
        """Rows as dictionaries."""
        del records  # texts have none
        plain: list[dict[str, Any]] = rows.to_pylist()
        return plain

    def write(self, rendered: list[dict[str, Any]]) -> None:
        """Keep rows."""
        self.rows.extend(rendered)

    def flush(self) -> None:
        """Nothing is held back."""


class _Lines:
    """Rows as lines of text; packed, each batch is a member of a gzip file of its own."""

    def __init__(self, file: IO[bytes], form: Csv | Json, *, packed: bool = False) -> None:
        self._file, self._form, self._packed = file, form, packed
        self.write(self._pack(form.header))

    def render(self, rows: pa.RecordBatch, records: pa.Array | None) -> bytes | memoryview:
        return self._pack(self._form.lines(rows, records))

    def write(self, rendered: bytes | memoryview) -> None:
        write_all(self._file, rendered)

    def flush(self) -> None:
        self._file.flush()

    def _pack(self, content: bytes | memoryview) -> bytes | memoryview:
        return gzip.compress(content, mtime=0) if self._packed and len(content) else content


class _Object:
    """Rows as the elements of a JSON list."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._before = b"\n"

    def render(self, rows: pa.RecordBatch, records: pa.Array | None) -> bytes:
        return ",\n".join(objects(rows, records)).encode()

    def write(self, rendered: bytes) -> None:
        if rendered:
            self._file.write(self._before + rendered)
            self._before = b",\n"

    def flush(self) -> None:
        """The object is printed when it is whole."""


def _refuse_twins(columns: Sequence[str], path: Path | None) -> None:
    for column in columns:
        if columns.count(column) > 1:
            raise DataError(
                f"{path or 'standard output'}: two columns would be named {column!r}; rename one, "
                "or write CSV"
            )


def _format(kind: Kind, delimiter: str, columns: Sequence[str], *, safe: bool) -> Csv | Json:
    return Json() if kind == "jsonl" else Csv(delimiter, columns, safe=safe)


class _Parquet:
    """Rows are held until they fill a row group."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._writer: Any = None
        self._held: list[pa.RecordBatch] = []

    def __enter__(self) -> _Parquet:
        return self

    def __exit__(self, kind: type[BaseException] | None, *raised: object) -> None:
        if kind is None:
            self._write_group()
        if self._writer is not None:
            self._writer.close()

    def render(self, rows: pa.RecordBatch, records: pa.Array | None) -> pa.RecordBatch:
        del records  # go into JSON alone
        return rows

    def write(self, rendered: pa.RecordBatch) -> None:
        self._held.append(rendered)
        if sum(batch.nbytes for batch in self._held) >= _GROUP_BYTES:
            self._write_group()

    def flush(self) -> None:
        """A row group is written when it is full."""

    def _write_group(self) -> None:
        from pyarrow import parquet

        group = pa.Table.from_batches(self._held)
        if self._writer is None:
            self._writer = parquet.ParquetWriter(self._file, group.schema)
        if group.num_rows:
            self._writer.write_table(group)
        self._held = []
