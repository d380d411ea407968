"""Predicted labels and probabilities with the actual labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from embedclf.data.labels import Labels, Probabilities, Targets
    from embedclf.system.arrays import Doubles, Mask

_EPSILON = float(np.finfo(np.float32).eps)  # where scikit-learn's log loss clips float32


@dataclass(frozen=True)
class Predictions:
    """The actual and the predicted labels of rows.

    A row is known if its label occurs in training. Metrics of probabilities are computed on known
    rows only.
    """

    labels: Labels
    y_true: Targets
    """(n,) with -1 for an unknown label, or (n, labels) with unknown labels in the last columns."""
    y_prob: Probabilities
    """(n, outputs)"""
    y_pred: Targets
    """The shape of `y_true`."""

    @classmethod
    def from_probabilities(
        cls, labels: Labels, y_true: Targets, y_prob: Probabilities
    ) -> Predictions:
        """Predict by the thresholds of the labels, or predict the most probable label."""
        y_pred = labels.decide(y_prob)
        if labels.task == "multilabel":
            # (n, outputs) -> (n, labels), with zeros for labels that do not occur in training.
            y_pred = np.pad(y_pred, ((0, 0), (0, y_true.shape[1] - y_pred.shape[1])))
        return cls(labels, y_true, y_prob, y_pred)

    @classmethod
    def from_majority(cls, labels: Labels, y_true: Targets) -> Predictions:
        """Predict the most frequent training label for all rows, with the label frequencies."""
        majority, multilabel = int(np.argmax(labels.counts)), labels.task == "multilabel"
        y_pred = np.zeros_like(y_true)
        # Multi-label: a 1 in one column; otherwise the label's id in all rows.
        y_pred[..., majority if multilabel else slice(None)] = 1 if multilabel else majority
        # (outputs,): in a binary task, only that of the second label.
        frequencies = np.array(labels.counts[-labels.outputs :]) / sum(labels.counts)
        y_prob = np.tile(frequencies.astype(np.float32), (len(y_true), 1))
        return cls(labels, y_true, y_prob, y_pred)

    def filter(self, mask: Mask) -> Predictions:
        """Keep the rows where a mask (n,) is true."""
        return Predictions(self.labels, self.y_true[mask], self.y_prob[mask], self.y_pred[mask])

    @cached_property
    def correct(self) -> Mask:
        """(n,) True for rows whose labels are all predicted correctly."""
        equal: Mask = self.y_true == self.y_pred
        return equal if equal.ndim == 1 else np.logical_and.reduce(equal, axis=1)

    @cached_property
    def is_known(self) -> Mask:
        """(n,) True for rows whose label occurs in training; in a multi-label task, for all."""
        if self.labels.task == "multilabel":
            return np.ones(len(self.y_true), np.bool_)
        known: Mask = self.y_true >= 0
        return known

    @cached_property
    def known_outcomes(self) -> Mask:
        """(known, outputs) whether each known row has the label of each output."""
        return self.labels.binarize(self.y_true)[self.is_known]

    @cached_property
    def known_probabilities(self) -> Doubles:
        """(known, outputs) probabilities of known rows, clipped off 0 and 1 for the log loss."""
        y_prob = np.clip(self.y_prob[self.is_known].astype(np.float64), _EPSILON, 1.0 - _EPSILON)
        if self.labels.task == "multiclass":
            y_prob /= y_prob.sum(axis=1, keepdims=True)  # clipping can change the sum
        return y_prob

    @cached_property
    def calibration_pairs(self) -> tuple[Doubles, Mask]:
        """(pairs,) probabilities, row by row, and whether the row has their label.

        A softmax yields one pair per row, for its most probable label. Otherwise each output yields
        one.
        """
        y_prob, outcomes = self.known_probabilities, self.known_outcomes
        if self.labels.task != "multiclass":
            return y_prob.ravel(), outcomes.ravel()
        top = y_prob.argmax(axis=1)[:, None]
        return (
            np.take_along_axis(y_prob, top, axis=1)[:, 0],
            np.take_along_axis(outcomes, top, axis=1)[:, 0],
        )
