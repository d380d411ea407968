"""Arrow columns and batches from Python and NumPy, and back.

`pyarrow.array`, `pyarrow.scalar` and `to_numpy` import pandas if it is installed, to check whether
their argument comes from it. That takes 0.3 s before the first text is scored. Arrays built from
buffers, or exchanged by DLPack, avoid the import.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from embedclf.system.arrays import Int32s, Mask, Offsets
    from embedclf.system.fields import TextColumns


class _Compute:
    """The functions of `pyarrow.compute`, imported at their first use.

    The import takes as long as 100 predictions of a text, which need no function of Arrow if it is
    ASCII.
    """

    def __getattr__(self, name: str) -> Any:
        from pyarrow import compute  # noqa: TID251

        function = getattr(compute, name)
        setattr(self, name, function)
        return function


pc = _Compute()

BLOCK_BYTES = 1 << 21
"""Bytes to read at once, and the approximate size of a batch."""

BATCH_ROWS = 1 << 13
"""Maximum rows of a batch."""

NO_COLUMNS = pa.RecordBatch.from_arrays([], [])

ReadBatch = tuple[pa.RecordBatch, float]
"""Text columns, and the fraction of their file read so far, from 0 to 1."""

RowsT = TypeVar("RowsT", pa.Array, pa.RecordBatch)

_MAX_BYTES = 2**31 - 1  # offsets of an Arrow string array are int32

_STRING_TYPES = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_null,  # a column of None only
)


@dataclass(frozen=True)
class Batch:
    """Rows to score."""

    texts: pa.Array
    """(n,) strings."""
    rows: pa.RecordBatch
    """(n,) the columns to keep in the output."""
    records: pa.Array | None = None
    """(n,) the original JSON records, instead of columns."""
    fraction_read: float | None = None
    """Fraction of the source read so far, from 0 to 1; None if unknown."""
    flush: bool = False
    """Whether results must not wait for the next batch, because the source has no more rows yet."""


def text_column(texts: Sequence[str | None], *, max_bytes: int = _MAX_BYTES) -> pa.StringArray:
    """Make a column of texts; None becomes an empty text.

    Raises:
        TypeError: A value is neither a string nor None.
        UnicodeEncodeError: A text contains a lone surrogate.
        OverflowError: The texts exceed `max_bytes`, 2 GiB by default.
    """
    try:
        # Unbound str.encode raises TypeError for anything that is not a string.
        encoded = [b"" if text is None else str.encode(text) for text in texts]
    except TypeError as error:
        wrong = next(text for text in texts if not isinstance(text, str | None))
        raise TypeError(f"a text must be a str or None, not {type(wrong).__name__}") from error
    # int64: texts of more than 2 GiB are refused instead of overflowing.
    offsets = np.fromiter(accumulate(map(len, encoded), initial=0), np.int64, len(encoded) + 1)
    return _string_array(offsets, b"".join(encoded), max_bytes)


def string_column(
    texts: pa.ChunkedArray | pa.Array | Iterable[str | None],
) -> pa.ChunkedArray | pa.Array:
    """Make a column of texts from what a user passes: a list, a column of Arrow or pandas.

    Raises:
        TypeError: `texts` is a single string, or holds something other than strings and None.
    """
    # These are iterable as well: a string would become a text per character.
    if isinstance(texts, str | bytes | dict) or getattr(texts, "ndim", 1) != 1:
        raise TypeError(f"texts must be one column of strings, not a {type(texts).__name__}")
    # Not by pa.array, which imports pandas.
    if isinstance(texts, list | tuple):
        starts = range(0, len(texts), BATCH_ROWS)
        batches = [text_column(texts[start : start + BATCH_ROWS]) for start in starts]
        return pa.chunked_array(batches, pa.string())
    if not isinstance(texts, pa.ChunkedArray | pa.Array):
        try:
            # from_pandas turns NaN, a missing cell in pandas, into null.
            texts = pa.array(texts, from_pandas=True)
        except pa.ArrowException as error:
            raise TypeError("texts must be strings or None") from error
    # Categorical columns of pandas are dictionaries in Arrow.
    kind = texts.type.value_type if pa.types.is_dictionary(texts.type) else texts.type
    if not any(is_type(kind) for is_type in _STRING_TYPES):
        raise TypeError(f"texts must be strings, not {kind}")
    return texts if texts.type == pa.string() else texts.cast(pa.string())


def join_columns(
    columns: Sequence[pa.ChunkedArray | pa.Array],
) -> pa.ChunkedArray | pa.Array:
    """Join the columns of a text by a space; without columns the result is empty."""
    if not columns:
        return text_column([])
    if len(columns) == 1:
        return columns[0]
    return pc.binary_join_element_wise(*columns, text_column([" "])[0])  # separator last


def with_texts(batches: Iterable[ReadBatch], columns: TextColumns) -> Iterator[Batch]:
    """Join some columns of each batch to the texts to score; all columns are kept."""
    for rows, fraction_read in batches:
        texts = columns.join([rows.column(column) for column in columns.names])
        yield Batch(texts, rows, fraction_read=fraction_read)


def repeat_cell(cell: str, count: int) -> pa.Array:
    """Make a column (count,) of equal texts."""
    indices = number_column(np.zeros(count, np.int32))
    return pa.DictionaryArray.from_arrays(indices, text_column([cell])).dictionary_decode()


def number_column(numbers: npt.NDArray[np.integer | np.floating]) -> pa.Array:
    """Make a column of numbers without copying them."""
    arrow_type = pa.from_numpy_dtype(numbers.dtype)
    return pa.Array.from_buffers(arrow_type, len(numbers), [None, pa.py_buffer(numbers)])


def mask_column(mask: Mask) -> pa.BooleanArray:
    """Make a Boolean column to filter by."""
    # NumPy's Booleans are bytes, Arrow's are bits; casting packs them into a copy.
    return number_column(mask.view(np.uint8)).cast(pa.bool_())


def empty_batch(schema: pa.Schema) -> pa.RecordBatch:
    """Make a batch that has the columns of a schema and no rows."""
    columns = [pa.nulls(0, column_type) for column_type in schema.types]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def to_numpy(column: pa.Array) -> npt.NDArray[Any]:
    """Return the numbers of a column without nulls, not copied; Booleans become 0 and 1."""
    # DLPack does not support Booleans packed into bits.
    return np.from_dlpack(column.cast(pa.uint8()) if column.type == pa.bool_() else column)


def write_columns(columns: Mapping[str, pa.Array], level: int | None = None) -> bytes:
    """Return the content of an Arrow file with columns (n,), compressed without loss.

    Args:
        columns: By name.
        level: Of Zstandard, up to 22; None is fast.
    """
    batch = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", compression_level=level))
    with pa.ipc.new_file(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def index_in(values: pa.Array, value_set: pa.Array, *, default: int) -> Int32s:
    """Return the index of each value (n,) in `value_set`, or a default if it is missing."""
    missing = number_column(np.array([default], np.int32))[0]
    # index_in returns null for a missing value, and DLPack takes no nulls.
    indices: Int32s = to_numpy(pc.coalesce(pc.index_in(values, value_set=value_set), missing))
    return indices


def format_decimals(numbers: npt.NDArray[np.floating], places: int) -> pa.StringArray:
    """Format numbers from 0 to 1 with a fixed number of decimals, rounded: `0.250000`."""
    # In float64, since scaling in float32 would round a second time.
    units = np.rint(numbers.astype(np.float64) * 10**places).astype(np.int64)  # (n,)
    powers = 10 ** np.arange(places, -1, -1)
    digits = units[:, None] // powers % 10 + ord("0")  # (n, places + 1)
    characters = np.insert(digits, 1, ord("."), axis=1).astype(np.uint8)  # (n, places + 2)
    offsets = np.arange(len(units) + 1) * characters.shape[1]
    return _string_array(offsets, characters)


def find_repeated(names: Iterable[str]) -> list[str]:
    """Return the names that several columns have, in order."""
    return [name for name, count in Counter(names).items() if count > 1]


def find_positions(names: Sequence[str]) -> dict[str, int]:
    """Return the position of each column, the first one of a name that several have."""
    return {name: index for index, name in reversed([*enumerate(names)])}


def split_batches(rows: RowsT) -> list[RowsT]:
    """Split rows into batches of about `BLOCK_BYTES` and at most `BATCH_ROWS` rows."""
    batch_rows = min(BATCH_ROWS, max(1, len(rows) * BLOCK_BYTES // max(1, rows.nbytes)))
    return [rows.slice(start, batch_rows) for start in range(0, len(rows), batch_rows)]


def _string_array(
    offsets: Offsets, content: bytes | npt.NDArray[np.uint8], max_bytes: int = _MAX_BYTES
) -> pa.StringArray:
    if offsets[-1] > max_bytes:
        raise OverflowError("more than 2 GiB of text in one column; pass it in several calls")
    return pa.StringArray.from_buffers(
        len(offsets) - 1, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(content)
    )
