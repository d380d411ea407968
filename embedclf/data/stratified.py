"""Stratified, grouped and seeded splits and folds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from embedclf.system.memory.mapped_arrays import ArrayFile, blocks, permutation, take
from embedclf.system.progress import activity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.system.arrays import Counts, Doubles, Int32s, Int64s, Mask, Rows
    from embedclf.text.fingerprints import Fingerprints

_ROWS_AT_ONCE, _ROWS_PER_RANGE = 1 << 14, 1 << 20


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
    numbered = _NumberedGroups(groups, strata)
    sizes, stratum_of_group = numbered.sizes, numbered.strata
    rng = np.random.default_rng(seed)
    rows = numbered.rows_of_strata()
    quotas = _quotas(rows, fraction, rng).tolist()
    left = sum(quotas)
    held_out = np.zeros(len(sizes), np.bool_)
    order = permutation(len(sizes), rng)
    for group, stratum, size in _iterate(order, stratum_of_group, sizes):
        if size <= quotas[stratum]:
            held_out[group] = True
            quotas[stratum] -= size
            left -= size
            if not left:
                break
    mask: Mask = take(held_out, numbered.group_of)
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


class _NumberedGroups:
    """Groups, numbered in the order of their fingerprints, each with the stratum it belongs to.

    They are numbered by ranges of fingerprints, so that sorting takes little memory.
    """

    def __init__(self, groups: Fingerprints, strata: Int64s) -> None:
        self._present, self._rows = _count_strata(strata)
        group_of, sizes, strata_of_groups = (
            ArrayFile(np.int32),
            ArrayFile(np.int64),
            ArrayFile(np.int32),
        )
        for block in blocks(len(groups)):
            group_of.append(np.zeros(block.stop - block.start, np.int32))
        self.group_of: Int32s = group_of.map(writable=True)
        """(n,) the number of each row's group."""
        for rows in _ranges_of_rows(groups):
            _, group_of_row, counts = np.unique(
                groups[rows], return_inverse=True, return_counts=True
            )
            self.group_of[rows] = group_of_row + len(sizes)
            sizes.append(counts)
            strata_of_groups.append(self._rarest(group_of_row, strata[rows]))
        self.sizes: Counts = sizes.map()
        """(groups,) rows of each group."""
        self.strata: Int32s = strata_of_groups.map()
        """(groups,) the number of each group's stratum, from 0."""

    def rows_of_strata(self) -> Doubles:
        """(strata,) rows of the groups of each; none if they all belong to rarer strata."""
        rows = np.zeros(len(self._present))
        for block in blocks(len(self.sizes)):
            rows += np.bincount(self.strata[block], self.sizes[block], len(rows))
        return rows

    def _rarest(self, group_of: Int64s, strata: Int64s) -> Int64s:
        """(groups,) the number of the rarest stratum of the rows (n,) of each group."""
        stratum_of = np.searchsorted(self._present, strata)
        # lexsort's last key comes first: by group, then by the rarity of the row's stratum.
        by_rarity = np.lexsort((self._rows[stratum_of], group_of))
        # The first row of each group now has the group's rarest stratum.
        first = np.flatnonzero(np.diff(group_of[by_rarity], prepend=-1))
        rarest: Int64s = stratum_of[by_rarity[first]]
        return rarest


def _count_strata(strata: Int64s) -> tuple[Int64s, Counts]:
    """Return the distinct strata, ascending, and the rows of each."""
    of_blocks = [np.unique(strata[block]) for block in blocks(len(strata))]
    present = np.unique(np.concatenate([strata[:0], *of_blocks]))
    counts = np.zeros(len(present), np.int64)
    for block in blocks(len(strata)):
        numbers = np.searchsorted(present, strata[block])
        counts += np.bincount(numbers, minlength=len(present))
    return present, counts


def _ranges_of_rows(groups: Fingerprints) -> Iterator[Rows]:
    """Yield the rows of one range of fingerprints after the other, ascending in each."""
    bits = (len(groups) // _ROWS_PER_RANGE).bit_length()
    if not bits:
        yield np.arange(len(groups))
        return
    for number in range(1 << bits):
        yield np.concatenate(
            [
                np.flatnonzero(groups[block] >> np.uint64(64 - bits) == number) + block.start
                for block in blocks(len(groups))
            ]
        )


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
