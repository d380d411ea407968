"""Text -> tokens: normalize, then split into words or characters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from embedclf.system.arrays import Int64s
from embedclf.system.arrow import number_column, text_column, to_numpy

if TYPE_CHECKING:
    from embedclf.system.arrays import Bytes, Counts, Int32s, Mask, Offsets

TokenCounts = tuple[pa.StringArray, Int64s]
"""Distinct tokens, and the number of occurrences of each."""

CodePoints = npt.NDArray[np.uint32]  # (n,)

_SPACE, _APOSTROPHE = ord(" "), ord("'")

_ALL_CODE_POINTS = 0x110000

_ASCII_WORD = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'")

_KEEP_WORDS = bytes(byte if byte >= 0x80 or byte in _ASCII_WORD else _SPACE for byte in range(256))
"""Translation table that replaces ASCII punctuation and control characters by spaces."""

_UNCLASSIFIED = 2


@dataclass(frozen=True)
class Tokens:
    """Texts as tokens, each token a code that indexes a shared dictionary."""

    dictionary: pa.StringArray
    """(distinct,) tokens."""
    codes: Int32s
    """(tokens,) dictionary indices of all texts, one text after the other."""
    ends: Offsets
    """(n,) where the codes of each text end."""

    @property
    def lengths(self) -> Counts:
        """(n,) number of tokens of each text."""
        return np.diff(self.ends, prepend=0)

    def filter(self, mask: Mask) -> Tokens:
        """Keep the texts where a mask (n,) is true."""
        if mask.all():
            return self
        codes = self.codes[np.repeat(mask, self.lengths)]  # one mask value per token
        return Tokens(self.dictionary, codes, np.cumsum(self.lengths[mask], dtype=np.int64))

    def count(self) -> TokenCounts:
        """Count the tokens of all texts; the dictionary can hold tokens with a count of 0."""
        return self.dictionary, np.bincount(self.codes, minlength=len(self.dictionary))

    def to_lists(self) -> list[list[str]]:
        """Return the tokens of each text."""
        tokens = self.dictionary.take(number_column(self.codes)).to_pylist()
        starts = [0, *self.ends.tolist()]
        return [tokens[start:end] for start, end in pairwise(starts)]


def normalize(texts: pa.ChunkedArray | pa.Array, *, lowercase: bool) -> pa.ChunkedArray | pa.Array:
    """Normalize texts: NFC, plain apostrophes and, optionally, lower case; null becomes ""."""
    texts = pc.coalesce(texts, text_column([""])[0])
    texts = pc.utf8_normalize(texts, "NFC")
    if lowercase:
        texts = pc.utf8_lower(texts)
    return pc.replace_substring(texts, "\N{RIGHT SINGLE QUOTATION MARK}", "'")


def tokenize(texts: pa.Array, unit: str) -> Tokens:
    """Split normalized texts (n,) into tokens; the unit is `word` or `character`."""
    return _tokenize_words(texts) if unit == "word" else _tokenize_characters(texts)


def split_words(texts: pa.Array) -> pa.ListArray:
    """Split texts into words; each list starts and ends with an empty string.

    A word is a run of letters, numbers and marks of any script, with apostrophes only inside. The
    work is done on the bytes of all texts at once: non-word characters become spaces, then Arrow
    splits at ASCII white space.

    Args:
        texts: (n,) strings in NFC, without nulls.
    """
    space, nothing = text_column([" ", ""])
    # A space on either side gives every apostrophe two neighbors, even at the ends of a text.
    spaced = pc.binary_join_element_wise(space, texts, space, nothing)
    _, offsets, characters = spaced.buffers()
    edges = np.frombuffer(offsets, np.int32)[spaced.offset : spaced.offset + len(spaced) + 1]
    # Overwriting in place needs a bytearray; the number of bytes stays, so edges remain valid.
    content = np.frombuffer(
        bytearray(memoryview(characters)[edges[0] : edges[-1]]).translate(_KEEP_WORDS), np.uint8
    )
    _blank_non_ascii_symbols(content)
    _blank_outer_apostrophes(content)
    ends = pa.py_buffer(edges - edges[0])
    return pc.ascii_split_whitespace(
        pa.StringArray.from_buffers(len(spaced), ends, pa.py_buffer(content))
    )


def _tokenize_words(texts: pa.Array) -> Tokens:
    words = split_words(texts)
    encoded = words.flatten().dictionary_encode()
    codes = to_numpy(encoded.indices)
    ends = to_numpy(words.offsets)[1:].astype(np.int64) - to_numpy(words.offsets)[0]
    # Every text has an empty string on either side of its words, so "" is always code 0.
    return Tokens(
        encoded.dictionary.slice(1), codes[codes != 0] - 1, ends - 2 * np.arange(1, len(ends) + 1)
    )


def _tokenize_characters(texts: pa.Array) -> Tokens:
    points = np.frombuffer("".join(texts.to_pylist()).encode("utf-32-le"), np.uint32)
    ends = np.cumsum(to_numpy(pc.utf8_length(texts)), dtype=np.int64)
    kept = ~_is_space()[points]
    # Running totals of kept code points, (points + 1,), turn old ends into new ones.
    points, ends = points[kept], np.concatenate([[0], np.cumsum(kept)])[ends]
    # Tables over all code points number the distinct ones without sorting the text.
    present = np.zeros(_ALL_CODE_POINTS, np.bool_)
    present[points] = True
    distinct = np.flatnonzero(present)
    codes = np.empty(_ALL_CODE_POINTS, np.int32)
    codes[distinct] = np.arange(len(distinct))
    return Tokens(text_column(list(map(chr, distinct.tolist()))), codes[points], ends)


@cache
def _is_space() -> Mask:
    """(code points,) whether each is white space by `str.isspace`."""
    is_space = np.zeros(_ALL_CODE_POINTS, np.bool_)
    is_space[[point for point in range(_ALL_CODE_POINTS) if chr(point).isspace()]] = True
    return is_space


def _blank_non_ascii_symbols(content: Bytes) -> None:
    """Overwrite non-ASCII characters other than letters, numbers and marks by spaces."""
    # Lead bytes only; continuation bytes are 0x80 to 0xBF.
    starts = np.flatnonzero(content >= 0xC0)
    if not len(starts):
        return
    points, sizes = _decode_utf8(content, starts)
    is_symbol = ~_is_word_character(points)
    for byte in range(4):
        content[starts[is_symbol & (sizes > byte)] + byte] = _SPACE


def _blank_outer_apostrophes(content: Bytes) -> None:
    """Overwrite runs of apostrophes that are not between two word characters by spaces."""
    places = np.flatnonzero(content == _APOSTROPHE)
    if not len(places):
        return
    # -2 is never adjacent to a place, so the first apostrophe begins a run.
    first = np.flatnonzero(np.diff(places, prepend=-2) != 1)
    last = np.append(first[1:], len(places)) - 1
    outer = (content[places[first] - 1] == _SPACE) | (content[places[last] + 1] == _SPACE)
    content[places[np.repeat(outer, last - first + 1)]] = _SPACE


def _decode_utf8(content: Bytes, starts: Offsets) -> tuple[CodePoints, Offsets]:
    """Decode the UTF-8 characters of 2 to 4 bytes that begin at `starts`.

    Returns:
        (n,) code points, and (n,) the number of bytes of each.
    """
    lead = content[starts].astype(np.uint32)
    sizes = 2 + (lead >= 0xE0) + (lead >= 0xF0)
    # The lead byte holds 5, 4 or 3 bits; each continuation byte adds 6.
    points = lead & (0x7F >> sizes).astype(np.uint32)
    for byte in range(1, 4):
        longer = sizes > byte
        points[longer] = points[longer] << 6 | content[starts[longer] + byte] & 0x3F
    return points, sizes


def _is_word_character(points: CodePoints) -> Mask:
    """(n,) whether code points are letters, numbers or marks."""
    classes = _code_point_classes()
    # The regular expression sees each distinct code point, not every character of the texts.
    new = np.unique(points[classes[points] == _UNCLASSIFIED])
    if len(new):
        characters = text_column([chr(point) for point in new.tolist()])
        classes[new] = to_numpy(pc.match_substring_regex(characters, r"^[\pL\pN\pM]"))
    is_word: Mask = classes[points] == 1
    return is_word


@cache
def _code_point_classes() -> Bytes:
    """(code points,) 1 for word characters, 0 for others; filled on first use.

    Threads share the array without a lock: they can only write the same value twice.
    """
    return np.full(_ALL_CODE_POINTS, _UNCLASSIFIED, np.uint8)
