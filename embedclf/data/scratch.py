"""Memory-mapped temporary files of tokens, token ids and texts.

The operating system can drop and reload the pages of mapped files, so they do not fill the memory.
A `tempfile.TemporaryFile` has no name, so nothing remains even after a crash. It can be closed once
it is mapped.
"""

from __future__ import annotations

import mmap
from typing import IO, TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from embedclf.system.arrow import number_column, text_column, to_numpy
from embedclf.text.tokens import Tokens
from embedclf.text.vocabulary import PADDING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from embedclf.system.arrays import Counts, Doubles, Mask, Rows
    from embedclf.text.encodings import Encoding, TokenIds
    from embedclf.text.tokenizer import Tokenizer

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
        self.count = 0
        """Number of tokens of all texts."""

    def append(self, tokens: Tokens) -> None:
        """Write the next chunk."""
        self.count += len(tokens.codes)
        columns = (tokens.dictionary, number_column(tokens.codes), number_column(tokens.ends))
        lists = [_single_list(column) for column in columns]
        self._stream.write_batch(pa.RecordBatch.from_arrays(lists, schema=_TOKENS_SCHEMA))

    def chunks(self) -> Iterator[Tokens]:
        """Read all chunks in order; after that, no more can be written."""
        self._stream.close()
        self._file.flush()
        # Never empty, which mmap would refuse, because the schema is written first.
        mapped = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        for batch in pa.ipc.open_stream(pa.py_buffer(mapped)):
            dictionary, codes, ends = (column.flatten() for column in batch.columns)
            yield Tokens(dictionary, to_numpy(codes), to_numpy(ends))


class TextsFile:
    """Original texts, which can be read in any order."""

    def __init__(self, file: IO[bytes]) -> None:
        """Start in an empty file."""
        self._file = file
        self._edges = [np.zeros(1, np.int64)]

    def append(self, texts: pa.Array) -> None:
        """Write the next texts."""
        ends = np.cumsum(to_numpy(pc.binary_length(texts)), dtype=np.int64)  # (n,) in bytes
        # An empty array has no last edge from which the next texts could continue.
        if len(texts):
            self._edges.append(self._edges[-1][-1] + ends)
        self._file.write("".join(texts.to_pylist()).encode())

    def reader(self) -> Callable[[Rows], pa.StringArray]:
        """Return a function from positions to texts; after that, no more can be written."""
        self._file.flush()
        edges = np.concatenate(self._edges)
        # An empty file cannot be mapped.
        mapped = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) if edges[-1] else b""

        def read(rows: Rows) -> pa.StringArray:
            pairs = zip(edges[rows].tolist(), edges[rows + 1].tolist(), strict=True)
            return text_column([mapped[start:end].decode() for start, end in pairs])

        return read


class IdsFile:
    """Token ids of many texts, with counts of truncated texts and out-of-vocabulary tokens."""

    def __init__(self, file: IO[bytes], tokenizer: Tokenizer) -> None:
        """Start in an empty file.

        Args:
            file: The file.
            tokenizer: Its ids take two bytes each, if it has at most 65,536 different ones.
        """
        self._file = file
        self._dtype = np.dtype(np.uint16 if tokenizer.vocabulary_rows <= 1 << 16 else np.int32)
        self._tokenizer = tokenizer
        self._texts = 0
        self.tokens = 0
        """Tokens of all texts, before truncation."""
        self.unknown = 0
        """Tokens that are not in the vocabulary."""
        self.truncated = 0
        """Texts with more tokens than `sequence_length`."""

    def append(self, encoding: Encoding) -> None:
        """Write the next texts."""
        self._file.write(encoding.ids.astype(self._dtype).data)
        self._texts += len(encoding.ids)
        self.tokens += int(encoding.lengths.sum(dtype=np.int64))
        self.unknown += int(encoding.unknown.sum(dtype=np.int64))
        self.truncated += int(np.count_nonzero(encoding.lengths > self._tokenizer.sequence_length))

    def memory_map(self) -> TokenIds:
        """Map all ids (texts, input_length) into memory; they are read when used."""
        self._file.flush()
        shape = (self._texts, self._tokenizer.input_length)
        if not self._texts:  # an empty file cannot be mapped
            return np.zeros(shape, self._dtype)
        return np.memmap(self._file, self._dtype, "r", shape=shape)


def count_ids(ids: TokenIds, vocabulary_rows: int, mask: Mask | None = None) -> Counts:
    """Count how often each id occurs; padding counts as 0.

    Args:
        ids: (n, input_length), memory-mapped.
        vocabulary_rows: Rows of the embedding.
        mask: (n,) True for the texts to count; None counts all.

    Returns:
        (vocabulary_rows,).
    """
    counts = np.zeros(vocabulary_rows, np.int64)
    for _, block in _id_blocks(ids, mask):
        counts += np.bincount(block.reshape(-1), minlength=vocabulary_rows)
    counts[PADDING] = 0
    return counts


def weigh_ids(
    ids: TokenIds, vocabulary_rows: int, weights: Doubles, mask: Mask | None = None
) -> Doubles:
    """Sum the weights (n,) of the texts that each id occurs in; arguments as in `count_ids`."""
    totals = np.zeros(vocabulary_rows)
    for rows, block in _id_blocks(ids, mask):
        of_ids = np.repeat(weights[rows], block.shape[1])
        totals += np.bincount(block.reshape(-1), of_ids, vocabulary_rows)
    totals[PADDING] = 0
    return totals


def _id_blocks(ids: TokenIds, mask: Mask | None) -> Iterator[tuple[Rows, TokenIds]]:
    """Yield rows under a mask with their ids, block by block."""
    rows = np.arange(len(ids)) if mask is None else np.flatnonzero(mask)
    # In blocks, because indexing by rows copies mapped data into memory
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        block = rows[start : start + _ROWS_AT_ONCE]
        yield block, ids[block]


def _single_list(column: pa.Array) -> pa.ListArray:
    """Wrap a column as one list, so columns of different lengths fit into one batch."""
    edges: npt.NDArray[np.int32] = np.array([0, len(column)], np.int32)
    return pa.ListArray.from_arrays(number_column(edges), column)
