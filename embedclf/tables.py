"""Tables on disk: CSV, TSV, JSONL and Parquet, read as text in batches."""

from __future__ import annotations

import io
import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from embedclf.errors import DataError
from embedclf.jsonlines import numbered_lines, parse_record
from embedclf.records import RecordError, record_blocks, rows_of, wrong_record
from embedclf.textfiles import detect_encoding, find_undecodable, is_utf8, one_line, open_utf8

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

Kind = Literal["delimited", "jsonl", "parquet"]

KINDS: dict[str, Kind] = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
BATCH_ROWS = 8192
_HEAD_BYTES = 1 << 20
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


@dataclass(frozen=True)
class Table:
    """A table whose form is known: its columns are there, its rows not read yet.

    Every cell is text as it stands in the file: `01`, `NA` and `null` are those letters. A JSON or
    Parquet null is the empty text.
    """

    path: Path
    kind: Kind
    columns: tuple[str, ...]
    delimiter: str = ","
    encoding: str = "utf-8"
    form: str = "Parquet"
    """How it is read, in words: `comma, utf-8 (detected)`."""

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Read the rows, in order, in batches of text columns.

        Args:
            columns: Those to read; all of them when None.

        Raises:
            DataError: A row cannot be read; file and line stand in front.
        """
        wanted = list(self.columns if columns is None else columns)
        readers = {
            "delimited": self._delimited_batches,
            "jsonl": self._jsonl_batches,
            "parquet": self._parquet_batches,
        }
        return readers[self.kind](wanted)

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Read the given columns of all rows; raises as `batches` does."""
        schema = pa.schema([(column, pa.string()) for column in columns])
        return pa.Table.from_batches(self.batches(columns), schema=schema)

    def places(self, rows: Sequence[int]) -> list[str]:
        """Tell where rows stand, as `file:line`.

        Args:
            rows: Ascending; they count from 0, the header left out.
        """
        if self.kind == "parquet":
            return [f"{self.path}: row {row + 1}" for row in rows]
        with open_utf8(self.path, self.encoding) as stream:
            if self.kind == "jsonl":
                lines = [
                    number for number, _ in itertools.islice(numbered_lines(stream), rows[-1] + 1)
                ]
            else:
                records = rows_of(stream, self.delimiter, len(self.columns))
                lines = [line for line, _ in itertools.islice(records, 1, rows[-1] + 2)]
        return [f"{self.path}:{lines[row]}" for row in rows]

    def _delimited_batches(self, wanted: list[str]) -> Iterator[pa.RecordBatch]:
        from pyarrow import csv

        names = [f"f{index}" for index in range(len(self.columns))]
        kept = [names[self.columns.index(column)] for column in wanted]
        parse = csv.ParseOptions(
            delimiter=self.delimiter,
            newlines_in_values=True,
            ignore_empty_lines=len(self.columns) > 1,
        )
        convert = csv.ConvertOptions(
            column_types={name: pa.string() for name in kept},
            include_columns=kept,
            strings_can_be_null=False,
        )
        header = 1
        for line, block in self._record_blocks():
            records = block.lstrip(b"\r\n") if header or parse.ignore_empty_lines else block
            if not records:
                continue
            read = csv.ReadOptions(
                column_names=names, block_size=len(records) + 1, use_threads=False
            )
            try:
                table = csv.read_csv(pa.BufferReader(records), read, parse, convert)
            except pa.ArrowInvalid as error:
                raise self._diagnose(block, line, error) from error
            rows = table.slice(header).rename_columns(wanted)
            header = 0
            yield from rows.combine_chunks().to_batches(max_chunksize=BATCH_ROWS)

    def _record_blocks(self) -> Iterator[tuple[int, bytes]]:
        with open_utf8(self.path, self.encoding) as stream:
            try:
                yield from record_blocks(stream, self.delimiter)
            except RecordError as error:
                raise DataError(f"{self.path}:{error.line}: {error}") from error

    def _diagnose(self, block: bytes, line: int, error: Exception) -> DataError:
        """Find the line that Arrow stumbled over, the slow and exact way."""
        if undecodable := find_undecodable(self.path, self.encoding):
            return undecodable
        found = wrong_record(block, self.delimiter, len(self.columns))
        if found is None:
            return DataError(f"{self.path}:{line}: unreadable: {one_line(error)}")
        offset, cells = found
        return DataError(
            f"{self.path}:{line + offset}: {cells} columns where the header has "
            f"{len(self.columns)}; quote cells that hold the delimiter"
        )

    def _jsonl_batches(self, wanted: list[str]) -> Iterator[pa.RecordBatch]:
        with open_utf8(self.path, self.encoding) as stream:
            lines = numbered_lines(stream)
            while chunk := list(itertools.islice(lines, BATCH_ROWS)):
                rows = [self._cells(wanted, line, text) for line, text in chunk]
                columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
                yield pa.RecordBatch.from_arrays(columns, names=wanted)

    def _cells(self, wanted: list[str], line: int, text: bytes) -> list[str]:
        record = parse_record(self.path, line, text)
        if unknown := record.keys() - set(self.columns):
            raise DataError(
                f"{self.path}:{line}: key {min(unknown)!r} is not in the first record; "
                "give all records the same keys"
            )
        return [self._cell(line, column, record) for column in wanted]

    def _cell(self, line: int, column: str, record: dict[str, Any]) -> str:
        if column not in record:
            raise DataError(f"{self.path}:{line}: no key {column!r}; give it, or null")
        given = record[column]
        if isinstance(given, list | dict):
            raise DataError(
                f"{self.path}:{line}: {column!r} holds a {type(given).__name__}; write it as text"
            )
        if given is None:
            return ""
        return given if isinstance(given, str) else json.dumps(given)

    def _parquet_batches(self, wanted: list[str]) -> Iterator[pa.RecordBatch]:
        from pyarrow import parquet

        try:
            with parquet.ParquetFile(self.path) as file:
                for batch in file.iter_batches(BATCH_ROWS, columns=wanted):
                    arrays = [batch.column(c).cast(pa.string()).fill_null("") for c in wanted]
                    yield pa.RecordBatch.from_arrays(arrays, names=wanted)
        except pa.ArrowNotImplementedError as error:
            raise DataError(f"{self.path}: a column is not text: {one_line(error)}") from error
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"{self.path}: unreadable Parquet: {one_line(error)}") from error


