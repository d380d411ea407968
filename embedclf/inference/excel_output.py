"""Scored rows as a workbook of Excel."""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Any

from embedclf.errors import DataError, needs_extra
from embedclf.inference.predictor import DECIMALS
from embedclf.system.publishing.private_files import private_directory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

_MAX_ROWS = 1_048_576
_MAX_COLUMNS = 16_384
_MAX_CHARACTERS = 32_767
"""Characters of a cell, counted in UTF-16, where most emojis are two."""


class ExcelWriter:
    """Writes rows to the only sheet of a workbook; use it as a context manager.

    Rows go to a temporary file, so memory stays constant. A text stays a text: none becomes a
    formula, a link or a number.
    """

    def __init__(
        self, file: IO[bytes], path: Path, columns: Sequence[str], *, list_separator: str
    ) -> None:
        """Write the header.

        Args:
            file: Where to write; it needs random access.
            path: Its name in messages.
            columns: Names for the header.
            list_separator: Joins the items of a cell that holds a list.

        Raises:
            DataError: There are too many columns; or the extra `excel` is not installed.
        """
        with needs_extra("excel", f"{path}: writing Excel", DataError):
            from xlsxwriter import Workbook
        if len(columns) > _MAX_COLUMNS:
            raise DataError(
                f"{path}: {len(columns):,} columns; Excel allows {_MAX_COLUMNS:,}; write CSV"
            )
        self._path, self._list_separator = path, list_separator
        self._stack = ExitStack()
        folder = self._stack.enter_context(private_directory())
        self._workbook = Workbook(file, {"constant_memory": True, "tmpdir": str(folder)})
        self._sheet: Any = self._workbook.add_worksheet()
        self._sheet.freeze_panes(1, 0)
        self._rows = 0
        self.write([[name] for name in columns])

    def __enter__(self) -> ExcelWriter:
        return self

    def __exit__(self, error_type: type[BaseException] | None, *error: object) -> None:
        if error_type is None:
            self._workbook.close()
        else:  # the incomplete file is removed by its owner
            self._workbook.fileclosed = True
            self._sheet.row_data_fh.close()
        self._stack.close()

    def render(self, rows: pa.RecordBatch, records: pa.Array | None) -> list[list[Any]]:
        """Turn columns into lists of cells."""
        del records  # only JSON output has them
        return [column.to_pylist() for column in rows.columns]

    def write(self, rendered: list[list[Any]]) -> None:
        """Write columns of cells below the rows so far.

        Raises:
            DataError: A row or a cell is too large for Excel.
        """
        for cells in zip(*rendered, strict=True):
            if self._rows == _MAX_ROWS:
                raise DataError(
                    f"{self._path}: Excel allows {_MAX_ROWS - 1:,} rows below the header; write "
                    "CSV or Parquet"
                )
            for column, cell in enumerate(cells):
                self._write_cell(column, cell)
            self._rows += 1

    def flush(self) -> None:
        """Do nothing: readers need the whole file."""

    def _write_cell(self, column: int, cell: Any) -> None:
        if isinstance(cell, list):
            cell = self._list_separator.join(map(_to_text, cell))
        if isinstance(cell, str):
            self._write_text(column, cell)
        elif isinstance(cell, bool):
            self._sheet.write_boolean(self._rows, column, cell)
        elif cell is not None and math.isfinite(cell):
            self._sheet.write_number(self._rows, column, round(cell, DECIMALS))

    def _write_text(self, column: int, text: str) -> None:
        # Fewer characters than half the limit cannot exceed it in UTF-16.
        if len(text) > _MAX_CHARACTERS // 2:
            size = len(text.encode("utf-16-le")) // 2
            if size > _MAX_CHARACTERS:
                raise DataError(
                    f"{self._path}: row {self._rows + 1} has a cell of {size:,} characters; Excel "
                    f"allows {_MAX_CHARACTERS:,}; write CSV or Parquet"
                )
        if text:
            self._sheet.write_string(self._rows, column, text)


def _to_text(item: str | float) -> str:
    return item if isinstance(item, str) else f"{item:.{DECIMALS}f}"
