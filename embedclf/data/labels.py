"""Label names <-> targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from embedclf.errors import DataError
from embedclf.system.arrow import mask_column, number_column, numbers_of, text_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.config.schema import DataConfig
    from embedclf.data.labeled import CategoricalColumn, LabeledRows

Task = Literal["binary", "multiclass", "multilabel"]

Targets = npt.NDArray[np.int32]
"""(n,) class ids, -1 where the label is unknown; multi-label: (n, labels) of 0 and 1, a column of
each unknown label behind those of the known."""

Probabilities = npt.NDArray[np.float32]
"""(n, outputs): binary has one output, the probability of the second label."""

THRESHOLD = 0.5


@dataclass(frozen=True)
class Labels:
    """The labels learned from training rows, in the order of the network's outputs.

    For a binary task the second name is the positive one.
    """

    task: Task
    names: tuple[str, ...]
    counts: tuple[int, ...]
    """Training rows of each label."""
    thresholds: tuple[float, ...] = ()
    """(outputs,) probabilities from which on a label is given; 0.5 each where there are none. Of a
    binary task it is that of the positive label; a softmax has none."""

    @property
    def outputs(self) -> int:
        """Numbers that the network gives for a text."""
        return 1 if self.task == "binary" else len(self.names)

    @property
    def score_name(self) -> str:
        """The score that is shown first, and beside the loss in training."""
        return "micro_f1" if self.task == "multilabel" else "accuracy"

    @classmethod
    def fit(cls, labeled: LabeledRows, config: DataConfig) -> Labels:
        """Learn the labels of training rows; they are in code point order.

        Raises:
            DataError: There is one label only.
        """
        if isinstance(config.label, list):
            flags = _flags(labeled)
            return cls("multilabel", tuple(config.label), tuple(flags.sum(axis=0).tolist()))
        cells = labeled.labels[0].used()
        if config.label_separator is not None:
            cells = _parts(cells, config.label_separator)[1]
        names = tuple(sorted(cells.unique().to_pylist()))
        if len(names) < 2:
            raise DataError(
                f"{labeled.table.path}: the only label is {names[0]!r}; a classifier needs two"
            )
        task: Task = "binary" if len(names) == 2 else "multiclass"
        if config.label_separator is not None:
            task = "multilabel"
        targets, _ = cls(task, names, ()).encode(labeled, config)
        rows = targets.sum(axis=0) if task == "multilabel" else np.bincount(targets)
        return cls(task, names, tuple(rows.tolist()))

    def encode(self, labeled: LabeledRows, config: DataConfig) -> tuple[Targets, dict[str, int]]:
        """Turn label cells into targets.

        Returns:
            The targets, and each unknown label with the number of rows that carry it.
        """
        if isinstance(config.label, list):
            return _flags(labeled), {}
        column = labeled.labels[0]
        rows = np.bincount(column.codes, minlength=len(column.cells))  # of each different cell
        if config.label_separator is None:
            ids = numbers_of(_found(column.cells, self.names))
            cells = column.cells.to_pylist()
            others_of_cells = np.flatnonzero((ids < 0) & (rows > 0)).tolist()
            unknown = {cells[code]: int(rows[code]) for code in others_of_cells}
            return ids[column.codes], dict(sorted(unknown.items()))
        of, parts = _parts(column.cells, config.label_separator)
        used = parts.filter(mask_column(rows[of] > 0))
        others = sorted(set(used.to_pylist()) - set(self.names))
        found = numbers_of(_found(parts, [*self.names, *others]))
        targets = np.zeros((len(column.cells), len(self.names) + len(others)), np.int32)
        targets[of[found >= 0], found[found >= 0]] = 1
        carried: list[int] = (rows @ targets[:, len(self.names) :]).tolist()
        return targets[column.codes], dict(zip(others, carried, strict=True))

    def strata(self, targets: Targets) -> npt.NDArray[np.int64]:
        """(n,) the stratum of each row: its label; of several, the one rarest in these rows.

        The rarest label first is the order of iterative stratification (Sechidis, Tsoumakas and
        Vlahavas, 2011). Rows without a label share a stratum of their own.
        """
        if self.task != "multilabel":
            return targets.astype(np.int64)
        rarest_first = np.argsort(targets.sum(axis=0), kind="stable")
        present = targets[:, rarest_first] == 1
        return np.where(present.any(axis=1), present.argmax(axis=1), len(self.names))

    def present(self, targets: Targets) -> npt.NDArray[np.bool_]:
        """(n, outputs) whether what each output stands for is true of each row."""
        if self.task == "multilabel":
            present: npt.NDArray[np.bool_] = targets[:, : len(self.names)] == 1
        else:
            stood_for = np.arange(len(self.names))[-self.outputs :]
            present = targets[:, None] == stood_for
        return present

    def decide(self, probabilities: Probabilities) -> Targets:
        """Turn probabilities (n, outputs) into decisions of the shape of targets."""
        if self.task == "multiclass":
            best: Targets = probabilities.argmax(axis=1).astype(np.int32)
            return best
        thresholds = np.array(self.thresholds or (THRESHOLD,))
        decisions: Targets = (probabilities >= thresholds).astype(np.int32)
        return decisions[:, 0] if self.task == "binary" else decisions

    def named(self, given: npt.NDArray[np.int32]) -> tuple[str, ...]:
        """The names of the known labels in a row of targets or decisions."""
        if self.task == "multilabel":
            return tuple(self.names[at] for at in np.flatnonzero(given[: len(self.names)] == 1))
        return () if given < 0 else (self.names[int(given)],)

    def ranked(self, probabilities: Probabilities) -> Targets:
        """(n, labels) ids of all labels, the likeliest first; of a binary task the decided one."""
        if self.task == "binary":
            decided = self.decide(probabilities)
            return np.stack([decided, 1 - decided], axis=1)
        return np.argsort(-probabilities, axis=1, kind="stable").astype(np.int32)

    def shares(self, probabilities: Probabilities) -> Probabilities:
        """The probability of each label, (n, labels), from those of the outputs."""
        if self.task != "binary":
            return probabilities
        return np.concatenate([1 - probabilities, probabilities], axis=1)

    def to_json(self) -> dict[str, Any]:
        """Plain values for `labels.json`."""
        return {"task": self.task, "names": self.names, "counts": self.counts}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Labels:
        """The labels that `to_json` wrote."""
        return cls(values["task"], tuple(values["names"]), tuple(values["counts"]))


def _flags(labeled: LabeledRows) -> Targets:
    """(n, labels) of 0 and 1 from a column a label."""
    true = text_column(["1", "true"])

    def flags(column: CategoricalColumn) -> Targets:
        of_cells = numbers_of(pc.is_in(pc.utf8_lower(column.cells), true))
        return of_cells.astype(np.int32)[column.codes]

    return np.stack([flags(column) for column in labeled.labels], axis=1)


def _found(cells: pa.Array, names: Sequence[str]) -> pa.Array:
    """(n,) the number of each cell among names, -1 where it is none of them."""
    none = number_column(np.array([-1], np.int32))[0]
    return pc.coalesce(pc.index_in(cells, value_set=text_column(names)), none)


def _parts(cells: pa.Array, separator: str) -> tuple[npt.NDArray[np.int64], pa.Array]:
    """Split cells of several labels: the cell of each part, and the parts, trimmed, none empty."""
    split = pc.split_pattern(cells, separator)
    parts = pc.utf8_trim_whitespace(split.flatten())
    of = np.repeat(np.arange(len(cells)), numbers_of(pc.list_value_length(split)))
    kept = numbers_of(pc.not_equal(parts, text_column([""])[0])).view(np.bool_)
    return of[kept], parts.filter(mask_column(kept))
