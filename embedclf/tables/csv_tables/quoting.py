"""Detection of quotes that are not those of RFC 4180, and of carriage returns inside cells."""

from __future__ import annotations

import io
import itertools
import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from embedclf.tables.csv_tables.record_blocks import quotes_are_regular
from embedclf.tables.csv_tables.records import read_records
from embedclf.tables.csv_tables.row_streams import hide_returns, position_of_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.tables.csv_tables.dialects import Dialect
    from embedclf.tables.read_options import ReadOptions

_MIN_ROWS = 5
"""Rows that make it unlikely that quotes are missing, rather than ordinary characters."""

_FEW = 0.1
"""Fraction of quoted cells that can be faulty in a table whose quotes enclose cells."""

_FIRST_CHARACTERS = 10_000


def detect_quoting(head: str, dialect: Dialect, options: ReadOptions) -> Dialect:
    r"""Detect quotes that are ordinary characters, are written `\"`, or follow a blank.

    Each is used only if the beginning of the table can be read in this way and not without it. Rows
    of different numbers of cells count as not readable.

    Args:
        head: Beginning of the table, without an incomplete last line.
        dialect: Delimiter and line ends.
        options: What is set is not detected.
    """
    dialect = replace(
        dialect, has_quotes=options.quote != "none", has_escapes=options.escape == "\\"
    )
    may_have_returns = "\r" in head and "\n" in head and re.search(r"\r[^\n]", head) is not None
    may_have_quotes = dialect.has_quotes and '"' in head
    if may_have_quotes and _is_after_blanks(head, dialect):
        return replace(dialect, has_blanks=True)
    has_regular_quotes = not may_have_quotes or quotes_are_regular(head.encode(), dialect)
    may_be_plain = has_regular_quotes and not may_have_returns
    has_escapes = _has_escapes(head, f"\r\n{dialect.delimiter}")
    if may_be_plain and (not has_escapes or _is_rectangular(head, dialect)):
        return dialect
    if _is_even(head, dialect):
        return dialect
    for candidate in _candidates(head, dialect, options, may_have_returns=may_have_returns):
        if _is_even(head, candidate):
            return candidate
    return dialect


def _candidates(
    head: str, dialect: Dialect, options: ReadOptions, *, may_have_returns: bool
) -> Iterator[Dialect]:
    if may_have_returns:
        yield replace(dialect, has_returns=True)
    if not dialect.has_quotes:
        return
    has_blanks = f'{dialect.delimiter} "' in head
    if has_blanks:
        yield replace(dialect, has_blanks=True)
    if options.escape is None and _has_escapes(head, f'"\r\n{dialect.delimiter}'):
        yield replace(dialect, has_escapes=True)
        if has_blanks:
            yield replace(dialect, has_escapes=True, has_blanks=True)
    if options.quote is None and not dialect.has_escapes and not _are_enclosing(head, dialect):
        yield replace(dialect, has_quotes=False)


def _has_escapes(head: str, characters: str) -> bool:
    """Whether a backslash precedes one of some characters."""
    return re.search(rf"\\[{re.escape(characters)}]", head) is not None


def _is_rectangular(head: str, dialect: Dialect) -> bool:
    """Whether all records have as many cells as the header, if quotes are regular.

    It takes a tenth of the time of `_is_even`, which also allows for lines below the rows.
    """
    from pyarrow import csv

    if not dialect.is_plain or not dialect.has_quotes:
        return False
    text = head[position_of_line(head, dialect.skipped_above + 1, dialect) :]
    content = text.encode().lstrip(b"\r\n")
    read = csv.ReadOptions(
        block_size=len(content) + 1, use_threads=False, autogenerate_column_names=True
    )
    parse = csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True)
    # One column is enough: rows of another width are refused whatever is returned.
    convert = csv.ConvertOptions(include_columns=["f0"], column_types={"f0": pa.string()})
    try:
        csv.read_csv(pa.BufferReader(content), read, parse, convert)
    except pa.ArrowInvalid:
        return False
    return True


def _is_even(head: str, dialect: Dialect) -> bool:
    """Whether all records can be read, and have as many cells as the header.

    Other lines, with fewer cells, can be below the rows. All rows can have more cells that are
    empty.
    """
    text = head[position_of_line(head, dialect.skipped_above + 1, dialect) :]
    text = hide_returns(text) if dialect.has_returns else text
    counts, filled = list[int](), 0
    for record in read_records(io.BytesIO(text.encode()), dialect):
        if record.fault:
            return False
        counts.append(len(record.cells))
        if len(counts) > 1:
            filled = max(filled, len(record.cells) - _count_trailing(record.cells))
    if not counts:
        return True
    usual = Counter(counts[1:] or counts).most_common(1)[0][0]
    end = len(counts) - counts[::-1].index(usual)
    if not dialect.has_quotes and (usual == 1 or end <= _MIN_ROWS):
        return False
    has_header = counts[0] == usual or filled <= counts[0] < usual
    # A row that is broken without escapes is no line below the rows with them.
    is_below = dialect.is_plain or max(counts[end:], default=0) < usual
    return has_header and is_below and set(counts[1:end]) <= {usual}


def _count_trailing(cells: Sequence[str]) -> int:
    """Return the number of empty cells at the end."""
    return sum(1 for _ in itertools.takewhile(lambda cell: not cell, reversed(cells)))


def _is_after_blanks(head: str, dialect: Dialect) -> bool:
    """Whether a blank follows all delimiters, and quotes enclose some of the cells behind it."""
    if f'{dialect.delimiter} "' not in head:
        return False
    start = position_of_line(head, dialect.skipped_above + 1, dialect)
    lines = head[start : start + _FIRST_CHARACTERS].splitlines()[:_MIN_ROWS]
    if not any(dialect.delimiter in line for line in lines[:1]):
        return False  # one column, whose texts have commas
    cells = [cell for line in lines for cell in line.split(dialect.delimiter)[1:]]
    enclosed = [cell for cell in cells if re.fullmatch(r' ".*"', cell)]
    return bool(enclosed) and all(cell.startswith(" ") for cell in cells)


def _are_enclosing(head: str, dialect: Dialect) -> bool:
    """Whether nearly all cells that begin with a quote end with one, or the first one does."""
    delimiter = re.escape(dialect.delimiter)
    quoted = re.compile(rf'(?:^|(?<={delimiter}))"[^{delimiter}\r\n]*', re.MULTILINE)
    cells: list[str] = quoted.findall(head)
    other = [cell for cell in cells if len(cell) == 1 or not cell.endswith('"')]
    has_quoted_header = head.startswith('"') and cells[0] not in other
    return has_quoted_header or len(other) <= _FEW * len(cells)
