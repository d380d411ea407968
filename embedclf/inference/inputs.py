"""Texts to score: tables, lines, the command line."""

from __future__ import annotations

import codecs
import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedclf.errors import DataError, RequestError
from embedclf.inference.few_rows import NOT_UNICODE
from embedclf.inference.outputs import delimiter_for
from embedclf.inference.serialization import CsvStyle
from embedclf.inference.streams import line_batch, open_stream, read_available, read_line_batches
from embedclf.system.arrow import Batch, text_column
from embedclf.system.formats import (
    FORMATS,
    FileFormat,
    OutputFormat,
    output_format,
    table_suffix,
)
from embedclf.system.publishing.private_files import private_file
from embedclf.system.terminal import format_count
from embedclf.tables.delimited import DelimitedReader
from embedclf.tables.files import find_files, is_one_of, tables_exist
from embedclf.tables.json_tables.records import check_key_count, existing_column_fault
from embedclf.tables.new_tables import NewColumnError, open_new_table
from embedclf.tables.read_options import ReadOptions
from embedclf.tables.tables import open_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from embedclf.config.data_section import DataConfig
    from embedclf.config.fields import Tables
    from embedclf.system.fields import TextColumns
    from embedclf.system.text_files import TextFile
    from embedclf.tables.files import TableFile
    from embedclf.tables.tables import Table

STANDARD_INPUT = "-"

_NUMBER_CHARACTERS = frozenset("0123456789.-")
"""Delimiters that would also occur in the numbers of added columns."""


@dataclass(frozen=True)
class OutputSpec:
    """Where and how scored rows are written."""

    path: Path | None
    """File to write; None is standard output."""
    as_json: bool
    """Whether rows are written as JSON objects, whatever the path."""
    added_columns: tuple[str, ...]
    """Columns to add; the source must not have them."""
    escape_formulas: bool = False
    """Whether to escape cells that a spreadsheet would run as formulas."""
    for_excel: bool = False
    """Whether to write CSV as Excel opens it, which includes escaping formulas."""

    def format_for(self, source: FileFormat) -> OutputFormat:
        """Return the format to write the rows of a source in."""
        return "jsonl" if self.as_json else output_format(self.path, source)

    def style_like(self, table: Table | None) -> CsvStyle:
        """Return how to write a text table: like a source whose files have the same extension."""
        default = delimiter_for(self.path)
        if self.for_excel:
            # Where commas are decimal, Excel reads and writes semicolons instead.
            has_semicolons = table and (source := _style_of(table)) and source.delimiter == ";"
            return CsvStyle.for_excel(";" if default == "," and has_semicolons else default)
        is_same = table and self.path and _suffixes(table) == {table_suffix(self.path)}
        style = _style_of(table) if table and is_same else None
        style = style or CsvStyle(default)
        return replace(style, escape_formulas=self.escape_formulas)


@dataclass(frozen=True)
class TextSource:
    """Texts to score, with the columns to keep."""

    columns: tuple[str, ...]
    """Names of the columns to keep; none if records are kept."""
    output_format: OutputFormat
    """Format that they are written in."""
    batches: Iterator[Batch]
    description: str = ""
    """How a table is read, for people."""
    style: CsvStyle = field(default_factory=CsvStyle)
    """How a text table of it is written."""
    notes: Callable[[], tuple[str, ...]] = tuple
    """What people should know, after all rows are read: a sentence each, beginning with a file."""
    line_counts: Callable[[], tuple[str, ...]] = tuple
    """Files with fewer rows than lines, which is no fault: a sentence each, like `notes`."""


def source_from_texts(texts: Sequence[str], spec: OutputSpec) -> TextSource:
    """Make a source of the texts themselves.

    Raises:
        DataError: A text is not Unicode.
    """
    try:
        column = text_column(texts)
    except UnicodeEncodeError as error:
        raise DataError(NOT_UNICODE) from error
    return _line_source(iter([line_batch(column)]), spec)


