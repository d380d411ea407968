"""Loss, running score, class weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from embedclf.system.arrays import Floats

if TYPE_CHECKING:
    from embedclf.data.dataset import Dataset
    from embedclf.data.labels import Labels, Targets


LossTargets = npt.NDArray[np.int32] | Floats
"""What logits (n, outputs) should have been: (n,) class ids, or (n, outputs) of 0 and 1."""


@dataclass
class RunningLoss:
    """Losses and hits, added up over rows."""

    task: str
    _loss: float = 0.0
    _cells: int = 0
    _hits: float = 0.0
    _chances: float = 0.0

    @property
    def loss(self) -> float:
        """Mean cross-entropy of the loss's cells: one a row, or one a row and output."""
        return self._loss / max(self._cells, 1)

    @property
    def score(self) -> float:
        """Accuracy, or micro F1 where rows have several labels, at a threshold of 0.5."""
        return self._hits / max(self._chances, 1.0)

    def add(self, logits: Floats, goals: LossTargets, weights: Floats) -> float:
        """Count some rows.

        Args:
            logits: (n, outputs).
            goals: What they should have been.
            weights: (n, 1) or (n, outputs) of the loss's cells.

        Returns:
            The loss by now.
        """
        with np.errstate(all="ignore"):  # a loss that is no number is told by its epoch
            losses = _losses(logits, goals)
            self._loss += float((losses * weights).sum())
        self._cells += losses.size
        hits, chances = self._hits_of(logits, goals)
        self._hits += hits
        self._chances += chances
        return self.loss

    def _hits_of(self, logits: Floats, goals: LossTargets) -> tuple[float, float]:
        if self.task == "multiclass":
            return float(np.count_nonzero(logits.argmax(axis=1) == goals)), len(goals)
        given, right = logits >= 0.0, goals > 0.0
        if self.task == "binary":
            return float(np.count_nonzero(given == right)), len(goals)
        return float(np.count_nonzero(given & right)), (given.sum() + right.sum()) / 2


def cell_weights(dataset: Dataset) -> Floats:
    """Weights of the training loss's cells: (n, 1) a row, or (n, outputs) a cell."""
    rows = len(dataset.train)
    class_weight = dataset.config.training.class_weight
    weights = sample_weights(dataset.train.targets, dataset.labels, class_weight)
    if weights is None:
        return np.broadcast_to(np.float32(1.0), (rows, 1))
    return weights.reshape(rows, -1)


def sample_weights(
    targets: Targets, labels: Labels, class_weight: str | dict[str, float]
) -> Floats | None:
    """The weight of each row in the loss; of each cell where a row has several labels.

    `balanced` gives each class the same total weight, n / (classes · rows of the class) a row
    (King and Zeng, Logistic Regression in Rare Events Data, 2001). With several labels each is a
    binary task of its own: both of its sides get the same total weight, and a weight given for a
    label counts where the label is present.

    Returns:
        (n,), for several labels a row (n, labels), or None when all weights are one.
    """
    if class_weight == "none":
        return None
    several = labels.task == "multilabel"
    if isinstance(class_weight, dict):
        given = np.array([class_weight.get(name, 1.0) for name in labels.names])
        weights = np.where(targets == 1, given, 1.0) if several else given[targets]
    elif several:
        present = targets.sum(axis=0)  # (labels,)
        absent = len(targets) - present
        weights = len(targets) / (2 * np.maximum(np.where(targets == 1, present, absent), 1))
    else:
        rows = np.bincount(targets, minlength=len(labels.names))
        weights = (len(targets) / (len(labels.names) * np.maximum(rows, 1)))[targets]
    return weights.astype(np.float32)


def _losses(logits: Floats, goals: LossTargets) -> Floats:
    """Cross-entropy after a softmax (n, 1), or after sigmoids (n, outputs)."""
    if goals.ndim == 1:
        shifted = logits - logits.max(axis=1, keepdims=True)
        chosen = shifted[np.arange(len(goals)), goals.astype(np.intp)]
        total: Floats = np.log(np.exp(shifted).sum(axis=1)) - chosen
        return total[:, None]
    cells: Floats = np.maximum(logits, 0.0) - logits * goals + np.log1p(np.exp(-np.abs(logits)))
    return cells
