"""Loss, running score, class weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from embedclf.data.row_columns import normalize_weights
from embedclf.system.arrays import Floats, Int32s

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.data.dataset import Dataset
    from embedclf.data.labels import Labels, Targets
    from embedclf.data.splits import Split
    from embedclf.system.arrays import Doubles, Rows

LossTargets = Int32s | Floats
"""Targets of the loss, for logits (n, outputs): (n,) class ids, or (n, outputs) from 0 to 1."""


@dataclass(frozen=True)
class CellWeights:
    """Weights of the training loss by row; if rows can have several labels, by label, too."""

    rows: Floats
    """(n, 1)"""
    present: Floats | None = None
    """(outputs,) factor of a label for the rows that have it; None is 1 for all."""
    absent: Floats | None = None
    """(outputs,) for the rows that do not have it."""

    def block(self, rows: Rows | slice, targets: LossTargets) -> Floats:
        """Return the weights (block, 1) or (block, outputs) of some rows with these targets."""
        if self.present is None or self.absent is None:
            return self.rows[rows]
        cells: Floats = self.rows[rows] * np.where(targets == 1, self.present, self.absent)
        return cells


class LabelRows(NamedTuple):
    """How many training rows have each label; a row counts by its weight."""

    total: float
    """All rows."""
    present: Doubles
    """(labels,) with the label."""
    absent: Doubles
    """(labels,) without it."""


def loss_targets(split: Split, labels: Labels, rows: Rows | slice = slice(None)) -> LossTargets:
    """Return the targets of a split, or of some of its rows, in the form that the loss takes."""
    targets: Int32s = split.targets[rows]
    if labels.task == "multiclass":
        return targets
    # A binary task's (n,) becomes (n, 1), to match the logits
    return labels.binarize(targets).astype(np.float32)


@dataclass
class RunningLoss:
    """The loss and the score of rows, added up block by block."""

    task: str
    _loss: float = 0.0
    _cells: float = 0.0
    _hits: float = 0.0
    _possible_hits: float = 0.0

    @property
    def loss(self) -> float:
        """Mean cross-entropy: of rows (multiclass), or of rows and outputs."""
        return self._loss / (self._cells or 1.0)

    @property
    def score(self) -> float:
        """Accuracy, or micro F1 if rows can have several labels, at a threshold of 0.5."""
        return self._hits / (self._possible_hits or 1.0)

    def add(
        self, logits: Floats, targets: LossTargets, weights: Floats, row_weights: Floats
    ) -> float:
        """Add a block of rows.

        Args:
            logits: (n, outputs).
            targets: Of these rows.
            weights: (n, 1) per row, or (n, outputs) per row and output.
            row_weights: (n, 1) how many rows each row counts for, without the weight of its class.

        Returns:
            The mean loss so far.
        """
        with np.errstate(all="ignore"):  # the loop reports a loss that is not finite
            losses = _cross_entropy(logits, targets, softmax=self.task == "multiclass")
            self._loss += float((losses * weights).sum())
        self._cells += float(row_weights.sum(dtype=np.float64)) * losses.shape[1]
        hits, possible_hits = self._count_hits(logits, targets)
        self._hits += float(hits @ row_weights[:, 0].astype(np.float64))
        self._possible_hits += float(possible_hits @ row_weights[:, 0].astype(np.float64))
        return self.loss

    @property
    def totals(self) -> tuple[float, float, float, float]:
        """What was added up, for `merge`."""
        return self._loss, self._cells, self._hits, self._possible_hits

    def merge(self, totals: Sequence[float]) -> None:
        """Add the totals of other rows."""
        loss, cells, hits, possible_hits = totals
        self._loss += loss
        self._cells += cells
        self._hits += hits
        self._possible_hits += possible_hits

    def _count_hits(self, logits: Floats, targets: LossTargets) -> tuple[Doubles, Doubles]:
        """Count the hits of each row, and their maximum; the ratio of sums is the score."""
        if self.task == "multiclass":
            actual = targets if targets.ndim == 1 else targets.argmax(axis=1)
            hits = logits.argmax(axis=1) == actual
            return hits.astype(np.float64), np.ones(len(targets))
        # A logit of 0 is a probability of 0.5
        y_pred, y_true = logits >= 0.0, targets >= 0.5
        if self.task == "binary":
            return (y_pred == y_true)[:, 0].astype(np.float64), np.ones(len(targets))
        # Micro F1 is true positives over the mean of the predicted and actual label counts
        predicted_and_actual = y_pred.sum(axis=1) + y_true.sum(axis=1)
        return (y_pred & y_true).sum(axis=1, dtype=np.float64), predicted_and_actual / 2


def loss_weights(split: Split) -> Floats:
    """Weights (n, 1) of the rows of a split in its loss, with a mean of 1 over rows that count.

    Learning rates and smoothing constants then mean the same in any unit of weights.
    """
    if split.weights is None:
        return np.broadcast_to(np.float32(1.0), (len(split), 1))  # a read-only view of one number
    return normalize_weights(split.weights).astype(np.float32)[:, None]


def cell_weights(dataset: Dataset, label_rows: LabelRows | None = None) -> CellWeights:
    """Return the weights of the training loss.

    `balanced` gives every class the same total weight: n / (classes · rows of the class) per row
    (King and Zeng, Logistic Regression in Rare Events Data, 2001). If rows can have several labels,
    each label is a binary task whose two sides get the same total weight. A weight given for a
    label then applies to the rows that have it.

    Args:
        dataset: The training rows.
        label_rows: Of the whole table, if these are some of its rows; None counts them.
    """
    train, labels = dataset.train, dataset.labels
    rows, class_weight = loss_weights(train), dataset.config.training.class_weight
    if class_weight == "none":
        return CellWeights(rows)
    label_rows = label_rows or count_label_rows(train.targets, labels, train.weights)
    if labels.task == "multilabel":
        return CellWeights(rows, *label_factors(label_rows, labels, class_weight))
    factors = class_factors(label_rows, labels, class_weight)
    return CellWeights(rows * factors[train.targets, None])


def count_label_rows(
    targets: Targets, labels: Labels, row_weights: Doubles | None = None
) -> LabelRows:
    """Count the training rows of each label.

    Args:
        targets: (n,) or (n, labels) of the training rows.
        labels: Their labels.
        row_weights: (n,) how many rows each row counts for; None if each counts for one.
    """
    row_weights = np.ones(targets.shape[0]) if row_weights is None else row_weights
    total = row_weights.sum()
    if labels.task != "multilabel":
        rows = np.bincount(targets, row_weights, len(labels.names)).astype(np.float64)
        return LabelRows(total, rows, total - rows)
    counted = (row_weights > 0.0).astype(np.int64)
    present = row_weights @ targets  # (labels,)
    # Where all rows have the label, the difference can be a rounding error instead of 0
    absent = np.where(counted @ targets < counted.sum(), total - present, 0.0)
    return LabelRows(total, present, absent)


def weigh_label_rows(
    rows: LabelRows, labels: Labels, class_weight: str | dict[str, float]
) -> tuple[Doubles, Doubles]:
    """Return the weight, in the loss, of the rows with the label of each output, and of the others.

    Args:
        rows: Of each label, which all count once.
        labels: Of the rows.
        class_weight: none, balanced, or weights by label.
    """
    present, absent = rows.present, rows.absent
    if labels.task == "multilabel":
        if class_weight != "none":
            of_present, of_absent = label_factors(rows, labels, class_weight)
            present, absent = present * of_present, absent * of_absent
        return present, absent
    if class_weight != "none":
        present = present * class_factors(rows, labels, class_weight)
    positive = present[-labels.outputs :]
    # A softmax cancels what its biases have in common, so that log(total) does no harm
    return positive, present.sum() - (positive if labels.task == "binary" else 0.0)


def class_factors(rows: LabelRows, labels: Labels, class_weight: str | dict[str, float]) -> Floats:
    """Return the class weight (labels,) of the rows with each label.

    Args:
        rows: Of each label.
        labels: Of the rows.
        class_weight: balanced, or weights by label.
    """
    if isinstance(class_weight, dict):
        return _named_factors(labels, class_weight)
    factors: Floats = (rows.total / (len(labels.names) * _nonzero(rows.present))).astype(np.float32)
    return factors


def label_factors(
    rows: LabelRows, labels: Labels, class_weight: str | dict[str, float]
) -> tuple[Floats, Floats]:
    """Return the class weights (labels,) of each label in rows that have it, and in all others.

    The arguments are those of `class_factors`, for rows that can have several labels.
    """
    if isinstance(class_weight, dict):
        return _named_factors(labels, class_weight), np.ones(len(labels.names), np.float32)
    factors = (rows.total / (2 * _nonzero(side)) for side in (rows.present, rows.absent))
    of_present, of_absent = (side.astype(np.float32) for side in factors)
    return of_present, of_absent


def _named_factors(labels: Labels, class_weight: dict[str, float]) -> Floats:
    """Return the weights (labels,) that a config names; 1 for all other labels."""
    # By label, because a name can be another form of it.
    named = {labels.find(name): weight for name, weight in class_weight.items()}
    return np.array([named.get(name, 1.0) for name in labels.names], np.float32)


def _nonzero(totals: Doubles) -> Doubles:
    """Replace 0 by 1: the total of a label whose rows do not count, or are in no training fold."""
    return np.where(totals > 0.0, totals, 1.0)


def _cross_entropy(logits: Floats, targets: LossTargets, *, softmax: bool) -> Floats:
    """Cross-entropy after a softmax (n, 1), or after sigmoids (n, outputs), in stable form."""
    if softmax:
        shifted = logits - logits.max(axis=1, keepdims=True)
        if targets.ndim == 1:
            chosen = shifted[np.arange(len(targets)), targets.astype(np.intp)]
        else:
            chosen = (shifted * targets).sum(axis=1)
        losses: Floats = np.log(np.exp(shifted).sum(axis=1)) - chosen
        return losses[:, None]
    # log(1 + exp(x)) - x · y without overflow, as in tf.nn.sigmoid_cross_entropy_with_logits
    cells: Floats = np.maximum(logits, 0.0) - logits * targets + np.log1p(np.exp(-np.abs(logits)))
    return cells
