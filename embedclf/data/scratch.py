"""Memory-mapped temporary files of tokens, token ids and texts.

The operating system can drop and reload the pages of mapped files, so they do not fill the memory.
A `tempfile.TemporaryFile` has no name, so nothing remains even after a crash. It can be closed once
it is mapped.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from embedclf.system.arrow import number_column, to_numpy
from embedclf.system.memory.mapped_arrays import ArrayFile
from embedclf.system.memory.release import release_pages
from embedclf.text.encodings import TokenIds
from embedclf.text.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.system.arrays import Counts, Doubles, Mask, Rows
    from embedclf.text.encodings import Encoding
    from embedclf.text.tokenizer import Tokenizer

NewFile = Callable[[], IO[bytes]]
"""Creates a temporary file."""

_ROWS_AT_ONCE = 1 << 14
"""Rows of ids to count at a time."""

_TOKENS_SCHEMA = pa.schema(
    [
        ("dictionary", pa.list_(pa.string())),
        ("codes", pa.list_(pa.int32())),
        ("ends", pa.list_(pa.int64())),
    ]
)


class TokensFile:
    """Tokenized texts in chunks, stored until the vocabulary is known."""

    def __init__(self, file: IO[bytes]) -> None:
        """Start in an empty file."""
        self._file = file
        self._stream = pa.ipc.new_stream(file, _TOKENS_SCHEMA)
        self._mapped: mmap.mmap | None = None
        self.count = 0
        """Number of tokens of all texts."""

    def append(self, tokens: Tokens) -> None:
        """Write the next chunk."""
        self.count += len(tokens.codes)
        columns = (tokens.dictionary, number_column(tokens.codes), number_column(tokens.ends))
        lists = [_single_list(column) for column in columns]
        self._stream.write_batch(pa.RecordBatch.from_arrays(lists, schema=_TOKENS_SCHEMA))

    def close(self) -> None:
        """End writing; the file can be closed."""
        self._map()

    def chunks(self) -> Iterator[Tokens]:
        """Read all chunks in order; then no more can be written, and the file can be closed."""
        mapped = self._map()
        reader = pa.BufferReader(pa.py_buffer(mapped))
        for batch in pa.ipc.open_stream(reader):
            dictionary, codes, ends = (column.flatten() for column in batch.columns)
            yield Tokens(dictionary, to_numpy(codes), to_numpy(ends))
            release_pages(mapped, reader.tell())

    def _map(self) -> mmap.mmap:
        if self._mapped is None:
            self._stream.close()
            self._file.flush()
            # Never empty, which mmap would refuse, because the schema is written first.
            self._mapped = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._mapped


class TextsFile:
    """Original texts, which can be read in any order."""

    def __init__(self, file: IO[bytes]) -> None:
        """Start in an empty file."""
        self._file = file
        self._edges = ArrayFile(np.int64)
        self._edges.append(np.zeros(1, np.int64))
        self._size = 0  # in bytes

    def append(self, texts: pa.StringArray) -> None:
        """Write the next texts, without nulls."""
        _, offsets, content = texts.buffers()
        # A sliced array shares the buffers of its parent and begins at its offset.
        edges = np.frombuffer(offsets or b"", np.int32)[texts.offset :][: len(texts) + 1]
        if not len(texts):
            return
        self._file.write(memoryview(content or b"")[edges[0] : edges[-1]])
        self._edges.append(edges[1:].astype(np.int64) - edges[0] + self._size)
        self._size += int(edges[-1] - edges[0])

    def reader(self) -> Callable[[Rows], pa.StringArray]:
        """Return a function from positions to texts; after that, no more can be written."""
        self._file.flush()
        edges = self._edges.map()
        # An empty file cannot be mapped.
        content = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) if self._size else b""
        texts = pa.LargeStringArray.from_buffers(
            len(edges) - 1, pa.py_buffer(edges), pa.py_buffer(content)
        )

        def read(rows: Rows) -> pa.StringArray:
            return texts.take(number_column(rows)).cast(pa.string())

        return read


class IdsFile:
    """Token ids of many texts, with counts of truncated texts and out-of-vocabulary tokens."""

    def __init__(self, new_file: NewFile, tokenizer: Tokenizer) -> None:
        """Start in two empty files: one for the ids, one for where they end.

        Args:
            new_file: Creates a file.
            tokenizer: Its ids take two bytes each, if it has at most 65,536 different ones.
        """
        self._values, self._ends = new_file(), new_file()
        self._dtype = np.dtype(np.uint16 if tokenizer.vocabulary_rows <= 1 << 16 else np.int32)
        self._tokenizer = tokenizer
        self._count = 0
        self.tokens = 0
        """Tokens of all texts, before truncation."""
        self.unknown = 0
        """Tokens that are not in the vocabulary."""
        self.truncated = 0
        """Texts with more tokens than `sequence_length`."""

    def append(self, encoding: Encoding) -> None:
        """Write the next texts."""
        ids = encoding.ids
        self._values.write(ids.values.astype(self._dtype).data)
        self._ends.write((ids.ends + self._count).data)
        self._count += len(ids.values)
        self.tokens += int(encoding.lengths.sum(dtype=np.int64))
        self.unknown += int(encoding.unknown.sum(dtype=np.int64))
        self.truncated += int(np.count_nonzero(encoding.lengths > self._tokenizer.sequence_length))

    def memory_map(self) -> TokenIds:
        """Map all ids into memory; they are read when used."""
        return TokenIds(_map(self._values, self._dtype), _map(self._ends, np.dtype(np.int64)))


def count_ids(ids: TokenIds, vocabulary_rows: int, mask: Mask | None = None) -> Counts:
    """Count how often each id occurs.

    Args:
        ids: Of texts (n,), memory-mapped.
        vocabulary_rows: Rows of the embedding.
        mask: (n,) True for the texts to count; None counts all.

    Returns:
        (vocabulary_rows,).
    """
    counts = np.zeros(vocabulary_rows, np.int64)
    for _, block in _id_blocks(ids, mask):
        counts += np.bincount(block.values, minlength=vocabulary_rows)
    return counts


def weigh_ids(
    ids: TokenIds, vocabulary_rows: int, weights: Doubles, mask: Mask | None = None
) -> Doubles:
    """Sum the weights (n,) of the texts that each id occurs in; arguments as in `count_ids`."""
    totals = np.zeros(vocabulary_rows)
    for rows, block in _id_blocks(ids, mask):
        of_ids = np.repeat(weights[rows], block.lengths)
        totals += np.bincount(block.values, of_ids, vocabulary_rows)
    return totals


def _id_blocks(ids: TokenIds, mask: Mask | None) -> Iterator[tuple[slice | Rows, TokenIds]]:
    """Yield rows under a mask with their ids, block by block."""
    chosen = None if mask is None else np.flatnonzero(mask)
    count = len(ids) if chosen is None else len(chosen)
    # In blocks, because indexing by rows copies mapped data into memory
    for start in range(0, count, _ROWS_AT_ONCE):
        block = slice(start, start + _ROWS_AT_ONCE)
        rows = block if chosen is None else chosen[block]
        yield rows, ids[rows]


def _map(file: IO[bytes], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Map the numbers of a file into memory; taking parts of a `np.memmap` would be slower."""
    file.flush()
    if not file.tell():  # an empty file cannot be mapped
        return np.zeros(0, dtype)
    return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), dtype)


def _single_list(column: pa.Array) -> pa.ListArray:
    """Wrap a column as one list, so columns of different lengths fit into one batch."""
    edges: npt.NDArray[np.int32] = np.array([0, len(column)], np.int32)
    return pa.ListArray.from_arrays(number_column(edges), column)
