"""The header of a table: which line it is, and whether there is one."""

from __future__ import annotations

import re
from collections import Counter
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.tables.read_options import ReadOptions

_MAX_ABOVE = 20
"""Rows above the header at most."""

_MAX_ABOVE_ONE_COLUMN = 4
"""In a table of one column, a text further down can be the same as the name."""

_MIN_ROWS = 3

_MOST = 0.9
"""Fraction of a column's cells that decides what the column holds."""

_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)*(e[-+]?\d+)?%?", re.IGNORECASE)

_NAME = re.compile(r"[^\W\d]\w*([ .:/-]\w+)?")
"""One or two words, such as `review_body` or `Review Text`."""

_USUAL_NAMES = frozenset(
    {"body", "comment", "content", "message", "review", "sentence", "text", "title", "tweet"}
    | {"category", "class", "id", "label", "labels", "sentiment", "target"}
)
"""Names of columns that are hardly a text or a label themselves."""

_NUMBERED_COLUMN = re.compile(r"column_\d+")

_MAX_NAME = 40

_LONG_TEXT = 25
"""Characters of a cell that is hardly a name."""


def find_header(rows: Sequence[Sequence[str]], required: Sequence[str]) -> int:
    """Return the row that is the header, or the first row if there is no header.

    Titles and comments can be above it. They have another number of cells than the rows, at most
    one cell that is not empty, or a comment sign. The header has all required columns, or is the
    first row below comments, or is the first row of names below titles.

    Args:
        rows: Cells of the first rows, in which blank lines are missing.
        required: Columns to find.
    """
    width = _usual_width(rows)
    for index, row in enumerate(rows[:_MAX_ABOVE]):
        if required and set(required) <= set(row) and (width > 1 or index < _MAX_ABOVE_ONE_COLUMN):
            return index
        if not _is_above_header(rows, index, width):
            break
    for index, row in enumerate(rows[:_MAX_ABOVE]):
        if width > 1 and len(row) == width and _is_first_row(rows, index):
            return index
        if not _is_above_header(rows, index, width):
            break
    return 0


def has_header(
    first: Sequence[str],
    rows: Sequence[Sequence[str]],
    required: Sequence[str],
    options: ReadOptions,
) -> bool:
    """Whether the first row is a header, as the options say, or as it looks.

    Args:
        first: Cells of the first row.
        rows: Cells of some rows below it.
        required: Columns to find; unless the options say otherwise, a row that has all of them is a
            header.
        options: How to read the table.
    """
    if options.columns is not None and options.header is not True:
        return are_alike(first, options.columns)
    if options.header is not None:
        return options.header
    if required and set(required) <= set(first):
        return True
    comparable = [row for row in rows if len(row) == len(first)]
    # Only a table without a header gave these names to the columns of a model.
    if any(_NUMBERED_COLUMN.fullmatch(name) for name in required):
        return _looks_like_header(first, comparable)
    return len(comparable) < len(rows) * _MOST or not _looks_like_data(first, comparable)


def are_alike(names: Sequence[str], others: Sequence[str]) -> bool:
    """Whether names are the same, except for case and blanks around them."""
    return [name.strip().casefold() for name in names] == [
        name.strip().casefold() for name in others
    ]


