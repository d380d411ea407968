"""Labels and targets: convert label names to numbers and back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from embedclf.data.label_forms import find_form, match_forms, sort_labels
from embedclf.data.label_sets import (
    count_names,
    first_labels,
    label_sets,
    refuse_several,
    sets_from_flags,
    split_cells,
)
from embedclf.data.row_columns import label_weights
from embedclf.errors import DataError
from embedclf.system.arrow import index_in, mask_column, text_column
from embedclf.system.memory.mapped_arrays import count_numbers, take

if TYPE_CHECKING:
    import pyarrow as pa

    from embedclf.config.data_section import DataConfig
    from embedclf.data.labeled import LabeledRows
    from embedclf.system.arrays import Counts, Int64s

Task = Literal["binary", "multiclass", "multilabel"]

Targets: TypeAlias = Any
"""An int32 array (n,) of label ids, -1 for labels that do not occur in training; of several labels
per row, `LabelSets` (n, labels) with the training labels first."""

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
    merged: bool = False
    """Whether all forms of a label are that label: `1.0` and `01` are `1`."""
    weights: tuple[float, ...] = ()
    """Total weight of the training rows of each label; empty if rows are not weighted."""

    @property
    def totals(self) -> tuple[float, ...]:
        """How many rows each label counts for: their total weight if rows are weighted."""
        return self.weights or self.counts

    @property
    def outputs(self) -> int:
        """Number of network outputs."""
        return 1 if self.task == "binary" else len(self.names)

    @property
    def score_name(self) -> str:
        """The main metric, which is also shown with the loss during training."""
        return "micro_f1" if self.task == "multilabel" else "accuracy"

    @classmethod
    def fit(
        cls, labeled: LabeledRows, config: DataConfig, *, start: Labels | None = None
    ) -> Labels:
        """Learn the labels of training rows, sorted by number or by code point.

        If forms are merged, the most frequent form of a label names it.

        Args:
            labeled: The training rows.
            config: Their label columns.
            start: Labels of the run that the training continues from. They come first, in their
                order, and their rows are added to those of the table.

        Raises:
            DataError: Only one label has rows that count, or a row has several without separator.
        """
        labels = cls.of_rows(labeled, config, start=start)
        name = labeled.table.name
        if not isinstance(config.label, list) and len(labels.names) < 2:
            raise DataError(
                f"{name}: the only label is {labels.names[0]!r}; "
                "a classifier needs at least two; check data.label"
            )
        if not isinstance(config.label, list) and set(labels.counts) == {len(labeled)}:
            raise DataError(
                f"{name}: every row has all {len(labels.names)} labels; check data.label"
            )
        labels = labels if start is None else labels._add_rows(start)
        if labels.task != "multilabel" and np.count_nonzero(labels.totals) < 2:
            without = labels.names[int(np.argmin(labels.totals))]
            raise DataError(
                f"{name}: {config.weight!r}: all rows of label {without!r} have weight 0; "
                "a classifier needs at least two labels; check data.weight"
            )
        return labels

    @classmethod
    def of_rows(
        cls, labeled: LabeledRows, config: DataConfig, *, start: Labels | None = None
    ) -> Labels:
        """Find the labels of rows as `fit` does, even if there is only one; count these rows."""
        if not isinstance(config.label, list):
            refuse_several(labeled, config)
        names = _label_names(labeled, config, () if start is None else start.names)
        task: Task = "binary" if len(names) == 2 else "multiclass"
        if isinstance(config.label, list) or config.label_separator is not None:
            task = "multilabel"
        labels = cls(task, names, (), merged=config.merge_label_forms)
        # No target is -1, since the names come from these rows.
        targets, _ = labels.encode(labeled, config)
        of_sets = targets.ndim == 2
        counts = targets.sum(axis=0) if of_sets else count_numbers(targets, len(names))
        weights = label_weights(targets, labeled, config)
        if weights:  # the last labels of `start` can have no row
            weights += (0.0,) * (len(names) - len(weights))
        return replace(labels, counts=tuple(counts.tolist()), weights=weights)

    def encode(self, labeled: LabeledRows, config: DataConfig) -> tuple[Targets, dict[str, int]]:
        """Turn label cells into targets.

        Each distinct cell is encoded once, and its rows get its targets.

        Returns:
            The targets, and the number of rows of each unknown label.

        Raises:
            DataError: A row has several labels, and there is no separator.
        """
        if isinstance(config.label, list):
            return sets_from_flags(labeled.labels), {}
        refuse_several(labeled, config)
        column = labeled.labels[0]
        rows = column.count_rows()
        if config.label_separator is not None:
            targets, unknown = self._encode_lists(column.categories, rows, config.label_separator)
        else:
            targets, unknown = self._encode_cells(column.categories, rows)
        of_rows = take(targets, column.codes) if targets.ndim == 1 else targets[column.codes]
        return of_rows, unknown

    def find(self, name: str) -> str | None:
        """Return the label that a name means: itself or, if forms are merged, one of its forms."""
        if name in self.names or not self.merged:
            return name if name in self.names else None
        return match_forms([name], self.names).get(name)

    def merge_forms(self, labeled: LabeledRows, config: DataConfig) -> LabeledRows:
        """Replace the forms of labels by their labels, in rows with one label per cell."""
        if not self.merged or config.label_separator is not None:
            return labeled
        column = labeled.labels[0]
        return replace(labeled, labels=(column.rename(self._merge(column.categories)),))

    def strata(self, targets: Targets, config: DataConfig) -> Int64s:
        """Return the stratum of each row (n,): its label, or its rarest label if it has several.

        Iterative stratification also starts with the rarest label (Sechidis, Tsoumakas and
        Vlahavas, 2011). Rows without a label form their own stratum.
        """
        # Not by number: earlier versions sorted labels by code point, and another order of strata
        # would change which rows are the validation rows of their runs.
        key = None if isinstance(config.label, list) else self.names.__getitem__
        order = np.array(sorted(range(len(self.names)), key=key))
        if self.task != "multilabel":
            ranks = np.append(np.argsort(order), -1)  # -1, an unknown label, stays -1
            return take(ranks, targets)
        rarest_first = order[np.argsort(targets.sum(axis=0)[order], kind="stable")]
        return first_labels(targets, np.argsort(rarest_first))  # numbered by rarity, not by id

    def binarize(self, targets: Targets, outputs: slice = slice(None)) -> npt.NDArray[np.bool_]:
        """Return whether each row has the label of each output, or of a range (n, outputs)."""
        ids = np.arange(len(self.names))[-self.outputs :][outputs]  # the second if binary
        if self.task == "multilabel":
            start, end = (int(ids[0]), int(ids[-1]) + 1) if len(ids) else (0, 0)
            binarized: npt.NDArray[np.bool_] = targets[:, start:end].toarray() == 1
        else:
            binarized = targets[:, None] == ids  # (n, outputs); -1 equals none
        return binarized

    def decide(self, probabilities: Probabilities) -> Targets:
        """Turn probabilities (n, outputs) into label ids (n,), or flags (n, outputs) of 0 and 1."""
        if self.task == "multiclass":
            best: Targets = probabilities.argmax(axis=1).astype(np.int32)
            return best
        # A single THRESHOLD broadcasts to all outputs.
        thresholds = np.array(self.thresholds or (THRESHOLD,))
        predicted: Targets = (probabilities >= thresholds).astype(np.int32)
        return predicted[:, 0] if self.task == "binary" else predicted

    def decode(self, targets: Targets, row: int) -> tuple[str, ...]:
        """Return the names of the known labels in one row of targets or predictions."""
        if self.task == "multilabel":
            ids = targets.indices[targets.indptr[row] : targets.indptr[row + 1]].tolist()
        else:
            ids = [int(targets[row])]
        return tuple(self.names[each] for each in sorted(ids) if 0 <= each < len(self.names))

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
        values: dict[str, Any] = {"task": self.task, "names": self.names, "counts": self.counts}
        values |= {"merge_label_forms": True} if self.merged else {}
        return values | ({"weights": self.weights} if self.weights else {})

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Labels:
        """Read what `to_json` wrote."""
        merged = values.get("merge_label_forms", False)
        names, counts = tuple(values["names"]), tuple(values["counts"])
        weights = tuple(values.get("weights", ()))
        return cls(values["task"], names, counts, merged=merged, weights=weights)

    def _add_rows(self, start: Labels) -> Labels:
        """Add the rows of the run that a training continues from, whose labels come first."""
        new = [0] * (len(self.names) - len(start.names))
        counts = zip(self.counts, [*start.counts, *new], strict=True)
        weights = zip(self.totals, [*start.totals, *new], strict=True)
        weighted = bool(self.weights or start.weights)
        return replace(
            self,
            counts=tuple(map(sum, counts)),
            weights=tuple(map(sum, weights)) if weighted else (),
        )

    def _encode_cells(self, cells: pa.StringArray, rows: Counts) -> tuple[Targets, dict[str, int]]:
        """Encode distinct cells with one label each; `rows` are those of each cell."""
        names = self._merge(cells)
        ids = index_in(names, text_column(self.names), default=-1)
        unknown: Counter[str] = Counter()
        texts = names.to_pylist()
        for cell in np.flatnonzero((ids < 0) & (rows > 0)).tolist():
            unknown[texts[cell]] += int(rows[cell])
        return ids, {name: unknown[name] for name in sort_labels(unknown)}

    def _encode_lists(
        self, cells: pa.StringArray, rows: Counts, separator: str
    ) -> tuple[Targets, dict[str, int]]:
        """Encode distinct cells with several labels each; `rows` are those of each cell."""
        cell_of, names = split_cells(cells, separator)
        names = self._merge(names)
        used = names.filter(mask_column(rows[cell_of] > 0))
        others = sort_labels(set(used.to_pylist()) - set(self.names))
        ids = index_in(names, text_column([*self.names, *others]), default=-1)
        found = ids >= 0  # -1 remains for unknown labels in cells without rows
        # (distinct cells, known + unknown labels)
        targets = label_sets(
            cell_of[found], ids[found], (len(cells), len(self.names) + len(others))
        )
        # Each cell counts by its number of rows: (cells,) @ (cells, others) -> (others,).
        rows_of_others: list[int] = (rows @ targets[:, len(self.names) :]).tolist()
        return targets, dict(zip(others, rows_of_others, strict=True))

    def _merge(self, names: pa.StringArray) -> pa.StringArray:
        """Replace forms of labels by the labels, and forms of an unknown label by one of them."""
        if not self.merged:
            return names
        labels = {find_form(label): label for label in self.names}
        for name in sort_labels(set(names.to_pylist())):
            labels.setdefault(find_form(name), name)
        return text_column([labels[find_form(name)] for name in names.to_pylist()])


def _label_names(
    labeled: LabeledRows, config: DataConfig, known: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the known labels, then the others of some rows in their order."""
    if isinstance(config.label, list):
        return (*known, *(name for name in config.label if name not in known))
    rows = count_names(labeled.labels[0], config.label_separator)
    if not config.merge_label_forms:
        return (*known, *sort_labels(rows.keys() - set(known)))
    forms = set(map(find_form, known))
    found = sort_labels(_most_frequent_forms(rows))
    return (*known, *(name for name in found if find_form(name) not in forms))


def _most_frequent_forms(rows: dict[str, int]) -> list[str]:
    """Return the most frequent form of each label; `rows` counts the rows of each form."""
    names: dict[str, str] = {}
    # Of equally frequent forms, the first in the order of labels.
    for name in sort_labels(rows):
        form = find_form(name)
        if rows[name] > rows.get(names.get(form, ""), 0):
            names[form] = name
    return list(names.values())
