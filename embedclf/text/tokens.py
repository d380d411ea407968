"""Text -> tokens: normalize, split into words or characters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from embedclf.system.arrow import number_column, numbers_of, text_column

if TYPE_CHECKING:
    from embedclf.system.arrays import Bytes, Offsets

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


def tokenize(texts: pa.Array, unit: str) -> Tokens:
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


_BLANK, _APOSTROPHE = ord(" "), ord("'")

_ASCII_WORD = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'")

_ONLY_WORDS = bytes(byte if byte >= 0x80 or byte in _ASCII_WORD else _BLANK for byte in range(256))

_ALL_CODE_POINTS = 0x110000

_UNSEEN = 2


def split_words(texts: pa.Array) -> pa.ListArray:
    """The words of each text between two empty strings; texts are composed (NFC), none is null."""
    blank, nothing = text_column([" ", ""])
    spaced = pc.binary_join_element_wise(blank, texts, blank, nothing)
    _, offsets, letters = spaced.buffers()
    edges = np.frombuffer(offsets, np.int32)[spaced.offset : spaced.offset + len(spaced) + 1]
    content = np.frombuffer(
        bytearray(memoryview(letters)[edges[0] : edges[-1]]).translate(_ONLY_WORDS), np.uint8
    )
    _blank_signs(content)
    _blank_outer_apostrophes(content)
    ends = pa.py_buffer(edges - edges[0])
    return pc.ascii_split_whitespace(
        pa.StringArray.from_buffers(len(spaced), ends, pa.py_buffer(content))
    )


def _blank_signs(content: Bytes) -> None:
    """Blank the characters beyond ASCII that are no letter, number or mark."""
    starts = np.flatnonzero(content >= 0xC0)
    if not len(starts):
        return
    points, sizes = _code_points(content, starts)
    signs = ~_are_of_words(points)
    for byte in range(4):
        content[starts[signs & (sizes > byte)] + byte] = _BLANK


def _blank_outer_apostrophes(content: Bytes) -> None:
    """Blank runs of apostrophes that do not stand between two letters, numbers or marks."""
    places = np.flatnonzero(content == _APOSTROPHE)
    if not len(places):
        return
    first = np.flatnonzero(np.diff(places, prepend=-2) != 1)
    last = np.append(first[1:], len(places)) - 1
    outer = (content[places[first] - 1] == _BLANK) | (content[places[last] + 1] == _BLANK)
    content[places[np.repeat(outer, last - first + 1)]] = _BLANK


def _code_points(content: Bytes, starts: Offsets) -> tuple[npt.NDArray[np.uint32], Offsets]:
    """Decode the UTF-8 characters of several bytes that begin at `starts`.

    Returns:
        (n,) code points, and (n,) the number of bytes of each, 2 to 4.
    """
    lead = content[starts].astype(np.uint32)
    sizes = 2 + (lead >= 0xE0) + (lead >= 0xF0)
    points = lead & (0x7F >> sizes).astype(np.uint32)
    for byte in range(1, 4):
        longer = sizes > byte
        points[longer] = points[longer] << 6 | content[starts[longer] + byte] & 0x3F
    return points, sizes


def _are_of_words(points: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """(n,) whether code points are letters, numbers or marks; Arrow is asked once for each."""
    known = _known_points()
    new = np.unique(points[known[points] == _UNSEEN])
    if len(new):
        characters = text_column([chr(point) for point in new.tolist()])
        known[new] = numbers_of(pc.match_substring_regex(characters, r"^[\pL\pN\pM]"))
    words: npt.NDArray[np.bool_] = known[points] == 1
    return words


@cache
def _known_points() -> npt.NDArray[np.uint8]:
    """(code points,) 1 for those of words, 0 for others; threads may fill it at once."""
    return np.full(_ALL_CODE_POINTS, _UNSEEN, np.uint8)
