"""Files of a table: opened with their columns, and read in the columns of the table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from embedclf.config.messages import closest_match
from embedclf.errors import DataError
from embedclf.system.arrow import find_positions, find_repeated, repeat_cell
from embedclf.system.fields import TextColumns
from embedclf.system.formats import FORMATS, table_suffix
from embedclf.system.terminal import join_shortened
from embedclf.system.text_files import open_text
from embedclf.tables.content import recognize_format
from embedclf.tables.delimited import DelimitedReader, open_delimited
from embedclf.tables.excel import ExcelReader, open_excel
from embedclf.tables.json_tables.records import open_json
from embedclf.tables.line_records import open_fasttext, open_lines
from embedclf.tables.parquet import open_parquet
from embedclf.tables.text_folders import TextFolderReader, open_text_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from embedclf.system.arrow import Batch, ReadBatch
    from embedclf.system.formats import FileFormat, OutputFormat
    from embedclf.system.text_files import TextFile
    from embedclf.tables.files import TableFile
    from embedclf.tables.nested import ColumnNames
    from embedclf.tables.read_notes import ReadNotes
    from embedclf.tables.read_options import ReadOptions

_INPUT_FORMATS = {"delimited": "csv"}
"""Names of formats as `data.format` has them, where they differ."""

_MAX_COLUMN_LIST = 200
"""Characters of a list of columns in a message."""


class Reader(Protocol):
    """Reads a file of one format."""

    @property
    def file_format(self) -> FileFormat:
        """Its format."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that outputs keep; finding all keys of a JSON file takes a pass over it."""

    @property
    def names(self) -> ColumnNames | None:
        """Names of columns, and of what is nested in them; None if the format has no nesting."""

    @property
    def counts_rows(self) -> bool:
        """Whether rows are located by their number, not by a line."""

    @property
    def description(self) -> str:
        """How the file is read: `comma, utf-8 (detected)`."""

    @property
    def notes(self) -> ReadNotes:
        """What the last complete reading found."""

    def iter_batches(
        self, columns: Sequence[str], *, as_json: Sequence[str] = ()
    ) -> Iterator[ReadBatch]:
        """Read some columns as text; raises DataError with file and line."""

    def iter_scoring_batches(
        self, text: TextColumns, *, target: OutputFormat, reserved: Sequence[str]
    ) -> Iterator[Batch]:
        """Read the texts, and all columns in a form that the target format supports."""

    def iter_line_numbers(self) -> Iterator[int]:
        """Yield the line, or the number, of every row."""

    def find_broken_rows(
        self, columns: Sequence[str], *, as_json: Sequence[str] = ()
    ) -> Iterator[tuple[int, str]]:
        """Yield the line and the fault of each row that cannot be read."""


class MissingColumnError(DataError):
    """A table lacks a required column."""

    def __init__(self, name: str, column: str, columns: Sequence[str], hint: str = "") -> None:
        self.name = name
        self.column = column
        self.columns = columns
        self.hint = hint
        super().__init__(
            f"{name}:1: no column {column!r} (data.text, data.label); "
            + (hint or suggest_columns(column, columns))
        )