def _looks_like_data(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row is data, judged by the rows below it.

    It is data if a cell occurs several times in its column, as a label does, or is a number above
    numbers. It is a header if a word is above numbers, or if it has a usual name such as `text`. It
    is also one if its numbers are in sequence, such as years. Unclear cases are headers: then a
    command that misses a column says so, whereas a header read as data would be a wrong row.

    Args:
        first: Cells of the first row.
        rows: Cells of some rows below it, as many in each.
    """
    # Tables that were appended to each other repeat the header.
    others = [row for row in rows if list(row) != list(first)]
    # The only cell of a row can be a name, and occur as a text as well.
    if len(others) < _MIN_ROWS or len(first) == 1 or _are_in_sequence(first):
        return False
    columns = [*zip(first, zip(*others, strict=True), strict=True)]
    if any(not _is_number(cell) and _are_numbers(column) for cell, column in columns if cell):
        return False
    if any(cell.strip().lower() in _USUAL_NAMES - {*column} for cell, column in columns):
        return False
    if any(_is_frequent(cell, column) for cell, column in columns):
        return True
    if any(_is_name_above_texts(cell, column) for cell, column in columns):
        return False
    return any(_is_number(cell) and _are_numbers(column) for cell, column in columns)


def _looks_like_header(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row is certainly a header: a row of names, of which none occurs below.

    In addition, one has a usual name such as `text`, or is above numbers or texts.

    Args:
        first: Cells of the first row.
        rows: Cells of some rows below it, as many in each.
    """
    columns = [
        (name.strip(), [row[index] for row in rows])
        for index, name in enumerate(first)
        if name.strip()  # the column of row numbers has no name
    ]
    if not all(_NAME.fullmatch(name) and name not in cells for name, cells in columns):
        return False
    if any(name.lower() in _USUAL_NAMES for name, _ in columns):
        return True
    # The only cell of a row can be a short text, and so can one above few rows.
    return (
        len(first) > 1
        and len(rows) >= _MIN_ROWS
        and any(_are_numbers(cells) or _is_name_above_texts(name, cells) for name, cells in columns)
    )


def _usual_width(rows: Sequence[Sequence[str]]) -> int:
    """Return the number of cells that most rows have, 0 if there is none."""
    below = rows[_MAX_ABOVE:] or rows
    width, count = Counter(map(len, below)).most_common(1)[0]
    return width if count > len(below) / 2 else 0


def _is_above_header(rows: Sequence[Sequence[str]], index: int, width: int) -> bool:
    """Whether a row can be a title, a comment or blank."""
    row = rows[index]
    filled = [cell for cell in row if cell.strip()]
    if not filled or _is_comment(row):
        return True
    if len(row) == width:  # padded by a spreadsheet; two columns need more evidence
        is_above_blank = index + 1 < len(rows) and not any(rows[index + 1])
        return len(filled) == 1 and (width > 2 or (width == 2 and is_above_blank))
    # The first line of a table with one more cell in all rows is its header.
    if len(row) < width:
        return len(row) != width - 1 or len(row) == 1
    # Several names are a header, even if rows lack cells.
    return not all(map(_NAME.fullmatch, row))


def _is_comment(row: Sequence[str]) -> bool:
    return row[0].startswith(("# ", "-- ", "// ", "%"))


def _is_first_row(rows: Sequence[Sequence[str]], index: int) -> bool:
    """Whether a row is the header or the first row, and all rows above are no rows."""
    above, row = rows[:index], rows[index]
    if _is_comment(row):
        return False
    are_names = all(map(_can_be_name, row)) and len({*row}) == len(row)
    if not above:
        return any(cell.strip() for cell in row[1:])
    if all(_is_comment(title) for title in above):
        return are_names or len(row) != len(above[-1])
    # One word above is more likely the header of a table whose rows have delimiters in their text.
    has_title = any(" " in title[0].strip() or len(title) > 1 for title in above)
    return are_names and has_title


def _can_be_name(cell: str) -> bool:
    return 0 < len(cell.strip()) <= _MAX_NAME and not _is_number(cell)


def _are_in_sequence(first: Sequence[str]) -> bool:
    """Whether the numbers are in sequence, as pandas names columns, or years; others are names."""
    numbers = [int(cell) for cell in first if cell.isascii() and cell.isdigit()]
    names = [cell for cell in first if cell and not _is_number(cell)]
    if not numbers or not all(_NAME.fullmatch(name) for name in names):
        return False
    is_sequence = numbers == [*range(numbers[0], numbers[0] + len(numbers))]
    return is_sequence and (len(numbers) > 1 or numbers == [0])


def _is_number(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell.strip()))


def _are_numbers(column: Sequence[str]) -> bool:
    filled = [cell for cell in column if cell.strip()]
    return bool(filled) and sum(map(_is_number, filled)) >= _MOST * len(filled)


def _is_frequent(cell: str, column: Sequence[str]) -> bool:
    """Whether a cell occurs several times below, in a column of few different cells."""
    counts = Counter(column)
    return bool(cell.strip()) and counts[cell] > 1 and len(counts) <= max(2, len(column) / 2)


def _is_name_above_texts(cell: str, column: Sequence[str]) -> bool:
    """Whether a word is above texts that are much longer than a name."""
    return bool(_NAME.fullmatch(cell.strip())) and median(map(len, column)) >= _LONG_TEXT
