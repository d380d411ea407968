"""JSON tables: records on lines, one after another, or in an array."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa

from embedclf.errors import DataError
from embedclf.system.arrow import (
    BATCH_ROWS,
    BLOCK_BYTES,
    NO_COLUMNS,
    Batch,
    ReadBatch,
    text_column,
)
from embedclf.tables.json_tables.iteration import iter_lines, iter_records
from embedclf.tables.json_tables.shapes import JsonShape, detect_shape
from embedclf.tables.json_tables.values import JsonError, JsonNumber, JsonRecord
from embedclf.tables.nested import ColumnNames, describe_nested, find_value
from embedclf.tables.read_notes import ReadNotes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.system.fields import TextColumns
    from embedclf.system.formats import FileFormat, OutputFormat
    from embedclf.system.text_files import TextFile
    from embedclf.tables.read_options import ReadOptions

_SKIP_HINT = "; to skip such lines: data.on_bad_row: skip"

_MAX_COLUMNS = 20_000
"""Keys that become columns of another format; each record has a cell for each."""

_MAX_BATCH_CELLS = 1 << 22

_NAMED_RECORDS = 1000
"""Records at the beginning that columns are found in."""


@dataclass(frozen=True)
class JsonReader:
    """Reads a JSON table; a record that lacks a key has an empty cell."""

    file: TextFile
    shape: JsonShape
    names: ColumnNames
    """Of the records at the beginning."""
    notes: ReadNotes
    skip_broken: bool = False
    """Whether lines that are not a JSON object are skipped and noted."""

    file_format: ClassVar[FileFormat] = "json"

    @property
    def counts_rows(self) -> bool:
        """Whether rows are located by their number, not by a line."""
        return self.shape.counts_rows

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The keys of all records, in order of first appearance; finding them reads the file."""
        keys = dict[str, None]()
        for records, _ in self._read_records():
            for record in records:
                keys.update(dict.fromkeys(record.values))
        return tuple(keys)

    @property
    def description(self) -> str:
        """How the file is read: `JSON Lines, utf-8`."""
        return f"{self.shape}, {self.file.described_encoding}"

    def iter_batches(
        self, columns: Sequence[str], *, as_json: Sequence[str] = ()
    ) -> Iterator[ReadBatch]:
        """Read some columns as text.

        Args:
            columns: Names; those that a record lacks, or that are null or NaN, are empty.
            as_json: Columns whose lists and objects become JSON text.

        Raises:
            DataError: A record cannot be read, or has a list or an object in another column.
        """
        for records, fraction_read in self._read_records(len(columns)):
            arrays = [self._cells(records, name, as_json=name in as_json) for name in columns]
            yield pa.RecordBatch.from_arrays(arrays, [*columns]), fraction_read

    def iter_scoring_batches(
        self, text: TextColumns, *, target: OutputFormat, reserved: Sequence[str]
    ) -> Iterator[Batch]:
        """Read the texts, and the unchanged records or, for other formats, their cells as text.

        Raises:
            DataError: A record cannot be read, or has a reserved key; or there are too many keys.
        """
        columns = () if target == "jsonl" else self.columns
        check_key_count(self.file.name, columns)
        for records, fraction_read in self._read_records(len(columns)):
            self._refuse_reserved(records, reserved)
            texts = text.join([self._cells(records, name) for name in text.names])
            lines, rows = None, NO_COLUMNS
            if target == "jsonl":
                lines = text_column([_to_line(record.text) for record in records])
            else:
                arrays = [self._cells(records, key, as_json=True) for key in columns]
                rows = pa.RecordBatch.from_arrays(arrays, columns)
            yield Batch(texts, rows, lines, fraction_read)

    def iter_line_numbers(self) -> Iterator[int]:
        """Yield the line that each record begins on."""
        if self.skip_broken or self.shape.layout != "lines":
            for records, _ in self._read_records():
                yield from (record.line for record in records)
            return
        with self.file.open() as stream:
            yield from (number for number, _ in iter_lines(stream))

    def find_broken_rows(
        self, columns: Sequence[str], *, as_json: Sequence[str] = ()
    ) -> Iterator[tuple[int, str]]:
        """Yield the line and the fault of each record that cannot be read for some columns.

        Lines are independent; in other layouts, nothing can be read after a syntax error. Lines
        that are skipped are not broken.
        """
        faults: list[JsonError] = []
        on_fault = self._note_skipped if self.skip_broken else faults.append
        with self.file.open() as stream:
            records = iter_records(stream, self.shape, on_fault=on_fault)
            try:
                for record in records:
                    yield from _take_faults(faults)
                    try:
                        for name in columns:
                            self._cells([record], name, as_json=name in as_json)
                    except DataError as error:
                        before = f"{self._place(record.line)}: "
                        yield record.line, str(error).removeprefix(before)
            except JsonError as fault:
                faults.append(fault)
        yield from _take_faults(faults)

    def _read_records(self, columns: int = 1) -> Iterator[tuple[list[JsonRecord], float]]:
        """Read the records in batches for a number of columns; raises DataError."""
        batch_rows = max(1, min(BATCH_ROWS, _MAX_BATCH_CELLS // max(1, columns)))
        self.notes.clear()
        on_fault = self._note_skipped if self.skip_broken else None
        with self.file.open() as stream:
            records = iter_records(stream, self.shape, on_fault=on_fault)
            try:
                while batch := _next_batch(records, batch_rows):
                    self.notes.rows += len(batch)
                    yield batch, stream.fraction_read
            except JsonError as fault:
                way_out = "" if self.shape.layout != "lines" else _SKIP_HINT
                raise DataError(f"{self._place(fault.line)}: {fault}{way_out}") from fault
        self.notes.assumed_encoding = self.file.assumed_encoding

    def _place(self, line: int) -> str:
        return f"{self.file.name}{': row ' if self.counts_rows else ':'}{line}"

    def _note_skipped(self, fault: JsonError) -> None:
        self.notes.add_skipped(fault.line, str(fault))

    def _refuse_reserved(self, records: Sequence[JsonRecord], reserved: Sequence[str]) -> None:
        for record in records:
            for key in reserved:
                if key in record.values:
                    fault = existing_column_fault(key)
                    raise DataError(f"{self._place(record.line)}: {fault}")

    def _cells(
        self, records: Sequence[JsonRecord], name: str, *, as_json: bool = False
    ) -> pa.StringArray:
        """Return the cells of a column (n,) as text."""
        if "." in name:
            values = [find_value(record.values, name) for record in records]
        else:
            values = [record.values.get(name) for record in records]
        # Nearly all cells are strings, so they are checked for first.
        return text_column(
            [
                value
                if type(value) is str
                else self._to_text(value, name, record.line, as_json=as_json)
                for value, record in zip(values, records, strict=True)
            ]
        )

    def _to_text(self, value: Any, name: str, line: int, *, as_json: bool) -> str:
        """Return a cell as text: null is "", a number as it is written, all else JSON."""
        if value is None:
            return ""
        if isinstance(value, list | dict) and not as_json:
            raise DataError(f"{self._place(line)}: {_describe_nested(value, name)}")
        try:
            return to_json(value)
        except RecursionError as error:
            raise DataError(f"{self._place(line)}: {name!r} is nested too deeply") from error


def open_json(file: TextFile, required: Sequence[str], options: ReadOptions) -> JsonReader:
    """Open a JSON table.

    Args:
        file: The file.
        required: Columns that it must have; an object that has them is a record.
        options: Only `on_bad_row` concerns JSON.

    Raises:
        DataError: The file is not JSON, or has no records.
    """
    try:
        with file.open() as stream:
            shape = detect_shape(stream, required)
        names, shape = _find_names(file, shape)
    except JsonError as fault:
        place = f"{file.name}:{fault.line}" if fault.line else file.name
        raise DataError(f"{place}: {fault}") from fault
    skip = options.on_bad_row == "skip"
    return JsonReader(file, shape, names, ReadNotes(file.name), skip)


def _find_names(file: TextFile, shape: JsonShape) -> tuple[ColumnNames, JsonShape]:
    """Find the columns, and whether rows are located by line; raises JsonError."""
    names, lines, faults = ColumnNames(), list[int](), list[JsonError]()
    with file.open() as stream:
        records = iter_records(stream, shape, on_fault=faults.append)
        try:
            for record in islice(records, _NAMED_RECORDS):
                names.add_record(record.values)
                lines.append(record.line)
        except JsonError as fault:
            faults.append(fault)
    # If there are columns, a fault is raised, or skipped, where the rows are read.
    if not names.readable:
        raise faults[0] if faults else JsonError(0, "it has no records")
    return names, replace(shape, counts_rows=len(set(lines)) < len(lines))


def check_key_count(name: str, keys: Sequence[str]) -> None:
    """Check that the keys of a JSON table can become columns of another format.

    Raises:
        DataError: There are too many.
    """
    if len(keys) > _MAX_COLUMNS:
        raise DataError(
            f"{name}: {len(keys):,} different keys are too many columns; write JSON Lines: "
            "-o out.jsonl"
        )


def existing_column_fault(column: str) -> str:
    """Describe a column with the name of a column to be added."""
    return f"column {column!r} already exists; name the new columns otherwise: --prefix new_"


def _take_faults(faults: list[JsonError]) -> Iterator[tuple[int, str]]:
    yield from ((fault.line, str(fault)) for fault in faults)
    faults.clear()


def _next_batch(records: Iterator[JsonRecord], batch_rows: int) -> list[JsonRecord]:
    """Return the next records, about a block and at most a batch; an empty list at the end."""
    batch, size = [], 0
    for record in records:
        batch.append(record)
        size += len(record.text)
        if size >= BLOCK_BYTES or len(batch) == batch_rows:
            break
    return batch


def _describe_nested(value: list[Any] | dict[str, Any], name: str) -> str:
    names = ColumnNames()
    names.add_record({name: value})
    kind = "a list" if isinstance(value, list) else "an object"
    return describe_nested(name, kind, names)


def _to_line(text: str) -> str:
    """Write a record on one line; line breaks are never part of a string in JSON."""
    return " ".join(part.strip() for part in text.strip().split("\n"))


def to_json(value: Any) -> str:
    """Format a parsed value as JSON, with numbers as they were written."""
    if isinstance(value, JsonNumber):
        return value
    if isinstance(value, list):
        return f"[{', '.join(map(to_json, value))}]"
    if isinstance(value, dict):
        pairs = (f"{to_json(key)}: {to_json(cell)}" for key, cell in value.items())
        return f"{{{', '.join(pairs)}}}"
    return json.dumps(value, ensure_ascii=False)
