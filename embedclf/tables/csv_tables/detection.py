"""Detection of how a delimited table is written, from its beginning."""

from __future__ import annotations

import io
import itertools
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from embedclf.system.terminal import format_count
from embedclf.tables.csv_tables.dialects import Dialect
from embedclf.tables.csv_tables.headers import are_alike, find_header, has_header
from embedclf.tables.csv_tables.quoting import detect_quoting
from embedclf.tables.csv_tables.record_blocks import last_record_end
from embedclf.tables.csv_tables.records import Record, RecordError, read_records
from embedclf.tables.csv_tables.row_streams import (
    HIDDEN_RETURN,
    RowsStart,
    hide_returns,
    position_of_line,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.tables.read_options import ReadOptions

_SAMPLE_RECORDS = 100

_HEADER_RECORDS = 1000
"""Records to judge by whether the first one is a header; a label can be rare."""

_SAMPLE_CHARACTERS = 1 << 17
"""Characters to read records from, if they hold a whole one."""

_MOST = 0.9
"""Fraction of rows with the same number of cells that makes a delimiter plausible."""

# Excel's first line that names the delimiter: sep=; with any delimiter, also in quotes or padded.
# ASCII is listed and its case counts: all other characters, in both cases, take 6 ms to compile.
_SEPARATOR_LINE = re.compile(
    r'"?sep=(\\t|tab|(?-i:[\x01-\t\v\f\x0e-!#-\x7f]))"?([;,|\t])?\2* *(\r\n|\r|\n|\Z)',
    re.IGNORECASE,
)

# The line below the header of sqlcmd (`---,---`), psql (`---+---`) and Markdown (`|---|---|`).
_RULE = re.compile(r"[| \t]*:?-{3,}:?([+|,;: \t]+-{3,}:?)+[| \t]*\r?\n")


class DialectError(Exception):
    """A setting does not fit the table; the message says how."""


def detect_dialect(
    head: str, required: Sequence[str], options: ReadOptions, delimiters: Sequence[str]
) -> tuple[Dialect, RowsStart]:
    """Detect how a table is written; options that are set are followed.

    A table that Python's `csv` reads with RFC 4180 and whose first row has the required columns is
    read in that way. Anything else is used only where the table could not be read otherwise.

    Args:
        head: Beginning of the table, without a byte-order mark and an incomplete last line.
        required: Columns to find.
        options: How to read it.
        delimiters: Delimiters to try, in this order; a `sep=` line comes before several.

    Raises:
        RecordError: The first row has a misplaced quote with every delimiter.
        DialectError: `options.columns` has a wrong number of names, or no line is left to read.
    """
    separator = _SEPARATOR_LINE.match(head)
    if separator and len(delimiters) > 1:
        delimiters = [_separator(separator[1])]
    base = _base_dialect(head, options, has_separator_line=separator is not None)
    chosen = _read_with_best_delimiter(head, base, required, options, delimiters)
    if options.skip_lines and not chosen.has_columns(required):
        # The lines were counted in another table of the same model, whose header is further down.
        from_top = replace(options, skip_lines=0)
        top = _base_dialect(head, from_top, has_separator_line=separator is not None)
        other = _read_with_best_delimiter(head, top, required, from_top, delimiters)
        chosen = other if other.has_columns(required) else chosen
    dialect = detect_quoting(head, chosen.dialect, options)
    if dialect != chosen.dialect or not chosen.has_columns(required) or not required:
        chosen = _read_sample(head, dialect, required, options, limit=_HEADER_RECORDS)
    if not chosen.records and not chosen.fault[1]:
        lines = format_count(len(head.splitlines()), "line")
        raise DialectError(f"no header and no rows below the lines to skip; it has {lines}")
    if not chosen.records:
        raise RecordError(*chosen.fault)
    dialect = _with_columns(chosen, required, options)
    first = chosen.records[chosen.header]
    line = first.next_line if dialect.has_header else first.line
    if dialect.has_header and _RULE.match(head, position_of_line(head, line, dialect)):
        dialect, line = replace(dialect, has_rule=True), line + 1
    return dialect, RowsStart(line, len(head[: position_of_line(head, line, dialect)].encode()))


@dataclass(frozen=True)
class _Reading:
    """The first records of a table, read in some dialect."""

    dialect: Dialect
    records: list[Record]
    """Without malformed ones; empty if the first is malformed."""
    header: int
    """The record that is the header, or the first row if there is none."""
    fault: tuple[int, str]
    """Line and fault of the first malformed record."""

    @property
    def names(self) -> list[str]:
        """Cells of the header."""
        return self.records[self.header].cells if self.records else []

    @property
    def rows(self) -> list[list[str]]:
        """Cells below the header."""
        return [record.cells for record in self.records[self.header + 1 :]]

    @property
    def width(self) -> int:
        """The most frequent number of cells below the header, if most rows have it; otherwise 0."""
        counts = Counter(map(len, self.rows)).most_common(1)
        return counts[0][0] if counts and counts[0][1] >= _MOST * len(self.rows) else 0

    def has_columns(self, required: Sequence[str]) -> bool:
        """Whether the header has all required columns."""
        return set(required) <= set(self.names)

    def is_plausible(self) -> bool:
        """Whether header and rows have the same number of cells, and several."""
        return len(self.names) > 1 and self.width - len(self.names) in {0, 1}


def _separator(name: str) -> str:
    return "\t" if name.lower() in {"\\t", "tab"} else name


def _base_dialect(head: str, options: ReadOptions, *, has_separator_line: bool) -> Dialect:
    skip = options.skip_lines or 0
    above, below = (skip, None) if isinstance(skip, int) else skip
    keys = ("delimiter", "encoding", "quote", "escape", "header", "columns", "skip_lines")
    return Dialect(
        ",",
        has_separator_line=has_separator_line,
        skipped_above=max(above, int(has_separator_line)),
        skipped_below=below,
        skips_bad_rows=options.on_bad_row == "skip",
        newline="\n" if "\n" in head else "\r",
        given=frozenset(key for key in keys if getattr(options, key) is not None),
    )


def _read_with_best_delimiter(
    head: str,
    base: Dialect,
    required: Sequence[str],
    options: ReadOptions,
    delimiters: Sequence[str],
) -> _Reading:
    """Use the first delimiter that finds the required columns.

    If none does, use the one with the most columns, of those that most rows agree with.
    """
    readings = []
    # Without the delimiters that do not occur, which is much faster. The first is always tried,
    # because another one can be a part of the texts in a table of one column.
    occurring = [delimiter for delimiter in delimiters[1:] if delimiter in head]
    for delimiter in [*delimiters[:1], *occurring]:
        reading = _read_sample(head, replace(base, delimiter=delimiter), required, options)
        if required and reading.has_columns(required) and reading.header == 0:
            return reading
        readings.append(reading)
    # Cells further down can be equal to the names by accident.
    if found := [each for each in readings if required and each.has_columns(required)]:
        return found[0]
    if options.columns is not None:
        readings.sort(key=lambda reading: reading.width != len(options.columns or ()))
        return readings[0]
    plausible = [reading for reading in readings if reading.is_plausible()]
    return max(plausible or readings, key=lambda reading: len(reading.names))


def _read_sample(
    head: str,
    dialect: Dialect,
    required: Sequence[str],
    options: ReadOptions,
    *,
    limit: int = _SAMPLE_RECORDS,
) -> _Reading:
    start = dialect.skipped_above + 1
    content = _beginning(head[position_of_line(head, start, dialect) :], dialect)
    records = read_records(io.BytesIO(content), dialect, first_line=start)
    sample = [*itertools.islice(records, limit)]
    fault = next(((record.line, record.fault) for record in sample if record.fault), (1, ""))
    if not sample or sample[0].fault:
        return _Reading(dialect, [], 0, fault)
    sample = [record for record in sample if not record.fault]
    if options.skip_lines is not None:
        return _Reading(dialect, sample, 0, fault)
    names = required if options.columns is None else options.columns
    header = find_header([record.cells for record in sample], names)
    if header:
        dialect = replace(dialect, skipped_above=sample[header].line - 1)
    return _Reading(dialect, sample, header, fault)


def _beginning(text: str, dialect: Dialect) -> bytes:
    """Return the first whole records, at least one."""
    beginning = text[:_SAMPLE_CHARACTERS]
    if dialect.has_returns:
        beginning = hide_returns(beginning)
    content = beginning.encode()
    if len(text) <= _SAMPLE_CHARACTERS:
        return content
    end = last_record_end(content, dialect.newline.encode())
    return content[:end] or text.encode()


def _with_columns(reading: _Reading, required: Sequence[str], options: ReadOptions) -> Dialect:
    """Return the dialect with the names of the columns."""
    names, rows, width = reading.names, reading.rows, reading.width or len(reading.names)
    dialect = replace(reading.dialect, has_header=has_header(names, rows, required, options))
    if not dialect.has_header:
        columns = options.columns or [f"column_{number}" for number in range(1, width + 1)]
        _check_count(columns, width)
        return replace(dialect, columns=tuple(columns))
    given = options.columns
    if given is not None and (options.header is True or are_alike(names, given)):
        _check_count(given, len(names))
        names = [*given]
    columns = tuple(name.replace(HIDDEN_RETURN, "\r") for name in names)
    more = width - len(names)
    if more < 1 or any(len(row) != width for row in rows):
        return replace(dialect, columns=columns)
    if not any(any(row[len(names) :]) for row in rows):
        return replace(dialect, columns=columns, trailing_cells=more)
    if more == 1 and all(row[0].isdigit() for row in rows):
        # R writes row numbers without a name for their column.
        columns = ("", *columns)
    return replace(dialect, columns=columns)


def _check_count(columns: Sequence[str], cells: int) -> None:
    if len(columns) != cells:
        raise DialectError(
            f"data.columns has {format_count(len(columns), 'name')}, but rows have "
            f"{format_count(cells, 'cell')}; name all columns in order"
        )
