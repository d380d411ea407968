"""Labels and targets: convert label names to numbers and back."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from embedclf.data.label_cells import FLAGS
from embedclf.data.label_forms import find_form, match_forms, sort_labels
from embedclf.errors import DataError
from embedclf.system.arrow import index_in, mask_column, text_column, to_numpy

if TYPE_CHECKING:
    from embedclf.config.data_section import DataConfig
    from embedclf.data.labeled import CategoricalColumn, LabeledRows
    from embedclf.system.arrays import Counts, Int64s, Mask, Rows

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
    merged: bool = False
    """Whether all forms of a label are that label: `1.0` and `01` are `1`."""

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
        """Learn the labels of training rows, sorted by number or by code point.

        If forms are merged, the most frequent form of a label names it.

        Raises:
            DataError: There is only one label, or a row has several and there is no separator.
        """
        if isinstance(config.label, list):
            flags = _flags(labeled)
            return cls("multilabel", tuple(config.label), tuple(flags.sum(axis=0).tolist()))
        _refuse_several(labeled, config)
        rows = _count_names(labeled.labels[0], config.label_separator)
        names = tuple(sort_labels(_most_frequent_forms(rows) if config.merge_label_forms else rows))
        if len(names) < 2:
            raise DataError(
                f"{labeled.table.name}: the only label is {names[0]!r}; "
                "a classifier needs at least two; check data.label"
            )
        task: Task = "binary" if len(names) == 2 else "multiclass"
        if config.label_separator is not None:
            task = "multilabel"
        labels = cls(task, names, (), merged=config.merge_label_forms)
        # No target is -1, since the names come from these rows.
        targets, _ = labels.encode(labeled, config)
        counts = targets.sum(axis=0) if task == "multilabel" else np.bincount(targets)
        if (counts == len(targets)).all():
            raise DataError(
                f"{labeled.table.name}: every row has all {len(names)} labels; check data.label"
            )
        return replace(labels, counts=tuple(counts.tolist()))

    def encode(self, labeled: LabeledRows, config: DataConfig) -> tuple[Targets, dict[str, int]]:
        """Turn label cells into targets.

        Each distinct cell is encoded once, and its rows get its targets.

        Returns:
            The targets, and the number of rows of each unknown label.

        Raises:
            DataError: A row has several labels, and there is no separator.
        """
        if isinstance(config.label, list):
            return _flags(labeled), {}
        _refuse_several(labeled, config)
        column = labeled.labels[0]
        rows = column.count_rows()
        if config.label_separator is not None:
            targets, unknown = self._encode_lists(column.categories, rows, config.label_separator)
        else:
            targets, unknown = self._encode_cells(column.categories, rows)
        return targets[column.codes], unknown

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
        has_columns = isinstance(config.label, list)
        order = np.array(
            sorted(range(len(self.names)), key=None if has_columns else self.names.__getitem__)
        )
        if self.task != "multilabel":
            ranks = np.append(np.argsort(order), -1)  # -1, an unknown label, stays -1
            return ranks[targets]
        rarest_first = order[np.argsort(targets.sum(axis=0)[order], kind="stable")]
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
        values = {"task": self.task, "names": self.names, "counts": self.counts}
        return values | ({"merge_label_forms": True} if self.merged else {})

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Labels:
        """Read what `to_json` wrote."""
        merged = values.get("merge_label_forms", False)
        return cls(values["task"], tuple(values["names"]), tuple(values["counts"]), merged=merged)

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
        cell_of, names = _split_cells(cells, separator)
        names = self._merge(names)
        used = names.filter(mask_column(rows[cell_of] > 0))
        others = sort_labels(set(used.to_pylist()) - set(self.names))
        ids = index_in(names, text_column([*self.names, *others]), default=-1)
        # (distinct cells, known + unknown labels)
        targets = np.zeros((len(cells), len(self.names) + len(others)), np.int32)
        # -1 remains for unknown labels in cells without rows.
        targets[cell_of[ids >= 0], ids[ids >= 0]] = 1
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


def _refuse_several(labeled: LabeledRows, config: DataConfig) -> None:
    """Raise DataError at the first row with several labels if there is no separator."""
    separator = labeled.list_separator
    if separator is None or config.label_separator is not None:
        return
    column = labeled.labels[0]
    # Only lists of several labels contain this separator.
    is_several = to_numpy(pc.match_substring(column.categories, separator)).view(np.bool_)
    rows = np.flatnonzero(is_several[column.codes])
    if len(rows):
        cell = column.categories[int(column.codes[rows[0]])].as_py()
        (location,) = labeled.table.locate([int(labeled.positions[rows[0]])])
        raise DataError(
            f"{location}: {config.label!r} has {cell.count(separator) + 1} labels "
            f"({', '.join(map(repr, cell.split(separator)))}); for several labels per row, set "
            f"data.label_separator: {json.dumps(separator)}"
        )


def _count_names(column: CategoricalColumn, separator: str | None) -> dict[str, int]:
    """Count the rows of each label; the dictionary can contain labels of rows that are gone."""
    rows = column.count_rows()
    cell_of, names = np.arange(len(rows)), column.categories
    if separator is not None:
        cell_of, names = _split_cells(names, separator)
    encoded = names.dictionary_encode()
    labels: list[str] = encoded.dictionary.to_pylist()
    counts = np.zeros(len(labels), np.int64)
    np.add.at(counts, to_numpy(encoded.indices), rows[cell_of])
    return {name: count for name, count in zip(labels, counts.tolist(), strict=True) if count}


def _most_frequent_forms(rows: dict[str, int]) -> list[str]:
    """Return the most frequent form of each label; `rows` counts the rows of each form."""
    names: dict[str, str] = {}
    # Of equally frequent forms, the first in the order of labels.
    for name in sort_labels(rows):
        form = find_form(name)
        if rows[name] > rows.get(names.get(form, ""), 0):
            names[form] = name
    return list(names.values())


def _flags(labeled: LabeledRows) -> Targets:
    """Return (n, labels) of 0 and 1 from one column per label."""
    true = text_column([cell for cell, is_true in FLAGS.items() if is_true])

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
