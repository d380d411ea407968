"""Texts to score: a table, lines, the command line."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from embedclf.data.jsonlines import existing_column_fault
from embedclf.data.tables import MissingColumnError, Table, open_table, suggest_columns
from embedclf.errors import DataError, RequestError
from embedclf.inference.streams import line_batch, open_stream, read_available, read_line_batches
from embedclf.system.arrow import Batch, text_column
from embedclf.system.formats import FORMATS, FileFormat, InputFormat, output_format, table_suffix

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.config.sections import DataConfig


@dataclass(frozen=True)
class TableFormat:
    """How to read rows; None is detected, or taken from the config."""

    format: InputFormat | None = None
    delimiter: str | None = None
    encoding: str | None = None


@dataclass(frozen=True)
class OutputSpec:
    """Where and how scored rows are written."""

    path: Path | None
    """File to write; None is standard output."""
    as_json: bool
    """Whether rows are written as JSON objects, whatever the path."""
    added_columns: tuple[str, ...]
    """Columns to add; the source must not have them."""

    def format_for(self, source: FileFormat) -> FileFormat:
        """Return the format to write the rows of a source in."""
        return "jsonl" if self.as_json else output_format(self.path, source)


@dataclass(frozen=True)
class TextSource:
    """Texts to score, with the columns to keep."""

    columns: tuple[str, ...]
    """Names of the columns to keep."""
    output_format: FileFormat
    """Format that they are written in."""
    batches: Iterator[Batch]
    description: str = ""
    """How a table is read, for people."""


def source_from_texts(texts: Sequence[str], spec: OutputSpec) -> TextSource:
    """Make a source of the texts themselves.

    Raises:
        DataError: A text is not Unicode.
    """
    try:
        column = text_column(texts)
    except UnicodeEncodeError as error:
        raise DataError("a text is not UTF-8; pass it in a file, with --encoding") from error
    return TextSource(("text",), spec.format_for("delimited"), iter([line_batch(column)]))


@contextmanager
def open_text_source(
    path: Path, config: DataConfig, table_format: TableFormat, spec: OutputSpec | None
) -> Iterator[TextSource]:
    """Open a table, or lines; `-` is standard input.

    Args:
        path: The file.
        config: Names the text columns, and says how to read a table where `table_format` does not.
        table_format: How to read it. Without a format, the extension decides; standard input is
            lines.
        spec: How rows are written; None if only their texts are needed.

    Raises:
        DataError: It cannot be read, lacks a text column, or has a column that will be added.
        RequestError: Its format is unknown, or lines have a delimiter.
    """
    standard_input = str(path) == "-"
    name = "standard input" if standard_input else str(path)
    if table_format.format == "lines" or (standard_input and table_format.format is None):
        if table_format.delimiter is not None:
            raise RequestError(
                "--delimiter: lines have no columns; name the format: --input-format csv"
            )
        with open_stream(path, standard_input=standard_input) as stream:
            target = spec.format_for("delimited") if spec else "delimited"
            batches = read_line_batches(stream, name, table_format.encoding)
            yield TextSource(("text",), target, batches)
        return
    if not standard_input:
        _check_table_path(path, table_format, is_prediction=spec is not None)
    with _seekable(path, name, table_format, standard_input=standard_input) as file:
        table = _open_table(file, name, config, table_format)
        yield _table_source(table, config.text_columns, spec)


def _check_table_path(path: Path, table_format: TableFormat, *, is_prediction: bool) -> None:
    """Check that a file exists, and that its format is known.

    Raises:
        DataError: It does not exist.
        RequestError: Neither its extension nor `table_format` is a known format.
    """
    if not path.exists():
        hint = "to classify a text: -t TEXT" if is_prediction else "pass an existing table"
        raise DataError(f"{path}: no such file; {hint}")
    if table_format.format is None and table_suffix(path) not in FORMATS and not path.is_dir():
        raise RequestError(
            f"{path}: unknown extension; name the format, as in --input-format lines, or use one "
            f"of {', '.join(FORMATS)}"
        )


@contextmanager
def _seekable(
    path: Path, name: str, table_format: TableFormat, *, standard_input: bool
) -> Iterator[Path]:
    """Yield a file that can be read twice, as tables need; a pipe is copied into one."""
    if not standard_input and (path.is_file() or path.is_dir()):
        yield path
        return
    # The extension of the copy also says its format
    suffix = f".{table_format.format}" if table_format.format else table_suffix(path)
    with tempfile.NamedTemporaryFile(suffix=suffix) as file:
        with open_stream(path, standard_input=standard_input) as stream:
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
        yield Path(file.name)


def _open_table(file: Path, name: str, config: DataConfig, table_format: TableFormat) -> Table:
    delimiter = table_format.delimiter
    if delimiter is None:
        delimiter = "\t" if table_format.format == "tsv" else config.delimiter
    try:
        return open_table(
            file,
            config.text_columns,
            delimiter=delimiter,
            encoding=config.encoding if table_format.encoding is None else table_format.encoding,
            suffix=f".{table_format.format}" if table_format.format else None,
            name=name,
        )
    except MissingColumnError as error:
        hint = suggest_columns(error.column, error.table.columns)
        raise DataError(
            f"{name}:1: no column {error.column!r}, which the run reads as text; {hint}; rename "
            f"the text column of the table to {error.column!r}"
        ) from error


def _table_source(table: Table, text_columns: list[str], spec: OutputSpec | None) -> TextSource:
    description = f"{table.name}: read as {table.description}"
    if spec is None:
        # Read as for JSON Lines, whose records may differ in their keys: only texts are needed
        batches = table.iter_scoring_batches(text_columns, target="jsonl", reserved=())
        return TextSource((), "jsonl", batches, description)
    for column in spec.added_columns:
        if column in table.columns:
            raise DataError(f"{table.name}:1: {existing_column_fault(column)}")
    target = spec.format_for(table.file_format)
    batches = table.iter_scoring_batches(text_columns, target=target, reserved=spec.added_columns)
    return TextSource(table.columns, target, batches, description)
