"""The network of a worker, which has the same weights as all others at the start of each round."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.cluster.training.merging import (
    SUM,
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


_NO_ROWS = np.zeros(0, np.int32)


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
        self.position: float = -1
        """The number of the round whose first weights these are; infinite while they change."""
        groups = steps.groups
        tables = [("embedding", [SUM]), ("row_state", decays)] if trains_tables else []
        self._decays = [each for group, each in tables if groups[group]]
        self._tables = [groups[group][0] for group, _ in tables if groups[group]]
        dense, state = groups["dense"], groups["dense_state"]
        self._vectors = [*dense, *state]
        self._vector_decays = [*(SUM for _ in dense), *decays]

    def load(self, folder: WorkFolder, number: int) -> None:
        """Read the weights before a round.

        Raises:
            RunError: A file is missing, or not as it was written.
        """
        self.position = math.inf
        read_weights(folder, self.steps.groups)
        self.position = number

    def merge(
        self, folder: WorkFolder, shards: Mapping[str, int], part: tuple[int, int]
    ) -> list[str]:
        """Add up what all shards have changed in the round from these weights; write a part of it.

        Args:
            folder: Of the round.
            shards: Names under which `MovingRows.write` has written them, and steps of each.
            part: The number of the part, and how many there are.

        Returns:
            The names of the files.

        Raises:
            RunError: A file is missing or too short.
        """
        from embedclf.model.variable_values import copy_value, gather_rows

        def read(rows: Int32s) -> list[Floats]:
            return [gather_rows(table, rows) for table in self._tables]

        number, parts = part
        name, size = merged_name(number), self.steps.groups["embedding"][0].shape[0]
        moved = [self._read(folder, shard) for shard in shards]
        first, end = row_range(moved[0].rows, number, parts, size)
        moved = [shard.between(first, end) for shard in moved]
        blocks = list(merge_rows(moved, read, self._decays, size))
        arrays = {"rows": np.concatenate([_NO_ROWS, *(rows for rows, _ in blocks)])}
        steps = list(shards.values())
        for index, variable in enumerate(self._vectors if number == 0 else ()):
            after = [folder.map_array(f"{shard}-vector-{index}") for shard in shards]
            decay = self._vector_decays[index]
            arrays[f"vector-{index}"] = merge_vector(copy_value(variable), after, steps, decay)
        files = [folder.write_array(f"{name}-{each}", array) for each, array in arrays.items()]
        for index, table in enumerate(self._tables):
            shape = (len(arrays["rows"]), table.shape[1])
            values = (of_tables[index] for _, of_tables in blocks)
            files.append(folder.write_blocks(f"{name}-table-{index}", shape, values))
        return files

    def follow(self, folder: WorkFolder, parts: int) -> None:
        """Take the weights after the round from these weights.

        Args:
            folder: Of the round.
            parts: How many `merge` has written.

        Raises:
            RunError: A file is missing or too short.
        """
        from embedclf.model.variable_values import scatter_rows

        number, self.position = self.position, math.inf
        for name in map(merged_name, range(parts)):
            rows = folder.map_array(f"{name}-rows")
            for index, table in enumerate(self._tables):
                values = folder.map_array(f"{name}-table-{index}")
                for block in row_blocks(np.arange(len(rows), dtype=np.int32), table.shape[1]):
                    scatter_rows(table, rows[block], values[block])
        for index, variable in enumerate(self._vectors):
            variable.assign(folder.map_array(f"{merged_name(0)}-vector-{index}"))
        self.position = number + 1

    @contextmanager
    def moving(self) -> Iterator[MovingRows]:
        """Let steps change the weights, which are as before at the end."""
        number, self.position = self.position, math.inf
        moving = MovingRows(self._tables, self._vectors)
        yield moving
        moving.restore()
        self.position = number

    def _read(self, folder: WorkFolder, name: str) -> MovedRows:
        tables = (folder.map_array(f"{name}-table-{index}") for index in range(len(self._tables)))
        rows, uses = (folder.map_array(f"{name}-{each}") for each in ("rows", "uses"))
        return MovedRows(rows, uses, tuple(tables))


class MovingRows:
    """What the steps of a round change, and how it was before."""

    def __init__(self, tables: Sequence[Any], vectors: Sequence[Any]) -> None:
        """Begin before the first step; `tables` have a row for each id."""
        from embedclf.model.variable_values import copy_value

        self._tables, self._vectors = tables, vectors
        self._width = max((table.shape[1] for table in tables), default=1)
        self._vectors_before = [copy_value(vector) for vector in vectors]
        self._rows_before: list[tuple[Int32s, list[Floats]]] = []
        self._is_kept = np.zeros(tables[0].shape[0] if tables else 0, np.bool_)
        self._used: list[Int32s] = [_NO_ROWS]

    def keep(self, used: Int32s) -> None:
        """Keep the rows of ids that the next steps use."""
        from embedclf.model.variable_values import gather_rows

        if not self._tables:
            return
        self._used.append(used)
        new = np.unique(used[~self._is_kept[used]])
        self._is_kept[new] = True
        for rows in row_blocks(new, self._width):
            values = [gather_rows(table, rows) for table in self._tables]
            self._rows_before.append((rows, values))

    def write(self, folder: WorkFolder, name: str) -> list[str]:
        """Write what has changed; return the names of the files."""
        from embedclf.model.variable_values import copy_value, gather_rows

        rows, uses = np.unique(np.concatenate(self._used), return_counts=True)
        arrays = {"rows": rows, "uses": uses.astype(np.int32)}
        for index, variable in enumerate(self._vectors):
            arrays[f"vector-{index}"] = copy_value(variable)
        files = [folder.write_array(f"{name}-{each}", array) for each, array in arrays.items()]
        for index, table in enumerate(self._tables):
            blocks = (gather_rows(table, block) for block in row_blocks(rows, self._width))
            shape = (len(rows), table.shape[1])
            files.append(folder.write_blocks(f"{name}-table-{index}", shape, blocks))
        return files

    def restore(self) -> None:
        """Give all variables the values before the first step."""
        from embedclf.model.variable_values import scatter_rows

        for rows, of_tables in self._rows_before:
            for table, values in zip(self._tables, of_tables, strict=True):
                scatter_rows(table, rows, values)
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
        RunError: A file is missing, or not as it was written.
    """
    from embedclf.model.variable_values import assign_value

    values = folder.read(WEIGHTS)
    if values is None:
        raise damaged(folder.path)
    for name in values["names"]:
        group, _, index = name.partition("-")
        if group in groups:
            assign_value(groups[group][int(index)], folder.map_array(name))
