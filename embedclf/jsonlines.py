"""JSON lines: an object a line, its numbers kept as they are written."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from embedclf.columns import text_column
from embedclf.delimited import read_head
from embedclf.errors import DataError
from embedclf.textfiles import BATCH_ROWS, BLOCK_BYTES, Part, TextFile, Utf8Stream, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RECORD = "{record}"
"""The column that holds whole records, where they are wanted as they stand."""


@dataclass(frozen=True)
class JsonLines:
    """A table of JSON lines, and the keys of its first record."""

    file: TextFile
    columns: tuple[str, ...]

    def parts(
        self,
        wanted: Sequence[str],
        *,
        kept: Sequence[str] = (),
        reserved: Sequence[str] | None = None,
    ) -> Iterator[Part]:
        """Read columns as text; raises DataError with file and line.

        Args:
            wanted: Keys that each record must have, none of them a list or an object.
            kept: More of them, behind the first; lists and objects are JSON.
            reserved: Keys that no record may have. Each record then follows in `RECORD` as it
                stands, and may have other keys than the first.
        """
        records = reserved is not None
        names = [*wanted, *kept, *([RECORD] if records else [])]
        with self.file.open() as stream:
            for lines in _chunks(numbered_lines(stream)):
                rows = []
                for number, line in lines:
                    record = parse_record(self.file.name, number, line)
                    self._check_keys(number, record, reserved)
                    cells = [self._cell(number, column, record) for column in wanted]
                    cells += [self._cell(number, column, record, line) for column in kept]
                    rows.append([*cells, line.decode("utf-8-sig").strip()] if records else cells)
                columns = [text_column(column) for column in zip(*rows, strict=True)]
                yield pa.RecordBatch.from_arrays(columns, names), stream.share

    def lines(self) -> Iterator[int]:
        """The line of each record."""
        with self.file.open() as stream:
            yield from (number for number, _ in numbered_lines(stream))

    def _check_keys(
        self, number: int, record: dict[str, Any], reserved: Sequence[str] | None
    ) -> None:
        for key in record if reserved is None else ():
            if key not in self.columns:
                raise DataError(
                    f"{self.file.name}:{number}: key {key!r} is not in the first record; give all "
                    "records the same keys"
                )
        for key in reserved or ():
            if key in record:
                raise DataError(f"{self.file.name}:{number}: {taken(key)}")

    def _cell(self, number: int, column: str, record: dict[str, Any], line: bytes = b"") -> str:
        """A cell as text; a list or an object as the JSON of its line, where that is given."""
        if column not in record:
            raise DataError(f"{self.file.name}:{number}: no key {column!r}; give it, or null")
        given = record[column]
        if isinstance(given, list | dict):
            if line:
                return json.dumps(json.loads(line.decode("utf-8-sig"))[column], ensure_ascii=False)
            raise DataError(
                f"{self.file.name}:{number}: {column!r} holds a {type(given).__name__}; "
                "write it as text"
            )
        if given is None:
            return ""
        return given if isinstance(given, str) else json.dumps(given)


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
    rest, number = b"", 1
    while chunk := stream.read(BLOCK_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield number, line
            number += 1
    if rest.strip():
        yield number, rest


def parse_record(name: str, number: int, line: bytes) -> dict[str, Any]:
    """A record whose numbers are kept as they are written."""
    try:
        decoded = line.decode("utf-8-sig")
        record = json.loads(decoded, parse_int=str, parse_float=str, parse_constant=str)
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
