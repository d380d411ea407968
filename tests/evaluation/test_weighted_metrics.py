"""Weighted rows have the metrics of repeated ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedclf.data.labels import Labels
from embedclf.evaluation.metrics import ALL_METRICS, compute_label_metrics, compute_metrics
from embedclf.evaluation.predictions import Predictions
from embedclf.evaluation.weighted_metrics import WeightedMetrics

BINARY = Labels("binary", ("neg", "pos"), (30, 20))
MULTICLASS = Labels("multiclass", ("a", "b", "c"), (1, 5, 2))
MULTILABEL = Labels("multilabel", ("a", "b", "c"), (1, 5, 2), (0.3, 0.5, 0.6))


def random_predictions(labels: Labels, size: int, seed: int) -> Predictions:
    """Some rows have equal probabilities, some an unknown label."""
    rng = np.random.default_rng(seed)
    if labels.task == "multilabel":
        y_true = rng.integers(0, 2, (size, 4)).astype(np.int32)
    else:
        y_true = rng.integers(-1, len(labels.names), size).astype(np.int32)
    y_prob = rng.dirichlet(np.ones(3), size)[:, : labels.outputs].round(1 + seed % 3)
    if labels.task == "multiclass":
        y_prob = np.maximum(y_prob, 1e-3)
        y_prob /= y_prob.sum(axis=1, keepdims=True)
    return Predictions.from_probabilities(labels, y_true, y_prob.astype(np.float32))


@pytest.mark.parametrize(
    "labels", [BINARY, MULTICLASS, MULTILABEL], ids=lambda labels: str(labels.task)
)
@settings(max_examples=40)
@given(size=st.integers(1, 40), seed=st.integers(0, 10_000))
def test_weighted_rows_have_the_metrics_of_repeated_rows(
    labels: Labels, size: int, seed: int
) -> None:
    once = random_predictions(labels, size, seed)
    times = np.random.default_rng(seed).integers(0, 3, size)
    if not times.any():
        times[0] = 1
    repeated = Predictions.from_probabilities(
        labels, np.repeat(once.y_true, times, axis=0), np.repeat(once.y_prob, times, axis=0)
    )
    names = ALL_METRICS[labels.task]
    values = WeightedMetrics(once, names, by_label=True)(times.astype(np.float64))
    expected = compute_metrics(repeated, names)
    for name, value in zip(names, values[: len(names)].tolist(), strict=True):
        metric = np.nan if expected[name] is None else expected[name]
        assert value == pytest.approx(metric, abs=1e-6, nan_ok=True), name
    label_metrics = compute_label_metrics(repeated)[:, 1:].ravel()
    assert values[len(names) :] == pytest.approx(label_metrics, abs=1e-9)