@dataclass(frozen=True)
class TablePart:
    """A file of an open table."""

    file: TableFile
    reader: Reader

    @property
    def columns(self) -> tuple[str, ...]:
        """Its columns, then those of its folder names."""
        return (*self.reader.columns, *self.constants)

    @cached_property
    def constants(self) -> dict[str, str]:
        """Columns that are the same in all rows: those of its folder names."""
        readable = self.readable
        return {name: cell for name, cell in self.file.partition if name not in readable}

    @cached_property
    def readable(self) -> tuple[str, ...]:
        """What the file itself has that can be read by name: its columns, and nested values."""
        names = self.reader.names
        return self.reader.columns if names is None else tuple(names.readable)

    @property
    def leaves(self) -> tuple[str, ...]:
        """What can hold a text or a label: nested values instead of the columns they are in."""
        names = self.reader.names
        return (*(self.reader.columns if names is None else names.leaves), *self.constants)

    def can_read(self, column: str) -> bool:
        """Whether there is such a column."""
        return column in self.readable or column in self.constants

    def iter_batches(
        self, columns: Sequence[str], *, as_json: Sequence[str] = ()
    ) -> Iterator[ReadBatch]:
        """Read some columns; missing ones are empty."""
        stored: Sequence[str] = self._stored(columns)
        if len(stored) == len(columns):
            yield from self.reader.iter_batches(columns, as_json=as_json)
            return
        # At least one column, because a batch without any has no number of rows.
        if not stored:
            stored = as_json = self.readable[:1]
        for batch, fraction_read in self.reader.iter_batches(stored, as_json=as_json):
            yield self._complete(batch, columns, batch.num_rows), fraction_read

    def file_name(self, number: int) -> str:
        """Return the name of the file that the row on a line is in."""
        if isinstance(self.reader, TextFolderReader):
            return self.reader.place(number)
        return self.file.name

    def line_number(self, number: int) -> int:
        """Return the line of a row in its own file."""
        return 1 if isinstance(self.reader, TextFolderReader) else number

    def detected(self) -> dict[str, tuple[Any, str]]:
        """Return the keys of `data` that reading has detected, each with its value and reason."""
        found: dict[str, tuple[Any, str]] = {}
        if isinstance(self.reader, DelimitedReader | ExcelReader):
            found = self.reader.dialect.non_default()
        if encoding := self.reader.notes.assumed_encoding:
            found["encoding"] = (encoding, "not UTF-8; no other encoding makes sense")
        name = self.reader.file_format
        if name != "folder" and table_suffix(self.file.location) not in FORMATS:
            found["format"] = (_INPUT_FORMATS.get(name, name), "recognized by the content")
        return found

    def location(self, number: int) -> str:
        """Return the location of the row on a line."""
        if isinstance(self.reader, TextFolderReader):
            return self.reader.place(number)
        before = ": row " if self.reader.counts_rows else ":"
        return f"{self.file.name}{before}{number}"

    def iter_scoring_batches(
        self,
        text: TextColumns,
        schema: pa.Schema | None,
        *,
        target: OutputFormat,
        reserved: Sequence[str],
    ) -> Iterator[Batch]:
        """Read the texts, and all columns of the table.

        Args:
            text: The columns of the texts.
            schema: The columns of the table, and their types in Parquet; None keeps those of the
                file.
            target: Format of the output table.
            reserved: Keys that no JSON record may have.

        Raises:
            DataError: As `iter_batches`, or a text column is the name of a folder.
        """
        for column in text.text:
            if column in self.constants:
                raise DataError(f"{self.file.name}: {column!r} is in folder names; it is no text")
        text = replace(text, constants=self.constants)
        for batch in self.reader.iter_scoring_batches(text, target=target, reserved=reserved):
            rows = batch.rows
            # Records keep their own keys; the columns of folder names are added to them.
            if schema is not None and batch.records is None:
                rows = self._with_schema(rows, schema, is_text=target == "delimited")
            else:
                count = rows.num_rows if batch.records is None else len(batch.records)
                rows = self._complete(rows, [*rows.schema.names, *self.constants], count)
            yield replace(batch, rows=rows)

    def parquet_schema(self) -> pa.Schema:
        """Return its columns with the types that they have in Parquet."""
        batches = self.reader.iter_scoring_batches(TextColumns(), target="parquet", reserved=())
        schema = next(batches).rows.schema
        return pa.schema([*schema, *((column, pa.string()) for column in self.constants)])

    def _stored(self, columns: Sequence[str]) -> list[str]:
        """Return the columns that the file can have: a JSON key can appear late in it."""
        if self.reader.file_format == "json":
            return [column for column in columns if column not in self.constants]
        readable = {*self.readable}
        return [column for column in columns if column in readable]

    def _with_schema(
        self, rows: pa.RecordBatch, schema: pa.Schema, *, is_text: bool
    ) -> pa.RecordBatch:
        """Return the columns of a schema; those that the file lacks are null, or empty texts."""
        missing = {} if is_text else {field.name: field.type for field in schema}
        completed = self._complete(rows, schema.names, rows.num_rows, missing)
        arrays = [a.cast(each) for a, each in zip(completed.columns, schema.types, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema.names)

    def _complete(
        self,
        rows: pa.RecordBatch,
        columns: Sequence[str],
        count: int,
        missing: Mapping[str, pa.DataType] = MappingProxyType({}),
    ) -> pa.RecordBatch:
        """Return some columns of `count` rows; those that the file lacks are constant or empty.

        Args:
            rows: Columns of the file.
            columns: Names of the columns to return.
            count: Number of rows, which `rows` without columns does not have.
            missing: Types of columns that are null, not an empty text, if the file lacks them.
        """
        names, arrays = rows.schema.names, []
        positions = find_positions(names)
        # By position where it is the same, because names can repeat.
        same = [*columns[: len(names)]] == names
        for index, column in enumerate(columns):
            if column in positions:
                array = rows.column(index if same and index < len(names) else positions[column])
            elif column in self.constants or column not in missing:
                array = repeat_cell(self.constants.get(column, ""), count)
            else:
                array = pa.nulls(count, missing[column])
            arrays.append(array)
        return pa.RecordBatch.from_arrays(arrays, [*columns])


def open_part(file: TableFile, required: Sequence[str], options: ReadOptions) -> TablePart:
    """Open a file, and detect its format and columns.

    Raises:
        DataError: The file is empty, of an unknown format, or lacks a required column.
    """
    part = TablePart(file, _open_reader(file, required, options))
    readable, repeated = {*part.readable, *part.constants}, {*find_repeated(part.readable)}
    for column in required:
        if column not in readable:
            raise MissingColumnError(file.name, column, part.leaves, _missing_column_hint(part))
        if column in repeated:
            raise DataError(f"{file.name}:1: two columns are named {column!r}; rename one")
    return part


def suggest_columns(column: str, columns: Sequence[str]) -> str:
    """Suggest the column that a wrong name most likely means, and list all."""
    close = closest_match(column, columns)
    hint = f"did you mean {close!r}? " if close else ""
    return f"{hint}columns: {join_shortened([*map(repr, columns)], _MAX_COLUMN_LIST)}"


def _missing_column_hint(part: TablePart) -> str:
    if isinstance(part.reader, DelimitedReader | ExcelReader):
        return part.reader.dialect.missing_column_hint()
    return ""


def _open_reader(file: TableFile, required: Sequence[str], options: ReadOptions) -> Reader:
    """Open a file whose format may have to be recognized by its content."""
    stored = [column for column in required if column not in dict(file.partition)]
    file_format = recognize_format(file, options, stored)
    if file_format == "parquet":
        return open_parquet(file.location, file.name, file.row_groups)
    if file_format == "excel":
        return open_excel(file, stored, options)
    if file_format == "folder":
        return open_text_folder(file, stored, options)
    text = open_text(file.location, file.name, options.encoding)
    return _TEXT_OPENERS[file_format](text, stored, options)


_TEXT_OPENERS: dict[FileFormat, Callable[[TextFile, Sequence[str], ReadOptions], Reader]] = {
    "delimited": open_delimited,
    "json": open_json,
    "fasttext": open_fasttext,
    "lines": open_lines,
}
