"""Predicted labels and probabilities with the actual labels."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from embedclf.data.label_sets import label_sets
from embedclf.evaluation.metrics import CALIBRATION_BINS, assign_bins
from embedclf.model.probabilities import outcome_columns, row_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.data.labels import Labels, Targets
    from embedclf.model.probabilities import AnyProbabilities
    from embedclf.system.arrays import Doubles, Floats, Int64s, Mask

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
    y_prob: AnyProbabilities
    """(n, outputs)"""
    y_pred: Targets
    """The shape of `y_true`."""
    weights: Doubles | None = None
    """(n,) how many rows each counts for; None if each counts for one."""
    groups: Int64s | None = None
    """(n,) the number of each row's group; None if rows are independent."""

    @classmethod
    def from_probabilities(
        cls,
        labels: Labels,
        y_true: Targets,
        y_prob: AnyProbabilities,
        weights: Doubles | None = None,
    ) -> Predictions:
        """Predict by the thresholds of the labels, or predict the most probable label."""
        blocks = (labels.decide(np.asarray(y_prob[rows])) for rows in row_blocks(y_prob.shape))
        if labels.task != "multilabel":
            return cls(labels, y_true, y_prob, np.concatenate([*blocks]), weights)
        # Sparse as `y_true`; labels that do not occur in training are never predicted.
        lengths, ids = zip(*(_list_labels(block) for block in blocks), strict=True)
        rows = np.repeat(np.arange(y_true.shape[0]), np.concatenate(lengths))
        y_pred = label_sets(rows, np.concatenate(ids), y_true.shape)
        return cls(labels, y_true, y_prob, y_pred, weights)

    @classmethod
    def from_majority(
        cls, labels: Labels, y_true: Targets, weights: Doubles | None = None
    ) -> Predictions:
        """Predict the most frequent training label for all rows, with the label frequencies."""
        totals, multilabel = np.array(labels.totals), labels.task == "multilabel"
        majority = int(np.argmax(totals))
        rows = y_true.shape[0]
        y_pred = np.full(rows, majority, np.int32)
        if multilabel:
            y_pred = label_sets(np.arange(rows), y_pred, y_true.shape)
        # (outputs,): in a binary task, only that of the second label.
        frequencies = (totals[-labels.outputs :] / totals.sum()).astype(np.float32)
        # A read-only view of one row.
        y_prob = np.broadcast_to(frequencies, (rows, labels.outputs))
        return cls(labels, y_true, y_prob, y_pred, weights)

    def filter(self, mask: Mask) -> Predictions:
        """Keep the rows where a mask (n,) is true."""
        weights = None if self.weights is None else self.weights[mask]
        y_true, y_prob, y_pred = self.y_true[mask], self.y_prob[mask], self.y_pred[mask]
        groups = None if self.groups is None else self.groups[mask]
        return Predictions(self.labels, y_true, y_prob, y_pred, weights, groups)

    def __len__(self) -> int:
        rows: int = self.y_true.shape[0]
        return rows

    @property
    def cells(self) -> int:
        """Rows times outputs."""
        return len(self) * self.labels.outputs

    def thin(self, max_cells: int) -> Predictions:
        """Keep all rows, or every second row or fewer, for at most about so many cells."""
        kept = np.zeros(len(self), np.bool_)
        kept[:: -(-self.cells // max_cells) or 1] = True
        return self.filter(kept)

    @cached_property
    def row_weights(self) -> Doubles:
        """(n,) the weights; 1 for each row if rows are not weighted."""
        return np.ones(len(self)) if self.weights is None else self.weights

    @cached_property
    def is_counted(self) -> Mask:
        """(n,) True for rows of positive weight."""
        counted: Mask = self.row_weights > 0.0
        return counted

    @cached_property
    def correct(self) -> Mask:
        """(n,) True for rows whose labels are all predicted correctly."""
        if self.labels.task == "multilabel":
            differs = abs(self.y_true - self.y_pred).sum(axis=1)  # (n,)
            return np.asarray(differs == 0)
        equal: Mask = self.y_true == self.y_pred
        return equal

    @cached_property
    def is_known(self) -> Mask:
        """(n,) True for rows whose label occurs in training; in a multi-label task, for all."""
        if self.labels.task == "multilabel":
            return np.ones(len(self), np.bool_)
        known: Mask = self.y_true >= 0
        return known

    @property
    def has_both_outcomes(self) -> bool:
        """Whether some known rows have a label of an output, and some do not."""
        known = self.y_true[self.is_known]
        positives = known[:, : self.labels.outputs].sum() if known.ndim == 2 else (known == 1).sum()
        return bool(0 < positives < known.shape[0] * self.labels.outputs)

    def known_blocks(self) -> Iterator[tuple[Doubles, Mask]]:
        """Yield the probabilities of the known rows and their outcomes, block by block.

        Both are (block, outputs). Probabilities are clipped off 0 and 1 for the log loss.
        """
        known = np.flatnonzero(self.is_known)
        for block in row_blocks((len(known), self.labels.outputs)):
            rows = known[block]
            y_prob = np.clip(np.asarray(self.y_prob[rows], np.float64), _EPSILON, 1.0 - _EPSILON)
            if self.labels.task == "multiclass":
                y_prob /= y_prob.sum(axis=1, keepdims=True)  # clipping can change the sum
            yield y_prob, self.labels.binarize(self.y_true[rows])

    def known_columns(self) -> Iterator[tuple[Mask, Floats]]:
        """Return for each output which known rows (known,) have its label, and its probabilities.

        They are not clipped, which would tie probabilities near 0 or 1.
        """
        y_true, y_prob = self.y_true[self.is_known], self.y_prob[self.is_known]
        return outcome_columns(self.labels, y_true, y_prob)

    @cached_property
    def calibration(self) -> CalibrationCells:
        """Probabilities and outcomes of the known rows, by row and bin."""
        blocks, start = [], 0
        for y_prob, outcomes in self.known_blocks():
            if self.labels.task == "multiclass":
                top = y_prob.argmax(axis=1)[:, None]
                y_prob = np.take_along_axis(y_prob, top, axis=1)  # noqa: PLW2901 - the same rows
                outcomes = np.take_along_axis(outcomes, top, axis=1)  # noqa: PLW2901
            blocks.append(CalibrationCells.from_block(start, y_prob, outcomes))
            start += len(y_prob)
        return CalibrationCells.concatenate(blocks)


@dataclass(frozen=True)
class CalibrationCells:
    """Probabilities and outcomes, added up by row and bin.

    A softmax has one probability per row: that of the most probable label. Otherwise each output
    has one.
    """

    rows: Int64s
    """(cells,) the known row of each cell."""
    bins: Int64s
    """(cells,) the bin of its probabilities."""
    counts: Int64s
    """(cells,) number of probabilities."""
    probabilities: Doubles
    """(cells,) their sum."""
    outcomes: Doubles
    """(cells,) number of labels that the row has."""
    variances: Doubles
    """(cells,) sum of p · (1 - p): the variance of the outcomes if they are calibrated."""

    @classmethod
    def from_block(cls, start: int, y_prob: Doubles, outcomes: Mask) -> CalibrationCells:
        """Add up a block of rows (block, outputs), the first of which has the number `start`."""
        rows = np.repeat(np.arange(len(y_prob)), y_prob.shape[1])
        places = rows * CALIBRATION_BINS + assign_bins(y_prob).ravel()
        counts = np.bincount(places)
        filled = np.flatnonzero(counts)
        flat = y_prob.ravel()
        probabilities, outcome_sums, variances = (
            np.bincount(places, numbers)[filled].astype(np.float64)
            for numbers in (flat, outcomes.ravel(), flat * (1.0 - flat))
        )
        return cls(
            start + filled // CALIBRATION_BINS,
            filled % CALIBRATION_BINS,
            counts[filled],
            probabilities,
            outcome_sums,
            variances,
        )

    @classmethod
    def concatenate(cls, blocks: Sequence[CalibrationCells]) -> CalibrationCells:
        """Join blocks of rows."""
        return cls(
            *(np.concatenate([getattr(each, part.name) for each in blocks]) for part in fields(cls))
        )

    def __len__(self) -> int:
        return len(self.rows)


def _list_labels(predicted: Targets) -> tuple[Int64s, Int64s]:
    """Return how many labels each row of flags (block, labels) has, and their ids row by row."""
    return predicted.sum(axis=1), np.nonzero(predicted)[1]
