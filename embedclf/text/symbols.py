"""Words and symbols: `C++`, `!` and `:)` are tokens.

A word can end in + and # (C++, C#). Any other run of punctuation and symbols without white space is
a token. But a lone mark that only structures a sentence, such as a comma, separates words. In a
run, a character that is repeated more than three times counts three times. An emoticon can end in a
letter or digit (:D, <3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from embedclf.system.arrow import number_column, pc, text_column
from embedclf.text.normalization import KEYCAP
from embedclf.text.words import (
    APOSTROPHE,
    ASCII_WORD,
    BLANK,
    SPACE,
    SYMBOL,
    Characters,
    are_inner,
    classify,
    find_non_ascii,
    read_bytes,
)

if TYPE_CHECKING:
    from embedclf.system.arrays import Bytes, Int32s, Mask, Offsets

LONE = (
    ",.:;\"'`()[]{}-_\u00ab\u00bb\u2010\u2011\u2012\u2013\u2014\u2015\u2018\u2019\u201a\u201b"
    "\u201c\u201d\u201e\u201f\u3001\u3002\u3008\u3009\u300a\u300b\u300c\u300d\u300e\u300f\u3010"
    "\u3011\uff08\uff09\uff0c\uff0e\uff1a\uff1b"
)
"""Commas, periods, colons, quotation marks, brackets and dashes: no tokens where they are alone."""

MAX_REPEATS = 3
"""Times that a symbol counts in a row."""

_IS_SYMBOL = bytes(SPACE < byte < 0x7F and byte not in ASCII_WORD for byte in range(256))
"""Translation table that marks ASCII symbols by 1."""

_BLANK_CONTROLS = bytes(SPACE if byte < SPACE or byte == 0x7F else byte for byte in range(256))

_LONE_POINTS = np.array([ord(character) for character in LONE], np.uint32)

_EYES, _NOSES, _MOUTHS = (
    np.isin(np.arange(256), list(each)) for each in (b":;=", b"-'", b"DPOXdpox")
)


class _Bytes(NamedTuple):
    """The bytes of texts, and which of them are symbols."""

    content: Bytes
    """(bytes,)"""
    is_symbol: Mask
    """(bytes,)"""

    def are_words(self, places: Offsets) -> Mask:
        """(n,) whether the bytes at some places belong to a word or an emoji."""
        are_words: Mask = (self.content[places] != SPACE) & ~self.is_symbol[places]
        return are_words


def separate_symbols(texts: pa.Array) -> pa.StringArray:
    """Put spaces around words and symbols; what is no token becomes spaces.

    Args:
        texts: (n,) strings in NFC, without nulls; `normalize` has put emoji between spaces.
    """
    original, edges = read_bytes(texts)
    characters = bytearray(original)
    written = _Bytes(
        np.frombuffer(characters.translate(_BLANK_CONTROLS), np.uint8),
        np.frombuffer(characters.translate(_IS_SYMBOL), np.bool_),
    )
    symbols = _find_symbols(written)
    for find_blank in (_are_repeated, _are_lone):
        blank = find_blank(symbols)
        if blank.any():
            symbols.filter(blank).overwrite(written.content, SPACE)
            symbols = symbols.filter(~blank)
    return _insert_spaces(written.content, edges, _find_borders(symbols, written))


def _find_symbols(written: _Bytes) -> Characters:
    """Find all symbols in order; blank the non-ASCII characters that belong to no token."""
    content, is_symbol = written
    others = find_non_ascii(content)
    classes = classify(others.points, emoji=True)
    others.filter(classes == BLANK).overwrite(content, SPACE)
    is_symbol[others.starts[others.points == ord(KEYCAP)] - 1] = False  # its digit, # or *
    starts = np.flatnonzero(is_symbol)
    wide = others.filter(classes == SYMBOL)
    wide.overwrite(is_symbol, 1)
    bytes_of_symbols = content[starts]
    mouths = _find_mouths(starts, bytes_of_symbols, written)
    quotes = np.flatnonzero(bytes_of_symbols == APOSTROPHE)
    inner = quotes[are_inner(starts[quotes], written.are_words)]
    is_symbol[starts[inner]] = False
    is_symbol[mouths] = True
    starts = np.concatenate([np.delete(starts, inner), mouths])
    points = content[starts].astype(np.uint32)
    found = Characters(starts, np.ones(len(starts), np.int64), points)
    return found.merge(wide) if len(mouths) or len(wide.starts) else found


def _find_mouths(starts: Offsets, symbols: Bytes, written: _Bytes) -> Offsets:
    """Find the letters and digits that end an emoticon.

    Args:
        starts: (n,) where ASCII symbols are.
        symbols: (n,) these.
        written: In which they are.
    """
    content = written.content
    eyes = starts[_EYES[symbols]] + 1
    eyes += _NOSES[content[eyes]]
    hearts = starts[symbols == ord("<")] + 1
    mouths = np.concatenate([eyes[_MOUTHS[content[eyes]]], hearts[content[hearts] == ord("3")]])
    # In `:do` and `:d'oh`, the letter begins a word.
    is_last = ~written.are_words(mouths + 1) & (content[mouths + 1] != APOSTROPHE)
    found: Offsets = mouths[is_last]
    return found


def _begin_runs(symbols: Characters) -> Mask:
    """(n,) whether a symbol is the first of a run; + and # are in runs of their own."""
    is_ending = _are_endings(symbols)
    begins = np.ones(len(symbols.starts), np.bool_)
    begins[1:] = (symbols.starts[1:] != symbols.ends[:-1]) | (is_ending[1:] != is_ending[:-1])
    return begins


