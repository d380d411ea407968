"""RFC 4180 records: where they end, which is broken."""

from __future__ import annotations

import csv
import io
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.system.arrow import BLOCK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BOM = b"\xef\xbb\xbf"

_QUOTES = (
    "a closed quote is followed by more; double the quotes inside a cell",
    "a quote opened here is never closed; close it",
)

csv.field_size_limit(2**31 - 1)


class RecordError(Exception):
    """A record that is not RFC 4180, and the line it begins on."""

    def __init__(self, line: int, fault: str) -> None:
        super().__init__(fault)
        self.line = line


def record_blocks(stream: Any, delimiter: str, columns: int) -> Iterator[tuple[int, bytes]]:
    """Cut UTF-8 bytes into blocks of whole records, each with the line it begins on.

    Where quotes are regular, a line feed behind an even number of them ends a record. From where
    they are not, records are read one by one, which is slower, and written anew with regular ones.

    Raises:
        RecordError: A quote is not closed, something follows a closed one, or a record among
            irregular ones has another number of cells.
    """
    rest, line, size, newline = b"", 1, BLOCK_BYTES, b""
    while chunk := stream.read(size):
        block = rest + chunk if rest or line > 1 else chunk.removeprefix(_BOM)
        newline = newline or (b"\n" if b"\n" in block else b"\r")
        end = _last_record_end(block, newline)
        if not _quotes_are_regular(block[:end], delimiter):
            yield from _rewritten(_Joined(block, stream), delimiter, columns, line)
            return
        if end:
            yield line, block[:end]
            line += block.count(newline, 0, end)
        rest = block[end:]
        size = BLOCK_BYTES if end else len(block)
    if not _quotes_are_regular(rest, delimiter):
        yield from _rewritten(io.BytesIO(rest), delimiter, columns, line)
    elif rest:
        yield line, rest if rest.endswith((b"\n", b"\r")) else rest + b"\n"


def rows_of(
    stream: Any, delimiter: str, columns: int, *, first_line: int = 1
) -> Iterator[tuple[int, list[str]]]:
    """Read records one by one, each with the line it begins on; blank lines are no records.

    Args:
        stream: UTF-8 bytes.
        delimiter: What parts the cells.
        columns: In a table of one column, a blank line behind the header is a record too.
        first_line: The number of the stream's first line.

    Raises:
        RecordError: A quote is not closed, or something follows a closed one.
    """
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    line, begun = first_line, first_line > 1
    try:
        for cells in reader:
            if cells or (columns == 1 and begun):
                begun = True
                yield line, cells or [""]
            line = first_line + reader.line_num
    except csv.Error as error:
        raise RecordError(line, _QUOTES["unexpected end" in str(error)]) from error


def broken_records(text: Iterable[str], delimiter: str, columns: int) -> Iterator[tuple[int, str]]:
    """Find all records that cannot be read: the line each begins on, and what is wrong with it.

    Behind a broken quote records go on with the next line; one that is never closed takes all that
    follows.

    Args:
        text: Lines with their ends.
        delimiter: What parts the cells.
        columns: Cells of a record.
    """
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    line = 1
    while True:
        try:
            cells = next(reader, None)
            if cells is None:
                return
            if cells and len(cells) != columns:
                yield line, wrong_count(len(cells), columns)
        except csv.Error as error:
            yield line, _QUOTES["unexpected end" in str(error)]
        line = reader.line_num + 1


def wrong_count(cells: int, columns: int) -> str:
    """What is wrong with a record of so many cells."""
    return f"{cells} columns where the header has {columns}; quote cells that hold the delimiter"


def wrong_record(block: bytes, delimiter: str, columns: int) -> tuple[int, int] | None:
    """The first record with another number of cells: lines before it, and the number."""
    for line, cells in rows_of(io.BytesIO(block), delimiter, columns):
        if len(cells) != columns:
            return line - 1, len(cells)
    return None


def _rewritten(stream: Any, delimiter: str, columns: int, line: int) -> Iterator[tuple[int, bytes]]:
    """Blocks of records with every cell in quotes."""
    rows = rows_of(stream, delimiter, columns, first_line=line)
    for first, cells in rows:
        block = io.StringIO(newline="")
        writer = csv.writer(block, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n")
        for number, record in itertools.chain([(first, cells)], rows):
            if len(record) != columns:
                raise RecordError(number, wrong_count(len(record), columns))
            writer.writerow(record)
            if block.tell() >= BLOCK_BYTES:
                break
        yield first, block.getvalue().encode()


class _Joined(io.RawIOBase):
    """A stream behind bytes that were read from it already."""

    def __init__(self, head: bytes, stream: Any) -> None:
        self._head, self._stream = head, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._head:
            self._head = self._stream.read(BLOCK_BYTES)
        count = min(len(buffer), len(self._head))
        buffer[:count], self._head = self._head[:count], self._head[count:]
        return count


def _last_record_end(block: bytes, newline: bytes) -> int:
    """Just behind the last newline outside quotes; 0 where there is none."""
    quotes, end = block.count(b'"'), len(block)
    while (place := block.rfind(newline, 0, end)) >= 0:
        quotes -= block.count(b'"', place, end)
        if quotes % 2 == 0:
            return place + 1
        end = place
    return 0


def _quotes_are_regular(block: bytes, delimiter: str) -> bool:
    """Whether each quote opens a cell, closes one, or is one of a pair inside one."""
    content = np.frombuffer(block, np.uint8)
    places = np.flatnonzero(content == ord('"'))
    if len(places) % 2:
        return False
    edges = np.array([ord("\n"), ord("\r"), *delimiter.encode()], np.uint8)
    opening, closing = places[0::2], places[1::2]
    before = content[np.maximum(opening - 1, 0)]
    after = content[np.minimum(closing + 1, len(content) - 1)]
    opens = np.isin(before, edges) | (opening == 0) | (before == ord('"'))
    closes = np.isin(after, edges) | (closing == len(content) - 1) | (after == ord('"'))
    return bool(opens.all() and closes.all())
