"""Metrics of rows, weighted or not.

A weight acts as the number of times that a row is repeated. Slow steps, such as sorting, are done
once for all weightings.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.evaluation.metrics import (
    CALIBRATION_BINS,
    LABEL_METRICS,
    RANKING_METRICS,
)
from embedclf.evaluation.ranking import Ranking

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from embedclf.evaluation.metrics import MetricValues
    from embedclf.evaluation.predictions import Predictions
    from embedclf.system.arrays import Doubles

_MAX_RANKED = 1 << 24
"""Rows times outputs whose rankings are kept, at 4 bytes each."""


def compute_metrics(predictions: Predictions, metrics: Sequence[str]) -> MetricValues:
    """Compute metrics of rows by their own weights.

    `macro` and `weighted` average over the training labels; `micro` pools the decisions for all
    labels. Without a prefix, precision, recall and F1 are those of the positive label. ROC AUC and
    PR AUC (average precision) average over the labels, one against the rest; labels that all rows
    or no rows have are skipped. `brier` is the mean squared difference. `ece` is the expected
    calibration error: the mean distance between the probabilities in a bin and the observed
    frequency (Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks, 2017,
    section 2).

    Args:
        predictions: The rows.
        metrics: Names from `ALL_METRICS` of the task.
    """
    values = WeightedMetrics(predictions, metrics)(predictions.row_weights).tolist()
    return {
        name: None if math.isnan(value) else value
        for name, value in zip(metrics, values, strict=True)
    }


def compute_label_metrics(predictions: Predictions) -> Doubles:
    """(labels, 4): the weight of the rows, precision, recall and F1 of each training label."""
    rows = WeightedRows(WeightedMetrics(predictions, ()), predictions.row_weights)
    # Rows of unknown labels still count as false positives of others.
    return np.stack([rows.label_supports[1], *rows.label_metrics], axis=1)


def resampled_metrics(predictions: Predictions, metrics: Sequence[str]) -> tuple[str, ...]:
    """Return the metrics that can be computed of many draws of the rows.

    These are all, except that the rankings of very many rows and labels take too long.
    """
    keeps = predictions.cells <= _MAX_RANKED
    return tuple(name for name in metrics if keeps or name not in RANKING_METRICS)


class WeightedMetrics:
    """Metrics of the same rows under many weightings."""

    def __init__(
        self, predictions: Predictions, metrics: Sequence[str], *, by_label: bool = False
    ) -> None:
        """Prepare to compute metrics.

        Args:
            predictions: The rows.
            metrics: Names as in `compute_metrics`.
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
    def label_hits(self) -> Any:
        """(3 · labels, n) sparse, of several labels: correct, predicted and actual ones."""
        from scipy.sparse import hstack

        actual, predicted = self.predictions.y_true, self.predictions.y_pred
        hits = hstack([actual.multiply(predicted), predicted, actual], dtype=np.float64)
        return hits.T.tocsr()

    @cached_property
    def correct(self) -> Doubles:
        """(n,) 1 for rows whose labels are all predicted correctly, else 0."""
        return self.predictions.correct.astype(np.float64)

    def rankings(self) -> Iterable[Ranking]:
        """Known rows ranked by each output whose label some of them have, but not all.

        They are kept for other weightings unless there are very many.
        """
        return self._kept_rankings if self.predictions.cells <= _MAX_RANKED else self._rank()

    @cached_property
    def _kept_rankings(self) -> list[Ranking]:
        return list(self._rank())

    def _rank(self) -> Iterator[Ranking]:
        for y_true, y_prob in self.predictions.known_columns():
            if y_true.any() and not y_true.all():
                yield Ranking.from_predictions(y_true, y_prob)

    @cached_property
    def losses(self) -> dict[str, Doubles]:
        """(known,) the loss of each known row, by metric."""
        multiclass = self.predictions.labels.task == "multiclass"
        logs, squares = [], []
        for y_prob, outcomes in self.predictions.known_blocks():
            distances = (y_prob - outcomes) ** 2
            if multiclass:
                # Each known row has exactly one outcome, so the mask selects (block,).
                logs.append(-np.log(y_prob[outcomes]))
                squares.append(distances.sum(axis=1))
            else:
                logs.append(-np.log(np.where(outcomes, y_prob, 1.0 - y_prob)).mean(axis=1))
                squares.append(distances.mean(axis=1))
        return {"log_loss": np.concatenate(logs), "brier": np.concatenate(squares)}


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
            counts: Doubles = (self._rows.label_hits @ self._weights).reshape(3, -1)
            return counts
        predictions, size = self._rows.predictions, len(self._rows.predictions.labels.names) + 1
        y_true = np.where(predictions.y_true < 0, size - 1, predictions.y_true)
        return np.stack(
            [
                np.bincount(y_true, self._weights * self._rows.correct, size),
                np.bincount(predictions.y_pred, self._weights, size),
                np.bincount(y_true, self._weights, size),
            ]
        )

    @cached_property
    def _known_weights(self) -> Doubles:
        """(known,) weights of the known rows."""
        return self._weights[self._rows.predictions.is_known]

    @cached_property
    def _areas(self) -> Doubles:
        """(2,) ROC AUC and average precision, averaged over the outputs that define them."""
        areas = [ranking.areas(self._known_weights) for ranking in self._rows.rankings()]
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
        # In this form, rounding cannot hide that all rows have the same label: the variance is 0.
        variances = (predicted @ (predicted.sum() - predicted)) * (actual @ (actual.sum() - actual))
        covariance = correct.sum() * self._total - predicted @ actual
        return float(covariance / np.sqrt(variances)) if variances else 0.0

    def _calibration_error(self) -> float:
        cells = self._rows.predictions.calibration
        if not self._known_weights.any():
            return np.nan
        weights = self._known_weights[cells.rows]
        gaps = weights * (cells.probabilities - cells.outcomes)
        sums = np.bincount(cells.bins, gaps, CALIBRATION_BINS)
        return float(np.abs(sums).sum() / (weights @ cells.counts))


def _label_metrics(counts: Doubles) -> Doubles:
    """(3, labels) correct, predicted and actual → precision, recall and F1; 0 where undefined."""
    correct, predicted, actual = counts
    tiny = np.finfo(np.float64).tiny
    totals = np.stack([predicted, actual, (predicted + actual) / 2.0])
    # `np.where` computes both branches; the maximum keeps it from dividing by 0.
    return np.where(totals > 0.0, correct / np.maximum(totals, tiny), 0.0)
