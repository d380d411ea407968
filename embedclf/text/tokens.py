"""Texts as tokens, and the ways to split them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from embedclf.system.arrays import Int64s
from embedclf.system.arrow import number_column, pc, text_column, to_numpy
from embedclf.text.normalization import (
    FLAG_LETTERS,
    JOINERS,
    PICTOGRAPHS,
    SKIN_TONES,
    ZERO_WIDTH_JOINER,
)
from embedclf.text.words import ALL_CODE_POINTS, SPACE

if TYPE_CHECKING:
    from embedclf.system.arrays import Bytes, Counts, Int32s, Mask, Offsets
    from embedclf.text.words import CodePoints

TokenCounts = tuple[pa.StringArray, Int64s]
"""Distinct tokens, and the number of occurrences of each."""

MATCH_END = "\x1f"
"""Stands after each match of a regular expression, and for each character outside of them."""

MATCH_SPACE = r"[\s\pZ\p{Cc}]+"
"""White space inside a match (RE2)."""

_PICTURE, _TONE, _FLAG, _JOINER, _ZERO_WIDTH = range(1, 6)
"""What characters are in an emoji; 0 is no part of one."""


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


def split_at_spaces(texts: pa.StringArray) -> Tokens:
    """Split texts (n,) that begin and end with a space, without other white space."""
    _, offsets, characters = texts.buffers()
    edges = np.frombuffer(offsets, np.int32)[: len(texts) + 1]
    is_space = np.frombuffer(characters or b"", np.uint8)[: edges[-1]] == SPACE
    starts = np.flatnonzero(is_space[:-1] > is_space[1:]).astype(np.int32) + np.int32(1)
    borders = np.append(starts, edges[-1:])
    # Words with the spaces behind them follow each other, so that no word has to be copied. Only
    # the distinct ones are trimmed.
    words = pa.StringArray.from_buffers(len(starts), pa.py_buffer(borders), characters)
    spaced = words.dictionary_encode()
    encoded = pc.ascii_rtrim(spaced.dictionary, " ").dictionary_encode()
    codes = to_numpy(encoded.indices)[to_numpy(spaced.indices)]
    return Tokens(encoded.dictionary, codes, np.searchsorted(starts, edges[1:]))


def split_characters(texts: pa.Array, *, emoji: bool) -> Tokens:
    """Split texts (n,) into characters, without white space.

    Args:
        texts: Without nulls; with `emoji`, without invisible characters.
        emoji: Whether an emoji of several characters is one token.
    """
    points = np.frombuffer("".join(texts.to_pylist()).encode("utf-32-le"), np.uint32)
    ends = np.cumsum(to_numpy(pc.utf8_length(texts)), dtype=np.int64)
    begins = ~is_space()[points]
    if not emoji:
        return _number_characters(points, begins, ends)
    joined = _are_joined(_emoji_parts()[points], ends)
    begins &= ~joined
    tokens = _number_characters(points, begins, ends)
    return _name_sequences(tokens, points, begins, joined) if joined.any() else tokens


def split_matches(texts: pa.Array, pattern: str) -> Tokens:
    """Split texts (n,) without nulls into the matches of a regular expression (RE2).

    White space at the ends of a match is no part of the token; inside, it becomes one space.
    """
    pieces = pc.split_pattern(mark_matches(texts, pattern), MATCH_END)
    encoded = pieces.flatten().dictionary_encode()
    trimmed = pc.replace_substring_regex(encoded.dictionary, MATCH_SPACE, " ")
    names = pc.utf8_trim(trimmed, " ").dictionary_encode()
    codes = to_numpy(names.indices)[to_numpy(encoded.indices)]
    kept = to_numpy(pc.binary_length(names.dictionary))[codes] > 0
    ends = to_numpy(pieces.offsets)[1:].astype(np.int64) - to_numpy(pieces.offsets)[0]
    return Tokens(names.dictionary, codes[kept], np.concatenate([[0], np.cumsum(kept)])[ends])


def mark_matches(texts: pa.Array, pattern: str) -> pa.Array:
    """Add `MATCH_END` to each match of a pattern; replace every other character by it."""
    unmarked = pc.replace_substring(texts, MATCH_END, " ")
    return pc.replace_substring_regex(unmarked, f"({pattern})|(?s:.)", rf"\1{MATCH_END}")


def _number_characters(points: CodePoints, begins: Mask, ends: Offsets) -> Tokens:
    """Make a token of each code point (points,) where `begins` (points,) is true."""
    # Running totals, (points + 1,), turn old ends into new ones.
    points, ends = points[begins], np.concatenate([[0], np.cumsum(begins)])[ends]
    # Tables over all code points number the distinct ones without sorting the text.
    present = np.zeros(ALL_CODE_POINTS, np.bool_)
    present[points] = True
    distinct = np.flatnonzero(present)
    codes = np.empty(ALL_CODE_POINTS, np.int32)
    codes[distinct] = np.arange(len(distinct))
    return Tokens(text_column(list(map(chr, distinct.tolist()))), codes[points], ends)


def _are_joined(parts: Bytes, ends: Offsets) -> Mask:
    """(points,) whether a code point continues the emoji that begins before it."""
    joined = parts >= _JOINER
    joined[1:] |= parts[:-1] == _ZERO_WIDTH
    joined[1:] |= (parts[1:] == _TONE) & ((parts[:-1] == _PICTURE) | (parts[:-1] == _TONE))
    text_starts = np.concatenate([[0], ends])
    letters = np.flatnonzero(parts == _FLAG)
    if len(letters):
        begins_run = np.diff(letters, prepend=-2) != 1
        begins_run |= np.isin(letters, text_starts)
        runs = np.flatnonzero(begins_run)
        places = np.arange(len(letters)) - np.repeat(runs, np.diff(runs, append=len(letters)))
        joined[letters] |= places % 2 == 1
    joined[text_starts[text_starts < len(parts)]] = False
    return joined


def _name_sequences(tokens: Tokens, points: CodePoints, begins: Mask, joined: Mask) -> Tokens:
    """Name the tokens of several code points, which have the code of their first one."""
    starts = np.flatnonzero(begins)
    places = np.flatnonzero(joined[np.minimum(starts + 1, len(points) - 1)])
    # Each of these tokens ends before the next code point that is not joined.
    edges = np.append(np.flatnonzero(~joined), len(points))
    starts = starts[places]
    ends = edges[np.searchsorted(edges, starts, side="right")]
    names = [
        "".join(map(chr, points[start:end]))
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]
    distinct = {name: code for code, name in enumerate(dict.fromkeys(names))}
    codes = tokens.codes.copy()
    codes[places] = [len(tokens.dictionary) + distinct[name] for name in names]
    dictionary = pa.concat_arrays([tokens.dictionary, text_column(list(distinct))])
    return Tokens(dictionary, codes, tokens.ends)


@cache
def is_space() -> Mask:
    """(code points,) whether each is white space by `str.isspace`."""
    spaces = np.zeros(ALL_CODE_POINTS, np.bool_)
    spaces[[point for point in range(ALL_CODE_POINTS) if chr(point).isspace()]] = True
    return spaces


@cache
def _emoji_parts() -> Bytes:
    """(code points,) what each is in an emoji, or 0."""
    parts = np.zeros(ALL_CODE_POINTS, np.uint8)
    kinds = {
        PICTOGRAPHS: _PICTURE,
        SKIN_TONES: _TONE,
        FLAG_LETTERS: _FLAG,
        JOINERS: _JOINER,
        ZERO_WIDTH_JOINER: _ZERO_WIDTH,
    }
    for ranges, kind in kinds.items():
        for first, last in re.findall("(.)(?:-(.))?", ranges):
            parts[ord(first) : ord(last or first) + 1] = kind
    return parts
