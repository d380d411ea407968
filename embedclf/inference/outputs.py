"""Scored rows as CSV, TSV, JSON Lines, Parquet and Excel workbooks.

Rows are rendered in the thread that scored them, and written in one thread, in order.
"""

from __future__ import annotations

import gzip
import json
import tempfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from embedclf.errors import DataError
from embedclf.inference.excel_output import ExcelWriter
from embedclf.inference.serialization import CsvLines, CsvStyle, JsonLines, json_objects
from embedclf.system.arrow import BLOCK_BYTES, find_repeated
from embedclf.system.control_characters import output_bytes
from embedclf.system.formats import OutputFormat, compression_suffix, table_suffix
from embedclf.system.publishing.drafts import draft_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_MEMORY_BYTES = 1 << 24
"""Buffered output beyond this size goes to disk."""

_GROUP_BYTES = 1 << 23
"""Size of a Parquet row group in memory."""


class Output(Protocol):
    """Takes scored rows, batch by batch."""

    def render(self, rows: pa.RecordBatch, records: pa.Array | None) -> Any:
        """Render rows for `write`; several threads may call this at once.

        Args:
            rows: (n,) columns that are kept and added.
            records: (n,) original JSON records, to which `rows` are added.
        """

    def write(self, rendered: Any) -> None:
        """Write a rendered batch. The order of calls is the order of rows."""

    def flush(self) -> None:
        """Make written rows visible to readers, as far as the format allows."""


