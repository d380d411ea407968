"""What parts several labels in one cell, told from the cells of a label column."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_SEPARATORS = ("|", ";", ",")
_MOST_PARTS = 0.8
"""Least share of the parts that must be in two different cells or more."""


def find_separator(cells: Sequence[str]) -> str | None:
    """Find what parts labels in the different cells of a label column; None is nothing.

    A sign that stands in labels is not one that parts them: its parts must come again. Each cell
    must have one, there must be fewer of them than of cells, and most of those that stand beside
    others must also be in another cell, alone or in other company. So `Books, Music` beside
    `Toys, Games` is one label, and `joy|love` beside `joy` is two.
    """
    return next((sign for sign in _SEPARATORS if _parts_labels(sign, cells)), None)


def _parts_labels(sign: str, cells: Sequence[str]) -> bool:
    parted = [{part.strip() for part in cell.split(sign)} - {""} for cell in cells]
    in_cells = Counter(part for parts in parted for part in parts)
    beside = {part for parts in parted if len(parts) > 1 for part in parts}
    again = sum(in_cells[part] > 1 for part in beside)
    return (
        bool(beside)
        and all(parted)
        and len(in_cells) < len(cells)
        and again >= _MOST_PARTS * len(beside)
    )
