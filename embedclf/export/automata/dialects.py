"""Expressions of Python and RE2; what an item matches is asked of the engine itself."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from embedclf.export.automata.syntax import Node, parse
from embedclf.system.arrow import pc, text_column, to_numpy
from embedclf.text.words import ALL_CODE_POINTS, SURROGATES

if TYPE_CHECKING:
    import pyarrow as pa

    from embedclf.system.arrays import Mask

_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}


def parse_pattern(pattern: re.Pattern[str], source: str | None = None) -> Node:
    """Read a pattern of Python, or another source with the same flags."""
    flags = "".join(letter for letter, flag in _FLAGS.items() if pattern.flags & flag)
    return parse(pattern.pattern if source is None else source, flags)


@cache
def match_in_python(item: str) -> Mask:
    """(code points,) whether Python matches each; no surrogate is matched."""
    mask = np.zeros(ALL_CODE_POINTS, np.bool_)
    for found in re.finditer(f"(?:{item})+", _all_characters()):
        mask[found.start() : found.end()] = True
    mask[SURROGATES] = False
    return mask


@cache
def match_in_re2(item: str) -> Mask:
    """(code points,) whether RE2 matches each; no surrogate is matched."""
    mask = np.ones(ALL_CODE_POINTS, np.bool_)
    mask[SURROGATES] = False
    matches = pc.match_substring_regex(_column(), f"^(?:{item})$")
    mask[mask] = to_numpy(matches).view(np.bool_)
    return mask


@cache
def _column() -> pa.StringArray:
    """All code points but surrogates, as texts of one character."""
    written = _all_characters()
    return text_column([*written[: SURROGATES.start], *written[SURROGATES.stop :]])


@cache
def _all_characters() -> str:
    """All code points in one text, which is faster to search than each alone."""
    return "".join(map(chr, range(ALL_CODE_POINTS)))
