"""Texts in their composed form, as far as tokens depend on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from embedclf.export.tensors.neighbors import before
from embedclf.export.tensors.operations import CharacterRows

if TYPE_CHECKING:
    from embedclf.export.tensors.characters.character_table import CharacterTable
    from embedclf.export.tensors.operations import Operations, Tensor
    from embedclf.system.arrays import Int64s

_MARKS = 3
"""Marks on one character that are put into order, and composed with it; ᾂ has three."""


def compose(ops: Operations, characters: CharacterRows, table: CharacterTable) -> CharacterRows:
    """Replace characters by those that they are composed to.

    With `unit: character`, marks are put into canonical order first. What no ordinary text has is
    left out: more than three marks on a character, and an accented character with a mark that
    belongs before its own.
    """
    if not len(table.pairs[0]):
        return characters
    keys, composed = table.pairs
    if not table.composed:
        for distance in (1, 2, 3):
            characters = _compose_pairs(ops, characters, table, table.pairs, distance=distance)
        return characters
    for _ in range(_MARKS):
        characters = _sort_marks(ops, characters, table)
    has_mark = table.orders[keys & 0xFFFFFFFF] > 0
    marks = keys[has_mark], composed[has_mark]
    for pairs, distance in (
        (table.pairs, 1),
        (table.pairs, 1),  # a syllable of Hangul has up to three letters, which are no marks
        (marks, 1),
        (marks, 2),
        (marks, 2),
        (marks, 3),
    ):
        characters = _compose_pairs(ops, characters, table, pairs, distance=distance)
    return characters


def expand(ops: Operations, characters: CharacterRows, table: CharacterTable) -> CharacterRows:
    """Replace each character by what it is taken apart to; remove the invisible ones."""
    rows = ops.gather(ops.constant(table.expansions), characters.rows)  # (characters, 1 or more)
    texts = ops.reshape(characters.texts, -1, 1) + rows * 0
    flat = CharacterRows(ops.reshape(rows, -1), ops.reshape(texts, -1))
    return filter_characters(ops, flat, flat.rows >= 0)


def filter_characters(ops: Operations, characters: CharacterRows, mask: Tensor) -> CharacterRows:
    """Keep the characters where a mask (characters,) is true."""
    return CharacterRows(*(ops.compress(each, mask) for each in characters))


def _sort_marks(ops: Operations, characters: CharacterRows, table: CharacterTable) -> CharacterRows:
    """Swap neighboring marks that are not in canonical order."""
    rows = characters.rows
    orders = ops.gather(ops.constant(table.orders), rows)
    swapped = (orders > 0) & (ops.shift(orders, 1, 0) > orders)
    swapped = swapped & ~before(ops, swapped)  # of three in reverse order, the first two
    sorted_rows = ops.where(swapped, ops.shift(rows, 1, 0), rows)
    first = ops.shift(swapped, -1, 0)
    return CharacterRows(ops.where(first, ops.shift(rows, -1, 0), sorted_rows), characters.texts)


def _compose_pairs(
    ops: Operations,
    characters: CharacterRows,
    table: CharacterTable,
    pairs: tuple[Int64s, Int64s],
    *,
    distance: int,
) -> CharacterRows:
    """Replace pairs of characters, with marks between them, by what both become."""
    keys, composed = pairs
    are_first, are_second = (np.zeros(len(table.kinds), np.bool_) for _ in range(2))
    are_first[keys >> 32] = True
    are_second[keys & 0xFFFFFFFF] = True
    rows = characters.rows
    firsts = before(ops, ops.gather(ops.constant(are_first), rows), distance)
    maybe = firsts & ops.gather(ops.constant(are_second), rows)
    orders = ops.gather(ops.constant(table.orders), rows) if distance > 1 else None
    for place in range(1, distance):
        between = ops.shift(orders, place, 0)
        maybe = maybe & (between > 0) & (between != orders)
    places = ops.places(maybe)
    both = ops.gather(rows, places - distance) * (1 << 32) + ops.gather(rows, places)
    # From 1, so that 0 is no row
    found = ops.scatter(ops.size(rows), places, ops.look_up(both, keys, composed + 1, 0))
    whole = ops.shift(found, -distance, 0)
    rows = ops.where(whole > 0, whole - 1, rows)
    return filter_characters(ops, CharacterRows(rows, characters.texts), found == 0)
