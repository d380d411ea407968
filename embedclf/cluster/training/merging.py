"""The weights after a round: what all shards have changed, added up.

This is iterative parameter mixing (McDonald, Hall and Mann, Distributed Training Strategies for the
Structured Perceptron, 2010), or local SGD (Stich, Local SGD Converges Fast and Communicates Little,
2019), with sums instead of means. Few steps of a round use the same row of the embedding. A mean
over all shards would lose most of what these have learned. An accumulator of the optimizer becomes
what as many steps, one after the other, would have made of the same gradients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from embedclf.system.arrays import Floats, Int32s

SUM = 1.0
"""The decay of numbers whose changes are added up as they are: weights, and sums."""

_BLOCK_NUMBERS = 1 << 18
"""Numbers of a table that are merged at a time: 1 MiB, which stays in the processor's cache."""


class MovedRows(NamedTuple):
    """The rows that a shard has changed in a round, with their new values."""

    rows: Int32s
    """(n,) in ascending order."""
    uses: Int32s
    """(n,) how many steps have used each."""
    tables: tuple[Floats, ...]
    """(n, numbers) of each table."""

    def between(self, first: int, last: int) -> MovedRows:
        """Return the rows from `first` to `last`, including both."""
        found = slice(*np.searchsorted(self.rows, [first, last + 1]).tolist())
        tables = tuple(table[found] for table in self.tables)
        return MovedRows(self.rows[found], self.uses[found], tables)


def merge_rows(
    shards: Sequence[MovedRows],
    read: Callable[[Int32s], Sequence[Floats]],
    decays: Sequence[Sequence[float]],
) -> Iterator[tuple[Int32s, list[Floats]]]:
    """Merge the rows that shards have changed in a round, some rows at a time.

    Args:
        shards: What each has changed, in their order.
        read: Returns some rows of each table, as they were before the round.
        decays: Of each table, as for `step_factors`. A table with several has as many numbers of
            each, side by side.

    Yields:
        Rows in ascending order, and their values (n, numbers) in each table.
    """
    size = 1 + max((int(shard.rows[-1]) for shard in shards if len(shard.rows)), default=-1)
    moved = np.zeros(size, np.bool_)
    for shard in shards:
        moved[shard.rows] = True
    union = np.flatnonzero(moved).astype(np.int32)
    step = max(1, _BLOCK_NUMBERS // max(table.shape[1] for table in shards[0].tables))
    for start in range(0, len(union), step):
        rows = union[start : start + step]
        found = [shard.between(int(rows[0]), int(rows[-1])) for shard in shards]
        yield rows, _merge_block(rows, found, read, decays)


def merge_vector(
    before: Floats, after: Sequence[Floats], steps: Sequence[int], decay: float
) -> Floats:
    """Merge the values of a variable without rows of ids, such as a kernel.

    Args:
        before: The round.
        after: The round, in each shard.
        steps: Of each shard.
        decay: As for `step_factors`.
    """
    merged, total = before.copy(), sum(steps)
    for values, own in zip(after, steps, strict=True):
        merged += (values - before) * step_factors(own, total, decay)
    return merged


def step_factors(own: Any, total: Any, decay: float) -> Floats:
    """Return what to multiply the changes of an accumulator by, before they are added up.

    After n steps of a moving average with the decay d, a shard has 1 - d^n of the mean of its
    gradients in it. All steps in a row would have 1 - d^N of the mean over all shards.

    Args:
        own: Steps of the shard: for each row (rows,), or a number.
        total: Steps of all shards.
        decay: 1 for a sum, which is added up as it is.
    """
    own, total = np.asarray(own, np.float64), np.maximum(np.asarray(total, np.float64), 1.0)
    if decay == SUM:
        return np.ones(own.shape, np.float32)
    made = np.where(own > 0, 1.0 - decay**own, 1.0)
    factors: Floats = (own / total * (1.0 - decay**total) / made).astype(np.float32)
    return factors


def _merge_block(
    rows: Int32s,
    shards: Sequence[MovedRows],
    read: Callable[[Int32s], Sequence[Floats]],
    decays: Sequence[Sequence[float]],
) -> list[Floats]:
    """Merge rows each of which at least one shard has changed."""
    places = [np.searchsorted(rows, shard.rows) for shard in shards]
    changed_by, total = np.zeros(len(rows), np.int32), np.zeros(len(rows), np.int64)
    for of_shard, shard in zip(places, shards, strict=True):
        changed_by[of_shard] += 1
        total[of_shard] += shard.uses
    shared = changed_by > 1
    merged = []
    for number, before in enumerate(read(rows[shared])):
        table = np.empty((len(rows), before.shape[1]), np.float32)
        table[shared] = before
        position = np.cumsum(shared) - 1
        for of_shard, shard in zip(places, shards, strict=True):
            values, is_shared = shard.tables[number], shared[of_shard]
            table[of_shard[~is_shared]] = values[~is_shared]  # no other shard has changed them
            several = of_shard[is_shared]
            changes = values[is_shared] - before[position[several]]
            own = shard.uses[is_shared]
            _scale(changes, [step_factors(own, total[several], each) for each in decays[number]])
            table[several] += changes
        merged.append(table)
    return merged


def _scale(changes: Floats, factors: Sequence[Floats]) -> None:
    """Multiply rows (n, numbers) by factors (n,) of each of the accumulators side by side."""
    width = changes.shape[1] // len(factors)
    for number, of_accumulator in enumerate(factors):
        changes[:, number * width : (number + 1) * width] *= of_accumulator[:, None]
