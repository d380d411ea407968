"""Labels and targets: convert label names to numbers and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from embedclf.errors import DataError
from embedclf.system.arrow import index_in, mask_column, text_column, to_numpy

if TYPE_CHECKING:
    from embedclf.config.sections import DataConfig
    from embedclf.data.labeled import CategoricalColumn, LabeledRows
    from embedclf.system.arrays import Int64s, Mask, Rows

Task = Literal["binary", "multiclass", "multilabel"]

Targets = npt.NDArray[np.int32]
"""(n,) label ids, -1 for labels that do not occur in training; multi-label: (n, labels) of 0 and 1,
with the training labels first."""

Probabilities = npt.NDArray[np.float32]
"""(n, outputs); a binary task has one output: the probability of the second label."""

THRESHOLD = 0.5


@dataclass(frozen=True)
class Labels:
    """The labels learned from training rows, in the order of the network's outputs.

    In a binary task the second label is the positive one.
    """

    task: Task
    names: tuple[str, ...]
    counts: tuple[int, ...]
    """Number of training rows of each label."""
    thresholds: tuple[float, ...] = ()
    """(outputs,) the probability from which a label is predicted; empty means 0.5 for all. A binary
    task has one, for the positive label; a softmax has none."""

    @property
    def outputs(self) -> int:
        """Number of network outputs."""
        return 1 if self.task == "binary" else len(self.names)

    @property
    def score_name(self) -> str:
        """The main metric, which is also shown with the loss during training."""
        return "micro_f1" if self.task == "multilabel" else "accuracy"

    @classmethod
    def fit(cls, labeled: LabeledRows, config: DataConfig) -> Labels:
        """Learn the labels of training rows, sorted by code point.

        Raises:
            DataError: There is only one label.
        """
        if isinstance(config.label, list):
            flags = _flags(labeled)
            return cls("multilabel", tuple(config.label), tuple(flags.sum(axis=0).tolist()))
        # The dictionary can contain labels of rows that were filtered out.
        cells = labeled.labels[0].used_categories()
        if config.label_separator is not None:
            cells = _split_cells(cells, config.label_separator)[1]
        names = tuple(sorted(cells.unique().to_pylist()))
        if len(names) < 2:
            raise DataError(
                f"{labeled.table.name}: the only label is {names[0]!r}; "
                "a classifier needs at least two; check data.label"
            )
        task: Task = "binary" if len(names) == 2 else "multiclass"
        if config.label_separator is not None:
            task = "multilabel"
        # No target is -1, since the names come from these rows.
        targets, _ = cls(task, names, ()).encode(labeled, config)
        rows = targets.sum(axis=0) if task == "multilabel" else np.bincount(targets)
        return cls(task, names, tuple(rows.tolist()))

    def encode(self, labeled: LabeledRows, config: DataConfig) -> tuple[Targets, dict[str, int]]:
        """Turn label cells into targets.

        Each distinct cell is encoded once, and its rows get its targets.

        Returns:
            The targets, and the number of rows of each unknown label.
        """
        if isinstance(config.label, list):
            return _flags(labeled), {}
        column = labeled.labels[0]
        rows = np.bincount(column.codes, minlength=len(column.categories))  # of each distinct cell
        if config.label_separator is None:
            ids = index_in(column.categories, text_column(self.names), default=-1)
            cells = column.categories.to_pylist()
            unknown_codes = np.flatnonzero((ids < 0) & (rows > 0)).tolist()
            unknown = {cells[code]: int(rows[code]) for code in unknown_codes}
            return ids[column.codes], dict(sorted(unknown.items()))
        cell_of, names = _split_cells(column.categories, config.label_separator)
        used = names.filter(mask_column(rows[cell_of] > 0))
        others = sorted(set(used.to_pylist()) - set(self.names))
        ids = index_in(names, text_column([*self.names, *others]), default=-1)
        # (distinct cells, known + unknown labels)
        targets = np.zeros((len(column.categories), len(self.names) + len(others)), np.int32)
        # -1 remains for unknown labels in cells without rows.
        targets[cell_of[ids >= 0], ids[ids >= 0]] = 1
        # Each cell counts by its number of rows: (cells,) @ (cells, others) -> (others,).
        rows_of_others: list[int] = (rows @ targets[:, len(self.names) :]).tolist()
        return targets[column.codes], dict(zip(others, rows_of_others, strict=True))

    def strata(self, targets: Targets) -> Int64s:
        """Return the stratum of each row (n,): its label, or its rarest label if it has several.

        Iterative stratification also starts with the rarest label (Sechidis, Tsoumakas and
        Vlahavas, 2011). Rows without a label form their own stratum.
        """
        if self.task != "multilabel":
            return targets.astype(np.int64)
        rarest_first = np.argsort(targets.sum(axis=0), kind="stable")
        present = targets[:, rarest_first] == 1
        # argmax finds the first True: the rarest label, numbered by rarity, not by id.
        return np.where(present.any(axis=1), present.argmax(axis=1), len(self.names))

    def binarize(self, targets: Targets) -> npt.NDArray[np.bool_]:
        """Return whether each row has the label of each output (n, outputs)."""
        if self.task == "multilabel":
            binarized: npt.NDArray[np.bool_] = targets[:, : len(self.names)] == 1
        else:
            output_labels = np.arange(len(self.names))[-self.outputs :]  # [1] if binary
            binarized = targets[:, None] == output_labels  # (n, outputs); -1 equals none
        return binarized

    def decide(self, probabilities: Probabilities) -> Targets:
        """Turn probabilities (n, outputs) into predictions of the shape of targets."""
        if self.task == "multiclass":
            best: Targets = probabilities.argmax(axis=1).astype(np.int32)
            return best
        # A single THRESHOLD broadcasts to all outputs.
        thresholds = np.array(self.thresholds or (THRESHOLD,))
        predicted: Targets = (probabilities >= thresholds).astype(np.int32)
        return predicted[:, 0] if self.task == "binary" else predicted

    def decode(self, target: npt.NDArray[np.int32]) -> tuple[str, ...]:
        """Return the names of the known labels in one row of targets or predictions."""
        if self.task == "multilabel":
            return tuple(self.names[at] for at in np.flatnonzero(target[: len(self.names)] == 1))
        return () if target < 0 else (self.names[int(target)],)

    def rank(self, probabilities: Probabilities) -> Targets:
        """Return the ids of all labels (n, labels), the most probable first.

        In a binary task, the predicted label is first, which depends on the threshold.
        """
        if self.task == "binary":
            predicted = self.decide(probabilities)
            return np.stack([predicted, 1 - predicted], axis=1)
        # Stable: at equal probabilities, the first label leads, as with argmax in `decide`.
        return np.argsort(-probabilities, axis=1, kind="stable").astype(np.int32)

    def label_probabilities(self, probabilities: Probabilities) -> Probabilities:
        """Turn probabilities of outputs into probabilities of labels (n, labels)."""
        if self.task != "binary":
            return probabilities
        return np.concatenate([1 - probabilities, probabilities], axis=1)

    def to_json(self) -> dict[str, Any]:
        """Plain values for `labels.json`."""
        return {"task": self.task, "names": self.names, "counts": self.counts}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Labels:
        """Read what `to_json` wrote."""
        return cls(values["task"], tuple(values["names"]), tuple(values["counts"]))


def _flags(labeled: LabeledRows) -> Targets:
    """Return (n, labels) of 0 and 1 from one column per label."""
    true = text_column(["1", "true"])

    def flags(column: CategoricalColumn) -> Targets:
        is_true = to_numpy(pc.is_in(pc.utf8_lower(column.categories), true))
        return is_true.astype(np.int32)[column.codes]

    return np.stack([flags(column) for column in labeled.labels], axis=1)


def _split_cells(cells: pa.Array, separator: str) -> tuple[Rows, pa.Array]:
    """Split cells that list several labels.

    Returns:
        (labels,) the cell of each label, and (labels,) their trimmed names, without empty ones.
    """
    # The separator is a literal string, not a regular expression.
    split = pc.split_pattern(cells, separator)
    names = pc.utf8_trim_whitespace(split.flatten())
    cell_of = np.repeat(np.arange(len(cells)), to_numpy(pc.list_value_length(split)))
    kept: Mask = to_numpy(pc.not_equal(names, text_column([""])[0])).view(np.bool_)
    return cell_of[kept], names.filter(mask_column(kept))
