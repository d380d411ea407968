"""Sentence vectors of many texts, each computed once per process."""

from __future__ import annotations

import io
import mmap
import weakref
from functools import cache
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

import numpy as np

from embedclf.system.arrow import number_column, pc
from embedclf.system.progress import activity
from embedclf.text.fingerprints import fingerprint_strings
from embedclf.text.vectors.use_encoder import SENTENCE_DIM, encode_texts

if TYPE_CHECKING:
    import pyarrow as pa

    from embedclf.system.arrays import Floats, Rows

MAX_CHARACTERS = 1_000
"""Longer texts are truncated: a vector of more words says little more, and time grows with them."""

_TEXTS_AT_ONCE = 1_024
"""Texts between two reports of progress."""


class SentenceVectors:
    """The sentence vectors of some texts, on disk in half precision."""

    def __init__(self, memo: _Memo, places: Rows) -> None:
        """Refer to vectors of the memo.

        Args:
            memo: Where they are.
            places: (n,) the place of each.
        """
        self._memo, self._places = memo, places

    def __len__(self) -> int:
        return len(self._places)

    def read(self, rows: Rows | slice) -> Floats:
        """Return the vectors (rows, 512) of some of the texts, each of length 1."""
        return self._memo.read(self._places[rows])


def encode_sentences(texts: pa.StringArray) -> SentenceVectors:
    """Encode texts (n,) without nulls by a multilingual sentence encoder.

    The encoder (Yang et al., Multilingual Universal Sentence Encoder for Semantic Retrieval, 2019)
    knows 16 languages. Equal texts are encoded once per process.

    Raises:
        DataError: The package is damaged.
    """
    return _open_memo().encode(texts)


class _Memo:
    """The vectors of all texts that this process has encoded, in a temporary file."""

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115 - open as long as the process
        weakref.finalize(self, self._file.close)
        self._places: dict[int, int] = {}

    def encode(self, texts: pa.StringArray) -> SentenceVectors:
        texts = pc.utf8_slice_codeunits(texts, 0, MAX_CHARACTERS)
        keys = fingerprint_strings(texts)
        distinct, first = np.unique(keys, return_index=True)
        known = np.array([key in self._places for key in distinct.tolist()], np.bool_)
        # In the order of the texts, which makes the vectors the same to the last bit
        new = np.sort(first[~known])
        self._add(keys[new].tolist(), texts.take(number_column(new)).to_pylist())
        return SentenceVectors(self, np.array([self._places[key] for key in keys.tolist()]))

    def read(self, places: Rows) -> Floats:
        if not len(places):
            return np.zeros((0, SENTENCE_DIM), np.float32)
        mapped = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        halves = np.frombuffer(mapped, np.float16).reshape(-1, SENTENCE_DIM)
        vectors: Floats = halves[places].astype(np.float32)
        return vectors

    def _add(self, keys: list[int], texts: list[str]) -> None:
        if not texts:
            return
        with activity("reading sentences", total=len(texts), unit="texts") as reading:
            for start in range(0, len(texts), _TEXTS_AT_ONCE):
                block = texts[start : start + _TEXTS_AT_ONCE]
                vectors = encode_texts(block).astype(np.float16)
                place = self._file.seek(0, io.SEEK_END) // (vectors.itemsize * SENTENCE_DIM)
                self._file.write(vectors.data)
                self._file.flush()
                for key in keys[start : start + len(block)]:
                    self._places[key] = place
                    place += 1
                reading.advance(len(block))


@cache
def _open_memo() -> _Memo:
    return _Memo()
