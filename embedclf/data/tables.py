"""Table: one reader for every format."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from embedclf.data.delimited import DELIMITERS, Delimited, checked_delimiter, open_delimited
from embedclf.data.jsonlines import JsonLines, open_jsonlines
from embedclf.data.parquet import Parquet, open_parquet
from embedclf.errors import DataError
from embedclf.system.formats import KINDS, kind_of, suffix_of
from embedclf.system.text_files import open_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from embedclf.system.arrow import Batch, Part
    from embedclf.system.formats import Kind
    from embedclf.system.text_files import TextFile


@dataclass(frozen=True)
class Table:
    """A table whose form is known: its columns are there, its rows not read yet.

    Every cell is text as it stands in the file: `01`, `NA` and `null` are those letters. A JSON or
    Parquet null is the empty text.
    """

    path: Path
    name: str
    """What messages call it."""
    reader: Delimited | JsonLines | Parquet
    form: str
    """How it is read, in words: `comma, utf-8 (detected)`."""

    @property
    def kind(self) -> Kind:
        """What it is."""
        return self.reader.kind

    @property
    def columns(self) -> tuple[str, ...]:
        """Their names, in order."""
        return self.reader.columns

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Read the given columns of all rows; raises as `parts` does."""
        schema = pa.schema([(column, pa.string()) for column in columns])
        return pa.Table.from_batches((batch for batch, _ in self.parts(columns)), schema=schema)

    def parts(self, columns: Sequence[str]) -> Iterator[Part]:
        """Read the given columns, in order, in batches of text.

        Raises:
            DataError: A row cannot be read; file and line stand in front.
        """
        return self.reader.parts(columns)

    def cells(self) -> Iterator[pa.RecordBatch]:
        """Read all columns in batches of text, lists and the like as JSON; raises as `parts`."""
        for batch in self.reader.batches((), target="delimited", reserved=()):
            yield batch.rows

    def batches(
        self, text: Sequence[str], *, target: Kind, reserved: Sequence[str]
    ) -> Iterator[Batch]:
        """Read texts, and all columns as a table of another kind can keep them; raises as `parts`.

        JSON records go into JSON lines as they stand, Parquet columns into Parquet and JSON lines
        in their types. All other cells are text.

        Args:
            text: Columns of the text; several are joined by a blank.
            target: The kind of table that the rows go to.
            reserved: Keys that no JSON record may have.
        """
        return self.reader.batches(text, target=target, reserved=reserved)

    def places(self, rows: Sequence[int]) -> list[str]:
        """Tell where rows stand, as `file:line`.

        Args:
            rows: Ascending; they count from 0, the header left out.
        """
        before = ": row " if self.kind == "parquet" else ":"
        return [f"{self.name}{before}{number}" for number in self.numbers(rows)]

    def numbers(self, rows: Sequence[int]) -> list[int]:
        """The line that each row begins on; Parquet has none, and counts its rows from 1.

        Args:
            rows: Ascending; they count from 0, the header left out.
        """
        return self.reader.numbers(rows) if len(rows) else []

    def broken(self, columns: Sequence[str]) -> Iterator[tuple[int, str]]:
        """Find all rows whose columns cannot be read, each with its line and what is wrong.

        This is slow, and for tables that `parts` stumbled over.
        """
        return self.reader.broken(columns)


def open_table(
    path: Path,
    required: Sequence[str],
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    suffix: str | None = None,
    name: str | None = None,
) -> Table:
    r"""Find out a table's form and columns.

    Args:
        path: The file; its ending tells the kind, `.gz` may follow.
        required: Columns that must be there, each once.
        delimiter: What parts the columns of a CSV, `\t` for a tab; None takes the one that yields
            `required`, or most columns where nothing is.
        encoding: Python's name of it; None reads a byte-order mark, else UTF-8.
        suffix: The ending that tells the kind, in place of the file's own.
        name: What messages call the file, in place of its path.

    Raises:
        DataError: The file is missing, empty, of an unknown kind, or lacks a column.
    """
    name = name or str(path)
    if suffix is None:
        kind_of(path)
        suffix = suffix_of(path)
    if not path.is_file():
        fault = "is a folder" if path.is_dir() else "no such file"
        raise DataError(f"{name}: {fault}; name a table")
    if KINDS[suffix] == "parquet":
        table = Table(path, name, open_parquet(path, name), "Parquet")
    else:
        table = _open_text(open_text(path, name, encoding), suffix, required, delimiter)
        if table.kind == "delimited" and not (delimiter and encoding):
            table = replace(table, form=f"{table.form} (detected)")
    _check_columns(table, required)
    return table


def _open_text(
    file: TextFile, suffix: str, required: Sequence[str], delimiter: str | None
) -> Table:
    if KINDS[suffix] == "jsonl":
        return Table(file.path, file.name, open_jsonlines(file), f"JSON lines, {file.encoding}")
    marks = sorted(DELIMITERS, key=lambda mark: mark != "\t" or suffix != ".tsv")
    if delimiter is not None:
        marks = [checked_delimiter(delimiter, file.name)]
    reader = open_delimited(file, required, marks)
    told = DELIMITERS.get(reader.delimiter, repr(reader.delimiter))
    return Table(file.path, file.name, reader, f"{told}, {file.encoding}")


def _check_columns(table: Table, required: Sequence[str]) -> None:
    for column in required:
        if column not in table.columns:
            there = ", ".join(map(repr, table.columns))
            raise DataError(
                f"{table.name}:1: no column {column!r} (data.text, data.label); there are {there}"
            )
        if table.columns.count(column) > 1:
            raise DataError(f"{table.name}:1: two columns are named {column!r}; rename one")
