"""Arrow columns and batches out of Python and NumPy, and back.

`pyarrow.array`, `pyarrow.scalar` and `to_numpy` import pandas wherever it is installed, to see
whether they are given some of its own: 0.3 s before a first sentence is scored. What is made from
buffers, or handed over by DLPack, does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_BYTES = 2**31 - 1


def text_column(texts: Sequence[str | None]) -> pa.StringArray:
    """Make a column of texts; None counts as an empty one.

    Raises:
        TypeError: Something is no text.
        UnicodeEncodeError: Half of a surrogate pair is in a text.
        OverflowError: They are more than 2 GiB.
    """
    try:
        encoded = [b"" if text is None else str.encode(text) for text in texts]
    except TypeError as error:
        wrong = next(text for text in texts if not isinstance(text, str | None))
        raise TypeError(f"a text must be a str or None, not {type(wrong).__name__}") from error
    offsets = np.fromiter(accumulate(map(len, encoded), initial=0), np.int64, len(encoded) + 1)
    return _from_bytes(offsets, b"".join(encoded))


def join_columns(
    columns: Sequence[pa.ChunkedArray | pa.Array],
) -> pa.ChunkedArray | pa.Array:
    """Join the columns of a text by a blank; no columns are no texts."""
    if not columns:
        return text_column([])
    if len(columns) == 1:
        return columns[0]
    return pc.binary_join_element_wise(*columns, text_column([" "])[0])


def number_column(numbers: npt.NDArray[np.integer | np.floating]) -> pa.Array:
    """Make a column of numbers, without a copy."""
    kind = pa.from_numpy_dtype(numbers.dtype)
    return pa.Array.from_buffers(kind, len(numbers), [None, pa.py_buffer(numbers)])


def mask_column(mask: npt.NDArray[np.bool_]) -> pa.BooleanArray:
    """Make a column of true and false, to filter by."""
    return number_column(mask.view(np.uint8)).cast(pa.bool_())


def empty_batch(schema: pa.Schema) -> pa.RecordBatch:
    """Columns of a schema without rows."""
    return pa.RecordBatch.from_arrays([pa.nulls(0, kind) for kind in schema.types], schema=schema)


def numbers_of(column: pa.Array) -> npt.NDArray[Any]:
    """The numbers of a column without nulls, without a copy; booleans become 0 and 1."""
    return np.from_dlpack(column.cast(pa.uint8()) if column.type == pa.bool_() else column)


def decimal_column(numbers: npt.NDArray[np.floating], places: int) -> pa.StringArray:
    """Write numbers from 0 to 1 with a fixed number of decimals, correctly rounded: `0.250000`."""
    units = np.rint(numbers.astype(np.float64) * 10**places).astype(np.int64)  # (n,)
    powers = 10 ** np.arange(places, -1, -1)
    digits = units[:, None] // powers % 10 + ord("0")  # (n, places + 1)
    written = np.insert(digits, 1, ord("."), axis=1).astype(np.uint8)
    offsets = np.arange(len(units) + 1) * written.shape[1]
    return _from_bytes(offsets, written)


def _from_bytes(
    offsets: npt.NDArray[np.int64], content: bytes | npt.NDArray[np.uint8]
) -> pa.StringArray:
    if offsets[-1] > _MOST_BYTES:
        raise OverflowError("more than 2 GiB of text in one column; pass it in parts")
    return pa.StringArray.from_buffers(
        len(offsets) - 1, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(content)
    )


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
