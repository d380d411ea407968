"""Memory-mapped temporary files of tokens, token ids and texts."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from embedclf.system.arrow import number_column, to_numpy
from embedclf.system.memory.mapped_arrays import ArrayFile, NewFile
from embedclf.system.memory.mapping import map_file, release_pages
from embedclf.text.encodings import TokenIds
from embedclf.text.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from embedclf.system.arrays import Counts, Doubles, Mask, Rows
    from embedclf.text.encodings import Encoding
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
        self._mapped: pa.Buffer | None = None
        self.count = 0
        """Number of tokens of all texts."""

    @classmethod
    def open(cls, path: Path) -> TokensFile:
        """Open a file that another process has written and closed; its tokens are not counted."""
        stored = cls.__new__(cls)
        with path.open("rb") as file:
            stored._mapped = map_file(file)
        return stored

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
        reader = pa.BufferReader(mapped)
        for batch in pa.ipc.open_stream(reader):
            dictionary, codes, ends = (column.flatten() for column in batch.columns)
            yield Tokens(dictionary, to_numpy(codes), to_numpy(ends))
            release_pages(mapped, reader.tell())

    def _map(self) -> pa.Buffer:
        if self._mapped is None:
            self._stream.close()
            self._mapped = map_file(self._file)
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
        edges, content = self._edges.map(), map_file(self._file)
        texts = pa.LargeStringArray.from_buffers(len(edges) - 1, pa.py_buffer(edges), content)

        def read(rows: Rows) -> pa.StringArray:
            taken = texts.take(number_column(rows)).cast(pa.string())
            release_pages(content, content.size)
            return taken

        return read


class IdsFile:
    """Token ids of many texts, with counts of truncated texts and out-of-vocabulary tokens."""

    def __init__(self, new_file: NewFile, tokenizer: Tokenizer) -> None:
        """Start without texts.

        Args:
            new_file: Creates the files for the ids and for where they end, if they are many.
            tokenizer: Its ids take two bytes each, if it has at most 65,536 different ones.
        """
        dtype = np.uint16 if tokenizer.vocabulary_rows <= 1 << 16 else np.int32
        self._values, self._ends = ArrayFile(dtype, new_file), ArrayFile(np.int64, new_file)
        self._tokenizer = tokenizer
        self.tokens = 0
        """Tokens of all texts, before truncation."""
        self.unknown = 0
        """Tokens that are not in the vocabulary."""
        self.truncated = 0
        """Texts with more tokens than `sequence_length`."""

    def append(self, encoding: Encoding) -> None:
        """Write the next texts."""
        ids = encoding.ids
        self._ends.append(ids.ends + len(self._values))
        self._values.append(ids.values)
        self.tokens += int(encoding.lengths.sum(dtype=np.int64))
        self.unknown += int(encoding.unknown.sum(dtype=np.int64))
        self.truncated += int(np.count_nonzero(encoding.lengths > self._tokenizer.sequence_length))

    def memory_map(self) -> TokenIds:
        """Return all ids, mapped if they are many; after that, no more can be added."""
        return TokenIds(self._values.map(), self._ends.map())


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


def _single_list(column: pa.Array) -> pa.ListArray:
    """Wrap a column as one list, so columns of different lengths fit into one batch."""
    edges: npt.NDArray[np.int32] = np.array([0, len(column)], np.int32)
    return pa.ListArray.from_arrays(number_column(edges), column)
