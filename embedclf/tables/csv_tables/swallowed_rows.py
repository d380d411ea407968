"""Quoted cells that swallowed rows: a stray quote opens a cell, and another one closes it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from embedclf.system.arrays import Mask
    from embedclf.tables.csv_tables.dialects import Dialect
    from embedclf.tables.csv_tables.record_blocks import RecordBlock

    Places = npt.NDArray[np.intp]  # (n,) ascending positions of bytes

_COMPARED_LINES = 300
"""Lines of ordinary rows to compare with."""

_MIN_COMPARED = 5

_CERTAIN_LINES = 10
"""So many lines, each with exactly the cells of a row, are rows whatever is in them."""

LineRange = tuple[int, int]
"""First and last line of a cell."""


def find_multiline_cells(block: RecordBlock, dialect: Dialect) -> list[LineRange]:
    """Return the quoted cells of several lines in a block."""
    cells = _find_cells(block, dialect)
    return cells.locate(np.arange(len(cells.firsts)), block)


def find_swallowed_rows(block: RecordBlock, dialect: Dialect) -> list[LineRange]:
    """Return the cells in a block that most likely swallowed rows.

    All lines of such a cell have exactly as many delimiters as a row. In addition, one column of
    these lines, read as rows, is like that of the other rows. Its cells are frequent there, as
    labels are, or they are numbers as there. Without such a column, many lines in one cell are
    needed. Prose, poems, addresses and code rarely meet the first condition, and tables of another
    width never do.

    This is evidence but no proof, since a cell can contain a part of the same table. Therefore,
    such cells are reported and read as they are.
    """
    cells = _find_cells(block, dialect)
    if not len(cells.firsts):
        return []
    delimiters = _find_bytes(block, dialect.delimiter)
    counts = np.diff(np.searchsorted(delimiters, cells.line_ends), prepend=0)  # (lines,)
    fits = counts == dialect.width - 1
    misfits = np.concatenate([[0], np.cumsum(~fits)])
    candidates = np.flatnonzero(misfits[cells.lasts + 1] == misfits[cells.firsts])
    if not len(candidates):
        return []
    lines = _Lines(block.content, cells.line_ends, dialect)
    columns = lines.read_columns(np.flatnonzero(fits & ~cells.are_parts)[:_COMPARED_LINES])
    found = [
        cell
        for cell in candidates
        if _looks_like_rows(
            lines.read_rows(cells.firsts[cell], cells.lasts[cell]), columns, dialect
        )
    ]
    return cells.locate(np.array(found, np.intp), block)


class _Cells(NamedTuple):
    """The quoted cells of several lines in a block; lines are counted from 0."""

    line_ends: Places
    """(lines,) position of each line's end."""
    are_inside: Mask
    """(lines,) whether a quoted cell continues on the next line."""
    firsts: Places
    """(cells,) first line of each cell."""
    lasts: Places

    @property
    def are_parts(self) -> Mask:
        """(lines,) whether a line belongs to a cell of several lines."""
        are_parts = self.are_inside.copy()
        are_parts[1:] |= self.are_inside[:-1]
        return are_parts

    def locate(self, cells: Places, block: RecordBlock) -> list[LineRange]:
        """Return the lines of the file that some cells are on."""
        firsts = self.firsts[cells]
        starts = block.line + firsts
        if block.record_lines is not None:
            # Rewritten records lack the blank lines between them.
            records = firsts - np.concatenate([[0], np.cumsum(self.are_inside)])[firsts]
            starts = np.array(block.record_lines)[records]
        ends = starts + self.lasts[cells] - firsts
        return list(zip(starts.tolist(), ends.tolist(), strict=True))


def _find_cells(block: RecordBlock, dialect: Dialect) -> _Cells:
    line_ends = _find_bytes(block, dialect.newline)
    are_inside = np.searchsorted(_find_bytes(block, '"'), line_ends) % 2 == 1
    edges = np.diff(are_inside.astype(np.int8), prepend=0, append=0)
    return _Cells(line_ends, are_inside, np.flatnonzero(edges == 1), np.flatnonzero(edges == -1))


def _find_bytes(block: RecordBlock, character: str) -> Places:
    return np.flatnonzero(np.frombuffer(block.content, np.uint8) == ord(character))


class _Lines:
    """Lines of a block, read as rows without quotes."""

    def __init__(self, block: bytes, line_ends: Places, dialect: Dialect) -> None:
        self._block, self._line_ends, self._dialect = block, line_ends, dialect

    def read_cells(self, line: int) -> list[bytes]:
        """Return the cells of a line, without the quotes around them."""
        start = self._line_ends[line - 1] + 1 if line else 0
        text = self._block[start : self._line_ends[line]].rstrip(b"\r")
        return [cell.strip(b'"') for cell in text.split(self._dialect.delimiter.encode())]

    def read_rows(self, first: int, last: int) -> list[list[bytes]]:
        """Return the cells of all lines but the last, whose end belongs to a row in any case."""
        return [self.read_cells(line) for line in range(first, last)]

    def read_columns(self, lines: Places) -> list[Counter[bytes]]:
        """Return how often each cell occurs in each column of some lines."""
        rows = [self.read_cells(line) for line in lines]
        return [Counter(cells) for cells in zip(*rows, strict=True)]


def _looks_like_rows(
    rows: Sequence[Sequence[bytes]], columns: Sequence[Counter[bytes]], dialect: Dialect
) -> bool:
    if all(all(row) for row in rows) and len(rows) >= _CERTAIN_LINES * (1 + _is_loose(dialect)):
        return True
    return any(
        _is_like_column([row[index] for row in rows], column, is_loose=_is_loose(dialect))
        for index, column in enumerate(columns)
    )


def _is_loose(dialect: Dialect) -> bool:
    """Whether lines of prose can look like rows, since many of them have exactly one comma."""
    return dialect.width == 2 and dialect.delimiter == ","


def _is_like_column(cells: Sequence[bytes], column: Counter[bytes], *, is_loose: bool) -> bool:
    """Whether all cells are frequent in a column of few different cells, or numbers as there."""
    total = column.total()
    if total < _MIN_COMPARED or not all(cells):
        return False
    are_numbers = all(cell.isdigit() for cell in cells)
    # `1,000` at the end of a line is a number beside labels that are numbers.
    if are_numbers and is_loose and len(cells) < 2:
        return False
    if len(column) <= total / 2 and all(column[cell] > 1 for cell in cells):
        return True
    return len(cells) > 1 and are_numbers and all(cell.isdigit() for cell in column)
