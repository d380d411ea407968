"""Tables of one or more files: open them, read them, locate their rows."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from embedclf.errors import DataError
from embedclf.system.arrow import find_repeated
from embedclf.system.fields import TextColumns
from embedclf.system.progress import activity
from embedclf.system.storage import file_size
from embedclf.tables.files import TableFile, display_tables, find_files
from embedclf.tables.parts import TablePart, open_part
from embedclf.tables.read_options import DETECT, ReadOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.config.fields import Tables
    from embedclf.system.arrow import Batch, ReadBatch
    from embedclf.system.formats import FileFormat, OutputFormat


@dataclass(frozen=True)
class Table:
    """An open table of one or more files; its columns are known, but its rows are not read yet.

    Every cell is the text in the file: `01`, `NA` and `null` stay as they are. A JSON or Parquet
    null becomes an empty text. So does a column that another file has.
    """

    tables: Tables
    """The files, folders, patterns or URIs that it was opened by."""
    name: str
    """Name in messages."""
    parts: tuple[TablePart, ...]

    @property
    def files(self) -> tuple[TableFile, ...]:
        """Its files, in the order of their rows."""
        return tuple(part.file for part in self.parts)

    @property
    def file_format(self) -> FileFormat:
        """The format of its first file."""
        return self.parts[0].reader.file_format

    @property
    def description(self) -> str:
        """How it is read: `comma, utf-8 (detected)`."""
        descriptions = dict.fromkeys(part.reader.description for part in self.parts)
        files = f"{len(self.parts):,} files, " if len(self.parts) > 1 else ""
        return files + "; ".join(descriptions)

    @property
    def columns(self) -> tuple[str, ...]:
        """Its column names, in order of first appearance."""
        first, *others = (part.columns for part in self.parts)
        # Names can repeat in a file, which is not a fault as long as nobody reads them.
        if all(columns == first for columns in others):
            return first
        return tuple(dict.fromkeys(itertools.chain(first, *others)))

    @property
    def leaves(self) -> tuple[str, ...]:
        """What can hold a text or a label: nested values instead of the columns they are in."""
        first, *others = (part.leaves for part in self.parts)
        return tuple(dict.fromkeys(itertools.chain(first, *others))) if others else first

    def count_columns(self, name: str) -> int:
        """Return how many columns have a name, of all files together; a nested one counts, too."""
        # A JSON key can appear late, which only reading the whole file shows.
        return self._column_counts[name] or self.columns.count(name)

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Read some columns of all rows; raises as `iter_batches` does."""
        schema = pa.schema([(column, pa.string()) for column in columns])
        batches = (batch for batch, _ in self.iter_batches(columns))
        return pa.Table.from_batches(batches, schema=schema)

    def iter_batches(
        self, columns: Sequence[str], *, as_json: Sequence[str] = ()
    ) -> Iterator[ReadBatch]:
        """Read some columns, in the given order, in batches of text.

        Args:
            columns: What to read.
            as_json: Those whose lists and objects become JSON text; others must not have any.

        Raises:
            DataError: A row cannot be read; the message begins with file and line.
        """
        sizes = self._sizes()
        total = sum(sizes)
        name = self.files[0].name.rpartition("/")[2] if len(sizes) == 1 else self.name
        with activity(f"reading {name}", total=total, unit="bytes") as reading:
            for part, size, before in zip(
                self.parts, sizes, itertools.accumulate(sizes, initial=0), strict=False
            ):
                for batch, fraction_read in part.iter_batches(columns, as_json=as_json):
                    bytes_read = before + fraction_read * size
                    reading.advance(bytes_read - reading.done)
                    yield batch, bytes_read / total

    def iter_all_columns(self) -> Iterator[pa.RecordBatch]:
        """Read all columns in batches of text, with nested cells as JSON."""
        for batch in self.iter_scoring_batches(TextColumns(), target="delimited", reserved=()):
            yield batch.rows

    def iter_scoring_batches(
        self, text: TextColumns, *, target: OutputFormat, reserved: Sequence[str]
    ) -> Iterator[Batch]:
        """Read the texts to predict, and all columns in a form that the target format supports.

        JSON records stay unchanged in JSON Lines. Parquet columns keep their types in Parquet and
        JSON Lines. All other cells become text.

        Args:
            text: The columns of the texts.
            target: Format of the output table.
            reserved: Keys that no JSON record may have.

        Raises:
            DataError: As `iter_batches`, or a record has a reserved key.
        """
        if len(self.parts) == 1 and not self.parts[0].constants:
            reader = self.parts[0].reader
            yield from reader.iter_scoring_batches(text, target=target, reserved=reserved)
            return
        schema, target = self._scoring_schema(target)
        sizes, before = self._sizes(), 0
        total = sum(sizes)
        for part, size in zip(self.parts, sizes, strict=True):
            for batch in part.iter_scoring_batches(text, schema, target=target, reserved=reserved):
                read = (before + (batch.fraction_read or 0) * size) / total
                yield replace(batch, fraction_read=read)
            before += size

    def locate(self, rows: Sequence[int]) -> list[str]:
        """Return the locations of rows, as `file:line`.

        Args:
            rows: Ascending positions, from 0 for the first row of the first file.
        """
        return [part.location(number) for part, number in self._places(rows)]

    def line_numbers(self, rows: Sequence[int]) -> list[int]:
        """Return the line in its file that each row begins on; for Parquet, its row number.

        A text that is a whole file is on line 1.

        Args:
            rows: Ascending positions, from 0 for the first row of the first file.
        """
        return [part.line_number(number) for part, number in self._places(rows)]

    def file_names(self, rows: Sequence[int]) -> list[str]:
        """Return the name of the file that each row is in; `rows` as for `line_numbers`."""
        return [part.file_name(number) for part, number in self._places(rows)]

    def find_broken_rows(
        self, columns: Sequence[str], *, as_json: Sequence[str] = ()
    ) -> Iterator[tuple[str, str]]:
        """Find all rows whose columns cannot be read, with their locations and faults.

        This is slow; use it for tables that `iter_batches` refuses.
        """
        for part in self.parts:
            stored = [column for column in columns if column not in part.constants]
            for number, fault in part.reader.find_broken_rows(stored, as_json=as_json):
                yield part.location(number), fault

    def detected(self) -> dict[str, tuple[Any, str]]:
        """Return the keys of `data` that reading has detected, each with its value and reason.

        A key is left out if two files need different values. All of them are known only after all
        rows were read.
        """
        first, *others = [part.detected() for part in self.parts]
        return {
            key: (value, reason)
            for key, (value, reason) in first.items()
            if all(each.get(key, (None,))[0] == value for each in others)
        }

    def notes(self) -> tuple[str, ...]:
        """Return what people should know about how it was read, each beginning with the file."""
        return tuple(sentence for part in self.parts for sentence in part.reader.notes.sentences())

    @cached_property
    def _column_counts(self) -> Counter[str]:
        """How many columns have each name, in the file with the most."""
        counts = Counter[str]()
        for part in self.parts:
            counts |= Counter([*part.readable, *part.constants])
        return counts

    def _scoring_schema(self, target: OutputFormat) -> tuple[pa.Schema | None, OutputFormat]:
        """Return the columns of all files for an output, and the format to read them for."""
        if target == "jsonl":
            return None, target  # objects can differ in their keys
        if target in {"parquet", "excel"}:
            try:
                return pa.unify_schemas([part.parquet_schema() for part in self.parts]), target
            except (pa.ArrowInvalid, pa.ArrowTypeError):
                pass  # a column has different types; as text, it has one
        columns = self.columns
        for part in self.parts:
            if (repeated := find_repeated(part.columns)) and part.columns != columns:
                raise DataError(
                    f"{part.file.name}:1: two columns are named {repeated[0]!r}; rename one"
                )
        # Text in all rows, because an empty cell of a missing column is.
        return pa.schema([(column, pa.string()) for column in columns]), "delimited"

    def _sizes(self) -> list[int]:
        """Return the sizes of its files, at least 1, to compute the fraction read."""
        sizes = (file.size or file_size(file.location) for file in self.files)
        return [max(1, size) for size in sizes]

    def _places(self, rows: Sequence[int]) -> list[tuple[TablePart, int]]:
        """Return the file and the line of each row."""
        if not len(rows):
            return []
        with activity("finding line numbers"):
            places = (
                (part, number) for part in self.parts for number in part.reader.iter_line_numbers()
            )
            found, passed = list[tuple[TablePart, int]](), 0
            for row in rows:
                found.append(next(itertools.islice(places, row - passed, None)))
                passed = row + 1
        return found


def open_table(
    tables: Tables | TableFile,
    required: Sequence[str],
    options: ReadOptions = DETECT,
    *,
    name: str | None = None,
) -> Table:
    """Open a table, and detect its formats and columns.

    Args:
        tables: Its files, folders, patterns or URIs.
        required: Columns that every file must have, each once.
        options: How to read it. Without a delimiter, the one that finds the required columns is
            used, or the most columns if none are required.
        name: Replaces the path of a single file in messages.

    Raises:
        DataError: A file is missing, empty, of an unknown format, or lacks a column.
    """
    files = find_files(tables)
    if name is not None and len(files) == 1:
        files = (replace(files[0], name=name),)
    parts = tuple(open_part(file, required, options) for file in files)
    location = tables.location if isinstance(tables, TableFile) else tables
    return Table(location, name or display_tables(tables), parts)
