"""CSV records by RFC 4180: find their ends, and malformed ones."""

from __future__ import annotations

import csv
import io
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.system.arrow import BLOCK_BYTES
from embedclf.system.terminal import format_count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BOM = b"\xef\xbb\xbf"

_QUOTE_FAULTS = (
    'text follows a closing quote; write quotes inside a cell twice: ""',
    "a quote opens here and is never closed; add the closing quote",
)

_MAX_CELL = 2**31 - 1  # the largest limit that every platform accepts


class RecordError(Exception):
    """A malformed record, with the line that it begins on."""

    def __init__(self, line: int, fault: str) -> None:
        super().__init__(fault)
        self.line = line


# Not pyarrow.csv.open_csv, although it reads 132 MB in 0.14 s of CPU time instead of 0.54 s: it
# reads `"a"b` as `ab`, joins records after a quote that is never closed, and fails at a cell that
# is larger than a block.
def read_record_blocks(
    stream: Any, delimiter: str, columns: int, *, block_bytes: int = BLOCK_BYTES
) -> Iterator[tuple[int, bytes]]:
    """Split UTF-8 bytes into blocks of whole records, each with the line it begins on.

    While quotes are regular, a line feed after an even number of quotes ends a record. From the
    first irregular block on, Python's `csv` reads records one by one, which is slower. They are
    rewritten with every cell quoted.

    Args:
        stream: The bytes.
        delimiter: Column delimiter.
        columns: Cells per record; checked in irregular blocks only.
        block_bytes: Bytes to read at once.

    Raises:
        RecordError: A quote is not closed, text follows a closing quote, or a record in an
            irregular block has a wrong number of cells.
    """
    rest, line, size, newline = b"", 1, block_bytes, b""
    while chunk := stream.read(size):
        # Only the first block of a file can start with a byte-order mark.
        block = rest + chunk if rest or line > 1 else chunk.removeprefix(_BOM)
        # "\r" alone ends lines only if the first block has no "\n"; "\r\n" is found by its "\n".
        newline = newline or (b"\n" if b"\n" in block else b"\r")
        end = _last_record_end(block, newline)
        if not _quotes_are_regular(block[:end], delimiter):
            irregular = _PrefixedStream(block, stream, block_bytes)
            yield from _requoted_blocks(irregular, delimiter, columns, line, block_bytes)
            return
        if end:
            yield line, block[:end]
            line += block.count(newline, 0, end)
        rest = block[end:]
        # Doubling the size keeps the search for the end of a very large cell linear.
        size = block_bytes if end else len(block)
    if not _quotes_are_regular(rest, delimiter):
        yield from _requoted_blocks(io.BytesIO(rest), delimiter, columns, line, block_bytes)
    elif rest:
        yield line, rest if rest.endswith((b"\n", b"\r")) else rest + b"\n"


def read_records(
    stream: Any, delimiter: str, columns: int, *, first_line: int = 1
) -> Iterator[tuple[int, list[str]]]:
    """Read records one by one, each with the line it begins on; blank lines are skipped.

    Args:
        stream: UTF-8 bytes.
        delimiter: Column delimiter.
        columns: Number of columns; with one, a blank line after the header is a record.
        first_line: Number of the stream's first line.

    Raises:
        RecordError: A quote is not closed, or text follows a closing quote.
    """
    # newline="": csv must see the original line ends, because those inside quotes are content.
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    # Without strict, csv reads `"a"b` as `ab` and accepts a quote that is never closed.
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    line, after_header = first_line, first_line > 1
    try:
        while (cells := _next_record(reader)) is not None:
            # csv returns [] for a blank line; in a table of one column, that is an empty cell.
            if cells or (columns == 1 and after_header):
                after_header = True
                yield line, cells or [""]
            line = first_line + reader.line_num
    except csv.Error as error:
        raise RecordError(line, _quote_fault(error)) from error


