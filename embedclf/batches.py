"""Batches of rows, as readers give them and others pass them on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa

BLOCK_BYTES = 1 << 21
"""Bytes that are read at once, and about the bytes of a batch."""
BATCH_ROWS = 1 << 13
"""Most rows of a batch."""

Rows = TypeVar("Rows", pa.Array, pa.RecordBatch)
Part = tuple[pa.RecordBatch, float]
"""Columns of text, and the share of their file that has been read by then, between 0 and 1."""


@dataclass(frozen=True)
class Batch:
    """Rows to score."""

    texts: pa.Array
    """(n,) strings."""
    rows: pa.RecordBatch
    """(n,) what is kept of them, column by column."""
    records: pa.Array | None = None
    """(n,) JSON records as they stand, in place of columns."""
    share: float | None = None
    """How much of the source has been read by then, between 0 and 1, where that is known."""
    pause: bool = False
    """Whether nothing more can be read at the moment."""


def in_pieces(rows: Rows) -> list[Rows]:
    """Cut rows into pieces of about `BLOCK_BYTES` and `BATCH_ROWS` at the most; none of no rows."""
    most = min(BATCH_ROWS, max(1, len(rows) * BLOCK_BYTES // max(1, rows.nbytes)))
    return [rows.slice(start, most) for start in range(0, len(rows), most)]


NOTHING = pa.RecordBatch.from_arrays([], [])
"""No columns."""
