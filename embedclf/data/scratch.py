"""Memory-mapped temporary files of tokens, ids, texts.

The system may drop their pages and read them again, so that they are no burden on memory. A
`tempfile.TemporaryFile` has no name, so that nothing of it is left whatever happens; it may be
closed when it is mapped.
"""

from __future__ import annotations

import mmap
from typing import IO, TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from embedclf.system.arrow import number_column, numbers_of, text_column
from embedclf.text.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from embedclf.text.tokenizer import Encoding, TokenIds, Tokenizer

_TOKENS = pa.schema(
    [
        ("dictionary", pa.list_(pa.string())),
        ("codes", pa.list_(pa.int32())),
        ("ends", pa.list_(pa.int64())),
    ]
)


class TokensFile:
    """Texts cut into tokens, part by part, while the vocabulary is not known yet."""

    def __init__(self, file: IO[bytes]) -> None:
        """Begin with an empty file."""
        self._file = file
        self._stream = pa.ipc.new_stream(file, _TOKENS)
        self.count = 0
        """Tokens of all texts."""

    def append(self, tokens: Tokens) -> None:
        """Write the next part."""
        self.count += len(tokens.codes)
        columns = (tokens.dictionary, number_column(tokens.codes), number_column(tokens.ends))
        lists = [_one_list(column) for column in columns]
        self._stream.write_batch(pa.RecordBatch.from_arrays(lists, schema=_TOKENS))

    def parts(self) -> Iterator[Tokens]:
        """Read all parts, in order; none can be written any more."""
        self._stream.close()
        self._file.flush()
        mapped = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        for part in pa.ipc.open_stream(pa.py_buffer(mapped)):
            dictionary, codes, ends = (column.flatten() for column in part.columns)
            yield Tokens(dictionary, numbers_of(codes), numbers_of(ends))


class TextsFile:
    """Texts as they stand, to be read in any order."""

    def __init__(self, file: IO[bytes]) -> None:
        """Begin with an empty file."""
        self._file = file
        self._edges = [np.zeros(1, np.int64)]

    def append(self, texts: pa.Array) -> None:
        """Write the next texts."""
        ends = np.cumsum(numbers_of(pc.binary_length(texts)), dtype=np.int64)
        if len(texts):
            self._edges.append(self._edges[-1][-1] + ends)
        self._file.write("".join(texts.to_pylist()).encode())

    def reader(self) -> Callable[[npt.NDArray[np.int64]], pa.StringArray]:
        """What gives texts by their numbers; none can be written any more."""
        self._file.flush()
        edges = np.concatenate(self._edges)
        mapped = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) if edges[-1] else b""

        def take(numbers: npt.NDArray[np.int64]) -> pa.StringArray:
            pairs = zip(edges[numbers].tolist(), edges[numbers + 1].tolist(), strict=True)
            return text_column([mapped[start:end].decode() for start, end in pairs])

        return take


class IdsFile:
    """Token ids of many texts, and what was lost when the texts became ids."""

    def __init__(self, file: IO[bytes], tokenizer: Tokenizer) -> None:
        """Begin with an empty file.

        Args:
            file: The file.
            tokenizer: What the ids are of; up to 65,536 different ones take two bytes each.
        """
        self._file = file
        self._kind = np.dtype(np.uint16 if tokenizer.rows <= 1 << 16 else np.int32)
        self._tokenizer = tokenizer
        self._texts = 0
        self.tokens = 0
        self.unknown = 0
        """Tokens that are not in the vocabulary."""
        self.truncated = 0
        """Texts that have more tokens than ids."""

    def append(self, encoding: Encoding) -> None:
        """Write the next texts."""
        self._file.write(encoding.ids.astype(self._kind).data)
        self._texts += len(encoding.ids)
        self.tokens += int(encoding.lengths.sum(dtype=np.int64))
        self.unknown += int(encoding.unknown.sum(dtype=np.int64))
        self.truncated += int(np.count_nonzero(encoding.lengths > self._tokenizer.sequence_length))

    def mapped(self) -> TokenIds:
        """All ids (texts, slots), read from the file when they are used."""
        self._file.flush()
        shape = (self._texts, self._tokenizer.slots)
        if not self._texts:
            return np.zeros(shape, self._kind)
        return np.memmap(self._file, self._kind, "r", shape=shape)


def _one_list(column: pa.Array) -> pa.ListArray:
    edges: npt.NDArray[np.int32] = np.array([0, len(column)], np.int32)
    return pa.ListArray.from_arrays(number_column(edges), column)
