"""Nested subsets of training rows: all of them, half, a quarter, an eighth."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from embedclf.data.split_units import choose_validation_rows
from embedclf.errors import DataError

if TYPE_CHECKING:
    from embedclf.config.schema import Config
    from embedclf.data.split_units import SplitUnits
    from embedclf.system.arrays import Int64s, Mask

SIZES = 4
"""All rows, 1/2, 1/4 and 1/8."""

MIN_ROWS = 20
"""Rows of the smallest subset."""

MIN_LABEL_ROWS = 4
"""Rows that a typical label has in the smallest subset."""


def nest_subsets(units: SplitUnits, rows: Mask, config: Config) -> list[Mask]:
    """Halve rows at random, stratified by label; groups or equal texts stay together.

    Args:
        units: What stays together, of all rows.
        rows: (n,) the rows to halve. With times, they are halved at random all the same: the
            curve shows what more rows of the same time bring.
        config: Its seed and its fraction of validation rows.

    Returns:
        Masks (n,), the largest first, until one would have too few rows: of all, of a label, or to
        hold out some for validation.
    """
    units = replace(units, times=None)
    subsets: list[Mask] = []
    mask = rows
    while len(subsets) < SIZES and _is_large_enough(units, mask, config):
        subsets.append(mask)
        kept = np.flatnonzero(mask)
        # The half that is dropped never has the last row of a label
        dropped = units.take(kept).split(fraction=0.5, seed=config.seed)
        mask = mask.copy()
        mask[kept[dropped]] = False
    return subsets


def _is_large_enough(units: SplitUnits, mask: Mask, config: Config) -> bool:
    label_rows = _count_strata(units.strata, mask)
    # The lower median: the rarer label of two, and of many, one that half of them exceed
    typical = np.sort(label_rows)[(len(label_rows) - 1) // 2]
    if mask.sum() < MIN_ROWS or typical < MIN_LABEL_ROWS:
        return False
    try:
        choose_validation_rows(units.take(np.flatnonzero(mask)), config)
    except DataError:
        return False
    return True


def _count_strata(strata: Int64s, mask: Mask) -> Int64s:
    """(strata,) the rows of each stratum under a mask."""
    _, numbers = np.unique(strata, return_inverse=True)
    counts: Int64s = np.bincount(numbers[mask], minlength=numbers.max(initial=-1) + 1)
    return counts
