"""Markup removed from texts, as `embedclf.text.markup` does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedclf.export.tensors.markup.automata import MarkupAutomata
from embedclf.export.tensors.markup.entities import EntityDecoder
from embedclf.export.tensors.markup.excerpts import Excerpt
from embedclf.export.tensors.markup.hidden import HiddenFinder
from embedclf.export.tensors.matches import find_matches
from embedclf.export.tensors.operations import CharacterRows

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedclf.export.tensors.characters.character_table import CharacterTable
    from embedclf.export.tensors.matches import Matches
    from embedclf.export.tensors.operations import Operations, Tensor

_HIDDEN, _FORMATTING, _SEPARATING = range(_STAGES := 3)
"""Stages in their order."""


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
    tags = _TagRemover(automata, table)

    def decode(rows: Tensor, texts: Tensor, rounds: Tensor) -> list[Tensor]:
        return [*decoder.decode(ops, CharacterRows(rows, texts)), rounds + 1]

    def remove(rows: Tensor, texts: Tensor, stage: Tensor) -> list[Tensor]:
        return tags.remove(ops, CharacterRows(rows, texts), stage)

    # What was escaped twice is decoded twice
    characters = _repeat(ops, decode, characters, int(table.rows[ord("&")]), 2)
    return _repeat(ops, remove, characters, int(table.rows[ord("<")]), _STAGES)


@dataclass(frozen=True)
class _TagRemover:
    """Removes what begins with `<`: first what is hidden, then tags of formatting, then others."""

    automata: MarkupAutomata
    table: CharacterTable

    def remove(self, ops: Operations, characters: CharacterRows, stage: Tensor) -> list[Tensor]:
        """Apply the stages up to one that removes something.

        Without it, the characters around it can be a tag, as `<` and `p>` are. So they are read
        again.

        Args:
            ops: Of the library.
            characters: Of the texts.
            stage: (1,) the first one to apply.

        Returns:
            The characters, and the next stage.
        """
        less, greater, space = (int(self.table.rows[ord(each)]) for each in "<> ")
        excerpt = Excerpt.take(ops, characters, less=less, greater=greater)
        following = stage * 0 + _STAGES
        for number in range(_STAGES):
            matches = self._find(ops, excerpt.characters, number)
            applies = (stage <= number) & (following == _STAGES)
            matches = matches.keep(ops, (matches.labels > 0) & applies)
            rows = [] if number == _FORMATTING else [matches.starts * 0 + space]
            excerpt = excerpt.replace(matches, *rows)
            found = ops.smaller(ops.size(matches.starts), 1)
            following = ops.smaller(following, found * (number + 1 - _STAGES) + _STAGES)
        return [*excerpt.put_back(), following]

    def _find(self, ops: Operations, characters: CharacterRows, stage: int) -> Matches:
        """Find what a stage removes."""
        examples = self.table.examples
        if stage == _HIDDEN:
            return HiddenFinder(self.automata.hidden, examples).find(ops, characters)
        is_first = stage == _FORMATTING
        automaton = self.automata.formatting if is_first else self.automata.separating
        return find_matches(ops, characters, automaton, examples)


def _repeat(
    ops: Operations,
    step: Callable[..., list[Tensor]],
    characters: CharacterRows,
    row: int,
    rounds: int,
) -> CharacterRows:
    """Repeat a step, which counts its rounds, while texts have a character."""

    def continues(rows: Tensor, texts: Tensor, number: Tensor) -> Tensor:
        del texts
        return ops.any((rows == row) & (number < rounds))

    state = ops.repeat(continues, step, *characters, ops.range(1))
    return CharacterRows(*state[:2])
