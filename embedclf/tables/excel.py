"""Workbooks of Excel and LibreOffice."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median_high
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

from embedclf.errors import DataError
from embedclf.system.arrow import find_positions, split_batches, text_column, with_texts
from embedclf.system.terminal import format_count
from embedclf.tables.csv_tables.dialects import Dialect
from embedclf.tables.csv_tables.headers import has_header
from embedclf.tables.read_notes import ReadNotes
from embedclf.tables.workbooks import SheetRow, read_sheet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.system.arrow import Batch, ReadBatch
    from embedclf.system.fields import TextColumns
    from embedclf.system.formats import FileFormat, OutputFormat
    from embedclf.tables.files import TableFile
    from embedclf.tables.read_options import ReadOptions

_MAX_ROWS_ABOVE = 30
"""Rows in which the header is searched."""

_COMPARED_ROWS = 100
"""Rows that the first row is compared with."""

_MAX_FOOTER_ROWS = 5


@dataclass(frozen=True)
class ExcelReader:
    """Reads a sheet of a workbook; all of its rows are in memory, since they are stored as XML."""

    sheet: str
    other_sheets: tuple[str, ...]
    """Names of the other visible sheets that have rows."""
    dialect: Dialect
    """Where the header is."""
    rows: pa.RecordBatch = field(repr=False)
    row_numbers: tuple[int, ...] = field(repr=False)
    """The number of each row in the sheet."""
    notes: ReadNotes

    file_format: ClassVar[FileFormat] = "excel"
    counts_rows: ClassVar[bool] = True
    names: ClassVar[None] = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Its columns."""
        return self.dialect.columns

    @property
    def description(self) -> str:
        """The sheet that is read, and what is not."""
        skipped = self.dialect.skipped_above
        facts = [
            f"Excel, sheet {self.sheet!r}",
            f"not read: {', '.join(map(repr, self.other_sheets))}" if self.other_sheets else "",
            f"{format_count(skipped, 'row')} above the header ignored" if skipped else "",
            "" if self.dialect.has_header else "no header",
        ]
        return ", ".join(filter(None, facts))

    def iter_batches(
        self, columns: Sequence[str], *, as_json: Sequence[str] = ()
    ) -> Iterator[ReadBatch]:
        """Read some columns."""
        del as_json  # all cells are text
        positions = find_positions(self.columns)
        rows = [self.rows.column(positions[column]) for column in columns]
        return _iter_batches(pa.RecordBatch.from_arrays(rows, [*columns]))

    def iter_scoring_batches(
        self, text: TextColumns, *, target: OutputFormat, reserved: Sequence[str]
    ) -> Iterator[Batch]:
        """Read the texts, and all columns."""
        del target, reserved  # cells are text in all target formats
        return with_texts(_iter_batches(self.rows), text)

    def iter_line_numbers(self) -> Iterator[int]:
        """Yield the number of each row in the sheet."""
        yield from self.row_numbers

    def find_broken_rows(
        self, columns: Sequence[str], *, as_json: Sequence[str] = ()
    ) -> Iterator[tuple[int, str]]:
        """Yield nothing: a workbook can be read completely or not at all."""
        del columns, as_json
        return iter(())


def open_excel(file: TableFile, required: Sequence[str], options: ReadOptions) -> ExcelReader:
    """Open the sheet of a workbook that is the table, as `read_sheet` chooses it.

    The header is the first row that names the required columns, or else the first below any
    titles. `skip_lines`, `header` and `columns` of the options say otherwise.

    Raises:
        DataError: It cannot be read, has no rows, or the options name another number of columns;
            or the extra `excel` is not installed.
    """
    sheet, notes = read_sheet(file, required), ReadNotes(file.name)
    rows = _skip_rows(sheet.rows, required, options, notes)
    if not rows:
        raise DataError(f"{file.name}: no rows below those that data.skip_lines ignores")
    dialect = _detect_dialect(rows, required, options, file.name)
    body = rows[dialect.has_header :]
    columns = [text_column([*cells]) for cells in zip(*(row.cells for row in body), strict=True)]
    batch = pa.RecordBatch.from_arrays(
        columns or [text_column([])] * dialect.width, [*dialect.columns]
    )
    numbers = tuple(row.number for row in body)
    return ExcelReader(sheet.name, sheet.others, dialect, batch, numbers, notes)