@contextmanager
def open_output(
    path: Path | None,
    file_format: OutputFormat,
    columns: Sequence[str],
    *,
    list_separator: str = "|",
    style: CsvStyle | None = None,
) -> Iterator[Output]:
    """Open a table to write scored rows to.

    Args:
        path: The file; its extension gives the compression. It appears when the block succeeds.
            None is standard output.
        file_format: Of the table.
        columns: Names of the columns.
        list_separator: Joins the items of a list in CSV and TSV; other formats keep lists.
        style: How CSV and TSV are written; None is UTF-8 with the delimiter of the extension.

    Raises:
        DataError: The file cannot be written, or the format does not support the columns.
    """
    if file_format != "delimited":
        _refuse_duplicates(columns, path)
    lines: CsvLines | JsonLines = JsonLines()
    if file_format == "delimited":
        style = style or CsvStyle(delimiter_for(path))
        lines = CsvLines(style, columns, list_separator=list_separator)
    if path is None:
        yield _LineWriter(output_bytes(), lines)
        return
    try:
        with draft_file(path, seeks=file_format == "excel") as file:
            if file_format == "parquet":
                with _ParquetWriter(file) as writer:
                    yield writer
            elif file_format == "excel":
                with ExcelWriter(file, path, columns, list_separator=list_separator) as workbook:
                    yield workbook
            else:
                yield _LineWriter(file, lines, compression=compression_suffix(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}") from error


def delimiter_for(path: Path | None) -> str:
    """Return the delimiter that the extension of a file stands for."""
    return "\t" if path is not None and table_suffix(path) == ".tsv" else ","


@contextmanager
def open_json_object(name: str, run: str, columns: Sequence[str] = ()) -> Iterator[Output]:
    """Print one JSON object with a list of elements when the block succeeds.

    Args:
        name: Key of the list.
        run: Value of the key `run`.
        columns: Names of the columns, if the elements are rows.

    Raises:
        DataError: Two columns have the same name.
    """
    _refuse_duplicates(columns, None)
    with buffered_stdout() as file:
        writer = _JsonListWriter(file)
        # Written without its end, so that rows can be appended to the list
        opening = {"run": run, name: []}
        file.write(json.dumps(opening, ensure_ascii=False).removesuffix("]}").encode())
        yield writer
        file.write(b"\n]}\n")


@contextmanager
def buffered_stdout() -> Iterator[IO[bytes]]:
    """Buffer output, on disk if it is long, and print it when the block succeeds.

    After an error nothing is printed, so programs never read half an object.
    """
    with tempfile.SpooledTemporaryFile(_MEMORY_BYTES) as file:
        yield file
        file.seek(0)
        output = output_bytes()
        while chunk := file.read(BLOCK_BYTES):
            write_all(output, chunk)


def write_all(file: IO[bytes], content: bytes | memoryview) -> None:
    """Write all of the content, also to an unbuffered file, whose `write` may take only a part."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


class _LineWriter:
    """Writes rows as lines of text."""

    def __init__(
        self, file: IO[bytes], lines: CsvLines | JsonLines, *, compression: str = ""
    ) -> None:
        self._file, self._lines, self._compression = file, lines, compression
        self.write(self._compress(lines.header))

    def render(self, rows: pa.RecordBatch, records: pa.Array | None) -> bytes | memoryview:
        return self._compress(self._lines.render(rows, records))

    def write(self, rendered: bytes | memoryview) -> None:
        write_all(self._file, rendered)

    def flush(self) -> None:
        self._file.flush()

    def _compress(self, content: bytes | memoryview) -> bytes | memoryview:
        """Compress content as a separate member, which threads can do in parallel.

        The members of a file are read as one stream.
        """
        return _compress(content, self._compression) if len(content) else content


class _JsonListWriter:
    """Writes rows as the elements of a JSON list."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._separator = b"\n"

    def render(self, rows: pa.RecordBatch, records: pa.Array | None) -> bytes:
        return ",\n".join(json_objects(rows, records)).encode()

    def write(self, rendered: bytes) -> None:
        if rendered:
            self._file.write(self._separator + rendered)
            self._separator = b",\n"

    def flush(self) -> None:
        """Do nothing: the object is printed as a whole."""


class _ParquetWriter:
    """Writes rows to Parquet; batches are held until they fill a row group."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._writer: Any = None
        self._held: list[pa.RecordBatch] = []

    def __enter__(self) -> _ParquetWriter:
        return self

    def __exit__(self, error_type: type[BaseException] | None, *error: object) -> None:
        # A table without rows is also written, for its columns
        if error_type is None and (self._held or self._writer is None):
            self._write_group()
        if self._writer is not None:
            self._writer.close()

    def render(self, rows: pa.RecordBatch, records: pa.Array | None) -> pa.RecordBatch:
        del records  # only JSON output has them
        return rows

    def write(self, rendered: pa.RecordBatch) -> None:
        self._held.append(rendered)
        if sum(batch.nbytes for batch in self._held) >= _GROUP_BYTES:
            self._write_group()

    def flush(self) -> None:
        """Do nothing: readers need the whole file."""

    def _write_group(self) -> None:
        from pyarrow import parquet

        group = pa.Table.from_batches(self._held)
        if self._writer is None:  # the schema is known from the first batch on
            self._writer = parquet.ParquetWriter(self._file, group.schema)
        # Opening and closing the writer is enough for a table without rows
        if group.num_rows:
            self._writer.write_table(group)
        self._held = []


def _compress(content: bytes | memoryview, suffix: str) -> bytes | memoryview:
    """Compress content in the format of an extension; the same content gives the same bytes."""
    if suffix == ".gz":
        return gzip.compress(content, mtime=0)  # without a time stamp
    if suffix == ".bz2":
        import bz2

        return bz2.compress(content)
    if suffix == ".xz":
        import lzma

        return lzma.compress(content)
    if suffix in {".zst", ".zstd"}:
        packed: bytes = pa.Codec("zstd").compress(content, asbytes=True)
        return packed
    return content


def _refuse_duplicates(columns: Sequence[str], path: Path | None) -> None:
    """Check that column names are unique, as keys must be.

    Raises:
        DataError: Two have the same name.
    """
    if repeated := find_repeated(columns):
        raise DataError(
            f"{path or 'standard output'}: two columns would be named {repeated[0]!r}; rename one, "
            "or write CSV"
        )
