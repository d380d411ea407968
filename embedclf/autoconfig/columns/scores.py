"""How well a column would do as the text or as the label, by its cells and its name."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from embedclf.autoconfig.columns.annotation_tools import is_decision

if TYPE_CHECKING:
    from embedclf.autoconfig.columns.names import ColumnName
    from embedclf.autoconfig.columns.profiles import ColumnProfile

_FEW_VALUES = 20
"""Distinct numbers or words that a label may have, whatever the number of rows."""


class LabelRank(IntEnum):
    """How probably a column holds labels; the last four have a word for a label in their name."""

    NOT_A_LABEL = 0
    UNLIKELY = 1
    POSSIBLE = 2
    PART_OF_LABEL = 3
    PART_OF_NAME = 4
    WHOLE_NAME = 5
    DEFAULT_NAME = 6


def score_text(column: ColumnProfile) -> float:
    """Score how well a column would do as the text; 0 if it cannot be one."""
    # Cells that occur more than ten times on average are categories, not texts.
    is_repeated = column.distinct < 2 or 10 * column.distinct < column.filled
    if column.content != "words" or is_repeated:
        return 0.0
    # 0.1: a column of single words can still be the text if there is no better one.
    variety = column.distinct_fraction * (0.1 + column.multi_word_fraction)
    length = column.mean_length * column.filled_fraction
    return length * variety * column.meaning.text_factor


def rank_label(column: ColumnProfile) -> LabelRank:
    """Rank how probably a column holds labels, by its content, then by its name."""
    meaning = column.meaning
    if not _has_label_cells(column) or meaning.is_prediction:
        return LabelRank.NOT_A_LABEL
    if is_decision(column):
        return LabelRank.PART_OF_NAME
    if meaning.speaks_for_label:
        return _rank_label_name(meaning)
    if meaning.is_part_of_label:
        return LabelRank.PART_OF_LABEL
    # Rows without a label are dropped, so a mostly empty column would waste the table.
    is_sparse = 2 * column.filled < column.rows
    is_unlikely = is_sparse or not column.name or meaning.speaks_for_neither
    return LabelRank.UNLIKELY if is_unlikely else LabelRank.POSSIBLE


def _has_label_cells(column: ColumnProfile) -> bool:
    """Whether a column has several values, and enough rows of each."""
    meaning = column.meaning
    is_named = meaning.speaks_for_label or meaning.is_part_of_label
    min_repeats = 2 if is_named or column.distinct <= _FEW_VALUES else 5  # rows per distinct cell
    if column.distinct < 2 or column.distinct * min_repeats > column.filled:
        return False
    if column.content == "numbers":
        may_be_quantity = meaning.is_quantity or not is_named
        return column.distinct <= _FEW_VALUES or not may_be_quantity
    if column.content == "lists":  # of numbers, which are rarely labels
        return meaning.is_label
    return column.content in {"flags", "label lists", "words"}


def _rank_label_name(meaning: ColumnName) -> LabelRank:
    """Rank a name with a word for a label."""
    if meaning.speaks_for_neither:
        return LabelRank.PART_OF_NAME
    if meaning.is_label:
        return LabelRank.DEFAULT_NAME
    return LabelRank.WHOLE_NAME if len(meaning.words) == 1 else LabelRank.PART_OF_NAME
