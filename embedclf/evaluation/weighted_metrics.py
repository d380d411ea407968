"""Metrics of weighted rows.

A weight acts as the number of times that a row is repeated. Slow steps, such as sorting, are done
once for all weightings.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from embedclf.evaluation.metrics import (
    CALIBRATION_BINS,
    LABEL_METRICS,
    RANKING_METRICS,
    assign_bins,
)
from embedclf.evaluation.ranking import Ranking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.evaluation.predictions import Predictions
    from embedclf.system.arrays import Doubles, Int64s


class WeightedMetrics:
    """Metrics of the same rows under many weightings."""

    def __init__(
        self, predictions: Predictions, metrics: Sequence[str], *, by_label: bool = False
    ) -> None:
        """Prepare to compute metrics.

        Args:
            predictions: The rows.
            metrics: Names as in `metrics.compute_metrics`.
            by_label: Whether to also compute precision, recall and F1 of each training label.
        """
        self.predictions = predictions
        self.metrics = tuple(metrics)
        self.by_label = by_label

    def __call__(self, weights: Doubles) -> Doubles:
        """Compute the metrics of weighted rows.

        Args:
            weights: (n,) how often each row occurs.

        Returns:
            (metrics,), then (labels · 3) label by label if requested; NaN where the weighted rows
            do not define a metric.
        """
        weighted = WeightedRows(self, weights)
        values = np.array([weighted.metric(name) for name in self.metrics], np.float64)
        # (3, labels) -> (labels * 3,), label by label.
        return np.append(values, weighted.label_metrics.T.ravel()) if self.by_label else values

    @cached_property
    def confusion_cells(self) -> Int64s:
        """(n,) each row's cell in a confusion matrix; its last label stands for unknown ones."""
        size = len(self.predictions.labels.names) + 1
        y_true: Int64s = self.predictions.y_true.astype(np.int64)  # a copy, changed below
        y_true[y_true < 0] = size - 1
        return y_true * size + self.predictions.y_pred

    @cached_property
    def label_hits(self) -> Doubles:
        """(n, 3 · labels) in a multi-label task: correct, predicted and actual labels."""
        actual, predicted = self.predictions.y_true == 1, self.predictions.y_pred == 1
        # As floats, because NumPy multiplies integer matrices without BLAS.
        return np.concatenate([actual & predicted, predicted, actual], axis=1).astype(np.float64)

    @cached_property
    def correct(self) -> Doubles:
        """(n,) 1 for rows whose labels are all predicted correctly, else 0."""
        return self.predictions.correct.astype(np.float64)

    @cached_property
    def rankings(self) -> list[Ranking]:
        """Known rows ranked by each output whose label some of them have, but not all."""
        predictions = self.predictions
        y_prob = predictions.y_prob[predictions.is_known]
        return [
            Ranking.from_predictions(y_true, column)
            for y_true, column in zip(predictions.known_outcomes.T, y_prob.T, strict=True)
            if y_true.any() and not y_true.all()
        ]

    @cached_property
    def losses(self) -> dict[str, Doubles]:
        """(known,) the loss of each known row, by metric."""
        y_prob, outcomes = self.predictions.known_probabilities, self.predictions.known_outcomes
        squares = (y_prob - outcomes) ** 2
        if self.predictions.labels.task == "multiclass":
            # Each known row has exactly one outcome, so the mask selects (known,).
            return {"log_loss": -np.log(y_prob[outcomes]), "brier": squares.sum(axis=1)}
        logs = -np.log(np.where(outcomes, y_prob, 1.0 - y_prob))
        return {"log_loss": logs.mean(axis=1), "brier": squares.mean(axis=1)}

    @cached_property
    def calibration_gaps(self) -> tuple[Int64s, Doubles]:
        """(pairs,) the bin of each probability, and its distance from the outcome."""
        y_prob, outcomes = self.predictions.calibration_pairs
        return assign_bins(y_prob), y_prob - outcomes