def open_table(
    path: Path,
    required: Sequence[str],
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> Table:
    r"""Find out a table's form and columns.

    Args:
        path: The file; its ending tells the kind, `.gz` may follow.
        required: Columns that must be there, each once.
        delimiter: What parts the columns of a CSV, `\t` for a tab; None takes the one that yields
            `required`.
        encoding: Python's name of it; None reads a byte-order mark, else UTF-8.

    Raises:
        DataError: The file is missing, empty, of an unknown kind, or lacks a column.
    """
    kind = _kind(path)
    if delimiter is not None:
        delimiter = _checked_delimiter(path, delimiter)
    if kind == "parquet":
        table = Table(path, kind, _parquet_columns(path))
    elif kind == "jsonl":
        table = _open_jsonl(path, encoding or detect_encoding(path))
    else:
        table = _open_delimited(path, required, delimiter, encoding)
    for column in required:
        if column not in table.columns:
            there = ", ".join(map(repr, table.columns))
            raise DataError(
                f"{path}:1: no column {column!r} (data.text, data.label); there are {there}"
            )
        if table.columns.count(column) > 1:
            raise DataError(f"{path}:1: two columns are named {column!r}; rename one")
    return table


def kind_of(path: Path) -> Kind:
    """The kind of table that a file's name tells.

    Raises:
        DataError: The ending is unknown.
    """
    kind = KINDS.get(suffix_of(path))
    if kind is None or (kind == "parquet" and path.suffix.lower() == ".gz"):
        raise DataError(
            f"{path}: unknown kind of table; known are {', '.join(KINDS)}, all but the last in "
            ".gz too"
        )
    return kind


def suffix_of(path: Path) -> str:
    """The ending of a name in small letters, what comes before `.gz` where it is that."""
    suffix = path.suffix.lower()
    return path.with_suffix("").suffix.lower() if suffix == ".gz" else suffix


def _kind(path: Path) -> Kind:
    kind = kind_of(path)
    if not path.is_file():
        fault = "is a folder" if path.is_dir() else "no such file"
        raise DataError(f"{path}: {fault}; name a table")
    return kind


def _open_delimited(
    path: Path, required: Sequence[str], delimiter: str | None, encoding: str | None
) -> Table:
    """The table under the delimiter given, or under the one that finds the required columns."""
    told = encoding or detect_encoding(path)
    head = _head(path, told, "a header and rows")
    order = sorted(_DELIMITERS, key=lambda mark: mark != "\t" or suffix_of(path) != ".tsv")
    tables, faults = [], []
    for mark in [delimiter] if delimiter else order:
        detected = "" if delimiter and encoding else " (detected)"
        form = f"{_DELIMITERS.get(mark, repr(mark))}, {told}{detected}"
        try:
            tables.append(Table(path, "delimited", _header(head, mark), mark, told, form))
        except RecordError as error:  # quotes that fit another delimiter
            faults.append(DataError(f"{path}:{error.line}: {error}"))
    if not tables:
        raise faults[0]
    fitting = (table for table in tables if set(required) <= set(table.columns))
    return next(fitting, None) or max(tables, key=lambda table: len(table.columns))


def _checked_delimiter(path: Path, delimiter: str) -> str:
    mark = "\t" if delimiter == "\\t" else delimiter
    if len(mark) != 1 or not mark.isascii() or mark in '"\r\n':
        raise DataError(
            f"{path}: delimiter {delimiter!r}: must be one ASCII character, no quote or line end"
        )
    return mark


def _open_jsonl(path: Path, encoding: str) -> Table:
    head = _head(path, encoding, "a JSON object a line")
    line, text = next(numbered_lines(io.BytesIO(head)))
    columns = tuple(parse_record(path, line, text))
    return Table(path, "jsonl", columns, encoding=encoding, form=f"JSON lines, {encoding}")


def _head(path: Path, encoding: str, needed: str) -> bytes:
    """The first records of a text table: enough to know its columns."""
    with open_utf8(path, encoding) as stream:
        head: bytes = stream.read(_HEAD_BYTES)
        while b"\n" not in head.lstrip() and (more := stream.read(_HEAD_BYTES)):
            head += more
    if head.startswith(b"PK\x03\x04"):
        raise DataError(f"{path}: a zip archive, such as a workbook; save it as CSV in UTF-8")
    head = head.removeprefix(b"\xef\xbb\xbf")
    if not head.strip():
        raise DataError(f"{path}: empty; it needs {needed}")
    if undecodable := not is_utf8(head) and find_undecodable(path, encoding):
        raise undecodable
    return head


def _header(head: bytes, delimiter: str) -> tuple[str, ...]:
    lines = head.decode("utf-8", errors="ignore").encode()
    return tuple(next(rows_of(io.BytesIO(lines), delimiter, 2))[1])


def _parquet_columns(path: Path) -> tuple[str, ...]:
    from pyarrow import parquet

    try:
        return tuple(parquet.read_schema(path).names)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path}: not Parquet: {one_line(error)}") from error
