"""Predicted labels and probabilities next to the true labels."""

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
    """What was predicted for rows, and what is true of them.

    A row is known if the classifier knows its label. Metrics of probabilities are computed on the
    known rows alone.
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
        """Predict at the labels' thresholds, or the most probable label; never an unknown label."""
        y_pred = labels.decide(y_prob)
        if labels.task == "multilabel":
            # (n, outputs) -> (n, labels), with zeros for the unknown ones.
            y_pred = np.pad(y_pred, ((0, 0), (0, y_true.shape[1] - y_pred.shape[1])))
        return cls(labels, y_true, y_prob, y_pred)

    @classmethod
    def from_majority(cls, labels: Labels, y_true: Targets) -> Predictions:
        """Predict the most frequent training label for every row, with the label frequencies."""
        majority, multilabel = int(np.argmax(labels.counts)), labels.task == "multilabel"
        y_pred = np.zeros_like(y_true)
        # With several labels a row, a 1 in one column; otherwise its id in all rows.
        y_pred[..., majority if multilabel else slice(None)] = 1 if multilabel else majority
        # (outputs,): in a binary task, that of the second label alone.
        frequencies = np.array(labels.counts[-labels.outputs :]) / sum(labels.counts)
        y_prob = np.tile(frequencies.astype(np.float32), (len(y_true), 1))
        return cls(labels, y_true, y_prob, y_pred)

    def filter(self, mask: Mask) -> Predictions:
        """Keep the rows where a mask (n,) is true."""
        return Predictions(self.labels, self.y_true[mask], self.y_prob[mask], self.y_pred[mask])

    @cached_property
    def correct(self) -> Mask:
        """(n,) rows whose labels are all predicted correctly."""
        equal: Mask = self.y_true == self.y_pred
        return equal if equal.ndim == 1 else np.logical_and.reduce(equal, axis=1)

    @cached_property
    def is_known(self) -> Mask:
        """(n,) rows whose label the classifier knows; every row if a row has several labels."""
        if self.labels.task == "multilabel":
            return np.ones(len(self.y_true), np.bool_)
        known: Mask = self.y_true >= 0
        return known

    @cached_property
    def known_outcomes(self) -> Mask:
        """(known, outputs) whether the label of each output is true of each known row."""
        return self.labels.binarize(self.y_true)[self.is_known]

    @cached_property
    def known_probabilities(self) -> Doubles:
        """(known, outputs) probabilities of the known rows, kept off 0 and 1 for the log loss."""
        y_prob = np.clip(self.y_prob[self.is_known].astype(np.float64), _EPSILON, 1.0 - _EPSILON)
        if self.labels.task == "multiclass":
            y_prob /= y_prob.sum(axis=1, keepdims=True)  # clipping may move the sum off 1
        return y_prob

    @cached_property
    def calibration_pairs(self) -> tuple[Doubles, Mask]:
        """(pairs,) probabilities, row by row, and whether their label is true of the row.

        With a softmax, a row gives one pair: that of its most probable label. Otherwise each output
        gives one.
        """
        y_prob, outcomes = self.known_probabilities, self.known_outcomes
        if self.labels.task != "multiclass":
            return y_prob.ravel(), outcomes.ravel()
        top = y_prob.argmax(axis=1)[:, None]
        return (
            np.take_along_axis(y_prob, top, axis=1)[:, 0],
            np.take_along_axis(outcomes, top, axis=1)[:, 0],
        )
