"""Predictions after trainings of several sizes -> a learning curve with intervals."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from embedclf.evaluation.bootstrap import (
    confidence_intervals,
    percentile_intervals,
    resample,
)
from embedclf.evaluation.weighted_metrics import WeightedMetrics, compute_metrics
from embedclf.training.folds.curve_scores import CurvePoint, LearningCurve, Projection
from embedclf.training.folds.power_law import MIN_ASYMPTOTE_POINTS, fit_power_laws

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.evaluation.bootstrap import Interval
    from embedclf.evaluation.predictions import Predictions
    from embedclf.system.arrays import Doubles
    from embedclf.training.folds.curve_scores import CurveBasis
    from embedclf.training.folds.power_law import PowerLaws

_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class ScoredSubsets:
    """Predictions by networks that were trained on nested subsets, drawn several times."""

    metric: str
    rows: Doubles
    """(repeats, sizes) training rows; sizes rise."""
    predictions: Sequence[Sequence[Predictions]]
    """[repeat][size]"""
    held_out: bool
    """Whether each repetition scores other rows; else all score the same."""
    seed: int

    @property
    def scores(self) -> Doubles:
        """Return the scores (repeats, sizes)."""
        return np.array(
            [
                [compute_metrics(each, [self.metric])[self.metric] or 0.0 for each in sizes]
                for sizes in self.predictions
            ]
        )


def fit_learning_curve(subsets: ScoredSubsets, basis: CurveBasis) -> LearningCurve:
    """Fit the curve, and compute all intervals from bootstrap draws of scored rows and subsets.

    Args:
        subsets: The predictions.
        basis: What they were measured on.
    """
    draws, rows = _resample(subsets), subsets.rows.mean(axis=0)
    errors = 1.0 - subsets.scores.mean(axis=0)
    law, laws = fit_power_laws(rows, errors[None]), fit_power_laws(rows, 1.0 - draws)
    return LearningCurve(
        replace(basis, draws=len(draws)),
        _points(subsets, draws, law),
        float(law.asymptote[0]) if len(rows) >= MIN_ASYMPTOTE_POINTS else None,
        float(law.scale[0]),
        float(law.exponent[0]),
        _project(subsets, draws, law, laws),
    )


def _points(subsets: ScoredSubsets, draws: Doubles, law: PowerLaws) -> tuple[CurvePoint, ...]:
    scores, rows = subsets.scores, subsets.rows.mean(axis=0)
    intervals = _point_intervals(subsets, draws)
    return tuple(
        CurvePoint(
            fraction=0.5 ** (len(rows) - 1 - size),
            rows=round(rows[size]),
            score=float(scores[:, size].mean()),
            interval=intervals[size],
            fitted=1.0 - float(law.error(rows[size])[0]),
            scores=tuple(scores[:, size].tolist()),
        )
        for size in range(len(rows))
    )


def _project(subsets: ScoredSubsets, draws: Doubles, law: PowerLaws, laws: PowerLaws) -> Projection:
    """Extrapolate to twice the rows; `laws` are fitted to the bootstrap draws."""
    rows, scores = float(subsets.rows[:, -1].mean()), subsets.scores.mean(axis=0)
    (gain,), gains = (each.error(rows) - each.error(2 * rows) for each in (law, laws))
    return Projection(
        rows=round(2 * rows),
        score=1.0 - float(law.error(2 * rows)[0]),
        interval=_interval(1.0 - laws.error(2 * rows)),
        gain=float(gain),
        gain_interval=_interval(gains),
        measured_gain=float(scores[-1] - scores[-2]),
        measured_gain_interval=_interval(draws[:, -1] - draws[:, -2]),
    )


def _resample(subsets: ScoredSubsets) -> Doubles:
    """Compute the mean scores of bootstrap draws of scored rows and of subsets.

    Draws of the rows are the same for all sizes, so errors that sizes share cancel out of their
    differences. Draws of few subsets vary too little, by the factor (n - 1) / n, and are stretched
    (Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 2.6).

    Returns:
        (bootstrap draws, sizes) from 0 to 1; NaN if the rows are of a single group.
    """
    by_rows, scores = _resample_rows(subsets), subsets.scores
    count = len(scores)
    deviations = (scores - scores.mean(axis=0)) * np.sqrt(count / (count - 1))  # (repeats, sizes)
    if subsets.held_out:
        # Subsets that score other rows differ by their rows, too, which `by_rows` has already
        explained = by_rows.var(axis=0).mean(axis=0) / np.maximum(scores.var(axis=0, ddof=1), _TINY)
        deviations *= np.sqrt(np.maximum(1.0 - explained, 0.0))
    rng = np.random.default_rng(subsets.seed)
    drawn = rng.integers(0, count, (len(by_rows), count))
    means: Doubles = by_rows.mean(axis=1) + deviations[drawn].mean(axis=1)
    return np.clip(means, 0.0, 1.0)


def _resample_rows(subsets: ScoredSubsets) -> Doubles:
    """(bootstrap draws, repeats, sizes) scores of draws of the scored rows."""
    metrics = [
        [WeightedMetrics(each, [subsets.metric]) for each in sizes] for sizes in subsets.predictions
    ]
    cells = subsets.predictions[0][0].cells
    if not subsets.held_out:
        all_metrics = list(itertools.chain.from_iterable(metrics))
        together = resample(all_metrics, cells=cells, seed=subsets.seed)
        return together.reshape(len(together), *subsets.rows.shape)
    blocks = [
        resample(sizes, cells=cells, seed=subsets.seed + repeat)
        for repeat, sizes in enumerate(metrics)
    ]
    return np.stack(blocks, axis=1)


def _point_intervals(subsets: ScoredSubsets, draws: Doubles) -> list[Interval | None]:
    """95% intervals of the points; where all draws are equal, that of a fraction of 0 or 1."""
    if np.isnan(draws).any():
        return [None] * draws.shape[1]
    intervals = percentile_intervals(draws)
    for size, predictions in enumerate(subsets.predictions[-1]):
        if not np.ptp(draws[:, size]):
            rows = WeightedMetrics(predictions, [subsets.metric])
            of_size = draws[:, [size]]
            (intervals[size],) = confidence_intervals(rows, of_size, seed=subsets.seed)
    return intervals


def _interval(values: Doubles) -> Interval | None:
    """The middle 95% of values (n,); None if some are unknown."""
    return None if np.isnan(values).any() else percentile_intervals(values[:, None])[0]
