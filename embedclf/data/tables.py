"""Table: one reader for every format."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from embedclf.data.delimited import DELIMITERS, DelimitedReader, open_delimited, parse_delimiter
from embedclf.data.jsonlines import JsonLinesReader, open_jsonlines
from embedclf.data.parquet import ParquetReader, open_parquet
from embedclf.errors import DataError
from embedclf.system.formats import FORMATS, format_of, table_suffix
from embedclf.system.text_files import open_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from embedclf.system.arrow import Batch, ReadBatch
    from embedclf.system.formats import FileFormat
    from embedclf.system.text_files import TextFile


@dataclass(frozen=True)
class Table:
    """An open table of any format: its columns are known, its rows not read yet.

    Every cell is text as it is in the file: `01`, `NA` and `null` stay these characters. A JSON or
    Parquet null becomes the empty text.
    """

    path: Path
    name: str
    """Name in messages."""
    reader: DelimitedReader | JsonLinesReader | ParquetReader
    description: str
    """How it is read: `comma, utf-8 (detected)`."""

    @property
    def file_format(self) -> FileFormat:
        """Its file format."""
        return self.reader.file_format

    @property
    def columns(self) -> tuple[str, ...]:
        """Its column names, in order."""
        return self.reader.columns

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Read some columns of all rows; raises as `iter_batches`."""
        schema = pa.schema([(column, pa.string()) for column in columns])
        batches = (batch for batch, _ in self.iter_batches(columns))
        return pa.Table.from_batches(batches, schema=schema)

    def iter_batches(self, columns: Sequence[str]) -> Iterator[ReadBatch]:
        """Read some columns, in the given order, in batches of text.

        Raises:
            DataError: A row cannot be read; the message begins with file and line.
        """
        return self.reader.iter_batches(columns)

    def iter_all_columns(self) -> Iterator[pa.RecordBatch]:
        """Read all columns in batches of text, nested cells as JSON; raises as `iter_batches`."""
        for batch in self.reader.iter_scoring_batches((), target="delimited", reserved=()):
            yield batch.rows

    def iter_scoring_batches(
        self, text: Sequence[str], *, target: FileFormat, reserved: Sequence[str]
    ) -> Iterator[Batch]:
        """Read texts to score, and all columns as the target format can hold them.

        JSON records stay as they are in JSON lines, and Parquet columns keep their types in Parquet
        and JSON lines. All other cells become text.

        Args:
            text: Text columns; several are joined by a space.
            target: Format of the table that the rows go to.
            reserved: Keys that no JSON record may have.

        Raises:
            DataError: As `iter_batches`, or a record has a reserved key.
        """
        return self.reader.iter_scoring_batches(text, target=target, reserved=reserved)

    def locate(self, rows: Sequence[int]) -> list[str]:
        """Return where rows are, as `file:line`.

        Args:
            rows: Ascending positions, from 0 for the first row after the header.
        """
        before = ": row " if self.file_format == "parquet" else ":"
        return [f"{self.name}{before}{number}" for number in self.line_numbers(rows)]

    def line_numbers(self, rows: Sequence[int]) -> list[int]:
        """Return the line that each row begins on; for Parquet its number, from 1.

        Args:
            rows: Ascending positions, from 0 for the first row after the header.
        """
        return self.reader.line_numbers(rows) if len(rows) else []

    def find_broken_rows(self, columns: Sequence[str]) -> Iterator[tuple[int, str]]:
        """Find all rows whose columns cannot be read, with line and fault.

        This is slow; it is meant for tables that `iter_batches` has refused.
        """
        return self.reader.find_broken_rows(columns)


def open_table(
    path: Path,
    required: Sequence[str],
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    suffix: str | None = None,
    name: str | None = None,
) -> Table:
    r"""Open a table and find out its format and columns.

    Args:
        path: The file; its extension says the format, and can be followed by `.gz`.
        required: Columns that must exist, each once.
        delimiter: Column delimiter of a CSV, `\t` for a tab; None takes the one that finds the
            required columns, or, if none are required, most columns.
        encoding: A name of Python's codecs; None follows a byte-order mark, else UTF-8.
        suffix: Used instead of the file's extension.
        name: Used in messages instead of the file's path.

    Raises:
        DataError: The file is missing, empty, of an unknown format, or lacks a column.
    """
    name = name or str(path)
    if suffix is None:
        format_of(path)  # raises for an unknown extension
        suffix = table_suffix(path)
    if not path.is_file():
        fault = "is a folder" if path.is_dir() else "no such file"
        raise DataError(f"{name}: {fault}; name a table")
    if FORMATS[suffix] == "parquet":
        table = Table(path, name, open_parquet(path, name), "Parquet")
    else:
        table = _open_text_table(open_text(path, name, encoding), suffix, required, delimiter)
        if table.file_format == "delimited" and not (delimiter and encoding):
            table = replace(table, description=f"{table.description} (detected)")
    _check_columns(table, required)
    return table


def _open_text_table(
    file: TextFile, suffix: str, required: Sequence[str], delimiter: str | None
) -> Table:
    if FORMATS[suffix] == "jsonl":
        return Table(file.path, file.name, open_jsonlines(file), f"JSON lines, {file.encoding}")
    # False sorts first: .tsv tries the tab first; otherwise all keys tie and the order stays.
    delimiters = sorted(DELIMITERS, key=lambda character: character != "\t" or suffix != ".tsv")
    if delimiter is not None:
        delimiters = [parse_delimiter(delimiter, file.name)]
    reader = open_delimited(file, required, delimiters)
    name = DELIMITERS.get(reader.delimiter, repr(reader.delimiter))
    return Table(file.path, file.name, reader, f"{name}, {file.encoding}")


def _check_columns(table: Table, required: Sequence[str]) -> None:
    for column in required:
        if column not in table.columns:
            existing = ", ".join(map(repr, table.columns))
            raise DataError(
                f"{table.name}:1: no column {column!r} (data.text, data.label); "
                f"there are {existing}"
            )
        if table.columns.count(column) > 1:
            raise DataError(f"{table.name}:1: two columns are named {column!r}; rename one")
