"""Splits and folds of rows in groups, such as all rows of a user; no group is divided."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from embedclf.system.progress import activity

if TYPE_CHECKING:
    from embedclf.system.arrays import Doubles, Int64s, Mask

_MAX_ROUNDS = 20
"""Rounds of improvements; a split rarely needs more than three."""

_TOTAL_COST = 2.0
"""Cost of a row by which the whole table misses the fraction; above that of all its strata."""


@activity("choosing validation groups")
def grouped_split(groups: Int64s, strata: Int64s, *, fraction: float, seed: int) -> Mask:
    """Choose whole groups to hold out: seeded, and stratified as well as groups allow.

    In random order, each group is held out if that brings the strata closer to the fraction. Then
    groups change sides as long as that brings the split closer. Its distance is the rows by which
    each stratum misses the fraction, and twice those by which the whole table does. So the whole
    table misses it by at most the rows of one group. A stratum keeps a row for training, unless
    every group has the only rows of one.

    Args:
        groups: (n,) the number of each row's group.
        strata: (n,) the stratum of each row.
        fraction: Fraction of the rows to hold out, between 0 and 1.
        seed: For the random order.

    Returns:
        (n,) True for the rows held out: at least one group, unless there is only one.
    """
    counts = _GroupCounts(groups, strata)
    search = _SplitSearch(counts, fraction)
    order = np.random.default_rng(seed).permutation(counts.count).tolist()
    for cost in (0.0, *[_TOTAL_COST] * _MAX_ROUNDS):
        search.costs[-1] = cost
        flips = sum(map(search.flip_if_closer, order))
        if not flips and cost:
            break
    if not search.held_out.any() and counts.count > 1:
        keeping = [group for group in order if search.keeps_strata(group)]
        search.flip(min(keeping or order, key=search.added_distance))
    held_out: Mask = search.held_out[counts.group_of]
    return held_out


def grouped_folds(groups: Int64s, strata: Int64s, *, count: int, seed: int) -> Int64s:
    """Assign whole groups to folds: seeded, and stratified as well as groups allow.

    The largest groups come first, groups of the same size in random order. Each goes to the fold
    that keeps the rows of each stratum most equal, as in scikit-learn's StratifiedGroupKFold. Here
    the size of a fold counts as much as its strata, and the time does not grow with the strata.

    Args:
        groups: (n,) the number of each row's group.
        strata: (n,) the stratum of each row.
        count: Number of folds.
        seed: For the random order.

    Returns:
        (n,) the fold of each row, from 0; a fold is empty only if there are fewer groups.
    """
    counts = _GroupCounts(groups, strata)
    order = np.random.default_rng(seed).permutation(counts.count)
    order = order[np.argsort(-counts.sizes[order], kind="stable")]
    filled = np.zeros((count, len(counts.totals)))  # (folds, strata + 1), of each total
    folds = np.zeros(counts.count, np.int64)
    for number, group in enumerate(order.tolist()):
        columns, rows = counts.rows_of(group)
        shares = rows / counts.totals[columns]
        # The sum of squares grows least where the group's strata have the fewest rows.
        growth = (filled[:, columns] * shares).sum(axis=1)
        fold = number if number < count else int(growth.argmin())
        folds[group] = fold
        filled[fold, columns] += shares
    assigned: Int64s = folds[counts.group_of]
    return assigned


class _GroupCounts:
    """The rows of each stratum in each group; one more stratum has all rows."""

    def __init__(self, groups: Int64s, strata: Int64s) -> None:
        _, self.group_of, self.sizes = np.unique(groups, return_inverse=True, return_counts=True)
        _, stratum_of, totals = np.unique(strata, return_inverse=True, return_counts=True)
        self.count = len(self.sizes)
        self.totals: Doubles = np.append(totals, len(groups)).astype(np.float64)
        # One integer per pair of group and stratum; pairs without rows take no memory.
        pairs, self._rows = np.unique(self.group_of * len(totals) + stratum_of, return_counts=True)
        group_of_pair, self._strata = np.divmod(pairs, len(totals))
        self._ends = np.cumsum(np.bincount(group_of_pair, minlength=self.count))

    def rows_of(self, group: int) -> tuple[Int64s, Int64s]:
        """The strata of a group and its rows in each; the last one counts all its rows."""
        pairs = slice(self._ends[group - 1] if group else 0, self._ends[group])
        strata = np.append(self._strata[pairs], len(self.totals) - 1)
        return strata, np.append(self._rows[pairs], self.sizes[group])


class _SplitSearch:
    """A split that changes group by group."""

    def __init__(self, counts: _GroupCounts, fraction: float) -> None:
        self.held_out = np.zeros(counts.count, np.bool_)
        self._counts = counts
        self._missing = counts.totals * fraction  # (strata + 1,) below 0 if there are too many
        self._left = counts.totals.copy()  # (strata + 1,) rows for training
        self.costs = np.ones(len(counts.totals))
        """(strata + 1,) cost of each missing row."""

    def flip_if_closer(self, group: int) -> bool:
        """Hold out a group, or put it back, if the split comes closer; return whether it did."""
        closer = self.added_distance(group) < -1e-9
        if closer and (self.held_out[group] or self.keeps_strata(group)):
            self.flip(group)
            return True
        return False

    def added_distance(self, group: int) -> float:
        """Return by how much the distance changes if a group changes sides."""
        strata, moved = self._moved(group)
        missing = self._missing[strata]
        return float((np.abs(missing - moved) - np.abs(missing)) @ self.costs[strata])

    def keeps_strata(self, group: int) -> bool:
        """Whether holding out a group leaves rows of all its strata for training."""
        strata, rows = self._counts.rows_of(group)
        return bool((self._left[strata] > rows).all())

    def flip(self, group: int) -> None:
        """Move a group to the other side."""
        strata, moved = self._moved(group)
        self._missing[strata] -= moved
        self._left[strata] -= moved
        self.held_out[group] = not self.held_out[group]

    def _moved(self, group: int) -> tuple[Int64s, Int64s]:
        """The strata of a group, and the rows that would be held out in each."""
        strata, rows = self._counts.rows_of(group)
        return strata, -rows if self.held_out[group] else rows
