"""Stratified, grouped and seeded splits and folds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from embedclf.system.progress import activity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.system.arrays import Counts, Int64s, Mask, Rows
    from embedclf.text.fingerprints import Fingerprints

_ROWS_AT_ONCE = 1 << 14


@activity("choosing validation rows")
def stratified_split(groups: Fingerprints, strata: Int64s, *, fraction: float, seed: int) -> Mask:
    """Choose the rows to hold out: stratified, seeded, each group on one side.

    Every stratum holds out the same fraction of its rows, and keeps at least one row. Rounding by
    largest remainders brings the total as close as possible. Groups are held out in random order,
    if they fit into the rest of the stratum's quota.

    Args:
        groups: (n,) rows with the same number stay together.
        strata: (n,) the stratum of each row; a group belongs to the rarest stratum of its rows.
        fraction: Fraction of the rows to hold out, between 0 and 1.
        seed: For the random order.

    Returns:
        (n,) True for the rows held out.
    """
    _, group_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    _, stratum_of, stratum_rows = np.unique(strata, return_inverse=True, return_counts=True)
    # lexsort's last key comes first: by group, then by the rarity of the row's stratum.
    by_rarity = np.lexsort((stratum_rows[stratum_of], group_of))
    # The first row of each group now has the group's rarest stratum.
    _, first = np.unique(group_of[by_rarity], return_index=True)
    stratum_of_group = stratum_of[by_rarity][first]  # (groups,)
    rng = np.random.default_rng(seed)
    # minlength: a stratum has no rows left if all its groups belong to rarer ones.
    rows = np.bincount(stratum_of_group, sizes, len(stratum_rows))
    quotas = _quotas(rows, fraction, rng).tolist()
    left = sum(quotas)
    held_out = np.zeros(len(sizes), np.bool_)
    for group, stratum, size in _iterate(rng.permutation(len(sizes)), stratum_of_group, sizes):
        if size <= quotas[stratum]:
            held_out[group] = True
            quotas[stratum] -= size
            left -= size
            if not left:
                break
    mask: Mask = held_out[group_of]
    return mask


def stratified_folds(groups: Fingerprints, strata: Int64s, *, count: int, seed: int) -> Int64s:
    """Assign rows to folds of equal size: stratified, seeded, each group in one fold.

    Each fold is split off from the remaining rows. A group larger than a fold goes to the last one.

    Args:
        groups: (n,) rows with the same number stay together.
        strata: (n,) the stratum of each row.
        count: Number of folds.
        seed: For the random order.

    Returns:
        (n,) the fold of each row, from 0; with few groups, a fold can be empty.
    """
    folds = np.full(len(groups), count - 1, np.int64)
    left = np.arange(len(groups))
    for fold in range(count - 1):
        fraction = 1 / (count - fold)
        chosen = stratified_split(groups[left], strata[left], fraction=fraction, seed=seed)
        folds[left[chosen]] = fold
        left = left[~chosen]
    return folds


def _iterate(order: Rows, *columns: npt.NDArray[Any]) -> Iterator[tuple[int, ...]]:
    """Yield each position in an order with its values in the columns, as Python numbers.

    Converting block by block is faster than one by one, and takes less memory than all at once.
    """
    for start in range(0, len(order), _ROWS_AT_ONCE):
        block = order[start : start + _ROWS_AT_ONCE]
        yield from zip(block.tolist(), *(column[block].tolist() for column in columns), strict=True)


def _quotas(rows: npt.NDArray[Any], fraction: float, rng: np.random.Generator) -> Counts:
    """Divide a fraction of all rows among strata by largest remainders, with random ties.

    Args:
        rows: (strata,) rows of each stratum.
        fraction: Between 0 and 1.
        rng: Breaks ties.

    Returns:
        (strata,) rows to hold out, never all of a stratum.
    """
    exact = rows * fraction
    most = np.maximum(rows - 1, 0).astype(np.int64)
    quotas: Counts = np.minimum(np.floor(exact).astype(np.int64), most)
    missing = round(float(exact.sum())) - int(quotas.sum())
    # quotas - exact is the negative remainder, so the largest remainder comes first.
    for stratum in np.lexsort((rng.permutation(len(rows)), quotas - exact)):
        if missing > 0 and quotas[stratum] < most[stratum]:
            quotas[stratum] += 1
            missing -= 1
    return quotas
