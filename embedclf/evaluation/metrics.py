"""Metrics of predictions, mostly from scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.evaluation.predictions import Predictions
    from embedclf.system.arrays import Counts, Doubles, Int64s

MetricValues = dict[str, float | None]
"""By metric. From 0 to 1, except: log_loss ≥ 0, mcc ≥ -1, and brier ≤ 2 with more than two classes.
None if the rows do not define the metric."""

DEFAULT_METRICS = {
    "binary": ("accuracy", "precision", "recall", "f1", "roc_auc", "log_loss"),
    "multiclass": ("accuracy", "macro_f1", "weighted_f1", "log_loss"),
    "multilabel": ("micro_f1", "macro_f1", "subset_accuracy", "log_loss"),
}
"""Metrics that training computes, by task; the first is the main one."""

LABEL_METRICS = ("precision", "recall", "f1")
"""Metrics of each label."""

RANKING_METRICS = ("roc_auc", "pr_auc")
"""Metrics that depend only on the order of the probabilities."""

_LOSSES = ("log_loss", "brier", "ece")

_AVERAGES = tuple(
    f"{average}_{metric}" for average in ("macro", "weighted") for metric in LABEL_METRICS
)

ALL_METRICS = {
    "binary": ("accuracy", *LABEL_METRICS, "mcc", *RANKING_METRICS, *_LOSSES, *_AVERAGES),
    "multiclass": ("accuracy", *_AVERAGES, "mcc", *RANKING_METRICS, *_LOSSES),
    "multilabel": (
        *(f"micro_{metric}" for metric in reversed(LABEL_METRICS)),  # F1 first
        "subset_accuracy",
        *_AVERAGES,
        *RANKING_METRICS,
        *_LOSSES,
    ),
}
"""Metrics that can be computed, by task."""

LOWER_IS_BETTER = frozenset(_LOSSES)

PROBABILITY_METRICS = frozenset({*RANKING_METRICS, *_LOSSES})
"""Metrics that do not depend on thresholds."""

CALIBRATION_BINS = 10
"""Bins of equal width for the expected calibration error."""


@dataclass(frozen=True)
class Reliability:
    """Predicted probabilities and observed frequencies by bin (DeGroot and Fienberg, 1983).

    The 95% confidence intervals are Wilson's (Probable Inference, 1927, p. 209), which are reliable
    for small bins.
    """

    predicted_probability: Doubles
    """(filled,) the mean of each non-empty bin."""
    observed_frequency: Doubles
    """(filled,)"""
    low: Doubles
    """(filled,) lower bound of the interval of the observed frequency."""
    high: Doubles
    """(filled,) upper bound."""
    counts: Counts
    """(CALIBRATION_BINS,) number of probabilities in each bin."""


def compute_metrics(predictions: Predictions, metrics: Sequence[str]) -> MetricValues:
    """Compute metrics.

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
    return {name: _compute_metric(predictions, name) for name in metrics}


def compute_label_metrics(predictions: Predictions) -> Doubles:
    """(labels, 4): the rows, precision, recall and F1 of each training label."""
    from sklearn.metrics import precision_recall_fscore_support

    precision, recall, f1, rows = precision_recall_fscore_support(
        predictions.y_true,
        predictions.y_pred,
        # Without unknown labels; their rows still count as false positives of others.
        labels=range(len(predictions.labels.names)),
        average=None,
        zero_division=0.0,
    )
    return np.stack([rows, precision, recall, f1], axis=1).astype(np.float64)


def compute_reliability(predictions: Predictions) -> Reliability:
    """Compare predicted probabilities with observed frequencies, bin by bin."""
    from scipy.stats import binomtest

    y_prob, outcomes = predictions.calibration_pairs
    bins = assign_bins(y_prob)
    counts = np.bincount(bins, minlength=CALIBRATION_BINS)
    filled = counts > 0
    rows = counts[filled]
    true = np.bincount(bins[outcomes], minlength=CALIBRATION_BINS)[filled]
    intervals = [
        binomtest(k, n).proportion_ci(method="wilson")
        for k, n in zip(true.tolist(), rows.tolist(), strict=True)
    ]
    return Reliability(
        np.bincount(bins, y_prob, CALIBRATION_BINS)[filled] / rows,
        true / rows,
        np.array([interval.low for interval in intervals]),
        np.array([interval.high for interval in intervals]),
        counts,
    )


def assign_bins(y_prob: Doubles) -> Int64s:
    """Assign probabilities to bins 0 to `CALIBRATION_BINS` - 1; an edge starts the next bin."""
    # 1.0 belongs to the last bin.
    return np.minimum((y_prob * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)


def _compute_metric(predictions: Predictions, name: str) -> float | None:
    from sklearn import metrics

    y_true, y_pred = predictions.y_true, predictions.y_pred
    if name in {"accuracy", "subset_accuracy"}:
        return float(metrics.accuracy_score(y_true, y_pred))
    if name == "mcc":
        # scikit-learn also returns 0.0 for a single label, but with a warning.
        single = len(np.union1d(y_true, y_pred)) == 1
        return 0.0 if single else float(metrics.matthews_corrcoef(y_true, y_pred))
    if name in RANKING_METRICS:
        return _ranking_metric(predictions, name)
    if name in _LOSSES:
        return _loss(predictions, name) if predictions.is_known.any() else None
    average, _, metric = name.rpartition("_")
    score = getattr(metrics, f"{metric}_score")
    if not average:
        # As Booleans: with -1 for unknown labels, scikit-learn would find three classes.
        return float(score(y_true == 1, y_pred == 1, zero_division=0.0))
    labels = None if average == "micro" else range(len(predictions.labels.names))
    return float(score(y_true, y_pred, average=average, labels=labels, zero_division=0.0))


def _ranking_metric(predictions: Predictions, name: str) -> float | None:
    from sklearn.metrics import average_precision_score, roc_auc_score

    score = roc_auc_score if name == "roc_auc" else average_precision_score
    # Not `known_probabilities`: clipping would tie probabilities near 0 or 1.
    y_prob = predictions.y_prob[predictions.is_known]
    scores = [
        score(y_true, column)
        for y_true, column in zip(predictions.known_outcomes.T, y_prob.T, strict=True)
        if y_true.any() and not y_true.all()
    ]
    return float(np.mean(scores)) if scores else None


def _loss(predictions: Predictions, name: str) -> float:
    from sklearn import metrics

    if name == "ece":
        y_prob, outcomes = predictions.calibration_pairs
        # Each bin sums to its rows times (mean probability - observed frequency).
        gaps = np.bincount(assign_bins(y_prob), y_prob - outcomes, CALIBRATION_BINS)
        return float(np.abs(gaps).sum() / len(y_prob))
    loss = metrics.log_loss if name == "log_loss" else metrics.brier_score_loss
    y_prob = predictions.known_probabilities
    if predictions.labels.task == "multiclass":
        # With `labels`, so a label without rows keeps its column of probabilities.
        labels = range(len(predictions.labels.names))
        return float(loss(predictions.y_true[predictions.is_known], y_prob, labels=labels))
    # Each output is a binary task, so (known, outputs) becomes one column.
    return float(loss(predictions.known_outcomes.ravel(), y_prob.ravel(), labels=[False, True]))
