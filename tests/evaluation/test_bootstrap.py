"""Intervals contain the true values as often as they claim, and are as wide as they should be."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from embedclf.data.labels import Labels
from embedclf.evaluation.bootstrap import confidence_intervals, percentile_intervals, resample
from embedclf.evaluation.predictions import Predictions
from embedclf.evaluation.weighted_metrics import WeightedMetrics, compute_metrics

if TYPE_CHECKING:
    from embedclf.system.arrays import Doubles

BINARY = Labels("binary", ("neg", "pos"), (30, 20))
MULTICLASS = Labels("multiclass", ("a", "b", "c"), (1, 5, 2))

MANY_CELLS = 1 << 40
"""So many cells that there are as few draws as possible: 200."""


def overconfident_predictions(labels: Labels, size: int, rng: np.random.Generator) -> Predictions:
    """Rows of a population whose probabilities are a little too close to 0 and 1."""
    if labels.task == "binary":
        y_prob = rng.beta(0.8, 1.2, (size, 1))
        y_true = (rng.random(size) < 0.15 + 0.7 * y_prob[:, 0]).astype(np.int32)
    else:
        y_prob = rng.dirichlet(np.full(3, 0.6), size)
        cumulative = np.cumsum(0.8 * y_prob + 0.2 / 3, axis=1)
        y_true = (rng.random((size, 1)) > cumulative).sum(axis=1).astype(np.int32)
    return Predictions.from_probabilities(labels, y_true, y_prob.astype(np.float32))


def test_draws_depend_on_the_seed_alone() -> None:
    rows = WeightedMetrics(
        overconfident_predictions(MULTICLASS, 50, np.random.default_rng(1)), ("accuracy",)
    )
    once, again, other = (resample([rows], cells=150, seed=seed) for seed in (1, 1, 2))
    assert (once == again).all()
    assert (once != other).any()
    assert once.shape == (1000, 1)


def test_very_many_cells_get_fewer_draws() -> None:
    rows = WeightedMetrics(
        overconfident_predictions(MULTICLASS, 20, np.random.default_rng(1)), ("accuracy",)
    )
    assert len(resample([rows], cells=MANY_CELLS, seed=1)) == 200


def test_a_value_that_no_draw_defines_has_no_interval() -> None:
    assert percentile_intervals(np.array([[np.nan, 1.0], [np.nan, 3.0]])) == [None, (1.05, 2.95)]


NAMES = ("accuracy", "macro_f1", "roc_auc", "log_loss", "ece")


@pytest.fixture(scope="module")
def samples() -> dict[str, tuple[Doubles, Doubles]]:
    """By task: the true metrics (metrics,), and intervals (100, metrics, 2) of 400 rows each."""
    found = {}
    for labels in (BINARY, MULTICLASS):
        rng = np.random.default_rng(14)
        population = compute_metrics(overconfident_predictions(labels, 300_000, rng), NAMES)
        intervals = []
        for seed in range(100):
            rows = WeightedMetrics(overconfident_predictions(labels, 400, rng), NAMES)
            draws = resample([rows], cells=MANY_CELLS, seed=seed)
            intervals.append(confidence_intervals(rows, draws, seed=seed))
        found[str(labels.task)] = (
            np.array(list(population.values()), np.float64),
            np.array(intervals, np.float64),
        )
    return found


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_intervals_contain_the_true_value_in_95_percent_of_samples(
    task: str, samples: dict[str, tuple[Doubles, Doubles]]
) -> None:
    """Of 100 intervals, 92 to 98 contain the true value."""
    true, intervals = samples[task]
    covered = ((intervals[..., 0] <= true) & (true <= intervals[..., 1])).sum(axis=0)
    assert all(92 <= count <= 98 for count in covered), dict(zip(NAMES, covered, strict=True))


@pytest.mark.parametrize("labels", [BINARY, MULTICLASS], ids=lambda labels: str(labels.task))
def test_intervals_are_as_wide_as_metrics_vary_between_samples(
    labels: Labels, samples: dict[str, tuple[Doubles, Doubles]]
) -> None:
    """All but that of the calibration error, which is not symmetric."""
    rng, weights = np.random.default_rng(15), np.ones(400)
    metrics = [
        WeightedMetrics(overconfident_predictions(labels, 400, rng), NAMES[:-1])(weights)
        for _ in range(1000)
    ]
    widths = np.diff(samples[labels.task][1][:, :-1]).mean(axis=0)[:, 0]
    assert widths / (2 * 1.96 * np.std(metrics, axis=0)) == pytest.approx(np.ones(4), abs=0.1)


def test_without_a_mistake_the_interval_is_exact() -> None:
    y_true = np.array([1] * 30 + [0] * 70, np.int32)
    correct = Predictions.from_probabilities(BINARY, y_true, y_true[:, None].astype(np.float32))
    rows = WeightedMetrics(correct, ("accuracy", "recall", "precision", "ece"), by_label=True)
    draws = resample([rows], cells=1 << 22, seed=1)
    accuracy, recall, precision, ece, *by_label = confidence_intervals(rows, draws, seed=1)
    assert accuracy == pytest.approx((0.025 ** (1 / 100), 1.0))
    assert recall == precision == pytest.approx((0.025 ** (1 / 30), 1.0))
    assert ece == pytest.approx((0.0, 0.0), abs=1e-6)
    assert by_label[0] == pytest.approx((0.025 ** (1 / 70), 1.0))


def test_a_row_of_weight_0_does_not_change_intervals() -> None:
    rng = np.random.default_rng(7)
    rows = overconfident_predictions(BINARY, 60, rng)
    weights = rng.integers(0, 3, 60).astype(np.float64)
    with_zeros = replace(rows, weights=weights)
    intervals = [
        confidence_intervals(metrics, resample([metrics], cells=MANY_CELLS, seed=1), seed=1)
        for metrics in (
            WeightedMetrics(each, NAMES, by_label=True)
            for each in (with_zeros, with_zeros.filter(weights > 0.0))
        )
    ]
    for one, other in zip(*intervals, strict=True):
        assert one == pytest.approx(other)


def test_intervals_do_not_depend_on_the_unit_of_weights() -> None:
    rng = np.random.default_rng(7)
    rows, weights = overconfident_predictions(BINARY, 60, rng), rng.random(60)
    intervals = [
        confidence_intervals(metrics, resample([metrics], cells=MANY_CELLS, seed=1), seed=1)
        for metrics in (
            WeightedMetrics(replace(rows, weights=each), NAMES) for each in (weights, 16 * weights)
        )
    ]
    assert intervals[0] == intervals[1]


@pytest.mark.parametrize(("heavy", "low"), [(1.0, 0.964), (1e6, 0.025)])
def test_a_few_heavy_rows_prove_less_than_as_many_rows_as_there_are(
    heavy: float, low: float
) -> None:
    """All 100 rows are correct; if one has nearly all the weight, it is as if there was one row."""
    weights = np.ones(100)
    weights[0] = heavy
    y_true = np.arange(100, dtype=np.int32) % 2
    rows = Predictions.from_probabilities(
        BINARY, y_true, y_true[:, None].astype(np.float32), weights
    )
    metrics = WeightedMetrics(rows, ("accuracy",))
    draws = resample([metrics], cells=MANY_CELLS, seed=1)
    (interval,) = confidence_intervals(metrics, draws, seed=1)
    assert interval == pytest.approx((low, 1.0), abs=0.01)
