"""Markup removed from texts, as `embedclf.text.markup` does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedclf.export.tensors.markup.automata import MarkupAutomata
from embedclf.export.tensors.markup.entities import EntityDecoder
from embedclf.export.tensors.markup.hidden import HiddenFinder
from embedclf.export.tensors.matches import find_matches, replace
from embedclf.export.tensors.operations import CharacterRows

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedclf.export.tensors.characters.character_table import CharacterTable
    from embedclf.export.tensors.operations import Operations, Tensor


def remove_markup(
    ops: Operations, characters: CharacterRows, table: CharacterTable
) -> CharacterRows:
    """Decode the entities of texts, and remove comments and tags.

    Args:
        ops: Of the library.
        characters: Of the texts, not normalized.
        table: In which all characters that markup depends on have rows of their own.
    """
    automata = MarkupAutomata.compile()
    decoder = EntityDecoder(automata.entity, table)
    hidden = HiddenFinder(automata.hidden, table.examples)
    ampersand, less, space = (int(table.rows[ord(each)]) for each in "&< ")

    def decode(rows: Tensor, texts: Tensor, rounds: Tensor) -> list[Tensor]:
        return [*decoder.decode(ops, CharacterRows(rows, texts)), rounds + 1]

    def remove(rows: Tensor, texts: Tensor, rounds: Tensor) -> list[Tensor]:
        characters = CharacterRows(rows, texts)
        matches = hidden.find(ops, characters)
        characters = replace(ops, characters, matches, matches.starts * 0 + space)
        matches = find_matches(ops, characters, automata.formatting, table.examples)
        characters = replace(ops, characters, matches)
        matches = find_matches(ops, characters, automata.separating, table.examples)
        characters = replace(ops, characters, matches, matches.starts * 0 + space)
        return [*characters, rounds + 1]

    characters = _repeat(ops, decode, characters, ampersand, 2)
    return _repeat(ops, remove, characters, less, 1)


def _repeat(
    ops: Operations,
    step: Callable[..., list[Tensor]],
    characters: CharacterRows,
    row: int,
    most: int,
) -> CharacterRows:
    """Repeat a step some times at most, while texts have a character."""

    def continues(rows: Tensor, texts: Tensor, rounds: Tensor) -> Tensor:
        del texts
        return ops.any((rows == row) & (rounds < most))

    state = ops.repeat(continues, step, *characters, ops.range(1))
    return CharacterRows(*state[:2])