def find_broken_records(
    lines: Iterable[str], delimiter: str, columns: int
) -> Iterator[tuple[int, str]]:
    """Find all malformed records.

    After a misplaced quote, reading resumes at the next line. A quote that is never closed includes
    all that follows.

    Args:
        lines: With line ends.
        delimiter: Column delimiter.
        columns: Cells per record.

    Yields:
        The line each begins on, and its fault.
    """
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    line = 1
    while True:
        try:
            cells = _next_record(reader)
            if cells is None:
                return
            if cells and len(cells) != columns:
                yield line, cell_count_fault(len(cells), columns)
        except csv.Error as error:
            yield line, _quote_fault(error)
        line = reader.line_num + 1


def find_wrong_cell_count(block: bytes, delimiter: str, columns: int) -> tuple[int, int] | None:
    """Return the first record with a wrong number of cells: the lines before it, and its cells."""
    for line, cells in read_records(io.BytesIO(block), delimiter, columns):
        if len(cells) != columns:
            return line - 1, len(cells)
    return None


def cell_count_fault(cells: int, columns: int) -> str:
    """Describe a record with a wrong number of cells."""
    found, expected = format_count(cells, "cell"), format_count(columns, "column")
    fix = "quote cells that contain the delimiter" if cells > columns else "add the missing cells"
    return f"{found}, but the header has {expected}; {fix}"


def _next_record(reader: Iterator[list[str]]) -> list[str] | None:
    """Read a record with cells of any size; None at the end.

    By default, `csv` refuses cells above 128 KiB. The limit applies to the whole process, so it is
    restored after every record: other readers may run before the next one.
    """
    before = csv.field_size_limit(_MAX_CELL)
    try:
        return next(reader, None)
    finally:
        csv.field_size_limit(before)


def _quote_fault(error: csv.Error) -> str:
    # csv raises the same class for every fault; only its message identifies the fault.
    return _QUOTE_FAULTS["unexpected end" in str(error)]


def _requoted_blocks(
    stream: Any, delimiter: str, columns: int, line: int, block_bytes: int
) -> Iterator[tuple[int, bytes]]:
    """Rewrite records with every cell quoted, in blocks."""
    records = read_records(stream, delimiter, columns, first_line=line)
    for first_line, first_cells in records:
        block = io.StringIO(newline="")
        writer = csv.writer(block, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n")
        # Both loops use one generator, so the next block begins where this one ends.
        for number, cells in itertools.chain([(first_line, first_cells)], records):
            if len(cells) != columns:
                raise RecordError(number, cell_count_fault(len(cells), columns))
            writer.writerow(cells)
            if block.tell() >= block_bytes:
                break
        yield first_line, block.getvalue().encode()


class _PrefixedStream(io.RawIOBase):
    """A stream that first returns bytes that were already read from it."""

    def __init__(self, head: bytes, stream: Any, block_bytes: int) -> None:
        self._head, self._stream, self._block_bytes = head, stream, block_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._head:
            self._head = self._stream.read(self._block_bytes)
        count = min(len(buffer), len(self._head))
        buffer[:count], self._head = self._head[:count], self._head[count:]
        return count


def _last_record_end(block: bytes, newline: bytes) -> int:
    """Return the position after the last newline outside quotes, 0 if there is none."""
    quotes, end = block.count(b'"'), len(block)
    while (place := block.rfind(newline, 0, end)) >= 0:
        # If the number of quotes before this newline is even, it is outside quotes.
        quotes -= block.count(b'"', place, end)
        if quotes % 2 == 0:
            return place + 1
        end = place
    return 0


def _quotes_are_regular(block: bytes, delimiter: str) -> bool:
    """Whether each quote opens or closes a cell, or belongs to a doubled quote inside one."""
    content = np.frombuffer(block, np.uint8)
    places = np.flatnonzero(content == ord('"'))
    if len(places) % 2:
        return False
    edges = np.array([ord("\n"), ord("\r"), *delimiter.encode()], np.uint8)
    opening, closing = places[0::2], places[1::2]
    # Clipped, since the first and last byte lack a neighbor; the conditions below allow for that.
    before = content[np.maximum(opening - 1, 0)]
    after = content[np.minimum(closing + 1, len(content) - 1)]
    # A quote next to a quote is one half of a doubled quote.
    opens = np.isin(before, edges) | (opening == 0) | (before == ord('"'))
    closes = np.isin(after, edges) | (closing == len(content) - 1) | (after == ord('"'))
    return bool(opens.all() and closes.all())