@contextmanager
def open_text_source(
    tables: Tables | TableFile,
    data: DataConfig,
    reading: Mapping[str, Any],
    spec: OutputSpec | None,
) -> Iterator[TextSource]:
    """Open a table, or lines; `-` is standard input.

    Args:
        tables: Files, folders, patterns or URIs.
        data: The section `data` of the run's config: names the text columns, and says how to read
            a table where `reading` does not.
        reading: Keys of `data` that the command line sets. Without a format, standard input is
            lines, and so are files of unknown extensions without the text columns.
        spec: How rows are written; None if only their texts are needed.

    Raises:
        DataError: A file cannot be read, lacks a text column, or has a column that will be added;
            or it would be overwritten by the output.
        RequestError: Lines have a delimiter, or other options of tables.
    """
    if tables == STANDARD_INPUT and reading.get("format") in {None, "lines"}:
        _check_lines(reading)
        with open_stream() as stream:
            batches = read_line_batches(stream, "standard input", reading.get("encoding"))
            yield _line_source(batches, spec)
        return
    with _seekable(tables, reading) as (files, name):
        table, columns = _open_table(files, data, reading, name)
        if spec is not None:
            _check_output(spec.path, table)
        yield _table_source(table, columns, spec)


def _line_source(batches: Iterator[Batch], spec: OutputSpec | None) -> TextSource:
    if spec is None:
        return TextSource(("text",), "delimited", batches)
    target = spec.format_for("delimited")
    return TextSource(("text",), target, batches, style=spec.style_like(None))


def _check_lines(reading: Mapping[str, Any]) -> None:
    """Check that lines have no options of tables.

    Raises:
        RequestError: They have.
    """
    if reading.keys() - {"format", "encoding", "text"}:
        raise RequestError("lines have no columns; name a format, as in --input-format csv")


@contextmanager
def _seekable(
    tables: Tables | TableFile, reading: Mapping[str, Any]
) -> Iterator[tuple[Tables | TableFile, str | None]]:
    """Yield tables that can be read twice, and their name; a pipe is copied into a file."""
    if not isinstance(tables, str) or not _is_stream(tables):
        if isinstance(tables, str) and " " in tables and not tables_exist(tables):
            raise DataError(f"{tables}: no such file; to read it as a text: -t TEXT")
        yield tables, None
        return
    name = "standard input" if tables == STANDARD_INPUT else tables
    # The extension of the copy also says its format
    suffix = f".{reading['format']}" if reading.get("format") else table_suffix(tables)
    with private_file(suffix) as (copy, file):
        with open_stream(None if tables == STANDARD_INPUT else Path(tables)) as stream:
            while chunk := read_available(stream, name):
                try:
                    file.write(chunk)
                    # The copy is read by its name, and a full disk has to be reported here
                    file.flush()
                except OSError as error:
                    raise DataError(
                        f"{tempfile.gettempdir()}: no room for a copy of {name}: "
                        f"{error.strerror}; set TMPDIR to another folder"
                    ) from error
        yield copy, name


def _is_stream(location: str) -> bool:
    """Whether a location can be read only once."""
    path = Path(location)
    return location == STANDARD_INPUT or (path.exists() and not (path.is_file() or path.is_dir()))


def _open_table(
    tables: Tables | TableFile, data: DataConfig, reading: Mapping[str, Any], name: str | None
) -> tuple[Table, TextColumns]:
    """Open a table, or files of lines, and return the columns of its texts."""
    if reading.get("format") != "lines":
        try:
            table, config = open_new_table(tables, data, reading, name=name)
        except NewColumnError as error:
            if not _may_be_lines(tables, reading):
                raise
            if error.close or _has_cells(tables, reading):
                raise DataError(f"{error}; if each line is a text: --input-format lines") from error
        else:
            return table, config.input_columns
    _check_lines(reading)
    as_lines = {**reading, "format": "lines", "text": "text"}
    data = data.model_copy(update={"fields": ()})  # a line can begin with them
    table, config = open_new_table(tables, data, as_lines, name=name)
    return table, config.input_columns


