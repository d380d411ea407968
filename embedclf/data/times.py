"""Times of rows: dates, dates with times, and numbers, in the order of time."""

from __future__ import annotations

import math
import re
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from embedclf.system.arrow import pc, to_numpy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from embedclf.system.arrays import Int64s

_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)(.*)", re.DOTALL)
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})[-/.](\d{4})(?!\d)(.*)", re.DOTALL)
_IN_WORDS = re.compile(r"(?=.*(?<!\d)\d{4}(?!\d))(?=.*[A-Za-z]{2})", re.DOTALL)
"""A date with a year of four digits, since a parser adds the current one; and a month or PM."""


class TimeCellError(Exception):
    """A cell whose time is unknown."""

    def __init__(self, message: str, cell: int) -> None:
        super().__init__(message)
        self.cell = cell
        """Its index among the distinct cells."""


def rank_times(cells: pa.StringArray) -> Int64s:
    """Rank distinct cells (n,) by time, from 0; equal times have the same rank.

    All cells are numbers (a year, seconds since 1970, 20211231), or all are dates. Dates without a
    time zone are in UTC. Whether 3/4/2021 is in March or April is decided by all cells together.

    Raises:
        TimeCellError: A cell is no time, or the dates are ambiguous.
    """
    cells = pc.utf8_trim_whitespace(cells)
    for number_type in (pa.int64(), pa.float64()):  # int64 first: float64 rounds nanoseconds
        try:
            numbers = to_numpy(cells.cast(number_type))
        except pa.ArrowInvalid:
            continue
        if np.isfinite(numbers).all():
            return _rank(numbers)
    return _rank(_parse_dates(cells.to_pylist()))


def _rank(times: Int64s) -> Int64s:
    ranks: Int64s = np.unique(times, return_inverse=True)[1].astype(np.int64)
    return ranks


def _parse_dates(cells: Sequence[str]) -> Int64s:
    """(n,) microseconds since 1970."""
    import pandas as pd

    # ISO 8601 is fast. Only the other dates are rewritten, or need the slow parser.
    parsed = pd.to_datetime(pd.Series(cells), format="ISO8601", utc=True, errors="coerce")
    others = np.flatnonzero(parsed.isna())
    if len(others):
        dates = pd.Series(_write_year_first(cells, others.tolist()), others)
        found = pd.to_datetime(dates, format="ISO8601", utc=True, errors="coerce")
        in_words = found.isna() & dates.str.contains(_IN_WORDS)
        with warnings.catch_warnings(action="error"):  # else an unknown time zone is ignored
            found[in_words] = pd.to_datetime(
                dates[in_words], format="mixed", utc=True, errors="coerce"
            )
        parsed[others] = found
    if (unknown := parsed.isna().to_numpy()).any():
        raise _explain_unknown(cells, np.flatnonzero(unknown).tolist())
    times: Int64s = np.asarray(parsed.dt.as_unit("us"), "datetime64[us]").astype(np.int64)
    return times


def _write_year_first(cells: Sequence[str], chosen: Sequence[int]) -> list[str]:
    """Rewrite some dates, such as 31.12.2021 and 2021/12/31, as 2021-12-31."""
    matches = {cell: _YEAR_LAST.fullmatch(cells[cell]) for cell in chosen}
    day_first = _is_day_first(cells, {cell: match for cell, match in matches.items() if match})
    written = []
    for cell, match in matches.items():
        if match is not None:
            one, _, other, year, rest = match.groups()
            day, month = (one, other) if day_first else (other, one)
        elif (match := _YEAR_FIRST.fullmatch(cells[cell])) is not None:
            year, month, day, rest = match.groups()
        else:
            written.append(cells[cell])
            continue
        written.append(f"{year}-{month:0>2}-{day:0>2}{rest}")
    return written


def _is_day_first(cells: Sequence[str], matches: Mapping[int, re.Match[str]]) -> bool:
    """Whether dates that end in a year begin with the day: 31.12.2021, rather than 12/31/2021.

    Raises:
        TimeCellError: Nothing shows it, or two cells contradict each other.
    """
    first: dict[bool, int] = {}  # the first cell that shows each order
    unclear = None
    for cell, match in matches.items():
        one, separator, other = int(match[1]), match[2], int(match[3])
        if separator == "." or one > 12 or other > 12:
            # Dots are used only with the day first.
            first.setdefault(separator == "." or one > 12, cell)
        elif one != other and unclear is None:
            unclear = cell
    if len(first) == 2:
        raise TimeCellError(
            f"{cells[first[True]]!r} begins with the day, {cells[first[False]]!r} with the month; "
            "write all dates as 2021-12-31",
            max(first.values()),
        )
    if not first and unclear is not None:
        raise TimeCellError(
            f"{cells[unclear]!r} may begin with the day or the month; write dates as 2021-12-31",
            unclear,
        )
    return True in first


def _explain_unknown(cells: Sequence[str], unknown: Sequence[int]) -> TimeCellError:
    """Name a cell that is no time; numbers are times, unless other cells are dates."""
    cell = next((cell for cell in unknown if not _is_number(cells[cell])), unknown[0])
    if not cells[cell]:
        fault = "empty cell"
    elif _is_number(cells[cell]):
        fault = f"{cells[cell]!r} is a number, but other cells are dates"
    else:
        fault = f"{cells[cell]!r} is neither a date nor a number"
    return TimeCellError(f"{fault}; write it as 2021-12-31 or 2021-12-31T23:59", cell)


def _is_number(cell: str) -> bool:
    try:
        number: float = pa.scalar(cell).cast(pa.float64()).as_py()
    except pa.ArrowInvalid:
        return False
    return math.isfinite(number)