def _iter_batches(rows: pa.RecordBatch) -> Iterator[ReadBatch]:
    """Yield rows in batches, first an empty one, so that every table has a batch."""
    yield rows.slice(0, 0), 0.0
    rows_read = 0
    for batch in split_batches(rows):
        rows_read += len(batch)
        yield batch, rows_read / len(rows)


def _detect_dialect(
    rows: list[SheetRow], required: Sequence[str], options: ReadOptions, name: str
) -> Dialect:
    """Return where the header is, and the names of the columns.

    Raises:
        DataError: The options name another number of columns.
    """
    first, below = rows[0].cells, [row.cells for row in rows[1:_COMPARED_ROWS]]
    is_header = has_header(first, below, required, options)
    numbered = [f"column_{number}" for number in range(1, len(first) + 1)]
    columns = options.columns or (first if is_header else numbered)
    if len(columns) != len(first):
        raise DataError(
            f"{name}: {format_count(len(columns), 'name')} in data.columns, but the sheet has "
            f"{format_count(len(first), 'column')}"
        )
    keys = ("header", "columns", "skip_lines")
    return Dialect(
        ",",
        tuple(columns),
        has_header=is_header,
        skipped_above=rows[0].number - 1,
        given=frozenset(key for key in keys if getattr(options, key) is not None),
    )


def _skip_rows(
    rows: list[SheetRow], required: Sequence[str], options: ReadOptions, notes: ReadNotes
) -> list[SheetRow]:
    """Leave out the rows above the header and below the table."""
    above = options.skip_lines
    if isinstance(above, tuple):
        above, below = above
        kept = [row for row in rows if row.number > above]
        return kept[: len(kept) - below]
    if above is None:
        rows = rows[_find_header(rows, required) :]
    else:
        rows = [row for row in rows if row.number > above]
    end = _find_footer(rows)
    if end < len(rows):
        row = rows[end]
        notes.footer = (row.number, " ".join(filter(None, row.cells)))
        notes.footer_lines = len(rows) - end
    return rows[:end]


def _find_header(rows: list[SheetRow], required: Sequence[str]) -> int:
    """Return the index of the first row that is not a title."""
    head = rows[:_MAX_ROWS_ABOVE]
    if required:
        for index, row in enumerate(head):
            if set(required) <= set(row.cells):
                return index
    usual = median_high(_count_filled(row) for row in rows[:_COMPARED_ROWS])
    return next((index for index, row in enumerate(head) if not _is_title(row, usual)), 0)


def _is_title(row: SheetRow, usual: int) -> bool:
    """Whether a row has only one cell, or far fewer than most; a title begins at the left.

    The header of an index column, which pandas writes first, is empty.
    """
    return usual > 1 and bool(row.cells[0]) and _count_filled(row) <= max(1, usual // 3)


def _find_footer(rows: list[SheetRow]) -> int:
    """Return the index after the last row of the table.

    Notes, such as a total, are a few rows with a single cell below an empty row. They are notes
    only if all rows above have more cells.
    """
    counts = [_count_filled(row) for row in rows]
    for index in range(len(rows) - 1, max(0, len(rows) - 1 - _MAX_FOOTER_ROWS), -1):
        if counts[index] > 1:
            break
        if rows[index].number - rows[index - 1].number > 1:
            is_below = min(counts[max(0, index - _COMPARED_ROWS) : index]) > 1
            return index if is_below else len(rows)
    return len(rows)


def _count_filled(row: SheetRow) -> int:
    return sum(map(bool, row.cells))
