"""Metrics by scikit-learn, and ranked curves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.data.labels import Labels, Probabilities, Targets
    from embedclf.system.arrays import Doubles, Int64s


MetricValues = dict[str, float | None]
"""Each between 0 and 1, but log_loss ≥ 0, brier of several classes ≤ 2 and mcc ≥ -1; None where
the rows do not define it."""

BRIEF = {
    "binary": ("accuracy", "precision", "recall", "f1", "roc_auc", "log_loss"),
    "multiclass": ("accuracy", "macro_f1", "weighted_f1", "log_loss"),
    "multilabel": ("micro_f1", "macro_f1", "subset_accuracy", "log_loss"),
}
"""What training measures, by task; the first is what is shown where there is room for one."""

SHARES = ("precision", "recall", "f1")
"""What is measured of each label."""

RANKING = ("roc_auc", "pr_auc")
"""What is measured of the order of probabilities alone."""

_LOSSES = ("log_loss", "brier", "ece")

_AVERAGES = tuple(f"{kind}_{share}" for kind in ("macro", "weighted") for share in SHARES)

FULL = {
    "binary": ("accuracy", *SHARES, "mcc", *RANKING, *_LOSSES, *_AVERAGES),
    "multiclass": ("accuracy", *_AVERAGES, "mcc", *RANKING, *_LOSSES),
    "multilabel": (
        *(f"micro_{share}" for share in reversed(SHARES)),
        "subset_accuracy",
        *_AVERAGES,
        *RANKING,
        *_LOSSES,
    ),
}
"""What can be measured, by task."""

LOWER_IS_BETTER = frozenset(_LOSSES)

OF_PROBABILITIES = frozenset({*RANKING, *_LOSSES})
"""What decisions have no part in."""

BINS = 10
"""Of probabilities, equally wide, for the expected calibration error."""

_NORMAL = 1.959964
"""Standard deviations of a normal distribution that 95 % lie within."""

_TINY = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Predictions:
    """Rows, what is true of them, and what is said of them."""

    labels: Labels
    targets: Targets
    """(n,) with -1 for an unknown label, or (n, labels), unknown ones behind the known."""
    probabilities: Probabilities
    """(n, outputs)"""
    decided: Targets
    """Of the shape of the targets."""

    def take(self, rows: npt.NDArray[np.bool_]) -> Predictions:
        """The rows under a mask."""
        return Predictions(
            self.labels, self.targets[rows], self.probabilities[rows], self.decided[rows]
        )

    @cached_property
    def known(self) -> npt.NDArray[np.bool_]:
        """(n,) rows whose label the classifier knows; probabilities are measured on them alone."""
        if self.labels.task == "multilabel":
            return np.ones(len(self.targets), np.bool_)
        known: npt.NDArray[np.bool_] = self.targets >= 0
        return known

    @cached_property
    def came(self) -> npt.NDArray[np.bool_]:
        """(known, outputs) what is true of the known rows."""
        return self.labels.present(self.targets)[self.known]

    @cached_property
    def likely(self) -> Doubles:
        """(known, outputs) probabilities, none quite 0 or 1."""
        likely = np.clip(self.probabilities[self.known].astype(np.float64), _TINY, 1.0 - _TINY)
        if self.labels.task == "multiclass":
            likely /= likely.sum(axis=1, keepdims=True)
        return likely

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """(n,) rows of which all is right."""
        right: npt.NDArray[np.bool_] = self.targets == self.decided
        return right if right.ndim == 1 else np.logical_and.reduce(right, axis=1)

    @cached_property
    def claims(self) -> tuple[Doubles, npt.NDArray[np.bool_]]:
        """(claims,) probabilities that were said and whether they came true, row by row.

        Those of the outputs; of a softmax that of the likeliest label alone.
        """
        if self.labels.task != "multiclass":
            return self.likely.ravel(), self.came.ravel()
        top = self.likely.argmax(axis=1)[:, None]
        likely = np.take_along_axis(self.likely, top, axis=1)
        return likely[:, 0], np.take_along_axis(self.came, top, axis=1)[:, 0]


@dataclass(frozen=True)
class Reliability:
    """Probabilities that were said, by bin, beside how often they came true."""

    said: Doubles
    """(filled,) mean probability of each bin that holds some."""
    came: Doubles
    """(filled,) share of them that came true."""
    low: Doubles
    """(filled,) from where that share may be by chance, with 95 % confidence,"""
    high: Doubles
    """(filled,) to where."""
    times: npt.NDArray[np.int64]
    """(BINS,) how often each bin was said."""


def compute_metrics(predicted: Predictions, names: Sequence[str]) -> MetricValues:
    """Measure rows, with scikit-learn.

    `macro` and `weighted` are means over the known labels, `micro` counts all cells; without these
    words a share is that of the positive label. ROC AUC and PR AUC (average precision) are means
    over the labels, each against the rest, that some rows have and some have not. `brier` is the
    mean squared difference, `ece` the expected calibration error: how far the probabilities of a
    bin lie from how often they came true, on average over bins (Guo, Pleiss, Sun and Weinberger,
    On Calibration of Modern Neural Networks, 2017, section 2).

    Args:
        predicted: The rows.
        names: What to measure: of `FULL` for the task.
    """
    return {name: _measured(predicted, name) for name in names}


def of_labels(predicted: Predictions) -> Doubles:
    """(labels, 4): rows of each known label, its precision, recall and f1."""
    from sklearn.metrics import precision_recall_fscore_support

    precision, recall, f1, rows = precision_recall_fscore_support(
        predicted.targets,
        predicted.decided,
        labels=range(len(predicted.labels.names)),
        average=None,
        zero_division=0.0,
    )
    return np.stack([rows, precision, recall, f1], axis=1).astype(np.float64)


def bin_of(likely: Doubles) -> npt.NDArray[np.int64]:
    """The bin of each probability, from 0 to `BINS` - 1."""
    return np.minimum((likely * BINS).astype(np.int64), BINS - 1)


def reliability(predicted: Predictions) -> Reliability:
    """Measure how often probabilities come true (DeGroot and Fienberg, 1983), with intervals.

    The intervals are Wilson's (Probable Inference, 1927, p. 209), which hold for few rows too.
    """
    likely, came = predicted.claims
    bins = bin_of(likely)
    times = np.bincount(bins, minlength=BINS)
    filled = times > 0
    rows = times[filled].astype(np.float64)
    said = np.bincount(bins, likely, BINS)[filled] / rows
    share = np.bincount(bins, came, BINS)[filled] / rows
    square = _NORMAL**2 / rows
    centre = (share + square / 2.0) / (1.0 + square)
    spread = np.sqrt(square * (share * (1.0 - share) + square / 4.0)) / (1.0 + square)
    return Reliability(said, share, centre - spread, centre + spread, times)


def _measured(predicted: Predictions, name: str) -> float | None:
    from sklearn import metrics

    targets, decided = predicted.targets, predicted.decided
    if name in {"accuracy", "subset_accuracy"}:
        return float(metrics.accuracy_score(targets, decided))
    if name == "mcc":
        one = len(np.union1d(targets, decided)) == 1
        return 0.0 if one else float(metrics.matthews_corrcoef(targets, decided))
    if name in RANKING:
        return _ranking(predicted, name)
    if name in _LOSSES:
        return _of_probabilities(predicted, name) if len(predicted.came) else None
    average, _, share = name.rpartition("_")
    score = getattr(metrics, f"{share}_score")
    if not average:
        return float(score(targets == 1, decided == 1, zero_division=0.0))
    labels = None if average == "micro" else range(len(predicted.labels.names))
    return float(score(targets, decided, average=average, labels=labels, zero_division=0.0))


def _ranking(predicted: Predictions, name: str) -> float | None:
    from sklearn.metrics import average_precision_score, roc_auc_score

    score = roc_auc_score if name == "roc_auc" else average_precision_score
    both = [
        score(came, likely)
        for came, likely in zip(
            predicted.came.T, predicted.probabilities[predicted.known].T, strict=True
        )
        if came.any() and not came.all()
    ]
    return float(np.mean(both)) if both else None


def _of_probabilities(predicted: Predictions, name: str) -> float:
    from sklearn import metrics

    if name == "ece":
        likely, came = predicted.claims
        gaps = np.bincount(bin_of(likely), likely - came, BINS)
        return float(np.abs(gaps).sum() / len(likely))
    score = metrics.log_loss if name == "log_loss" else metrics.brier_score_loss
    if predicted.labels.task == "multiclass":
        labels = range(len(predicted.labels.names))
        return float(score(predicted.targets[predicted.known], predicted.likely, labels=labels))
    return float(score(predicted.came.ravel(), predicted.likely.ravel(), labels=[False, True]))


@dataclass(frozen=True)
class Ranking:
    """Rows by falling probability; of the runs of equal ones those with a row that came true."""

    order: Int64s
    """(n,) rows."""
    first: Int64s
    """(runs,) places in the order where they begin."""
    last: Int64s
    """(runs,) and where they end."""
    came: Int64s
    """(true,) rows that came true, run by run."""
    starts: Int64s
    """(runs,) where the rows of each run begin among these."""

    @classmethod
    def of(cls, likely: npt.NDArray[np.floating], came: npt.NDArray[np.bool_]) -> Ranking:
        """Rank rows (n,) by their probability."""
        order, last = ranked(likely)
        places = np.flatnonzero(came[order])
        runs, starts = np.unique(np.searchsorted(last, places), return_index=True)
        first = np.append(0, last[:-1] + 1)[runs]
        return cls(order, first, last[runs], order[places], starts)

    def areas(self, weights: Doubles) -> tuple[float, float]:
        """ROC AUC and average precision of weighted rows; NaN where all or none came true."""
        before = np.cumsum(weights[self.order])
        given = before[self.last]
        found = np.add.reduceat(weights[self.came], self.starts)
        found_by_then = np.cumsum(found)
        true, total = found_by_then[-1], before[-1]
        false = total - true
        if not true or not false:
            return np.nan, np.nan
        inside = given - before[self.first] + weights[self.order[self.first]] - found
        below = false - (given - found_by_then)
        precise = found_by_then / np.maximum(given, 1.0)
        return float(found @ (below + inside / 2.0) / (true * false)), float(precise @ found / true)


def ranked(likely: npt.NDArray[np.floating]) -> tuple[Int64s, Int64s]:
    """(n,) rows by falling probability, and (runs,) places where runs of equal ones end."""
    order = np.argsort(-likely, kind="stable")
    return order, np.flatnonzero(np.diff(likely[order], append=-1.0))
