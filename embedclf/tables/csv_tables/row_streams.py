"""The bytes of a delimited table's rows, without what is above and below them."""

from __future__ import annotations

import io
import itertools
import re
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from embedclf.tables.csv_tables.dialects import Dialect

HIDDEN_RETURN = "\ufdd0"
"""Stands for a carriage return inside a cell while rows are parsed; never part of a text."""

_BOM = b"\xef\xbb\xbf"

_TAIL_BYTES = 1 << 12
"""Bytes at the end in which lines below the rows are searched."""

_MAX_FOOTER_LINES = 5

_LONE_RETURN = re.compile(r"\r(?!\n|\Z)")
_LONE_RETURN_BYTES = re.compile(rb"\r(?!\n|\Z)")

# What exports write below the rows: `(120 rows affected)`, `Total: 120 rows`, `# end of file`.
_FOOTER = re.compile(
    rb"\W*(grand |sub)?(total|count|sum|rows?|records?|lines?|entries|query returned)\b.*\d.*"
    rb"|\W*\d[\d,.]* (rows?|records?|lines?|entries|results?)\b.*"
    rb"|(#|--|//) ?\S.*|\W*(eof|end of \w+)\W*",
    re.IGNORECASE,
)


class Bytes(Protocol):
    """Something to read bytes from."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, nothing at the end."""


class RowsStart(NamedTuple):
    """Where the first row begins."""

    line: int = 1
    offset: int = 0
    """Bytes before it in UTF-8, without a byte-order mark."""


class RowStream(io.RawIOBase):
    """Reads the bytes of the rows.

    Args:
        stream: All bytes of the table, in UTF-8.
        dialect: How the table is written.
        start: Where its rows begin.
    """

    def __init__(self, stream: Bytes, dialect: Dialect, start: RowsStart) -> None:
        self._stream, self._dialect = stream, dialect
        self._to_skip: int | None = start.offset
        self._held = b""
        self.footer = ""
        """Text of the lines below the rows, once all rows are read."""
        self.footer_lines = 0
        """Number of these lines, blank ones included."""
        self.is_at_end = False
        """Whether all rows are read."""

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return about as many bytes of rows, nothing at their end."""
        if self._dialect.skipped_below == 0 and not self._dialect.has_returns:
            return self._read(size)
        while chunk := self._read(size):
            rows = self._hold_back(chunk)
            if rows:
                return self._hide_returns(rows)
        rest, self._held, self.is_at_end = self._held, b"", True
        return self._hide_returns(self._remove_footer(rest))

    def _read(self, size: int) -> bytes:
        if self._to_skip is None:
            return self._stream.read(size)
        head = b""
        while len(head) < self._to_skip + len(_BOM) and (chunk := self._stream.read(size)):
            head += chunk
        rows = head.removeprefix(_BOM)[self._to_skip :]
        self._to_skip = None
        return rows or self._stream.read(size)

    def _hold_back(self, chunk: bytes) -> bytes:
        """Hold back what can be the end of the table; return what was held back before."""
        rows = self._held
        if len(chunk) >= _TAIL_BYTES and not rows.endswith(b"\r"):
            self._held = chunk  # not copied, since most chunks are large
            return rows
        rows += chunk
        end = len(rows) - _TAIL_BYTES if len(rows) >= 4 * _TAIL_BYTES else 0
        # A carriage return stays with the line feed that may follow it.
        end -= rows.endswith(b"\r", 0, end)
        self._held = rows[end:]
        return rows[:end]

    def _hide_returns(self, rows: bytes) -> bytes:
        if not self._dialect.has_returns:
            return rows
        return _LONE_RETURN_BYTES.sub(HIDDEN_RETURN.encode(), rows)

    def _remove_footer(self, rows: bytes) -> bytes:
        below = self._dialect.skipped_below
        if below is None:
            end = _find_footer(rows, self._dialect)
        else:
            end = _start_of_last_lines(rows, below)
        # The end-of-file character of DOS is nothing that people have to know.
        text = rows[end:].decode(errors="replace").replace("\x1a", "")
        if text.strip():  # nothing but the first call has rows
            self.footer = " ".join(text.split())
            self.footer_lines = rows.count(b"\n", end) + (not rows.endswith(b"\n"))
        return rows[:end]


def hide_returns(text: str) -> str:
    """Replace carriage returns that do not end a line with `HIDDEN_RETURN`."""
    return _LONE_RETURN.sub(HIDDEN_RETURN, text)


def position_of_line(text: str, line: int, dialect: Dialect) -> int:
    """Return the position of the first character of a line."""
    pattern = r"\n" if dialect.has_returns else r"\r\n|\r|\n"
    ends = (match.end() for match in re.finditer(pattern, text))
    return next(itertools.islice(ends, line - 2, None), len(text)) if line > 1 else 0


def _start_of_last_lines(rows: bytes, count: int) -> int:
    """Return where the last lines begin."""
    # The end of the last line is no beginning of another.
    end = len(rows) - rows.endswith(b"\n")
    for _ in range(count):
        end = rows.rfind(b"\n", 0, end)
        if end < 0:
            return 0
    return end + 1 if count else len(rows)


def _find_footer(rows: bytes, dialect: Dialect) -> int:
    """Return where lines begin that are no rows, or the length of `rows`.

    Lines below the rows have fewer cells than a row and no quotes. A blank line, the only one near
    the end, is above them, or each of them looks like a count or a comment. The end-of-file
    character of DOS (0x1A) is never a row. Everything else is left to the parser, since a line with
    too few cells can be a row of a truncated file.
    """
    tail_start = max(0, len(rows) - _TAIL_BYTES)
    lines = rows[tail_start:].splitlines(keepends=True)
    end = len(rows)
    if lines and lines[-1].strip() == b"\x1a":
        end -= len(lines.pop())
    footer: list[bytes] = []
    while lines and len(footer) <= _MAX_FOOTER_LINES and _is_no_row(lines[-1], dialect):
        footer.insert(0, lines.pop())
    texts = [line.strip() for line in footer]
    has_blank_above = bool(texts) and not texts[0] and not any(not line.strip() for line in lines)
    if not any(texts) or not lines or len(footer) > _MAX_FOOTER_LINES:
        return end
    if has_blank_above or all(_FOOTER.fullmatch(text) for text in texts if text):
        return end - sum(map(len, footer))
    return end


def _is_no_row(line: bytes, dialect: Dialect) -> bool:
    """Whether a line is blank, or has fewer cells than a row and no quotes."""
    return b'"' not in line and line.count(dialect.delimiter.encode()) < dialect.width - 1
