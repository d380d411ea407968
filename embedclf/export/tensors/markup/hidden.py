"""Comments, scripts and styles, found by tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedclf.export.tensors.matches import Matches, choose, find_matches

if TYPE_CHECKING:
    from embedclf.export.automata.tempered import TemperedAutomaton
    from embedclf.export.tensors.operations import CharacterRows, Operations, Tensor
    from embedclf.system.arrays import Int64s


@dataclass(frozen=True)
class HiddenFinder:
    """Finds what is not shown."""

    automaton: TemperedAutomaton
    """Finds its parts."""
    examples: Int64s
    """(rows,) a code point of each row of characters."""

    def find(self, ops: Operations, characters: CharacterRows) -> Matches:
        """Find comments, declarations, scripts and styles."""
        opened = find_matches(ops, characters, self.automaton.opening, self.examples)
        complete = ops.gather(ops.constant(self.automaton.is_complete), opened.labels)

        def is_open(_: Tensor, rounds: Tensor) -> Tensor:
            return ops.any((rounds == 0) & ~complete)

        def close(ends: Tensor, rounds: Tensor) -> list[Tensor]:
            found = self._close(ops, characters, opened)
            return [ops.where(complete, ends, found), rounds + 1]

        ends, _ = ops.repeat(is_open, close, opened.ends, opened.ends * 0)
        closed = ends > 0
        found = Matches(opened.starts, ends, opened.labels).keep(ops, closed)
        return choose(ops, found, ops.size(characters.rows))

    def _close(self, ops: Operations, characters: CharacterRows, opened: Matches) -> Tensor:
        """Return where each ends that is open (matches,), 0 where it does not.

        Each goes from one closing or forbidden part to the next, until one is its own.
        """
        inside = find_matches(ops, characters, self.automaton.inside, self.examples)
        count = ops.size(inside.starts)
        ends, labels, texts = (
            ops.concatenate([each, ops.range(1)])  # so that there is one
            for each in (inside.ends, inside.labels, ops.gather(characters.texts, inside.starts))
        )
        ones = inside.starts * 0 + 1
        up_to = ops.cumulate(ops.scatter(ops.size(characters.rows), inside.starts, ones))
        own_texts = ops.gather(characters.texts, opened.starts)
        closing = opened.labels * 2

        def searches(parts: Tensor, _: Tensor) -> Tensor:
            return ops.any(parts < count)

        def step(parts: Tensor, found: Tensor) -> list[Tensor]:
            here = ops.smaller(parts, count)
            label = ops.gather(labels, here)
            inner = (parts < count) & (ops.gather(texts, here) == own_texts)
            closes = inner & (label == closing)
            stays = inner & (label != closing) & (label != closing - 1)
            found = ops.where(closes, ops.gather(ends, here), found)
            return [ops.where(stays, parts + 1, count), found]

        first = ops.gather(up_to, opened.ends - 1)
        _, found = ops.repeat(searches, step, first, opened.ends * 0)
        return found
