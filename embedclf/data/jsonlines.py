"""JSON lines."""

from __future__ import annotations

import io
import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa

from embedclf.data.delimited import read_head
from embedclf.errors import DataError
from embedclf.system.arrow import (
    BATCH_ROWS,
    BLOCK_BYTES,
    NOTHING,
    Batch,
    Part,
    join_columns,
    text_column,
)
from embedclf.system.text_files import TextFile, Utf8Stream, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.system.formats import Kind


@dataclass(frozen=True)
class JsonLines:
    """A table of JSON lines, and the keys of its first record."""

    file: TextFile
    columns: tuple[str, ...]
    kind: ClassVar[Kind] = "jsonl"

    def parts(self, wanted: Sequence[str]) -> Iterator[Part]:
        """Read some columns as text; raises DataError with file and line."""
        for records, share in self._records():
            rows = []
            for number, _, record in records:
                self._refuse_new_keys(number, record)
                rows.append([self._text(number, column, record) for column in wanted])
            columns = [text_column(column) for column in zip(*rows, strict=True)]
            yield pa.RecordBatch.from_arrays(columns, [*wanted]), share

    def batches(
        self, text: Sequence[str], *, target: Kind, reserved: Sequence[str]
    ) -> Iterator[Batch]:
        """Read the texts, and the records as they stand, or their cells as text for other tables.

        Raises:
            DataError: A record cannot be read, has a reserved key, or, where cells are text, other
                keys than the first.
        """
        for records, share in self._records():
            texts, lines, rows = [], [], []
            for number, line, record in records:
                for key in reserved:
                    if key in record:
                        raise DataError(f"{self.file.name}:{number}: {taken(key)}")
                texts.append([self._text(number, column, record) for column in text])
                if target == "jsonl":
                    lines.append(line.decode("utf-8-sig").strip())
                else:
                    self._refuse_new_keys(number, record)
                    rows.append([self._cell(number, column, record) for column in self.columns])
            columns = [text_column(column) for column in zip(*rows, strict=True)]
            yield Batch(
                join_columns([text_column(column) for column in zip(*texts, strict=True)]),
                pa.RecordBatch.from_arrays(columns, self.columns) if columns else NOTHING,
                text_column(lines) if lines else None,
                share,
            )

    def numbers(self, rows: Sequence[int]) -> list[int]:
        """The lines that rows, in ascending order, stand on."""
        with self.file.open() as stream:
            records = itertools.islice(numbered_lines(stream), rows[-1] + 1)
            lines = [number for number, _ in records]
        return [lines[row] for row in rows]

    def broken(self, wanted: Sequence[str]) -> Iterator[tuple[int, str]]:
        """All lines whose record cannot be read for some columns, and what is wrong with each."""
        with self.file.open() as stream:
            for number, line in numbered_lines(stream):
                try:
                    record = parse_record(self.file.name, number, line)
                    self._refuse_new_keys(number, record)
                    for column in wanted:
                        self._text(number, column, record)
                except DataError as error:
                    yield number, str(error).removeprefix(f"{self.file.name}:{number}: ")

    def _records(self) -> Iterator[tuple[list[tuple[int, bytes, dict[str, Any]]], float]]:
        """Records with their lines, in batches."""
        with self.file.open() as stream:
            for lines in _chunks(numbered_lines(stream)):
                records = [
                    (number, line, parse_record(self.file.name, number, line))
                    for number, line in lines
                ]
                yield records, stream.share

    def _refuse_new_keys(self, number: int, record: dict[str, Any]) -> None:
        for key in record:
            if key not in self.columns:
                raise DataError(
                    f"{self.file.name}:{number}: key {key!r} is not in the first record; give all "
                    "records the same keys"
                )

    def _text(self, number: int, column: str, record: dict[str, Any]) -> str:
        if isinstance(given := record.get(column), list | dict):
            raise DataError(
                f"{self.file.name}:{number}: {column!r} holds a {type(given).__name__}; "
                "write it as text"
            )
        return self._cell(number, column, record)

    def _cell(self, number: int, column: str, record: dict[str, Any]) -> str:
        """A cell as text: a string itself, null the empty one, all else JSON."""
        if column not in record:
            raise DataError(f"{self.file.name}:{number}: no key {column!r}; give it, or null")
        given = record[column]
        if given is None:
            return ""
        try:
            return given if isinstance(given, str) else _as_json(given)
        except RecursionError as error:
            raise DataError(f"{self.file.name}:{number}: {column!r} is nested too deep") from error


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


def open_jsonlines(file: TextFile) -> JsonLines:
    """The table, whose columns are the keys of the first record.

    Raises:
        DataError: The file is empty or does not begin with a record.
    """
    head = read_head(file, "a JSON object a line")
    number, line = next(numbered_lines(io.BytesIO(head)))
    return JsonLines(file, tuple(parse_record(file.name, number, line)))


def taken(column: str) -> str:
    """What is wrong with a column whose name is wanted for one that is to be added."""
    return f"column {column!r} is there already; rename it"


def numbered_lines(stream: Utf8Stream | io.BytesIO) -> Iterator[tuple[int, bytes]]:
    """Numbered lines that hold something, parted by line feeds alone."""
    begun: list[bytes] = []
    number = 1
    while chunk := stream.read(BLOCK_BYTES):
        first, *others = chunk.split(b"\n")
        begun.append(first)
        if not others:
            continue
        *lines, last = [b"".join(begun), *others]
        begun = [last]
        for line in lines:
            if line.strip():
                yield number, line
            number += 1
    if (rest := b"".join(begun)).strip():
        yield number, rest


def parse_record(name: str, number: int, line: bytes) -> dict[str, Any]:
    """A record whose numbers are kept as they are written."""
    try:
        decoded = line.decode("utf-8-sig")
        record = json.loads(
            decoded,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_refuse_constant,
            object_pairs_hook=_as_dict,
        )
        if b"\\u" in line:  # nothing else makes half of a surrogate pair out of UTF-8
            json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{name}:{number}: half of a surrogate pair; write whole characters"
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name}:{number}: not JSON: {one_line(error)}") from error
    if not isinstance(record, dict):
        raise DataError(f'{name}:{number}: not a JSON object; write {{"text": "…"}} a line')
    return record


def _chunks(lines: Iterator[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    """Lines in groups of the size of a batch."""
    held, size = [], 0
    for number, line in lines:
        held.append((number, line))
        size += len(line)
        if size >= BLOCK_BYTES or len(held) == BATCH_ROWS:
            yield held
            held, size = [], 0
    if held:
        yield held


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON; write null")


def _as_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {twice!r} is there twice; rename one")
    return record


def _as_json(value: Any) -> str:
    """A parsed value as JSON, its numbers as they were written."""
    if isinstance(value, _Number):
        return value
    if isinstance(value, list):
        return f"[{', '.join(map(_as_json, value))}]"
    if isinstance(value, dict):
        pairs = (f"{_as_json(key)}: {_as_json(cell)}" for key, cell in value.items())
        return f"{{{', '.join(pairs)}}}"
    return json.dumps(value, ensure_ascii=False)
