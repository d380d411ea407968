"""Stratified, grouped and seeded splits and folds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.system.arrays import Counts, Int64s, Mask, Rows
    from embedclf.text.fingerprints import Fingerprints

_ROWS_AT_ONCE = 1 << 14


def stratified_split(groups: Fingerprints, strata: Int64s, *, fraction: float, seed: int) -> Mask:
    """Choose the rows to hold out: stratified, seeded, each group on one side.

    Every stratum holds out its fraction of rows, rounded so the total is as close as possible
    (largest remainders), and keeps at least one row. Its groups are held out in random order, as
    long as they fit into what is left of the stratum's quota.

    Args:
        groups: (n,) rows with the same number stay together.
        strata: (n,) the stratum of each row; a group belongs to the rarest one among its rows.
        fraction: Fraction of the rows to hold out, between 0 and 1.
        seed: Of the random order.

    Returns:
        (n,) True for the rows held out.
    """
    _, group_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    _, stratum_of, stratum_rows = np.unique(strata, return_inverse=True, return_counts=True)
    # lexsort's last key comes first: by group, and in a group by the rarity of the row's stratum.
    by_rarity = np.lexsort((stratum_rows[stratum_of], group_of))
    # The first row of each group is now the one of its rarest stratum.
    _, first = np.unique(group_of[by_rarity], return_index=True)
    stratum_of_group = stratum_of[by_rarity][first]  # (groups,)
    rng = np.random.default_rng(seed)
    # minlength: a stratum whose groups all went to rarer ones has no rows left.
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

    Each fold is split off the rows that the previous ones left. A group larger than a fold goes to
    the last one.

    Args:
        groups: (n,) rows with the same number stay together.
        strata: (n,) the stratum of each row.
        count: Number of folds.
        seed: Of the random order.

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
    """Yield each position of an order with the columns' values there, as Python numbers.

    They are converted block by block: one by one is slow, all at once takes memory.
    """
    for start in range(0, len(order), _ROWS_AT_ONCE):
        block = order[start : start + _ROWS_AT_ONCE]
        yield from zip(block.tolist(), *(column[block].tolist() for column in columns), strict=True)


def _quotas(rows: npt.NDArray[Any], fraction: float, rng: np.random.Generator) -> Counts:
    """Divide a fraction of all rows among strata by largest remainders; ties are random.

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
