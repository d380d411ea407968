"""Parquet tables."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from embedclf.data.jsonlines import separator_fault
from embedclf.errors import DataError
from embedclf.system.arrow import (
    BATCH_ROWS,
    Batch,
    ReadBatch,
    empty_batch,
    join_columns,
    split_batches,
    text_column,
)
from embedclf.system.text_files import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from embedclf.system.formats import FileFormat


@dataclass(frozen=True)
class ParquetReader:
    """Reads a Parquet table."""

    path: Path
    name: str
    columns: tuple[str, ...]
    list_separators: Mapping[str, str] = field(default_factory=dict)
    """Columns that can hold lists of texts, and what joins them."""
    file_format: ClassVar[FileFormat] = "parquet"

    def iter_batches(self, columns: Sequence[str]) -> Iterator[ReadBatch]:
        """Read some columns as text.

        Raises:
            DataError: The file cannot be read, or a column cannot be text.
        """
        for rows, fraction_read in self._read_typed(columns):
            arrays = [self._to_text(rows, column) for column in columns]
            yield pa.RecordBatch.from_arrays(arrays, [*columns]), fraction_read

    def iter_scoring_batches(
        self, text: Sequence[str], *, target: FileFormat, reserved: Sequence[str]
    ) -> Iterator[Batch]:
        """Read the texts, and all columns with their types, or as text for CSV.

        Raises as `iter_batches`.
        """
        del reserved  # all rows have the same columns, which the caller has checked
        for rows, fraction_read in self._read_typed(self.columns):
            kept = rows
            if target == "delimited":
                arrays = [self._to_cells(rows, column) for column in self.columns]
                kept = pa.RecordBatch.from_arrays(arrays, self.columns)
            texts = join_columns([self._to_text(rows, column) for column in text])
            yield Batch(texts, kept, fraction_read=fraction_read)

    def line_numbers(self, rows: Sequence[int]) -> list[int]:
        """Return the row numbers, from 1; Parquet has no lines."""
        return [row + 1 for row in rows]

    def find_broken_rows(self, columns: Sequence[str]) -> Iterator[tuple[int, str]]:
        """Yield nothing: a Parquet file can be read completely or not at all."""
        del columns
        return iter(())

    def _read_typed(self, columns: Sequence[str]) -> Iterator[ReadBatch]:
        """Read columns with their types; the first batch is empty, so every table has a batch.

        Raises:
            DataError: The file cannot be read.
        """
        from pyarrow import parquet

        rows_read = 0
        try:
            with parquet.ParquetFile(self.path) as file:
                total = max(1, file.metadata.num_rows)
                fields = [file.schema_arrow.field(column) for column in columns]
                empty = empty_batch(pa.schema(fields, file.schema_arrow.metadata))
                batches = file.iter_batches(BATCH_ROWS, columns=columns)
                for rows in itertools.chain([empty], batches):
                    # Reading does not check that strings are UTF-8, which later code relies on.
                    rows.validate(full=True)
                    rows_read += len(rows)
                    # An empty batch splits into no batches.
                    yield from (
                        (batch, rows_read / total) for batch in split_batches(rows) or [rows]
                    )
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"{self.name}: damaged Parquet file: {one_line(error)}") from error

    def _to_cells(self, rows: pa.RecordBatch, column: str) -> pa.Array:
        """Turn cells into text; nested ones become JSON."""
        if not pa.types.is_nested(rows.column(column).type):
            return self._to_text(rows, column)
        cells = rows.column(column).to_pylist()
        # default=str: nested cells can contain dates and decimals, which JSON has no type for.
        return text_column([json.dumps(cell, ensure_ascii=False, default=str) for cell in cells])

    def _to_text(self, rows: pa.RecordBatch, column: str) -> pa.Array:
        """Turn cells into text; null becomes ""."""
        cells = rows.column(column)
        try:
            if pa.types.is_nested(cells.type) and column in self.list_separators:
                cells = self._join_lists(cells, column)
            cells = cells.cast(pa.string())
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
            raise DataError(
                f"{self.name}: column {column!r} cannot be read as text: {one_line(error)}"
            ) from error
        return pc.coalesce(cells, text_column([""])[0])

    def _join_lists(self, cells: pa.Array, column: str) -> pa.Array:
        """Join the texts of each list; raises ArrowInvalid and others if they are not texts."""
        separator = self.list_separators[column]
        lists = cells.cast(pa.list_(pa.string()))
        items = lists.flatten()
        ambiguous = items.filter(pc.match_substring(items, separator))
        if len(ambiguous):
            fault = separator_fault(ambiguous[0].as_py(), separator)
            raise DataError(f"{self.name}: column {column!r}: {fault}")
        return pc.binary_join(lists, text_column([separator])[0])


def open_parquet(path: Path, name: str) -> ParquetReader:
    """Open a Parquet table.

    Raises:
        DataError: It is not Parquet, or two columns have the same name.
    """
    from pyarrow import parquet

    try:
        columns = tuple(parquet.read_schema(path).names)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{name}: not a Parquet file: {one_line(error)}") from error
    for column in columns:
        if columns.count(column) > 1:
            raise DataError(f"{name}: two columns are named {column!r}; rename one")
    return ParquetReader(path, name, columns)
