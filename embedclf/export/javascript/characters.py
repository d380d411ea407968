"""What the tokenizer knows about characters, as numbers for JSON.

The tables come from the tokenizer's own functions, applied to every code point. An export does not
depend on the version of Unicode that a JavaScript engine has, except in `String.normalize`.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from embedclf.export.automata.dialects import match_in_re2
from embedclf.system.arrow import pc
from embedclf.text.normalization import (
    FLAG_LETTERS,
    JOINERS,
    PICTOGRAPHS,
    SKIN_TONES,
    ZERO_WIDTH_JOINER,
)
from embedclf.text.words import ALL_CODE_POINTS, SURROGATES, classify

if TYPE_CHECKING:
    import numpy.typing as npt

    from embedclf.system.arrays import Bytes, Int64s


@cache
def all_points() -> Int64s:
    """(n,) all code points that a text can have: those without surrogates."""
    points = np.arange(ALL_CODE_POINTS)
    return np.delete(points, SURROGATES)


@cache
def all_characters() -> pa.StringArray:
    """(n,) the characters of `all_points`."""
    content = all_points().astype("<u4").tobytes().decode("utf-32-le").encode()
    is_lead = (np.frombuffer(content, np.uint8) & 0xC0) != 0x80
    offsets = np.append(np.flatnonzero(is_lead), len(content)).astype(np.int32)
    buffers = (pa.py_buffer(offsets), pa.py_buffer(content))
    return pa.StringArray.from_buffers(len(offsets) - 1, *buffers)


@cache
def encode_classes(*, emoji: bool) -> list[int]:
    """Encode the class of each code point: 0 blank, 1 word, 2 symbol."""
    return _encode_runs(_at_points(classify(all_points().astype(np.uint32), emoji=emoji)))


@cache
def encode_spaces() -> list[int]:
    """Encode which code points are white space: 1."""
    return _encode_runs(_at_points(np.array([chr(p).isspace() for p in all_points().tolist()])))


@cache
def encode_emoji_parts() -> list[int]:
    """Encode what code points are in an emoji: 1 picture, 2 tone, 3 flag letter, 4 or 5 joiner."""
    parts = np.zeros(ALL_CODE_POINTS, np.uint8)
    kinds = (PICTOGRAPHS, SKIN_TONES, FLAG_LETTERS, JOINERS, ZERO_WIDTH_JOINER)
    for number, ranges in enumerate(kinds, start=1):
        parts[match_in_re2(f"[{ranges}]")] = number
    return _encode_runs(parts)


@cache
def encode_lower_case() -> list[int]:
    """Encode which code points have another lower case.

    Returns:
        Four numbers for each run. The first is the distance from the start of the previous run.
        Then come the number of code points, the distance between two, and what is added to each.
    """
    lower = "".join(pc.utf8_lower(all_characters()).to_pylist()).encode("utf-32-le")
    points, added = all_points(), np.frombuffer(lower, "<u4").astype(np.int64) - all_points()
    changed = np.flatnonzero(added)
    runs: list[int] = []
    previous, index = 0, 0
    while index < len(changed):
        first = changed[index]
        same = added[changed[index:]] == added[first]
        gaps = np.diff(points[changed[index:]])
        step = int(gaps[0]) if len(gaps) and same[1] and gaps[0] <= 2 else 1
        count = 1 + int(np.argmin(np.append(same[1:] & (gaps == step), np.False_)))
        runs += [int(points[first]) - previous, count, step, int(added[first])]
        previous, index = int(points[first]), index + count
    return runs


@cache
def encode_digits() -> list[int]:
    """List the code points of the zeros of all scripts; each is followed by its other digits."""
    return [p for p in all_points().tolist() if unicodedata.decimal(chr(p), None) == 0]


def find_ranges(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the first and the last code point of each range of a mask of `all_points`."""
    points = all_points()[mask]
    if not len(points):
        return []
    breaks = np.flatnonzero(np.diff(points) != 1)
    firsts, lasts = points[np.append(0, breaks + 1)], points[np.append(breaks, len(points) - 1)]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def _at_points(values: npt.NDArray[np.generic]) -> Bytes:
    """(code points,) values of `all_points`; 0 for surrogates."""
    table = np.zeros(ALL_CODE_POINTS, np.uint8)
    table[all_points()] = values
    return table


def _encode_runs(table: Bytes) -> list[int]:
    """Encode a table as the length and the value of each run; the zeros at the end are left out."""
    starts = np.flatnonzero(np.diff(table, prepend=table[0] ^ 1))
    lengths = np.diff(starts, append=len(table))
    runs = np.stack([lengths, table[starts].astype(np.int64)], axis=1).reshape(-1).tolist()
    return runs if runs[-1] else runs[:-2]
