"""Scores of a cross-validation: those of each fold, their mean and spread."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from embedclf.runs.contents.scores import CrossValidationFile
from embedclf.runs.known_files import CROSS_VALIDATION_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from embedclf.evaluation.metrics import MetricValues
    from embedclf.runs.run import Run
    from embedclf.system.arrays import Doubles

Scheme = Literal["stratified", "forward"]
"""How rows are divided: in folds stratified by label, or in blocks by time."""

_MIN_FOLDS = 3
"""Two folds are too few to judge a difference by."""


@dataclass(frozen=True)
class FoldScores:
    """The scores of the rows that a fold leaves out, by a network trained without them."""

    fold: int
    """From 1."""
    rows: int
    """Scored rows."""
    training_rows: int
    """Rows of the training, including those that chose the epoch."""
    best_epoch: int
    metrics: MetricValues
    majority: MetricValues
    """Of always predicting the most frequent label of the training rows."""
    tfidf: MetricValues | None
    """Of TF-IDF with logistic regression, fitted to the same training rows."""
    seconds: float


@dataclass(frozen=True)
class Spread:
    """A metric over folds."""

    mean: float
    standard_deviation: float
    """Of the folds' values, with n - 1 in the denominator. It is no standard error of the mean."""
    lowest: float
    highest: float

    @classmethod
    def from_values(cls, values: Doubles) -> Spread:
        """Describe the values (folds,) of two folds or more."""
        return cls(*map(float, (values.mean(), values.std(ddof=1), values.min(), values.max())))


@dataclass(frozen=True)
class FoldComparison:
    """A run's first metric minus that of TF-IDF, fold by fold."""

    lead: Spread
    better: int
    """Folds in which the run's metric is higher."""
    folds: int
    interval: tuple[float, float] | None
    """Approximate 95% interval of the mean lead; None for two folds."""

    @property
    def verdict(self) -> str:
        """Which is better over all folds: `run`, `baseline`, or `unclear`."""
        if self.interval is None or self.interval[0] <= 0.0 <= self.interval[1]:
            return "unclear"
        return "run" if self.lead.mean > 0.0 else "baseline"


@dataclass(frozen=True)
class CrossValidation:
    """The scores of all folds of a training table."""

    scheme: Scheme
    group: str | None
    """The column whose groups stay in one fold."""
    time: str | None
    """The column that orders the blocks."""
    refit: bool
    """Whether each network was refit on its validation rows before it scored a fold."""
    rule: Any
    """The rule that chose each training's thresholds, as plain values."""
    tfidf_missing: str
    """Why TF-IDF is missing, for people; empty if it is not, or was not requested."""
    folds: tuple[FoldScores, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics, the main one first."""
        return tuple(self.folds[0].metrics)

    @property
    def rows(self) -> int:
        """Scored rows of all folds."""
        return sum(fold.rows for fold in self.folds)

    def spread(self, metric: str, of: str = "metrics") -> Spread | None:
        """Return the mean and the spread of a metric; None if fewer than two folds define it.

        Args:
            metric: Its name.
            of: `metrics` of the run, or those of the `majority` or `tfidf` baseline.
        """
        scores = [(getattr(fold, of) or {}).get(metric) for fold in self.folds]
        values = [score for score in scores if score is not None]
        return Spread.from_values(np.array(values)) if len(values) > 1 else None

    def compare_tfidf(self) -> FoldComparison | None:
        """Compare the first metric with that of TF-IDF; None without it.

        The interval is that of the corrected resampled t-test: the folds' variance is multiplied by
        1/k + scored rows / training rows instead of 1/k, because the folds share training rows
        (Nadeau and Bengio, Inference for the Generalization Error, 2003, section 3). It is an
        approximation: the variance has no unbiased estimator (Bengio and Grandvalet, No Unbiased
        Estimator of the Variance of K-Fold Cross-Validation, 2004).
        """
        name = self.metrics[0]
        pairs = [(fold.metrics[name], fold.tfidf[name]) for fold in self.folds if fold.tfidf]
        if len(pairs) < len(self.folds):
            return None
        leads = np.array([(own or 0.0) - (other or 0.0) for own, other in pairs])
        ratio = self.rows / sum(fold.training_rows for fold in self.folds)
        return FoldComparison(
            Spread.from_values(leads),
            int(np.count_nonzero(leads > 0.0)),
            len(leads),
            _corrected_interval(leads, ratio) if len(leads) >= _MIN_FOLDS else None,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for `cross-validation.json`, by their published keys."""
        comparison = self.compare_tfidf()
        return {
            "scheme": self.scheme,
            "group": self.group,
            "time": self.time,
            "refit": self.refit,
            "rule": self.rule,
            "rows": self.rows,
            "scores": self._spreads("metrics"),
            "baselines": {
                "majority": self._spreads("majority"),
                "tf-idf": self._spreads("tfidf") if comparison else None,
            },
            "comparison": comparison and asdict(comparison) | {"verdict": comparison.verdict},
            "tfidf_missing": self.tfidf_missing,
            "folds": [_fold_values(fold) for fold in self.folds],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> CrossValidation:
        """Read what `to_json` wrote; means and spreads follow from the folds."""
        return cls(
            values["scheme"],
            values["group"],
            values["time"],
            values["refit"],
            values["rule"],
            values["tfidf_missing"],
            tuple(map(_read_fold, values["folds"])),
        )

    def _spreads(self, of: str) -> dict[str, Any]:
        spreads = {name: self.spread(name, of) for name in self.metrics}
        return {name: spread and asdict(spread) for name, spread in spreads.items()}


def read_cross_validation(run: Run) -> CrossValidation | None:
    """Read the cross-validation that a run was trained with, if any."""
    values = run.read_addition(CROSS_VALIDATION_FILE, CrossValidationFile)
    return None if values is None else CrossValidation.from_json(values)


def _corrected_interval(leads: Doubles, ratio: float) -> tuple[float, float]:
    """Return the 95% interval of the mean; `ratio` is scored rows per training row."""
    from scipy.special import stdtrit

    count = len(leads)
    error = float(np.sqrt((1 / count + ratio) * leads.var(ddof=1)))
    margin = float(stdtrit(count - 1, 0.975)) * error  # quantile of Student's t
    return float(leads.mean()) - margin, float(leads.mean()) + margin


def _fold_values(fold: FoldScores) -> dict[str, Any]:
    return {
        "fold": fold.fold,
        "rows": fold.rows,
        "training_rows": fold.training_rows,
        "best_epoch": fold.best_epoch,
        "scores": fold.metrics,
        "baselines": {"majority": fold.majority, "tf-idf": fold.tfidf},
        "seconds": fold.seconds,
    }


def _read_fold(values: Mapping[str, Any]) -> FoldScores:
    baselines = values["baselines"]
    return FoldScores(
        values["fold"],
        values["rows"],
        values["training_rows"],
        values["best_epoch"],
        values["scores"],
        baselines["majority"],
        baselines["tf-idf"],
        values["seconds"],
    )
