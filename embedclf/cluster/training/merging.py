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
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from embedclf.system.arrays import Counts, Floats, Int32s

SUM = 1.0
"""The decay of numbers whose changes are added up as they are: weights, and sums."""

_BLOCK_NUMBERS = 1 << 19
"""Numbers of a table that are gathered or merged at a time: 2 MiB."""


class MovedRows(NamedTuple):
    """The rows that a shard has changed in a round, with their new values."""

    rows: Int32s
    """(n,) in ascending order."""
    uses: Int32s
    """(n,) how many steps have used each."""
    tables: tuple[Floats, ...]
    """(n, numbers) of each table."""

    def between(self, first: int, end: int) -> MovedRows:
        """Return the rows from `first` up to and without `end`."""
        found = slice(*np.searchsorted(self.rows, [first, end]).tolist())
        tables = tuple(table[found] for table in self.tables)
        return MovedRows(self.rows[found], self.uses[found], tables)


def row_range(rows: Int32s, part: int, parts: int, size: int) -> tuple[int, int]:
    """Return the first row of a part of a table, and the first one behind it.

    Args:
        rows: (n,) that a shard has changed, in ascending order. Each part has as many of them.
        part: Number of the part.
        parts: How many there are.
        size: Rows of the table.
    """
    inner = rows[np.arange(1, parts) * len(rows) // parts].tolist() if len(rows) else []
    edges = [0, *inner, *[size] * (parts - len(inner))]
    return edges[part], edges[part + 1]


class Changes(NamedTuple):
    """How often each row of the tables was changed in a round."""

    shards: Int32s
    """(table rows,) how many shards have changed it."""
    uses: Int32s
    """(table rows,) how many steps of all shards have used it."""

    @classmethod
    def of(cls, shards: Iterable[MovedRows], size: int) -> Changes:
        """Count the rows that shards have changed, in tables of so many rows."""
        changes = cls(np.zeros(size, np.int32), np.zeros(size, np.int32))
        for shard in shards:
            changes.shards[shard.rows] += 1
            changes.uses[shard.rows] += shard.uses
        return changes

    def find(self, least: int) -> Int32s:
        """Return the rows that at least so many shards have changed, in ascending order."""
        return np.flatnonzero(self.shards >= least).astype(np.int32)

    def places_alone(self, shard: MovedRows) -> Int32s:
        """Return the places of the rows of a shard that no other has changed."""
        return np.flatnonzero(self.shards[shard.rows] == 1).astype(np.int32)


def merge_rows(
    rows: Int32s,
    shards: Sequence[MovedRows],
    changes: Changes,
    read: Callable[[Int32s], Sequence[Floats]],
    decays: Sequence[Sequence[float]],
) -> Iterator[tuple[Int32s, list[Floats]]]:
    """Merge rows that shards have changed in a round, some at a time.

    Args:
        rows: Which ones, in ascending order.
        shards: What each has changed, in their order.
        changes: Of all shards.
        read: Returns copies of some rows of each table, as they were before the round.
        decays: Of each table, as for `step_factors`. A table with several has as many numbers of
            each, side by side.

    Yields:
        Some of the rows, and their values (n, numbers) in each table.
    """
    width = max((table.shape[1] for table in shards[0].tables), default=1)
    for block in row_blocks(rows, width):
        yield block, _merge_block(block, shards, read(block), changes.uses[block], decays)


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
    factors = [step_factors(own, sum(steps), decay) for own in steps]
    merged = before * (np.float32(1.0) - sum(factors))
    for values, factor in zip(after, factors, strict=True):
        merged += values * factor
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
    own, total = np.asarray(own), np.maximum(total, 1)
    if decay == SUM:
        return np.ones(own.shape, np.float32)
    made = 1.0 - decay ** np.arange(total.max(initial=1) + 1)  # by the number of steps
    factors: Floats = (own / total * made[total] / made[np.maximum(own, 1)]).astype(np.float32)
    return factors


def _merge_block(
    rows: Int32s,
    shards: Sequence[MovedRows],
    before: Sequence[Floats],
    total: Int32s,
    decays: Sequence[Sequence[float]],
) -> list[Floats]:
    """Merge rows; `total` is how many steps have used each."""
    merged = []
    found = [_find(rows, shard.rows) for shard in shards]
    for number, table in enumerate(before):
        # As adding f (after - before) for each shard, in fewer operations
        kept = np.ones((len(rows), len(decays[number])), np.float32)
        added = np.zeros_like(table)
        for shard, (places, of_rows) in zip(shards, found, strict=True):
            steps = shard.uses[places], total[of_rows]
            factors = np.stack([step_factors(*steps, each) for each in decays[number]], axis=1)
            kept[of_rows] -= factors
            added[of_rows] += _scale(shard.tables[number].take(places, axis=0), factors)
        added += _scale(table, kept)
        merged.append(added)
    return merged


def _find(rows: Int32s, moved: Int32s) -> tuple[Counts, Counts | slice]:
    """Return the places of rows among those that a shard has changed, and of these in `rows`."""
    first, end = np.searchsorted(moved, [rows[0], rows[-1] + 1])
    places = first + np.flatnonzero(np.isin(moved[first:end], rows, assume_unique=True))
    if len(places) == len(rows):
        return places, slice(None)
    return places, np.searchsorted(rows, moved[places])


def _scale(values: Floats, factors: Floats) -> Floats:
    """Multiply rows (n, numbers), which change, by factors (n, accumulators), side by side."""
    groups = values.reshape(*factors.shape, values.shape[1] // factors.shape[1])
    groups *= factors[:, :, None]
    return values
