"""Weighted rows measure as scikit-learn measures repeated ones; intervals hold the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedclf.data.labels import Labels
from embedclf.evaluation.bootstrap import Bootstrap, intervals, intervals_of, resample
from embedclf.evaluation.metrics import FULL, compute_metrics, of_labels
from embedclf.evaluation.scores import given as predicted

BINARY = Labels("binary", ("neg", "pos"), (30, 20))
THREE = Labels("multiclass", ("a", "b", "c"), (1, 5, 2))
SEVERAL = Labels("multilabel", ("a", "b", "c"), (1, 5, 2), (0.3, 0.5, 0.6))


def rows(labels: Labels, size: int, seed: int) -> Any:
    """Random rows, some with equal probabilities, some with an unknown label."""
    rng = np.random.default_rng(seed)
    if labels.task == "multilabel":
        targets = rng.integers(0, 2, (size, 4)).astype(np.int32)
    else:
        targets = rng.integers(-1, len(labels.names), size).astype(np.int32)
    likely = rng.dirichlet(np.ones(3), size)[:, : labels.outputs].round(1 + seed % 3)
    if labels.task == "multiclass":
        likely = np.maximum(likely, 1e-3)
        likely /= likely.sum(axis=1, keepdims=True)
    return predicted(labels, targets, likely.astype(np.float32))


@pytest.mark.parametrize("labels", [BINARY, THREE, SEVERAL], ids=lambda labels: labels.task)
@settings(max_examples=40)
@given(size=st.integers(1, 40), seed=st.integers(0, 10_000))
def test_weighted_rows_measure_as_repeated_ones(labels: Labels, size: int, seed: int) -> None:
    once = rows(labels, size, seed)
    times = np.random.default_rng(seed).integers(0, 3, size)
    if not times.any():
        times[0] = 1
    repeated = predicted(
        labels, np.repeat(once.targets, times, axis=0), np.repeat(once.probabilities, times, axis=0)
    )
    names = FULL[labels.task]
    found = Bootstrap(once, names, by_label=True)(times.astype(np.float64))
    expected = compute_metrics(repeated, names)
    for name, value in zip(names, found[: len(names)].tolist(), strict=True):
        want = np.nan if expected[name] is None else expected[name]
        assert value == pytest.approx(want, abs=1e-6, nan_ok=True), name
    shares = of_labels(repeated)[:, 1:].ravel()
    assert found[len(names) :] == pytest.approx(shares, abs=1e-9)


def test_draws_are_those_of_the_seed() -> None:
    some = rows(THREE, 50, 1)
    one, again, other = (
        resample([Bootstrap(some, ("accuracy",))], 50, cells=150, seed=seed) for seed in (1, 1, 2)
    )
    assert (one == again).all()
    assert (one != other).any()
    assert one.shape == (1000, 1)


def test_very_many_cells_get_fewer_draws() -> None:
    some = rows(THREE, 20, 1)
    assert len(resample([Bootstrap(some, ("accuracy",))], 20, cells=1 << 40, seed=1)) == 200


def test_what_no_draw_defines_has_no_interval() -> None:
    assert intervals(np.array([[np.nan, 1.0], [np.nan, 3.0]])) == [None, (1.05, 2.95)]


def simulated(labels: Labels, size: int, rng: np.random.Generator) -> Any:
    """Rows of a population: probabilities that say a little too much."""
    if labels.task == "binary":
        likely = rng.beta(0.8, 1.2, (size, 1))
        came = rng.random(size) < 0.15 + 0.7 * likely[:, 0]
        return predicted(labels, came.astype(np.int32), likely.astype(np.float32))
    likely = rng.dirichlet(np.full(3, 0.6), size)
    shares = np.cumsum(0.8 * likely + 0.2 / 3, axis=1)
    came = (rng.random((size, 1)) > shares).sum(axis=1).astype(np.int32)
    return predicted(labels, came, likely.astype(np.float32))


@pytest.mark.parametrize("labels", [BINARY, THREE], ids=lambda labels: labels.task)
def test_intervals_hold_the_truth_as_often_as_they_say(labels: Labels) -> None:
    """Over 200 simulated test sets 95 % intervals hold the truth 92 to 98 times in a hundred."""
    names = ("accuracy", "macro_f1", "roc_auc", "log_loss", "ece")
    rng = np.random.default_rng(14)
    truth = compute_metrics(simulated(labels, 300_000, rng), names)
    held = dict.fromkeys(names, 0)
    for seed in range(200):
        resampler = Bootstrap(simulated(labels, 400, rng), names)
        values = resample([resampler], 400, cells=1 << 21, seed=seed)
        for name, interval in zip(names, intervals_of(resampler, values, seed=seed), strict=True):
            assert interval is not None
            held[name] += interval[0] <= (truth[name] or 0.0) <= interval[1]
    assert all(184 <= times <= 196 for times in held.values()), held


def test_without_a_mistake_the_interval_is_that_of_so_many_rows() -> None:
    targets = np.array([1] * 30 + [0] * 70, np.int32)
    right = predicted(BINARY, targets, targets[:, None].astype(np.float32))
    names = ("accuracy", "recall", "precision", "ece")
    resampler = Bootstrap(right, names, by_label=True)
    values = resample([resampler], 100, cells=1 << 22, seed=1)
    accuracy, recall, precision, ece, *shares = intervals_of(resampler, values, seed=1)
    assert accuracy == pytest.approx((0.025 ** (1 / 100), 1.0))
    assert recall == precision == pytest.approx((0.025 ** (1 / 30), 1.0))
    assert ece == pytest.approx((0.0, 0.0), abs=1e-6)
    assert shares[0] == pytest.approx((0.025 ** (1 / 70), 1.0))
