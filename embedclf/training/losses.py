"""Loss, running score, class weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from embedclf.system.arrays import Floats, Int32s

if TYPE_CHECKING:
    from embedclf.data.dataset import Dataset
    from embedclf.data.labels import Labels, Targets
    from embedclf.data.splits import Split

LossTargets = Int32s | Floats
"""Targets of the loss, for logits (n, outputs): (n,) class ids, or (n, outputs) of 0 and 1."""


def loss_targets(split: Split, labels: Labels) -> LossTargets:
    """Return the targets of a split in the form that the loss takes."""
    if labels.task == "multiclass":
        return split.targets
    # A binary task's (n,) becomes (n, 1), to match the logits
    return split.targets.reshape(len(split), labels.outputs).astype(np.float32)


@dataclass
class RunningLoss:
    """The loss and the score of rows, added up block by block."""

    task: str
    _loss: float = 0.0
    _cells: int = 0
    _hits: float = 0.0
    _possible_hits: float = 0.0

    @property
    def loss(self) -> float:
        """Mean cross-entropy: of rows (multiclass), or of rows and outputs."""
        return self._loss / max(self._cells, 1)

    @property
    def score(self) -> float:
        """Accuracy, or micro F1 if rows can have several labels, at a threshold of 0.5."""
        return self._hits / max(self._possible_hits, 1.0)

    def add(self, logits: Floats, targets: LossTargets, weights: Floats) -> float:
        """Add a block of rows.

        Args:
            logits: (n, outputs).
            targets: Of these rows.
            weights: (n, 1) per row, or (n, outputs) per row and output.

        Returns:
            The mean loss so far.
        """
        with np.errstate(all="ignore"):  # the loop reports a loss that is not finite
            losses = _cross_entropy(logits, targets)
            self._loss += float((losses * weights).sum())
        self._cells += losses.size
        hits, possible_hits = self._count_hits(logits, targets)
        self._hits += hits
        self._possible_hits += possible_hits
        return self.loss

    def _count_hits(self, logits: Floats, targets: LossTargets) -> tuple[float, float]:
        """Count the hits and their maximum; the ratio is accuracy or micro F1."""
        if self.task == "multiclass":
            return float(np.count_nonzero(logits.argmax(axis=1) == targets)), len(targets)
        # A logit of 0 is a probability of 0.5
        y_pred, y_true = logits >= 0.0, targets > 0.0
        if self.task == "binary":
            return float(np.count_nonzero(y_pred == y_true)), len(targets)
        # Micro F1 is true positives over the mean of the predicted and actual label counts
        return float(np.count_nonzero(y_pred & y_true)), (y_pred.sum() + y_true.sum()) / 2


def cell_weights(dataset: Dataset) -> Floats:
    """Weights of the training loss: (n, 1) per row, or (n, outputs) per row and output."""
    rows = len(dataset.train)
    class_weight = dataset.config.training.class_weight
    weights = sample_weights(dataset.train.targets, dataset.labels, class_weight)
    if weights is None:
        return np.broadcast_to(np.float32(1.0), (rows, 1))  # a read-only view of one number
    return weights.reshape(rows, -1)


def sample_weights(
    targets: Targets, labels: Labels, class_weight: str | dict[str, float]
) -> Floats | None:
    """Compute the weight of each row in the loss, or of each row and label.

    `balanced` gives every class the same total weight: n / (classes · rows of the class) per row
    (King and Zeng, Logistic Regression in Rare Events Data, 2001). If rows can have several labels,
    each label is a binary task whose two sides get the same total weight. A weight given for a
    label then applies to the rows that have it.

    Returns:
        (n,), for several labels per row (n, labels), or None if all weights are 1.
    """
    if class_weight == "none":
        return None
    multilabel = labels.task == "multilabel"
    if isinstance(class_weight, dict):
        # By label, because a name can be another form of it.
        named = {labels.find(name): weight for name, weight in class_weight.items()}
        by_label = np.array([named.get(name, 1.0) for name in labels.names])
        weights = np.where(targets == 1, by_label, 1.0) if multilabel else by_label[targets]
    elif multilabel:
        present = targets.sum(axis=0)  # (labels,)
        absent = len(targets) - present
        weights = len(targets) / (2 * np.maximum(np.where(targets == 1, present, absent), 1))
    else:
        rows = np.bincount(targets, minlength=len(labels.names))  # (labels,)
        # In cross-fitting, a label can have no row among those of a fold
        weights = (len(targets) / (len(labels.names) * np.maximum(rows, 1)))[targets]
    return weights.astype(np.float32)


def _cross_entropy(logits: Floats, targets: LossTargets) -> Floats:
    """Cross-entropy after a softmax (n, 1), or after sigmoids (n, outputs), in stable form."""
    if targets.ndim == 1:
        shifted = logits - logits.max(axis=1, keepdims=True)
        chosen = shifted[np.arange(len(targets)), targets.astype(np.intp)]
        losses: Floats = np.log(np.exp(shifted).sum(axis=1)) - chosen
        return losses[:, None]
    # log(1 + exp(x)) - x · y without overflow, as in tf.nn.sigmoid_cross_entropy_with_logits
    cells: Floats = np.maximum(logits, 0.0) - logits * targets + np.log1p(np.exp(-np.abs(logits)))
    return cells
