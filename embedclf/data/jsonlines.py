"""JSON Lines tables."""

from __future__ import annotations

import io
import itertools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import pyarrow as pa

from embedclf.data.delimited import read_head
from embedclf.errors import DataError
from embedclf.system.arrow import (
    BATCH_ROWS,
    BLOCK_BYTES,
    NO_COLUMNS,
    Batch,
    ReadBatch,
    join_columns,
    text_column,
)
from embedclf.system.text_files import TextFile, Utf8Stream, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from embedclf.system.formats import FileFormat


@dataclass(frozen=True)
class JsonLinesReader:
    """Reads a JSON Lines table; its columns are the keys of the first record."""

    file: TextFile
    columns: tuple[str, ...]
    list_separators: Mapping[str, str] = field(default_factory=dict)
    """Columns that can hold lists of texts, and what joins them."""
    file_format: ClassVar[FileFormat] = "jsonl"

    def iter_batches(self, columns: Sequence[str]) -> Iterator[ReadBatch]:
        """Read some columns as text; raises DataError with file and line."""
        for records, fraction_read in self._read_records():
            rows = []
            for record in records:
                self._refuse_new_keys(record)
                rows.append([self._text(record, column) for column in columns])
            arrays = [text_column(cells) for cells in zip(*rows, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, [*columns]), fraction_read

    def iter_scoring_batches(
        self, text: Sequence[str], *, target: FileFormat, reserved: Sequence[str]
    ) -> Iterator[Batch]:
        """Read the texts, and the unchanged records or, for other formats, their cells as text.

        Raises:
            DataError: A record cannot be read, has a reserved key, or, if cells are text, a key
                that the first record lacks.
        """
        for records, fraction_read in self._read_records():
            texts, lines, rows = [], [], []
            for record in records:
                for key in reserved:
                    if key in record.values:
                        fault = existing_column_fault(key)
                        raise DataError(f"{self.file.name}:{record.number}: {fault}")
                texts.append([self._text(record, column) for column in text])
                if target == "jsonl":
                    # utf-8-sig: the first line can begin with a byte-order mark.
                    lines.append(record.line.decode("utf-8-sig").strip())
                else:
                    self._refuse_new_keys(record)
                    rows.append([self._cell(record, column) for column in self.columns])
            arrays = [text_column(cells) for cells in zip(*rows, strict=True)]
            yield Batch(
                join_columns([text_column(cells) for cells in zip(*texts, strict=True)]),
                pa.RecordBatch.from_arrays(arrays, self.columns) if arrays else NO_COLUMNS,
                text_column(lines) if lines else None,
                fraction_read,
            )

    def line_numbers(self, rows: Sequence[int]) -> list[int]:
        """Return the lines that rows, in ascending order, are on."""
        with self.file.open() as stream:
            records = itertools.islice(_read_numbered_lines(stream), rows[-1] + 1)
            lines = [number for number, _ in records]
        return [lines[row] for row in rows]

    def find_broken_rows(self, columns: Sequence[str]) -> Iterator[tuple[int, str]]:
        """Yield the line and the fault of each record that cannot be read for some columns."""
        with self.file.open() as stream:
            for number, line in _read_numbered_lines(stream):
                try:
                    record = _Record(number, line, _parse_record(self.file.name, number, line))
                    self._refuse_new_keys(record)
                    for column in columns:
                        self._text(record, column)
                except DataError as error:
                    yield number, str(error).removeprefix(f"{self.file.name}:{number}: ")

    def _read_records(self) -> Iterator[tuple[list[_Record], float]]:
        with self.file.open() as stream:
            for lines in _iter_chunks(_read_numbered_lines(stream)):
                records = [
                    _Record(number, line, _parse_record(self.file.name, number, line))
                    for number, line in lines
                ]
                yield records, stream.fraction_read

    def _refuse_new_keys(self, record: _Record) -> None:
        for key in record.values:
            if key not in self.columns:
                raise DataError(
                    f"{self.file.name}:{record.number}: key {key!r} is not in the first record; "
                    "all records need the same keys"
                )

    def _text(self, record: _Record, column: str) -> str:
        value, place = record.values.get(column), f"{self.file.name}:{record.number}"
        if isinstance(value, list) and column in self.list_separators:
            return _join_list(place, column, value, self.list_separators[column])
        if isinstance(value, list):
            raise DataError(
                f"{place}: {column!r} is a list; write it as a string, or, for several labels per "
                "row, set data.label_separator: '|'"
            )
        if isinstance(value, dict):
            raise DataError(f"{place}: {column!r} is an object; write it as a string")
        return self._cell(record, column)

    def _cell(self, record: _Record, column: str) -> str:
        """Return a cell as text: a string as it is, null as "", anything else as JSON."""
        place = f"{self.file.name}:{record.number}"
        if column not in record.values:
            raise DataError(f"{place}: no key {column!r}; add it, or set it to null")
        value = record.values[column]
        if value is None:
            return ""
        try:
            return value if isinstance(value, str) else _to_json(value)
        except RecursionError as error:
            raise DataError(f"{place}: {column!r} is nested too deeply") from error


def open_jsonlines(file: TextFile) -> JsonLinesReader:
    """Open a JSON Lines table.

    Raises:
        DataError: The file is empty or does not begin with a record.
    """
    head = read_head(file, "one JSON object per line")
    # At least one line exists, because read_head refuses a blank file.
    number, line = next(_read_numbered_lines(io.BytesIO(head)))
    return JsonLinesReader(file, tuple(_parse_record(file.name, number, line)))


def existing_column_fault(column: str) -> str:
    """Describe a column with the name of a column to be added."""
    return f"column {column!r} already exists; rename it"


def separator_fault(item: str, separator: str) -> str:
    """Describe an item of a list that would be split if it was joined with others."""
    return f"{item!r} contains data.label_separator {separator!r}; choose another separator"


class _Record(NamedTuple):
    """A JSON object with its line."""

    number: int
    line: bytes
    values: dict[str, Any]


def _read_numbered_lines(stream: Utf8Stream | io.BytesIO) -> Iterator[tuple[int, bytes]]:
    """Yield the non-blank lines with their numbers; only line feeds end a line."""
    incomplete: list[bytes] = []  # joined once, as joining block by block takes quadratic time
    number = 1
    while chunk := stream.read(BLOCK_BYTES):
        first, *others = chunk.split(b"\n")
        incomplete.append(first)
        if not others:
            continue
        *lines, last = [b"".join(incomplete), *others]
        incomplete = [last]
        for line in lines:
            if line.strip():
                yield number, line
            number += 1
    if (rest := b"".join(incomplete)).strip():
        yield number, rest


def _join_list(place: str, column: str, items: list[Any], separator: str) -> str:
    for item in items:
        if not isinstance(item, str):
            raise DataError(f"{place}: {column!r} has an item that is not a string")
        if separator in item:
            raise DataError(f"{place}: {column!r}: {separator_fault(item, separator)}")
    return separator.join(items)


def _parse_record(name: str, number: int, line: bytes) -> dict[str, Any]:
    """Parse a JSON object; numbers become strings as they are written.

    Args:
        name: Of the file, for messages.
        number: Of the line.
        line: UTF-8, perhaps with a byte-order mark.

    Raises:
        DataError: It is not a JSON object, repeats a key, or has half of a surrogate pair.
    """
    try:
        record = json.loads(
            line.decode("utf-8-sig"),
            # Kept as text, because a float would turn 1.10 into 1.1.
            parse_int=_Number,
            parse_float=_Number,
            # json accepts NaN and Infinity, which are not valid JSON.
            parse_constant=_refuse_constant,
            # json silently keeps the last of several equal keys, and drops the others.
            object_pairs_hook=_to_dict,
        )
        if b"\\u" in line:  # only an escape can be half a surrogate pair; UTF-8 cannot
            # Encoding the whole record finds one at any depth.
            json.dumps(record, ensure_ascii=False).encode()
    # Before ValueError, of which it is a subclass.
    except UnicodeEncodeError as error:
        raise DataError(
            f"{name}:{number}: an escape is half of a surrogate pair; write whole characters"
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name}:{number}: not JSON: {one_line(error)}") from error
    if not isinstance(record, dict):
        raise DataError(f'{name}:{number}: not a JSON object; write {{"text": "..."}} on each line')
    return record


class _Number(str):
    """A number as it is written in the file."""

    __slots__ = ()


def _iter_chunks(lines: Iterator[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    """Group lines into chunks of at most one batch."""
    chunk, size = [], 0
    for number, line in lines:
        chunk.append((number, line))
        size += len(line)
        if size >= BLOCK_BYTES or len(chunk) == BATCH_ROWS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not valid JSON; write null")


def _to_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {repeated!r} occurs twice; rename one")
    return record


def _to_json(value: Any) -> str:
    """Format a parsed value as JSON, with numbers as they were written."""
    if isinstance(value, _Number):
        return value
    if isinstance(value, list):
        return f"[{', '.join(map(_to_json, value))}]"
    if isinstance(value, dict):
        pairs = (f"{_to_json(key)}: {_to_json(cell)}" for key, cell in value.items())
        return f"{{{', '.join(pairs)}}}"
    return json.dumps(value, ensure_ascii=False)
