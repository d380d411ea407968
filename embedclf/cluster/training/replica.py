"""The network of a worker, which has the same weights as all others at the start of each round."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.cluster.training.merging import (
    SUM,
    Changes,
    MovedRows,
    merge_rows,
    merge_vector,
    row_blocks,
    row_range,
)
from embedclf.cluster.training.work_folder import damaged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from embedclf.cluster.training.work_folder import WorkFolder
    from embedclf.system.arrays import Floats, Int32s
    from embedclf.training.steps.train_step import TrainSteps

Groups = dict[str, list[Any]]
"""Variables of TensorFlow by group, as in `TrainSteps.groups`."""

WEIGHTS = "weights"
"""The name of the task that writes all weights."""


def merged_name(part: int) -> str:
    """Return how the names of the files of a merged part begin."""
    return f"merged-{part:06}"


class Replica:
    """A network and the state of its optimizer; follows the rounds of a training."""

    def __init__(self, steps: TrainSteps, decays: Sequence[float], *, trains_tables: bool) -> None:
        """Begin before all rounds.

        Args:
            steps: Of a network whose weights do not matter, with the initial state of an optimizer.
            decays: Of the accumulators of the optimizer.
            trains_tables: Whether rows of the embedding are trained.
        """
        self.steps = steps
        self.position: float = -math.inf
        """The number of the round whose first weights these are; infinite while they change.

        The rows that the last shard of this process has changed in it are ahead.
        """
        self._moving: MovingRows | None = None
        groups = steps.groups
        tables = [("embedding", [SUM]), ("row_state", decays)] if trains_tables else []
        self._decays = [each for group, each in tables if groups[group]]
        self._tables = _Tables([groups[group][0] for group, _ in tables if groups[group]])
        self._size: int = groups["embedding"][0].shape[0]
        dense, state = groups["dense"], groups["dense_state"]
        self._vectors = [*dense, *state]
        self._vector_decays = [*(SUM for _ in dense), *decays]

    def load(self, folder: WorkFolder, number: int) -> None:
        """Read the weights before a round.

        Raises:
            RunError: A file is missing or too short.
        """
        self.position, self._moving = math.inf, None
        read_weights(folder, self.steps.groups)
        self.position = number

    def merge(
        self, folder: WorkFolder, shards: Mapping[str, int], part: tuple[int, int]
    ) -> tuple[dict[str, Any], list[str]]:
        """Add up what all shards have changed in the round from these weights; write a part of it.

        Args:
            folder: Of the round.
            shards: Names under which `MovingRows.write` has written them, and steps of each.
            part: The number of the part, and how many there are.

        Returns:
            `needs_shards`, whether the rows that a shard alone has changed are in its own files
            only; and the names of the files.

        Raises:
            RunError: A file is missing or too short.
        """
        from embedclf.model.variable_values import copy_value

        number, parts = part
        name = merged_name(number)
        moved = [self._read(folder, shard) for shard in shards]
        # With many shards, all of their files would be many times as large as the tables
        needs_shards = sum(len(shard.rows) for shard in moved) <= self._size
        first, end = row_range(moved[0].rows, number, parts, self._size)
        moved = [shard.between(first, end) for shard in moved]
        changes = Changes.of(moved, self._size)
        rows = changes.find(2 if needs_shards else 1)
        if self._moving is not None:
            self._moving.restore(rows)
        arrays: dict[str, Any] = {"rows": rows}
        steps = list(shards.values())
        for index, variable in enumerate(self._vectors if number == 0 else ()):
            after = [folder.map_array(f"{shard}-vector-{index}") for shard in shards]
            decay = self._vector_decays[index]
            arrays[f"vector-{index}"] = merge_vector(copy_value(variable), after, steps, decay)
        files = [folder.write_array(f"{name}-{each}", array) for each, array in arrays.items()]
        blocks = (
            each for _, each in merge_rows(rows, moved, changes, self._tables.gather, self._decays)
        )
        files += folder.write_tables(name, len(rows), self._tables.widths, blocks)
        return {"needs_shards": needs_shards}, files

    def follow(self, folder: WorkFolder, shards: Sequence[str], *, needs_shards: bool) -> None:
        """Take the weights after the round from these weights.

        Args:
            folder: Of the round.
            shards: Names under which `MovingRows.write` has written them.
            needs_shards: What `merge` has returned.

        Raises:
            RunError: A file is missing or too short.
        """
        number, self.position = self.position, math.inf
        if needs_shards:
            moved = [self._read(folder, shard) for shard in shards]
            changes = Changes.of(moved, self._size)
            for name, shard in zip(shards, moved, strict=True):
                if self._moving is None or self._moving.name != name:
                    self._tables.scatter(shard.rows, shard.tables, changes.places_alone(shard))
        for part in map(merged_name, range(len(shards))):
            rows = folder.map_array(f"{part}-rows")
            places = np.arange(len(rows), dtype=np.int32)
            self._tables.scatter(rows, self._map_tables(folder, part), places)
        for index, variable in enumerate(self._vectors):
            variable.assign(folder.map_array(f"{merged_name(0)}-vector-{index}"))
        self.position, self._moving = number + 1, None

    @contextmanager
    def moving(self, name: str) -> Iterator[MovingRows]:
        """Let the steps of a shard change the weights, from those before the round."""
        number, self.position = self.position, math.inf
        if self._moving is not None:  # another shard of this round
            self._moving.restore()
        self._moving = MovingRows(name, self._tables, self._vectors, self._size)
        yield self._moving
        self.position = number

    def _read(self, folder: WorkFolder, name: str) -> MovedRows:
        rows, uses = (folder.map_array(f"{name}-{each}") for each in ("rows", "uses"))
        return MovedRows(rows, uses, self._map_tables(folder, name))

    def _map_tables(self, folder: WorkFolder, name: str) -> tuple[Floats, ...]:
        numbers = range(len(self._tables.widths))
        return tuple(folder.map_array(f"{name}-table-{number}") for number in numbers)


class _Tables:
    """Variables that have a row for each id."""

    def __init__(self, variables: Sequence[Any]) -> None:
        self._variables = variables
        self.widths = [int(variable.shape[1]) for variable in variables]
        """Numbers in a row of each."""

    def blocks(self, rows: Int32s) -> Iterator[Int32s]:
        """Divide rows into blocks."""
        return row_blocks(rows, max(self.widths, default=1))

    def gather(self, rows: Int32s) -> list[Floats]:
        """Return some rows of each table."""
        from embedclf.model.variable_values import gather_rows

        return [gather_rows(variable, rows) for variable in self._variables]

    def scatter(self, rows: Int32s, values: Sequence[Floats], places: Int32s) -> None:
        """Give the rows at some places new values; `values` has those of each table."""
        from embedclf.model.variable_values import scatter_rows

        for block in self.blocks(places):
            found = _as_slice(block)
            for variable, of_variable in zip(self._variables, values, strict=True):
                scatter_rows(variable, rows[found], of_variable[found])


def _as_slice(places: Int32s) -> Int32s | slice:
    """Return places in ascending order as a slice if none is left out, which copies nothing."""
    first, last = int(places[0]), int(places[-1])
    return slice(first, last + 1) if last - first + 1 == len(places) else places


class MovingRows:
    """What the steps of a shard change in a round, and how it was before."""

    def __init__(self, name: str, tables: _Tables, vectors: Sequence[Any], size: int) -> None:
        """Begin before the first step.

        Args:
            name: Of the shard.
            tables: Of which steps change some rows.
            vectors: Variables that every step changes.
            size: Rows of the tables.
        """
        from embedclf.model.variable_values import copy_value

        self.name = name
        self._tables, self._vectors = tables, vectors
        self._vectors_before = [copy_value(vector) for vector in vectors]
        self._rows_before: list[tuple[Int32s, list[Floats]]] = []
        self._uses = np.zeros(size, np.int32)

    def keep(self, used: Int32s) -> None:
        """Keep the rows of ids that the next steps use."""
        if not self._tables.widths:
            return
        uses = np.bincount(used, minlength=len(self._uses))
        new = np.flatnonzero((uses > 0) & (self._uses == 0)).astype(np.int32)
        self._uses += uses.astype(np.int32)
        for rows in self._tables.blocks(new):
            self._rows_before.append((rows, self._tables.gather(rows)))

    def write(self, folder: WorkFolder) -> list[str]:
        """Write what has changed; return the names of the files."""
        from embedclf.model.variable_values import copy_value

        rows = np.flatnonzero(self._uses).astype(np.int32)
        arrays = {"rows": rows, "uses": self._uses[rows]}
        for index, variable in enumerate(self._vectors):
            arrays[f"vector-{index}"] = copy_value(variable)
        files = [folder.write_array(f"{self.name}-{each}", array) for each, array in arrays.items()]
        blocks = map(self._tables.gather, self._tables.blocks(rows))
        return files + folder.write_tables(self.name, len(rows), self._tables.widths, blocks)

    def restore(self, some: Int32s | None = None) -> None:
        """Give variables the values before the first step.

        Args:
            some: Which rows of the tables, where they have changed; None is all.
        """
        is_wanted = np.full(len(self._uses), some is None)
        if some is not None:
            is_wanted[some] = True
        for rows, of_tables in self._rows_before:
            places = np.flatnonzero(is_wanted[rows]).astype(np.int32)
            self._tables.scatter(rows, of_tables, places)
        for variable, value in zip(self._vectors, self._vectors_before, strict=True):
            variable.assign(value)


def write_weights(folder: WorkFolder, groups: Groups) -> None:
    """Write variables, unless a whole copy exists."""
    from embedclf.model.variable_values import save_value

    def work() -> tuple[dict[str, Any], list[str]]:
        names = []
        for group in ("embedding", "row_state", "dense", "dense_state"):
            for index, variable in enumerate(groups.get(group, [])):
                names.append(f"{group}-{index}")
                with folder.writing(f"{names[-1]}.npy") as file:
                    save_value(file, variable)
        return {"names": names}, [f"{name}.npy" for name in names]

    folder.do(WEIGHTS, work)


def read_weights(folder: WorkFolder, groups: Groups) -> None:
    """Give variables the values that were written; those without any stay as they are.

    Raises:
        RunError: A file is missing or too short.
    """
    from embedclf.model.variable_values import assign_value

    values = folder.read(WEIGHTS, checks=False)
    if values is None:
        raise damaged(folder.path)
    for name in values["names"]:
        group, _, index = name.partition("-")
        if group in groups:
            assign_value(groups[group][int(index)], folder.map_array(name))
