"""Text → token ids: what a token is, which are known, how a text becomes a row of numbers.

The work is done by Arrow's kernels over chunks of rows. They release Python's interpreter lock, so
the chunks run on all cores.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from embedclf.batches import BATCH_ROWS, in_pieces
from embedclf.columns import number_column, numbers_of, text_column
from embedclf.words import split_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TypeVar

    from embedclf.config import TextConfig

    T = TypeVar("T")

TokenIds = npt.NDArray[np.int32]  # (n, sequence_length)
Counts = npt.NDArray[np.int32]  # (n,)

PADDING, UNKNOWN = 0, 1
RESERVED = ("", " ")
"""What stands for padding and unknown in a list of tokens; no token can be either."""

_CODE_POINTS = 0x110000
_TEXT_KINDS = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_null,
)


@dataclass(frozen=True)
class Encoding:
    """Texts as the network reads them, and what was lost on the way."""

    ids: TokenIds
    """0 pads at the end, 1 is an unknown token; texts are cut at the end."""
    lengths: Counts
    """Tokens of each text before it was cut."""
    unknown: Counts
    """Those of them that are not in the vocabulary."""


@dataclass(frozen=True)
class Tokenizer:
    """Turns texts into fixed-length rows of token ids.

    A text is put into Unicode's composed form (NFC) and lower-cased; a typographic apostrophe
    counts as a plain one. With `unit: word` tokens are runs of letters, numbers, marks and inner
    apostrophes of any script; with `unit: character` every code point that is no white space.
    Null and empty texts are rows of padding.
    """

    unit: str
    lowercase: bool
    sequence_length: int
    tokens: tuple[str, ...]
    """The vocabulary, most frequent first; the first has id 2."""

    @classmethod
    def fit(cls, texts: pa.ChunkedArray | pa.Array, config: TextConfig) -> Tokenizer:
        """Learn the vocabulary: the most frequent tokens, ties in code point order.

        Args:
            texts: (n,) strings of training rows only, in any order.
            config: Its `vocabulary_size` counts padding and unknown.
        """
        empty = cls(config.unit, config.lowercase, config.sequence_length, ())
        counted = pa.Table.from_batches(
            _map_chunks(empty._count, texts),
            schema=pa.schema([("token", pa.string()), ("count", pa.int64())]),
        )
        totals = counted.group_by("token").aggregate([("count", "sum")])
        ranked = totals.sort_by([("count_sum", "descending"), ("token", "ascending")])
        tokens = ranked["token"].slice(0, config.vocabulary_size - len(RESERVED)).to_pylist()
        return cls(config.unit, config.lowercase, config.sequence_length, tuple(tokens))

    @property
    def rows(self) -> int:
        """Rows of the embedding: padding, unknown, and a row a token."""
        return len(RESERVED) + len(self.tokens)

    def encode(self, texts: pa.ChunkedArray | pa.Array | Iterable[str | None]) -> Encoding:
        """Turn texts into ids, in order.

        Raises:
            TypeError: One string is given instead of several, or something is no string.
        """
        parts = _map_chunks(self._encode_chunk, _column_of(texts))
        if not parts:
            none = np.zeros(0, np.int32)
            return Encoding(np.zeros((0, self.sequence_length), np.int32), none, none)
        return Encoding(
            np.concatenate([part.ids for part in parts]),
            np.concatenate([part.lengths for part in parts]),
            np.concatenate([part.unknown for part in parts]),
        )

    def split(self, texts: Sequence[str]) -> list[list[str]]:
        """The tokens of each text, known or not, before it is cut."""
        column = text_column(texts)
        if self.unit == "word":
            return [words[1:-1] for words in self._words(column).to_pylist()]
        points, ends = self._characters(column)
        return [list(map(chr, part.tolist())) for part in np.split(points, ends[:-1])]

    def decode(self, ids: npt.NDArray[np.int32]) -> list[str]:
        """The tokens behind ids; padding and unknown are "" and " "."""
        listed = (*RESERVED, *self.tokens)
        return [listed[i] for i in ids.tolist()]

    def to_json(self) -> dict[str, Any]:
        """Plain values for `text.json`."""
        return {
            "unit": self.unit,
            "lowercase": self.lowercase,
            "sequence_length": self.sequence_length,
            "tokens": self.tokens,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Tokenizer:
        """The tokenizer that `to_json` wrote."""
        return cls(**{**values, "tokens": tuple(values["tokens"])})

    def _words(self, texts: pa.Array) -> pa.ListArray:
        """The words of each text between two empty strings."""
        return split_words(normalize(texts, lowercase=self.lowercase))

    def _characters(self, texts: pa.Array) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        """The code points of all texts in a row, white space left out, and where texts end."""
        normal = normalize(texts, lowercase=self.lowercase)
        points = np.frombuffer("".join(normal.to_pylist()).encode("utf-32-le"), np.uint32)
        ends = np.cumsum(numbers_of(pc.utf8_length(normal)), dtype=np.int64)
        kept = ~_is_space()[points]
        return points[kept], np.concatenate([[0], np.cumsum(kept)])[ends]

    def _count(self, texts: pa.Array) -> pa.RecordBatch:
        """Each token of a chunk with its count."""
        if self.unit == "word":
            counted = pc.value_counts(self._words(texts).flatten())
            found = pa.RecordBatch.from_arrays(counted.flatten(), ["token", "count"])
            return found.filter(pc.not_equal(found["token"], ""))
        points, counts = np.unique(self._characters(texts)[0], return_counts=True)
        tokens = pa.array(list(map(chr, points.tolist())), pa.string())
        return pa.RecordBatch.from_arrays([tokens, pa.array(counts)], ["token", "count"])

    def _encode_chunk(self, texts: pa.Array) -> Encoding:
        if self.unit == "word":
            words = self._words(texts)
            found = pc.index_in(words.flatten(), value_set=self._listed)
            ids = numbers_of(pc.coalesce(found, number_column(np.array([UNKNOWN], np.int32))[0]))
            edges = numbers_of(words.offsets) - words.offsets[0].as_py()
            return _pad(ids, edges[:-1] + 1, edges[1:] - 1, self.sequence_length)
        points, ends = self._characters(texts)
        starts = np.concatenate([[0], ends[:-1]])
        return _pad(self._id_of_point[points], starts, ends, self.sequence_length)

    @cached_property
    def _listed(self) -> pa.Array:
        return text_column([*RESERVED, *self.tokens])

    @cached_property
    def _id_of_point(self) -> npt.NDArray[np.int32]:
        ids = np.full(_CODE_POINTS, UNKNOWN, np.int32)
        ids[[ord(token) for token in self.tokens]] = np.arange(len(RESERVED), self.rows)
        return ids


def _column_of(
    texts: pa.ChunkedArray | pa.Array | Iterable[str | None],
) -> pa.ChunkedArray | pa.Array:
    """Texts as a column of strings."""
    if isinstance(texts, str | bytes | dict) or getattr(texts, "ndim", 1) != 1:
        raise TypeError(f"texts must be one column of strings, not a {type(texts).__name__}")
    if isinstance(texts, list | tuple):
        starts = range(0, len(texts), BATCH_ROWS)
        parts = [text_column(texts[start : start + BATCH_ROWS]) for start in starts]
        return pa.chunked_array(parts, pa.string())
    if not isinstance(texts, pa.ChunkedArray | pa.Array):
        try:
            texts = pa.array(texts, from_pandas=True)
        except pa.ArrowException as error:
            raise TypeError("texts must be strings or None, all of them") from error
    kind = texts.type.value_type if pa.types.is_dictionary(texts.type) else texts.type
    if not any(is_kind(kind) for is_kind in _TEXT_KINDS):
        raise TypeError(f"texts must be strings, not {kind}")
    return texts if texts.type == pa.string() else texts.cast(pa.string())


def normalize(texts: pa.ChunkedArray | pa.Array, *, lowercase: bool) -> pa.ChunkedArray | pa.Array:
    """Make texts alike that read alike: composed (NFC), one kind of apostrophe, one case."""
    texts = pc.coalesce(texts, text_column([""])[0])
    texts = pc.utf8_normalize(texts, "NFC")
    if lowercase:
        texts = pc.utf8_lower(texts)
    return pc.replace_substring(texts, "\N{RIGHT SINGLE QUOTATION MARK}", "'")


def _pad(
    ids: npt.NDArray[np.int32],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    sequence_length: int,
) -> Encoding:
    """Lay the ids of texts, ids[start:end] each, into rows of equal length."""
    kept = np.minimum(ends - starts, sequence_length)  # (n,)
    edges = np.concatenate([[0], np.cumsum(kept)])
    rows = np.full((len(starts), sequence_length), PADDING, np.int32)
    filled = np.arange(sequence_length) < kept[:, None]  # (n, sequence_length)
    rows[filled] = ids[np.arange(edges[-1]) + np.repeat(starts - edges[:-1], kept)]
    unknown = np.concatenate([[0], np.cumsum(ids == UNKNOWN)])
    return Encoding(
        rows,
        (ends - starts).astype(np.int32),
        (unknown[ends] - unknown[starts]).astype(np.int32),
    )


@cache
def _is_space() -> npt.NDArray[np.bool_]:
    """(code points,) True for white space, as Python's `str.isspace` has it."""
    spaces = np.zeros(_CODE_POINTS, np.bool_)
    spaces[[point for point in range(_CODE_POINTS) if chr(point).isspace()]] = True
    return spaces


def _map_chunks(work: Callable[[pa.Array], T], texts: pa.ChunkedArray | pa.Array) -> list[T]:
    """Do a work on chunks of rows, on all cores, in order; each looks the vocabulary up anew."""
    whole = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    chunks = [chunk for array in whole for chunk in in_pieces(array)]
    if len(chunks) <= 1:
        return [work(chunk) for chunk in chunks]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(work, chunks))
