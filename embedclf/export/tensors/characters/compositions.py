"""Characters that become one when a text is composed (Unicode's normalization form C)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from embedclf.export.tensors.characters.code_points import LETTER, all_characters, sequences
from embedclf.system.arrow import pc, text_column, to_numpy
from embedclf.text.words import ALL_CODE_POINTS

if TYPE_CHECKING:
    from embedclf.export.tensors.characters.code_points import CodePoints
    from embedclf.system.arrays import Int64s

_CAPITALS = range(ord("A"), ord("Z") + 1)


class Composition(NamedTuple):
    """Two code points, and the one that they become."""

    first: int
    second: int
    composed: int


def find_compositions(points: CodePoints) -> list[Composition]:
    """Find the compositions that an export has to make.

    With `unit: character` or a regular expression, these are all. Other words are hashed in their
    decomposed form. So only those matter that change what the characters are: `=` and a combining
    slash become another symbol.
    """
    every = _all_compositions()
    if points.lowercase:  # ASCII is changed to lower case first
        every = [each for each in every if each.first not in _CAPITALS]
    if points.unit == "character" or points.is_expression:
        return every
    return [each for each in every if _changes(each, points)]


@cache
def composed_points() -> Int64s:
    """(code points,) the code point that each is composed to, itself if it is not a single one."""
    composed = sequences(pc.utf8_normalize(all_characters(), "NFC"))
    points = np.arange(ALL_CODE_POINTS)
    single = composed.lengths == 1
    points[single] = composed.points[composed.starts[:-1][single]]
    return points


@cache
def _all_compositions() -> list[Composition]:
    decomposed = pc.utf8_normalize(all_characters(), "NFD")
    is_composed = pc.equal(pc.utf8_normalize(decomposed, "NFC"), all_characters())
    chosen = pc.and_(is_composed, pc.greater(pc.utf8_length(decomposed), 1))
    composed = np.flatnonzero(to_numpy(chosen)).tolist()
    parts = decomposed.filter(chosen).to_pylist()
    heads = pc.utf8_normalize(text_column([part[:-1] for part in parts]), "NFC").to_pylist()
    triples = zip(heads, parts, composed, strict=True)
    return [Composition(ord(head), ord(part[-1]), whole) for head, part, whole in triples]


def _changes(composition: Composition, points: CodePoints) -> bool:
    """Whether the composed character is not simply both characters in one word."""
    parts = points.decomposed.of(composition.first) + points.decomposed.of(composition.second)
    same = parts == points.decomposed.of(composition.composed)
    return not same or any(points.kinds[point] != LETTER for point in composition)
