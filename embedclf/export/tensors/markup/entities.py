"""Entities such as `&eacute;` and `&#233;`, decoded by tensors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from embedclf.export.entities import entity_names, odd_numbers
from embedclf.export.tensors.characters.character_table import PAGE
from embedclf.export.tensors.markup.automata import OTHER
from embedclf.export.tensors.matches import find_matches, replace
from embedclf.export.tensors.token_hashes import mix
from embedclf.text.words import ALL_CODE_POINTS

if TYPE_CHECKING:
    import numpy.typing as npt

    from embedclf.export.automata.automaton import Automaton
    from embedclf.export.tensors.characters.character_table import CharacterTable
    from embedclf.export.tensors.operations import CharacterRows, Operations, Tensor
    from embedclf.system.arrays import Int64s

_LONGEST = max(map(len, entity_names()))
"""Characters of the longest name; a number has fewer."""

_NONE = 0
"""Stands for no character: no entity is U+0000."""

_UNKNOWN = 1 << 62
"""Is what names stand for that HTML does not have."""

_INVALID = ord("\ufffd")

_WEIGHTS = 32
"""Of the digits of a number; the others weigh as much as the last of them."""


@dataclass(frozen=True)
class EntityDecoder:
    """Decodes the entities of texts."""

    automaton: Automaton
    """Finds entities."""
    table: CharacterTable

    def decode(self, ops: Operations, characters: CharacterRows) -> CharacterRows:
        """Replace entities by their characters, once."""
        examples = self.table.examples
        matches = find_matches(ops, characters, self.automaton, examples)
        ascii_of_row = ops.constant(np.minimum(examples, OTHER))
        columns = ops.constant(np.arange(_LONGEST + 1)[None, :])
        places = ops.reshape(matches.starts, -1, 1) + 1 + columns  # (matches, longest + 1)
        places = ops.smaller(places, ops.size(characters.rows) - 1)
        written = ops.gather(ascii_of_row, ops.gather(characters.rows, places))
        last = ops.gather(ascii_of_row, ops.gather(characters.rows, matches.ends - 1))
        lengths = matches.ends - matches.starts - 1 - ops.to_integers(last == ord(";"))
        entities = _Entities(written, ops.reshape(lengths, -1, 1), columns)
        characters_of = self._decode(ops, entities)
        known = characters_of != _UNKNOWN
        points = ops.compress(characters_of, known)
        both = ops.reshape(points, -1, 1) // ops.constant(np.array([[1, 1 << 32]])) % (1 << 32)
        rows = self._find_rows(ops, both)
        return replace(ops, characters, matches.keep(ops, known), rows[:, 0], rows[:, 1])[0]

    def _decode(self, ops: Operations, entities: _Entities) -> Tensor:
        """Return the code points (entities,) of entities: the first + 2**32 times the second."""
        is_number = entities.written[:, 0] == ord("#")
        second = entities.written[:, 1]
        is_hex = (second == ord("x")) | (second == ord("X"))
        names, values = _names()
        named = ops.look_up(_hash(ops, entities), names, values, _UNKNOWN)
        number = _read_number(ops, entities, ops.to_integers(is_hex))
        is_surrogate = (number >= 0xD800) & (number < 0xE000)
        number = ops.where(is_surrogate | (number >= ALL_CODE_POINTS), _INVALID, number)
        meant = [ord(text) if text else _NONE for text in odd_numbers().values()]
        # From 1, so that 0 is no number
        found = ops.look_up(number, np.array(list(odd_numbers())), np.array(meant) + 1, 0)
        number = ops.where(found > 0, found - 1, number)
        return ops.where(is_number, number, named)

    def _find_rows(self, ops: Operations, points: Tensor) -> Tensor:
        """Return the rows of code points, -1 for none."""
        pages, of_points = map(_narrow, self.table.pages)
        page = ops.to_integers(ops.gather(ops.constant(of_points), points // PAGE))
        rows = ops.gather(ops.constant(pages), page * PAGE + points % PAGE)
        return ops.where(points == _NONE, -1, ops.to_integers(rows))


class _Entities(NamedTuple):
    """What is written after the ampersands."""

    written: Tensor
    """(entities, longest + 1) code points of ASCII; 128 for others."""
    lengths: Tensor
    """(entities, 1) without the semicolon."""
    columns: Tensor
    """(1, longest + 1)"""


def _hash(ops: Operations, entities: _Entities) -> Tensor:
    """Return a hash of each name (entities,); one that is too long has that of no name."""
    weights = ops.constant(_name_weights()[None, :])
    terms = ops.where(entities.columns < entities.lengths, entities.written * weights, 0)
    return ops.sum(terms, 1)


def _read_number(ops: Operations, entities: _Entities, is_hex: Tensor) -> Tensor:
    """Return the number of each entity (entities,); large ones are only known to be so."""
    values = ops.gather(ops.constant(_digit_values()), entities.written)
    is_hex = ops.reshape(is_hex, -1, 1)
    distance = entities.lengths - entities.columns - 1  # to the last digit
    is_digit = (distance >= 0) & (entities.columns > is_hex)
    distance = ops.smaller(ops.larger(distance, 0), _WEIGHTS - 1)
    weights = ops.gather(ops.constant(_digit_weights()), is_hex * _WEIGHTS + distance)
    return ops.sum(ops.where(is_digit, values * weights, 0), 1)


@cache
def _names() -> tuple[Int64s, Int64s]:
    """Return the hashes of names, and the code points of each."""
    weights = _name_weights()
    names = [np.frombuffer(name.encode(), np.uint8) for name in entity_names()]
    points = [[*map(ord, text), _NONE][:2] for text in entity_names().values()]
    return (
        np.array([np.sum(name * weights[: len(name)]) for name in names], np.int64),
        np.array([first | second << 32 for first, second in points], np.int64),
    )


def _name_weights() -> Int64s:
    """(longest + 1,) random numbers of 40 bits: ONNX Runtime sums integers as float64."""
    return (mix(range(_LONGEST + 1)) >> np.uint64(24)).view(np.int64)


def _digit_values() -> Int64s:
    values = np.zeros(OTHER + 1, np.int64)
    for place, digit in enumerate("0123456789abcdef"):
        values[[ord(digit), ord(digit.upper())]] = place
    return values


def _digit_weights() -> Int64s:
    """(2 * weights,) of decimal and of hexadecimal digits, from the last one."""
    least = 1 << 24  # a number with such a digit is no code point
    return np.array([min(base**place, least) for base in (10, 16) for place in range(_WEIGHTS)])


def _narrow(column: Int64s) -> npt.NDArray[Any]:
    """Return integers that take less space in a file."""
    return column.astype(np.int16 if column.max() < 1 << 15 else np.int32)
