"""The weights after a round: what all shards have changed, added up.

This is iterative parameter mixing (McDonald, Hall and Mann, Distributed Training Strategies for the
Structured Perceptron, 2010), or local SGD (Stich, Local SGD Converges Fast and Communicates Little,
2019). Instead of means, changes become what as many steps, one after the other, would have made.
Few steps of a round use the same row of the embedding: their changes are nearly added up, as a mean
would lose most of what these have learned. Many steps use the bias: added up, they would leap over
its optimum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from embedclf.system.arrays import Floats, Int32s

WEIGHT_DECAY = 0.97
"""A step takes a weight about 3% of the way to its optimum; no table of docs/cluster.md got better
with 0.99 or 0.9."""

SUM = 1.0
"""The decay of numbers whose changes are added up as they are."""

_BLOCK_NUMBERS = 1 << 18
"""Numbers of a table that are merged at a time: 1 MiB."""


class MovedRows(NamedTuple):
    """The rows that a shard has changed in a round, with their new values."""

    rows: Int32s
    """(n,) in ascending order."""
    uses: Int32s
    """(n,) how many steps have used each."""
    tables: tuple[Floats, ...]
    """(n, numbers) of each table."""


def merge_rows(
    shards: Sequence[MovedRows],
    read: Callable[[Int32s], Sequence[Floats]],
    decays: Sequence[Sequence[float]],
    size: int,
) -> Iterator[tuple[Int32s, list[Floats]]]:
    """Merge the rows that shards have changed in a round, some rows at a time.

    Args:
        shards: What each has changed, in their order.
        read: Returns some rows of each table, as they were before the round.
        decays: Of each table, as for `step_factors`. A table with several has as many numbers of
            each, side by side.
        size: Rows of each table.

    Yields:
        Different rows each time, and their values (n, numbers) in each table.
    """
    changed_by, total = np.zeros(size, np.int32), np.zeros(size, np.int32)
    for shard in shards:
        changed_by[shard.rows] += 1
        total[shard.rows] += shard.uses
    width = max((table.shape[1] for table in shards[0].tables), default=1)
    for shard in shards:
        alone = np.flatnonzero(changed_by[shard.rows] == 1).astype(np.int32)
        for block in row_blocks(alone, width):
            yield shard.rows[block], [table.take(block, axis=0) for table in shard.tables]
    for rows in row_blocks(np.flatnonzero(changed_by > 1).astype(np.int32), width):
        yield rows, _merge_shared(rows, shards, read(rows), total[rows], decays)


def row_blocks(rows: Int32s, width: int) -> Iterator[Int32s]:
    """Divide rows with so many numbers into blocks that stay in the processor's cache.

    With all 72,000 rows of a round in one call, TensorFlow took three times as long.
    """
    step = max(1, _BLOCK_NUMBERS // width)
    return (rows[start : start + step] for start in range(0, len(rows), step))


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


def _merge_shared(
    rows: Int32s,
    shards: Sequence[MovedRows],
    before: Sequence[Floats],
    total: Int32s,
    decays: Sequence[Sequence[float]],
) -> list[Floats]:
    """Merge rows that several shards have changed; `total` is how many steps have used each."""
    merged = [table.copy() for table in before]
    for shard in shards:
        found = np.arange(*np.searchsorted(shard.rows, [rows[0], rows[-1] + 1]))
        found = found[np.isin(shard.rows[found], rows, assume_unique=True)]
        places = np.searchsorted(rows, shard.rows[found])
        for number, table in enumerate(merged):
            changes = shard.tables[number].take(found, axis=0)
            changes -= before[number].take(places, axis=0)
            of_table = [
                step_factors(shard.uses[found], total[places], decay) for decay in decays[number]
            ]
            _scale(changes, of_table)
            table[places] += changes
    return merged


def _scale(changes: Floats, factors: Sequence[Floats]) -> None:
    """Multiply rows (n, numbers) by factors (n,) of each of the accumulators side by side."""
    width = changes.shape[1] // len(factors)
    for number, of_accumulator in enumerate(factors):
        changes[:, number * width : (number + 1) * width] *= of_accumulator[:, None]
