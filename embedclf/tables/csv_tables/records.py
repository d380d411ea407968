"""Records of delimited tables, read one by one; malformed ones have a fault."""

from __future__ import annotations

import csv
import io
import itertools
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from embedclf.system.terminal import format_count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from embedclf.tables.csv_tables.dialects import Dialect

_MISPLACED_QUOTE = 'text follows a closing quote; write quotes inside a cell twice: ""'
_UNCLOSED_QUOTE = "a quote opens here and is never closed; add the closing quote"

_MAX_CELL = 2**31 - 1  # the largest limit that every platform accepts


class RecordError(Exception):
    """A malformed record, with the line that it begins on."""

    def __init__(self, line: int, fault: str) -> None:
        super().__init__(fault)
        self.line = line


class Record(NamedTuple):
    """A record, or what is wrong with it."""

    line: int
    """The line it begins on."""
    cells: list[str]
    next_line: int
    """The line below it."""
    fault: str = ""


def read_records(
    stream: Any, dialect: Dialect, *, first_line: int = 1, is_whole: bool = True
) -> Iterator[Record]:
    """Read records one by one; blank lines are skipped, except in a table of one column.

    A malformed record has a fault. After it, reading resumes at its second line if its lines look
    like rows, or if a quote is never closed, and otherwise below it.

    Args:
        stream: UTF-8 bytes.
        dialect: How the table is written; without columns, records can have any number of cells.
        first_line: Number of the stream's first line.
        is_whole: Whether the table ends with the stream.
    """
    # newline="": csv must see the original line ends, because those inside quotes are content.
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    lines = _Lines(text, dialect, is_whole=is_whole)
    reader = _csv_reader(lines, dialect)
    line = first_line
    while True:
        lines.begin_record()
        try:
            cells = _next_record(reader)
        except csv.Error as error:
            # csv raises the same class for every fault; only its message identifies the fault.
            is_unclosed = "unexpected end" in str(error)
            line_count = lines.retry(is_unclosed=is_unclosed)
            fault = _UNCLOSED_QUOTE if is_unclosed else _MISPLACED_QUOTE
            key = "data.escape: null" if dialect.has_escapes else "data.quote: none"
            fault += f", or set {key}{_or_skip(dialect)}"
            yield Record(line, [], line + line_count, fault)
            line += line_count
            continue
        if cells is None:
            return
        # csv returns [] for a blank line; in a table of one column, that is an empty cell.
        if cells or dialect.width == 1:
            cells = cells or [""]
            is_wrong = dialect.width not in {0, len(cells)}
            fault = _cell_count_fault(line, cells, lines, dialect) if is_wrong else ""
            yield Record(line, cells, line + len(lines.taken), fault)
        line += len(lines.taken)


def _csv_reader(lines: Iterable[str], dialect: Dialect) -> Any:
    """Return Python's strict `csv` reader."""
    # Without strict, csv reads `"a"b` as `ab` and accepts a quote that is never closed.
    return csv.reader(
        lines,
        delimiter=dialect.delimiter,
        quoting=csv.QUOTE_MINIMAL if dialect.has_quotes else csv.QUOTE_NONE,
        escapechar="\\" if dialect.has_escapes else None,
        skipinitialspace=dialect.has_blanks,
        strict=True,
    )


class _Lines:
    """Lines for `csv`, which can be read a second time."""

    def __init__(self, lines: Iterable[str], dialect: Dialect, *, is_whole: bool) -> None:
        self._lines, self._dialect, self._is_whole = iter(lines), dialect, is_whole
        self._again: list[str] = []
        self._before = ""
        self.taken: list[str] = []
        """Lines since the last record."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else next(self._lines)
        self.taken.append(line)
        if self._dialect.has_escapes and "\\" in line:
            line = _double_plain_backslashes(line, self._dialect.delimiter)
        return line

    def begin_record(self) -> None:
        """Forget the lines of the last record, except how they ended."""
        self._before = self.taken[-1][-1:] if self.taken else ""
        self.taken.clear()

    def are_split_by_return(self) -> bool:
        """Whether a carriage return, which ends no line of this table, is around the record."""
        ends = {self._before, self.taken[-1][-1:]}
        return "\r" in ends and self._dialect.newline != "\r"

    def look_like_rows(self) -> bool:
        """Whether the record has several lines, and one of them has the cells of a row."""
        ends = self._dialect.width - 1
        counts = [line.count(self._dialect.delimiter) for line in self.taken[1:]]
        return self._dialect.has_quotes and ends > 0 and ends in counts

    def are_last(self) -> bool:
        """Whether no line of the table is below the record."""
        if not self._again:
            self._again.extend(itertools.islice(self._lines, 1))
        return self._is_whole and not self._again

    def retry(self, *, is_unclosed: bool) -> int:
        """Go back behind the first line of a malformed record; return the lines left behind."""
        others = self.taken[1:]
        ends = self._dialect.width - 1
        fit = ends > 0 and all(line.count(self._dialect.delimiter) == ends for line in others)
        if not is_unclosed and not fit:
            return len(self.taken)
        self._again += reversed(others)
        return 1


def _double_plain_backslashes(line: str, delimiter: str) -> str:
    r"""Double each backslash that escapes nothing, such as that of `\n`, since csv drops it."""
    pattern = rf'(\\[\\"\r\n{re.escape(delimiter)}])|\\'
    return re.sub(pattern, lambda match: match[1] or "\\\\", line)


def _cell_count_fault(line: int, cells: list[str], lines: _Lines, dialect: Dialect) -> str:
    """Describe a record with a wrong number of cells that begins on a line."""
    found = format_count(len(cells), "cell")
    if dialect.has_header and not dialect.trailing_cells:
        expected = f"the header has {format_count(dialect.width, 'column')}"
    else:
        expected = f"other rows have {format_count(dialect.width, 'cell')}"
    if lines.look_like_rows():
        last = line + len(lines.taken) - 1
        fix = (
            f"its quoted cell spans lines {line}-{last}; check its quotes, or set data.quote: none"
        )
    else:
        fix = _find_fix(cells, lines, dialect)
    return f"{found}, but {expected}; {fix}{_or_skip(dialect)}"


def _find_fix(cells: list[str], lines: _Lines, dialect: Dialect) -> str:
    if lines.are_split_by_return():
        return "a carriage return (\\r) splits this row; quote the cell that contains it"
    if len(cells) > dialect.width:
        return _find_fix_of_more_cells(cells, dialect)
    if lines.are_last():
        skipped = f"[{dialect.skipped_above}, {len(lines.taken)}]"
        return f"if the last line is no row, set data.skip_lines: {skipped}"
    return "add the missing cells"


def _find_fix_of_more_cells(cells: list[str], dialect: Dialect) -> str:
    if not dialect.has_quotes and any(cell.startswith('"') for cell in cells):
        return "if quotes enclose cells, set data.quote: null"
    if not dialect.has_quotes:
        return "remove the delimiter from its cells"
    opened = next((n for n, cell in enumerate(cells, 1) if cell.startswith(' "')), 0)
    if opened:
        return f"cell {opened} begins with a blank, then a quote; remove the blank"
    if dialect.width == 1:
        return "quote the cell, or skip the lines above the header: data.skip_lines"
    return "quote cells that contain the delimiter"


def _or_skip(dialect: Dialect) -> str:
    return "" if dialect.skips_bad_rows else ", or set data.on_bad_row: skip"


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