def _are_endings(symbols: Characters) -> Mask:
    """(n,) whether a word can end in each symbol."""
    are_endings: Mask = (symbols.points == ord("+")) | (symbols.points == ord("#"))
    return are_endings


def _are_repeated(symbols: Characters) -> Mask:
    """(n,) whether a symbol is the fourth of equal ones in a row, or a later one."""
    same = ~_begin_runs(symbols)
    same[1:] &= symbols.points[1:] == symbols.points[:-1]
    repeated = same.copy()
    for place in range(1, MAX_REPEATS):
        repeated[:place] = False
        repeated[place:] &= same[:-place]
    return repeated


def _are_lone(symbols: Characters) -> Mask:
    """(n,) whether a symbol is a mark of `LONE` in a run of its own."""
    begins = _begin_runs(symbols)
    ends = np.append(begins[1:], np.True_)[: len(begins)]
    lone: Mask = begins & ends & np.isin(symbols.points, _LONE_POINTS)
    return lone


def _find_borders(symbols: Characters, written: _Bytes) -> Offsets:
    """Find where a space has to be inserted, in any order; some twice."""
    first = np.flatnonzero(_begin_runs(symbols))
    starts = symbols.starts[first]
    ends = symbols.ends[np.append(first, len(symbols.starts))[1:] - 1]
    # C++ and C#, but not a+b.
    ends_word = (
        _are_endings(symbols)[first] & written.are_words(starts - 1) & ~written.are_words(ends)
    )
    has_left, has_right = (written.content[places] != SPACE for places in (starts - 1, ends))
    return np.concatenate([starts[has_left & ~ends_word], ends[has_right]])


def _insert_spaces(content: Bytes, edges: Int32s, borders: Offsets) -> pa.StringArray:
    """Make texts of their bytes, with a space at each border."""
    # Joining slices is several times faster than np.insert.
    positions = np.sort(np.concatenate([edges, borders.astype(np.int32)]))
    slices = pa.StringArray.from_buffers(
        len(positions) - 1, pa.py_buffer(positions), pa.py_buffer(content)
    )
    of_texts = number_column(np.searchsorted(positions, edges).astype(np.int32))
    return pc.binary_join(pa.ListArray.from_arrays(of_texts, slices), text_column([" "])[0])
