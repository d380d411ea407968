"""Tables of any format: open them, read them, locate their rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from embedclf.config.messages import closest_match
from embedclf.data.delimited import DELIMITERS, DelimitedReader, open_delimited, parse_delimiter
from embedclf.data.jsonlines import JsonLinesReader, open_jsonlines
from embedclf.data.parquet import ParquetReader, open_parquet
from embedclf.errors import DataError
from embedclf.system.formats import FORMATS, format_of, table_suffix
from embedclf.system.progress import activity
from embedclf.system.terminal import join_shortened
from embedclf.system.text_files import open_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.system.arrow import Batch, ReadBatch
    from embedclf.system.formats import FileFormat
    from embedclf.system.text_files import TextFile

_MAX_COLUMN_LIST = 200
"""Characters of a list of columns in a message."""


class MissingColumnError(DataError):
    """A table lacks a required column."""

    def __init__(self, table: Table, column: str) -> None:
        self.table = table
        self.column = column
        super().__init__(
            f"{table.name}:1: no column {column!r} (data.text, data.label); "
            f"{suggest_columns(column, table.columns)}"
        )


@dataclass(frozen=True)
class Table:
    """An open table of any format; its columns are known, but its rows are not read yet.

    Every cell is the text in the file: `01`, `NA` and `null` stay as they are. A JSON or Parquet
    null becomes an empty text.
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
        """Read some columns of all rows; raises as `iter_batches` does."""
        schema = pa.schema([(column, pa.string()) for column in columns])
        batches = (batch for batch, _ in self.iter_batches(columns))
        return pa.Table.from_batches(batches, schema=schema)

    def iter_batches(self, columns: Sequence[str]) -> Iterator[ReadBatch]:
        """Read some columns, in the given order, in batches of text.

        Raises:
            DataError: A row cannot be read; the message begins with file and line.
        """
        size = self.path.stat().st_size
        with activity(f"reading {Path(self.name).name}", total=size, unit="bytes") as reading:
            for batch, fraction_read in self.reader.iter_batches(columns):
                reading.advance(fraction_read * size - reading.done)
                yield batch, fraction_read

    def iter_all_columns(self) -> Iterator[pa.RecordBatch]:
        """Read all columns in batches of text, with nested cells as JSON."""
        for batch in self.reader.iter_scoring_batches((), target="delimited", reserved=()):
            yield batch.rows

    def iter_scoring_batches(
        self, text: Sequence[str], *, target: FileFormat, reserved: Sequence[str]
    ) -> Iterator[Batch]:
        """Read the texts to predict, and all columns in a form that the target format supports.

        JSON records stay unchanged in JSON Lines. Parquet columns keep their types in Parquet and
        JSON Lines. All other cells become text.

        Args:
            text: Text columns; several are joined with a space.
            target: Format of the output table.
            reserved: Keys that no JSON record may have.

        Raises:
            DataError: As `iter_batches`, or a record has a reserved key.
        """
        return self.reader.iter_scoring_batches(text, target=target, reserved=reserved)

    def join_lists(self, columns: Sequence[str], separator: str) -> Table:
        """Return the table with lists of texts in some columns read as joined text, as in a CSV."""
        if isinstance(self.reader, DelimitedReader):
            return self
        reader = replace(self.reader, list_separators=dict.fromkeys(columns, separator))
        return replace(self, reader=reader)

    def locate(self, rows: Sequence[int]) -> list[str]:
        """Return the locations of rows, as `file:line`.

        Args:
            rows: Ascending positions, from 0 for the first row after the header.
        """
        before = ": row " if self.file_format == "parquet" else ":"
        return [f"{self.name}{before}{number}" for number in self.line_numbers(rows)]

    def line_numbers(self, rows: Sequence[int]) -> list[int]:
        """Return the line that each row begins on; for Parquet, its row number, from 1.

        Args:
            rows: Ascending positions, from 0 for the first row after the header.
        """
        if not len(rows):
            return []
        with activity("finding line numbers"):
            return self.reader.line_numbers(rows)

    def find_broken_rows(self, columns: Sequence[str]) -> Iterator[tuple[int, str]]:
        """Find all rows whose columns cannot be read, with their lines and faults.

        This is slow; use it for tables that `iter_batches` refuses.
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
    r"""Open a table, and detect its format and columns.

    Args:
        path: The file; its extension determines the format, and can be followed by `.gz`.
        required: Columns that must exist, each once.
        delimiter: Column delimiter of a CSV, `\t` for a tab; None selects the one that finds the
            required columns, or the most columns if none are required.
        encoding: Name of a Python codec; None uses a byte-order mark, or else UTF-8.
        suffix: Replaces the file's extension.
        name: Replaces the file's path in messages.

    Raises:
        DataError: The file is missing, empty, of an unknown format, or lacks a column.
    """
    name = name or str(path)
    if suffix is None:
        format_of(path)  # raises for an unknown extension
        suffix = table_suffix(path)
    if not path.is_file():
        fault = "is a folder; name a file in it" if path.is_dir() else "no such file"
        raise DataError(f"{name}: {fault}")
    if FORMATS[suffix] == "parquet":
        table = Table(path, name, open_parquet(path, name), "Parquet")
    else:
        table = _open_text_table(open_text(path, name, encoding), suffix, required, delimiter)
        if table.file_format == "delimited" and not (delimiter and encoding):
            table = replace(table, description=f"{table.description} (detected)")
    _check_columns(table, required)
    return table


def suggest_columns(column: str, columns: Sequence[str]) -> str:
    """Suggest the column that a wrong name most likely means, and list all."""
    close = closest_match(column, columns)
    hint = f"did you mean {close!r}? " if close else ""
    return f"{hint}columns: {join_shortened([*map(repr, columns)], _MAX_COLUMN_LIST)}"


def _open_text_table(
    file: TextFile, suffix: str, required: Sequence[str], delimiter: str | None
) -> Table:
    if FORMATS[suffix] == "jsonl":
        return Table(file.path, file.name, open_jsonlines(file), f"JSON Lines, {file.encoding}")
    # False sorts first: .tsv tries the tab first; otherwise, the order stays the same.
    delimiters = sorted(DELIMITERS, key=lambda character: character != "\t" or suffix != ".tsv")
    if delimiter is not None:
        delimiters = [parse_delimiter(delimiter, file.name)]
    reader = open_delimited(file, required, delimiters)
    name = DELIMITERS.get(reader.delimiter, repr(reader.delimiter))
    return Table(file.path, file.name, reader, f"{name}, {file.encoding}")


def _check_columns(table: Table, required: Sequence[str]) -> None:
    for column in required:
        if column not in table.columns:
            raise MissingColumnError(table, column)
        if table.columns.count(column) > 1:
            raise DataError(f"{table.name}:1: two columns are named {column!r}; rename one")
