"""Sheets of workbooks, as rows of text."""

from __future__ import annotations

import datetime as dt
import io
import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

from embedclf.errors import DataError, needs_extra
from embedclf.system.compression import open_unpacked
from embedclf.system.storage import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.tables.files import TableFile


class SheetRow(NamedTuple):
    """A row that is not empty."""

    number: int
    """As a spreadsheet shows it, from 1."""
    cells: list[str]


_MAX_HEADER_ROWS = 30
"""Rows in which required columns are searched."""


class Sheet(NamedTuple):
    """A sheet with rows."""

    name: str
    rows: list[SheetRow]
    others: tuple[str, ...]
    """Names of the other visible sheets that have rows."""


def read_sheet(file: TableFile, required: Sequence[str]) -> Sheet:
    """Read the sheet of a workbook that is the table.

    It is the first that names the required columns, else the first that has several columns and
    rows, else the first that has rows. Hidden sheets are read only if no other has rows.

    Cells are the text that Excel writes into a CSV: `1`, `0.5`, `TRUE`; but dates are `2024-05-01`.
    A cell with an error, such as `#N/A`, is empty. A cell merged over several rows is in each.
    Empty rows and empty columns are left out.

    Raises:
        DataError: It cannot be read or has no rows; or the extra `excel` is not installed.
    """
    with needs_extra("excel", f"{file.name}: reading Excel", DataError):
        import python_calamine as calamine
    content = _read_bytes(file)
    try:
        with calamine.CalamineWorkbook.from_filelike(content) as workbook:
            return _choose_sheet(workbook, file.name, required)
    except calamine.PasswordError as error:
        raise DataError(f"{file.name}: the workbook has a password; save it without one") from error
    except calamine.CalamineError as error:
        raise DataError(
            f"{file.name}: not a workbook, or a damaged one ({one_line(error)}); save it as .xlsx "
            "or CSV in a spreadsheet"
        ) from error


def _read_bytes(file: TableFile) -> io.BytesIO:
    with open_unpacked(file.location, file.name) as (_, unpacked):
        content = unpacked.read()
    if not content:
        raise DataError(f"{file.name}: the file is empty; it needs a header and rows")
    return io.BytesIO(content)


def _choose_sheet(workbook: Any, name: str, required: Sequence[str]) -> Sheet:
    import python_calamine as calamine

    is_visible = {
        sheet.name: sheet.visible == calamine.SheetVisibleEnum.Visible
        for sheet in workbook.sheets_metadata
        if sheet.typ == calamine.SheetTypeEnum.WorkSheet
    }
    sheets = [workbook.get_sheet_by_name(sheet) for sheet in is_visible]
    with_rows = [(sheet, rows) for sheet in sheets if sheet.height and (rows := _to_rows(sheet))]
    visible = [(sheet, rows) for sheet, rows in with_rows if is_visible[sheet.name]]
    if not with_rows:
        raise DataError(f"{name}: the workbook is empty; it needs a header and rows")
    candidates = visible or with_rows[:1]
    chosen, rows = next(
        itertools.chain(
            (each for each in candidates if _names_columns(each[1], required)),
            (each for each in candidates if len(each[1]) > 1 and len(each[1][0].cells) > 1),
        ),
        candidates[0],
    )
    others = tuple(sheet.name for sheet, _ in candidates if sheet.name != chosen.name)
    return Sheet(chosen.name, rows, others)


def _names_columns(rows: list[SheetRow], required: Sequence[str]) -> bool:
    """Whether a row at the top has the names of all required columns."""
    return bool(required) and any(
        set(required) <= set(row.cells) for row in rows[:_MAX_HEADER_ROWS]
    )


def _to_rows(sheet: Any) -> list[SheetRow]:
    """Return the rows of a sheet as text, without empty rows and columns."""
    top = sheet.start[0]
    grid = [[_to_text(value) for value in values] for values in sheet.to_python()]
    _fill_merged(grid, sheet)
    filled = [any(cells) for cells in zip(*grid, strict=True)]
    kept = None if all(filled) else [index for index, is_filled in enumerate(filled) if is_filled]
    return [
        SheetRow(number, cells if kept is None else [cells[index] for index in kept])
        for number, cells in enumerate(grid, top + 1)
        if any(cells)
    ]


def _fill_merged(grid: list[list[str]], sheet: Any) -> None:
    """Copy cells that are merged over several rows of one column into each of these rows."""
    top, left = sheet.start
    for (first, column), (last, last_column) in sheet.merged_cell_ranges or ():
        if column == last_column:
            for row in range(first + 1, min(last + 1, top + len(grid))):
                grid[row - top][column - left] = grid[first - top][column - left]


def _to_text(value: Any) -> str:
    """Return a cell as Excel writes it into a CSV, but dates in ISO format."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        # Excel computes with 15 digits; 1.0 is 1, and 0.30000000000000004 is 0.3.
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
    if isinstance(value, dt.datetime):
        return value.isoformat(" ")
    if isinstance(value, dt.timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)
