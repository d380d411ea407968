"""Parquet tables: rows read as text, or in their own types."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from embedclf.columns import empty_batch, text_column
from embedclf.errors import DataError
from embedclf.textfiles import BATCH_ROWS, BLOCK_BYTES, Part, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Parquet:
    """A Parquet table and its columns in order."""

    path: Path
    name: str
    columns: tuple[str, ...]

    def parts(self, wanted: Sequence[str], *, typed: Sequence[str] = ()) -> Iterator[Part]:
        """Read some columns as text, and behind them some in their own types.

        Raises:
            DataError: The file cannot be read, or a column cannot be text.
        """
        from pyarrow import parquet

        columns = list(dict.fromkeys([*wanted, *typed]))
        read = 0
        try:
            with parquet.ParquetFile(self.path) as file:
                total = max(1, file.metadata.num_rows)
                none = empty_batch(pa.schema([file.schema_arrow.field(name) for name in columns]))
                for rows in itertools.chain([none], file.iter_batches(BATCH_ROWS, columns=columns)):
                    arrays = [_as_text(rows.column(column)) for column in wanted]
                    arrays += [rows.column(column) for column in typed]
                    batch = pa.RecordBatch.from_arrays(arrays, [*wanted, *typed])
                    read += len(rows)
                    yield from ((piece, read / total) for piece in _pieces(batch))
        except pa.ArrowNotImplementedError as error:
            raise DataError(f"{self.name}: a column is not text: {one_line(error)}") from error
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"{self.name}: unreadable Parquet: {one_line(error)}") from error


def open_parquet(path: Path, name: str) -> Parquet:
    """The table; raises DataError where it is not Parquet."""
    from pyarrow import parquet

    try:
        return Parquet(path, name, tuple(parquet.read_schema(path).names))
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{name}: not Parquet: {one_line(error)}") from error


def _as_text(column: pa.Array) -> pa.Array:
    """Cells as text; null is the empty one."""
    return pc.coalesce(column.cast(pa.string()), text_column([""])[0])


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """A batch in pieces of about `BLOCK_BYTES`."""
    rows = max(1, len(batch) * BLOCK_BYTES // max(1, batch.nbytes))
    yield from (batch.slice(start, rows) for start in range(0, max(1, len(batch)), rows))