class WeightedRows:
    """Rows under one weighting; values that several metrics need are computed once."""

    def __init__(self, rows: WeightedMetrics, weights: Doubles) -> None:
        """Weight rows by (n,)."""
        self._rows = rows
        self._weights = weights
        self._total = weights.sum()

    def metric(self, name: str) -> float:
        """Compute a metric; NaN if the weighted rows do not define it."""
        if name in {"accuracy", "subset_accuracy"}:
            return float(self._weights @ self._rows.correct / self._total)
        if name == "mcc":
            return self._mcc()
        if name in RANKING_METRICS:
            return float(self._areas[RANKING_METRICS.index(name)])
        if name == "ece":
            return self._calibration_error()
        if name in {"log_loss", "brier"}:
            weights = self._known_weights
            total = weights.sum()
            return float(weights @ self._rows.losses[name] / total) if weights.any() else np.nan
        # `macro_f1` -> `macro`, `f1`; without an average, the first string is empty.
        return self._averaged(*name.rpartition("_")[::2])

    @cached_property
    def label_metrics(self) -> Doubles:
        """(3, labels) precision, recall and F1 of each training label."""
        return _label_metrics(self._counts[:, : len(self._rows.predictions.labels.names)])

    @property
    def label_supports(self) -> tuple[Doubles, Doubles, Doubles]:
        """(labels,) the denominators of each training label's precision, recall and F1, in rows."""
        _, predicted, actual = self._counts[:, : self.label_metrics.shape[1]]
        return predicted, actual, actual

    def support(self, name: str) -> float:
        """The denominator of a metric in rows; for an average over labels, that of the rarest.

        0 if the metric is not a fraction of rows, or no rows exist.
        """
        average, _, metric = name.rpartition("_")
        if name == "mcc" and self._mcc() <= 0.0:  # 0 is guessing, not the lowest value
            return 0.0
        if metric not in LABEL_METRICS or average == "micro":
            return float(self._total)
        supports = self.label_supports[LABEL_METRICS.index(metric)]
        return float(supports.min() if average else supports[1])  # 1 is the positive label

    @cached_property
    def _counts(self) -> Doubles:
        """(3, labels) rows where each label is correct, predicted, actual; unknown ones last."""
        if self._rows.predictions.labels.task == "multilabel":
            return (self._weights @ self._rows.label_hits).reshape(3, -1)
        size = len(self._rows.predictions.labels.names) + 1
        table = np.bincount(self._rows.confusion_cells, self._weights, size * size)
        table = table.reshape(size, size)
        # Rows of the table are actual labels, columns are predicted ones.
        return np.stack([np.diag(table), table.sum(axis=0), table.sum(axis=1)])

    @cached_property
    def _known_weights(self) -> Doubles:
        """(known,) weights of the known rows."""
        return self._weights[self._rows.predictions.is_known]

    @cached_property
    def _areas(self) -> Doubles:
        """(2,) ROC AUC and average precision, averaged over the outputs that define them."""
        areas = [ranking.areas(self._known_weights) for ranking in self._rows.rankings]
        defined = np.array([pair for pair in areas if not np.isnan(pair[0])])
        return defined.mean(axis=0) if len(defined) else np.array([np.nan, np.nan])

    def _averaged(self, average: str, metric: str) -> float:
        index = LABEL_METRICS.index(metric)
        if not average:
            return float(self.label_metrics[index, 1])
        if average == "micro":
            # (3, 1): all labels as one, including unknown ones.
            return float(_label_metrics(self._counts.sum(axis=1, keepdims=True))[index, 0])
        if average == "macro":
            return float(self.label_metrics[index].mean())
        actual = self._counts[2, : self.label_metrics.shape[1]]
        return float(actual @ self.label_metrics[index] / actual.sum()) if actual.any() else 0.0

    def _mcc(self) -> float:
        """Matthews correlation coefficient for several classes (Gorodkin, 2004)."""
        correct, predicted, actual = self._counts
        total = self._total
        variances = (total**2 - predicted @ predicted) * (total**2 - actual @ actual)
        covariance = correct.sum() * total - predicted @ actual
        return float(covariance / np.sqrt(variances)) if variances else 0.0

    def _calibration_error(self) -> float:
        bins, gaps = self._rows.calibration_gaps
        if not self._known_weights.any():
            return np.nan
        # A softmax has one gap per row; otherwise each output has one, side by side.
        weights = np.repeat(self._known_weights, len(gaps) // len(self._known_weights))
        sums = np.bincount(bins, weights * gaps, CALIBRATION_BINS)
        return float(np.abs(sums).sum() / weights.sum())


def _label_metrics(counts: Doubles) -> Doubles:
    """(3, labels) correct, predicted and actual → precision, recall and F1; 0 where undefined."""
    correct, predicted, actual = counts
    tiny = np.finfo(np.float64).tiny
    totals = np.stack([predicted, actual, (predicted + actual) / 2.0])
    # `np.where` computes both branches; the maximum keeps it from dividing by 0.
    return np.where(totals > 0.0, correct / np.maximum(totals, tiny), 0.0)