def _may_be_lines(tables: Tables | TableFile, reading: Mapping[str, Any]) -> bool:
    """Whether files without the columns of the run can be lines of text: no format is known."""
    is_table = reading.keys() - {"encoding", "text"}
    locations = [file.location for file in find_files(tables)]
    suffixes = set(map(table_suffix, locations))
    return not is_table and suffixes.isdisjoint(FORMATS) and not any(map(os.path.isdir, locations))


def _has_cells(tables: Tables | TableFile, reading: Mapping[str, Any]) -> bool:
    """Whether files are plainly tables: texts contain commas, but no other delimiters regularly."""
    options = ReadOptions(encoding=reading.get("encoding"))
    readers = [part.reader for part in open_table(tables, [], options).parts]
    return any(
        isinstance(reader, DelimitedReader)
        and reader.dialect.delimiter != ","
        and len(reader.columns) > 1
        for reader in readers
    )


def _check_output(path: Path | None, table: Table) -> None:
    """Check that the output replaces no file that is read.

    Raises:
        DataError: It does.
    """
    if path is not None and is_one_of(path, table.files):
        raise DataError(f"{path}: is also the input; write to another file with -o")


def _table_source(table: Table, text: TextColumns, spec: OutputSpec | None) -> TextSource:
    description = f"{table.name}: read as {table.description}"
    if spec is None:
        # Read as for JSON Lines, whose records may differ in their keys: only texts are needed
        batches = table.iter_scoring_batches(text, target="jsonl", reserved=())
        return TextSource((), "jsonl", batches, description, notes=table.notes)
    formats = {part.reader.file_format for part in table.parts}
    target = spec.format_for(table.file_format if len(formats) == 1 else "delimited")
    # The columns of JSON are known only after the whole file is read, which its records don't need
    columns = () if (target, formats) == ("jsonl", {"json"}) else table.columns
    if "json" in formats:
        check_key_count(table.name, columns)  # before a header is made of them
    for column in spec.added_columns:
        if column in columns:
            raise DataError(f"{table.name}:1: {existing_column_fault(column)}")
    batches = table.iter_scoring_batches(text, target=target, reserved=spec.added_columns)
    style = spec.style_like(table) if target == "delimited" else CsvStyle()
    return TextSource(
        columns,
        target,
        batches,
        description,
        style,
        table.notes,
        lambda: tuple(_compare_line_counts(table)),
    )


def _compare_line_counts(table: Table) -> Iterator[str]:
    """Yield a sentence for each text table with fewer rows than lines, unless a note says so."""
    for part in table.parts:
        notes = part.reader.notes
        is_text = part.reader.file_format == "delimited" and not notes.sentences()
        if is_text and notes.lines > notes.rows:
            yield (
                f"{part.file.name}: {format_count(notes.lines, 'line')}, "
                f"{format_count(notes.rows, 'row')}: quoted cells span lines, or lines are blank"
            )


def _suffixes(table: Table) -> set[str]:
    return {table_suffix(file.location) for file in table.files}


def _style_of(table: Table) -> CsvStyle | None:
    """Return how all files of a table are written; None if they differ or are no text tables."""
    readers = [part.reader for part in table.parts if isinstance(part.reader, DelimitedReader)]
    if len(readers) < len(table.parts):
        return None
    found = {
        (reader.dialect.delimiter, reader.file.encoding, _has_mark(reader.file))
        for reader in readers
    }
    if len(found) > 1:
        return None
    delimiter, encoding, has_mark = found.pop()
    if delimiter.isalpha() or delimiter in _NUMBER_CHARACTERS:
        delimiter = ","
    return CsvStyle(delimiter, encoding, has_mark)


def _has_mark(file: TextFile) -> bool:
    with file.open() as stream:
        return stream.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8
