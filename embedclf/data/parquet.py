"""Parquet."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from embedclf.errors import DataError
from embedclf.system.arrow import (
    BATCH_ROWS,
    Batch,
    Part,
    empty_batch,
    in_pieces,
    join_columns,
    text_column,
)
from embedclf.system.text_files import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from embedclf.system.formats import Kind


@dataclass(frozen=True)
class Parquet:
    """A Parquet table and its columns in order."""

    path: Path
    name: str
    columns: tuple[str, ...]
    kind: ClassVar[Kind] = "parquet"

    def parts(self, wanted: Sequence[str]) -> Iterator[Part]:
        """Read some columns as text.

        Raises:
            DataError: The file cannot be read, or a column cannot be text.
        """
        for rows, share in self._rows(wanted):
            columns = [self._as_text(rows, column) for column in wanted]
            yield pa.RecordBatch.from_arrays(columns, [*wanted]), share

    def batches(
        self, text: Sequence[str], *, target: Kind, reserved: Sequence[str]
    ) -> Iterator[Batch]:
        """Read all columns in their types, or as text for CSV, and the texts; raises as `parts`."""
        del reserved  # names stand for all rows
        for rows, share in self._rows(self.columns):
            kept = rows
            if target == "delimited":
                columns = [self._as_cells(rows, column) for column in self.columns]
                kept = pa.RecordBatch.from_arrays(columns, self.columns)
            texts = join_columns([self._as_text(rows, column) for column in text])
            yield Batch(texts, kept, share=share)

    def numbers(self, rows: Sequence[int]) -> list[int]:
        """The numbers of rows, from 1."""
        return [row + 1 for row in rows]

    def broken(self, wanted: Sequence[str]) -> Iterator[tuple[int, str]]:
        """None: rows of Parquet are read all or not at all."""
        del wanted
        return iter(())

    def _rows(self, columns: Sequence[str]) -> Iterator[Part]:
        """Columns in their types; the first batch is empty and tells these where no other comes."""
        from pyarrow import parquet

        read = 0
        try:
            with parquet.ParquetFile(self.path) as file:
                total = max(1, file.metadata.num_rows)
                fields = [file.schema_arrow.field(column) for column in columns]
                none = empty_batch(pa.schema(fields, file.schema_arrow.metadata))
                for rows in itertools.chain([none], file.iter_batches(BATCH_ROWS, columns=columns)):
                    rows.validate(full=True)
                    read += len(rows)
                    yield from ((piece, read / total) for piece in in_pieces(rows) or [rows])
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"{self.name}: unreadable Parquet: {one_line(error)}") from error

    def _as_cells(self, rows: pa.RecordBatch, column: str) -> pa.Array:
        """Cells as text; lists and the like are JSON."""
        if not pa.types.is_nested(rows.column(column).type):
            return self._as_text(rows, column)
        cells = rows.column(column).to_pylist()
        return text_column([json.dumps(cell, ensure_ascii=False, default=str) for cell in cells])

    def _as_text(self, rows: pa.RecordBatch, column: str) -> pa.Array:
        """Cells as text; null is the empty one."""
        try:
            cells = rows.column(column).cast(pa.string())
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
            raise DataError(
                f"{self.name}: column {column!r} cannot be text: {one_line(error)}"
            ) from error
        return pc.coalesce(cells, text_column([""])[0])


def open_parquet(path: Path, name: str) -> Parquet:
    """The table.

    Raises:
        DataError: It is not Parquet, or two columns have one name.
    """
    from pyarrow import parquet

    try:
        columns = tuple(parquet.read_schema(path).names)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{name}: not Parquet: {one_line(error)}") from error
    for column in columns:
        if columns.count(column) > 1:
            raise DataError(f"{name}: two columns are named {column!r}; rename one")
    return Parquet(path, name, columns)
