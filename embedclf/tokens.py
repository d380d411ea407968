"""Text → tokens: what a token is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from embedclf.columns import number_column, numbers_of, text_column
from embedclf.words import split_words

_CODE_POINTS = 0x110000

Counted = tuple[pa.StringArray, npt.NDArray[np.int64]]
"""Tokens, each once, and how often they are there."""


@dataclass(frozen=True)
class Tokens:
    """Texts cut into tokens, each the number of a token in their own dictionary."""

    dictionary: pa.StringArray
    """(different,) tokens."""
    codes: npt.NDArray[np.int32]
    """(tokens,) their numbers, text behind text."""
    ends: npt.NDArray[np.int64]
    """(n,) where the tokens of each text end."""

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """(n,) tokens of each text."""
        return np.diff(self.ends, prepend=0)

    def take(self, rows: npt.NDArray[np.bool_]) -> Tokens:
        """The texts under a mask (n,)."""
        if rows.all():
            return self
        codes = self.codes[np.repeat(rows, self.lengths)]
        return Tokens(self.dictionary, codes, np.cumsum(self.lengths[rows], dtype=np.int64))

    def count(self) -> Counted:
        """Count the tokens in all texts."""
        return self.dictionary, np.bincount(self.codes, minlength=len(self.dictionary))

    def to_lists(self) -> list[list[str]]:
        """The tokens of each text."""
        tokens = self.dictionary.take(number_column(self.codes)).to_pylist()
        starts = [0, *self.ends.tolist()]
        return [tokens[start:end] for start, end in pairwise(starts)]


def normalize(texts: pa.ChunkedArray | pa.Array, *, lowercase: bool) -> pa.ChunkedArray | pa.Array:
    """Make texts alike that read alike: composed (NFC), one kind of apostrophe, one case."""
    texts = pc.coalesce(texts, text_column([""])[0])
    texts = pc.utf8_normalize(texts, "NFC")
    if lowercase:
        texts = pc.utf8_lower(texts)
    return pc.replace_substring(texts, "\N{RIGHT SINGLE QUOTATION MARK}", "'")


def cut(texts: pa.Array, unit: str) -> Tokens:
    """Cut normalized texts (n,) into words or characters."""
    return _words(texts) if unit == "word" else _characters(texts)


def _words(texts: pa.Array) -> Tokens:
    words = split_words(texts)
    encoded = words.flatten().dictionary_encode()
    codes = numbers_of(encoded.indices)
    ends = numbers_of(words.offsets)[1:].astype(np.int64) - numbers_of(words.offsets)[0]
    # Two empty strings stand around the words of a text, so that the first in all is one.
    return Tokens(
        encoded.dictionary.slice(1), codes[codes != 0] - 1, ends - 2 * np.arange(1, len(ends) + 1)
    )


def _characters(texts: pa.Array) -> Tokens:
    points = np.frombuffer("".join(texts.to_pylist()).encode("utf-32-le"), np.uint32)
    ends = np.cumsum(numbers_of(pc.utf8_length(texts)), dtype=np.int64)
    kept = ~_is_space()[points]
    points, ends = points[kept], np.concatenate([[0], np.cumsum(kept)])[ends]
    there = np.zeros(_CODE_POINTS, np.bool_)
    there[points] = True
    different = np.flatnonzero(there)
    numbers = np.empty(_CODE_POINTS, np.int32)
    numbers[different] = np.arange(len(different))
    return Tokens(text_column(list(map(chr, different.tolist()))), numbers[points], ends)


@cache
def _is_space() -> npt.NDArray[np.bool_]:
    """(code points,) True for white space, as Python's `str.isspace` has it."""
    spaces = np.zeros(_CODE_POINTS, np.bool_)
    spaces[[point for point in range(_CODE_POINTS) if chr(point).isspace()]] = True
    return spaces
