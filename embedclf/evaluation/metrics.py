"""Names of metrics, and the reliability of probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
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

_NORMAL_QUANTILE = 1.959963984540054
"""97.5th percentile of the standard normal distribution."""


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


def compute_reliability(predictions: Predictions) -> Reliability:
    """Compare predicted probabilities with observed frequencies, bin by bin."""
    cells = predictions.calibration
    weights = predictions.row_weights[predictions.is_known][cells.rows]

    def add_up(numbers: Doubles) -> Doubles:
        return np.bincount(cells.bins, numbers, CALIBRATION_BINS).astype(np.float64)

    totals = add_up(weights * cells.counts)
    filled = totals > 0.0
    totals = totals[filled]
    observed = add_up(weights * cells.outcomes)[filled] / totals
    # Rows of very different weights say less than their number (Kish, Survey Sampling, 1965).
    effective = totals**2 / add_up(weights**2 * cells.counts)[filled]
    low, high = _wilson_intervals(observed, effective)
    return Reliability(
        add_up(weights * cells.probabilities)[filled] / totals,
        observed,
        low,
        high,
        add_up(np.where(weights > 0.0, cells.counts, 0.0)).astype(np.int64),
    )


def assign_bins(y_prob: Doubles) -> Int64s:
    """Assign probabilities to bins 0 to `CALIBRATION_BINS` - 1; an edge starts the next bin."""
    # 1.0 belongs to the last bin.
    return np.minimum((y_prob * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)


def _wilson_intervals(frequencies: Doubles, rows: Doubles) -> tuple[Doubles, Doubles]:
    """Return the lower and upper bounds of frequencies (bins,) in some rows each."""
    z_rows = _NORMAL_QUANTILE**2 / rows
    centers = frequencies + z_rows / 2.0
    widths = np.sqrt(z_rows * (frequencies * (1.0 - frequencies) + z_rows / 4.0))
    return (centers - widths) / (1.0 + z_rows), (centers + widths) / (1.0 + z_rows)
