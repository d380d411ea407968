"""The parts of texts that tags can be in, so that automata do not read all of a text.

Tags begin with `<`, end with `>`, and have no other `<`. Comments and scripts begin and end so.
Two ranges are read: from a `<` to the last `>` before the next `<`, and some characters behind each
`<`. The rest is removed as a whole or stays. Its first character stands for it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedclf.export.tensors.matches import replace
from embedclf.export.tensors.neighbors import before
from embedclf.export.tensors.operations import CharacterRows

if TYPE_CHECKING:
    from embedclf.export.tensors.matches import Matches
    from embedclf.export.tensors.operations import Operations, Tensor

_ALWAYS = len("<script") + 1
"""Characters that are read from each `<`: a comment or a script can begin there, and end later."""


@dataclass(frozen=True)
class Excerpt:
    """Some characters of texts."""

    ops: Operations
    whole: CharacterRows
    """All characters."""
    is_read: Tensor
    """(all,) whether each can be part of a tag."""
    numbers: Tensor
    """(all,) the number of the excerpt's character that is each, or stands for it."""
    characters: CharacterRows
    """Of the excerpt."""
    origins: Tensor
    """(characters,) the number that each had when the excerpt was taken."""
    size: Tensor
    """Number of characters that were taken."""

    @classmethod
    def take(
        cls, ops: Operations, characters: CharacterRows, *, less: int, greater: int
    ) -> Excerpt:
        """Take the characters that can be part of a tag, and one of each gap between them.

        Args:
            ops: Of the library.
            characters: Of the texts.
            less: The row of `<`.
            greater: The row of `>`.
        """
        is_read = _find_parts(ops, characters.rows, less, greater)
        begins = characters.texts != ops.shift(characters.texts, 1, -1)
        chosen = is_read | begins | before(ops, is_read)
        numbers = ops.cumulate(ops.to_integers(chosen)) - 1
        excerpt = CharacterRows(*(ops.compress(each, chosen) for each in characters))
        size = ops.size(excerpt.rows)
        return cls(ops, characters, is_read, numbers, excerpt, ops.range(size), size)

    def replace(self, matches: Matches, *rows: Tensor) -> Excerpt:
        """Replace matches by characters, as `matches.replace` does."""
        characters, kept = replace(self.ops, self.characters, matches, *rows)
        origins = self.ops.compress(self.origins, kept)
        return dataclasses.replace(self, characters=characters, origins=origins)

    def put_back(self) -> CharacterRows:
        """Return the texts with what the excerpt has become."""
        ops = self.ops
        # From 1, so that 0 is no row
        left = ops.scatter(self.size, self.origins, self.characters.rows + 1)
        rows = ops.gather(left, self.numbers)
        replaced = ops.where(self.is_read, rows - 1, self.whole.rows)
        kept = rows > 0
        return CharacterRows(ops.compress(replaced, kept), ops.compress(self.whole.texts, kept))


def _find_parts(ops: Operations, rows: Tensor, less: int, greater: int) -> Tensor:
    """Return whether each character can be part of a tag."""
    size = ops.size(rows)
    starts = ops.places(rows == less)
    is_greater = rows == greater
    ends = ops.concatenate([ops.range(1) - 1, ops.places(is_greater)])
    counts = ops.cumulate(ops.to_integers(is_greater))
    borders = ops.concatenate([starts, ops.range(size + 1)[-1:]])[1:]
    last = ops.gather(ends, ops.gather(counts, borders - 1))
    behind = ops.smaller(ops.larger(last + 1, starts + _ALWAYS), borders)
    ones = starts * 0 + 1
    edges = ops.scatter(size + 1, starts, ones) - ops.scatter(size + 1, behind, ones)
    return ops.cumulate(edges)[:-1] > 0
