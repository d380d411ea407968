"""Metrics are scikit-learn's, and a weight acts as a number of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn import metrics as sklearn_metrics

from embedclf.data.labels import Labels
from embedclf.evaluation.metrics import ALL_METRICS, LABEL_METRICS, RANKING_METRICS
from embedclf.evaluation.predictions import Predictions
from embedclf.evaluation.scores import compute_scores
from embedclf.evaluation.weighted_metrics import (
    WeightedMetrics,
    compute_label_metrics,
    compute_metrics,
)

if TYPE_CHECKING:
    from embedclf.system.arrays import Doubles

BINARY = Labels("binary", ("neg", "pos"), (30, 20))
MULTICLASS = Labels("multiclass", ("a", "b", "c"), (1, 5, 2))
MULTILABEL = Labels("multilabel", ("a", "b", "c"), (1, 5, 2), (0.3, 0.5, 0.6))

each_task = pytest.mark.parametrize(
    "labels", [BINARY, MULTICLASS, MULTILABEL], ids=lambda labels: str(labels.task)
)


def random_predictions(
    labels: Labels, size: int, seed: int, weights: Doubles | None = None
) -> Predictions:
    """Some rows have equal probabilities, some an unknown label."""
    rng = np.random.default_rng(seed)
    if labels.task == "multilabel":
        y_true: Any = csr_array(rng.integers(0, 2, (size, 4)).astype(np.int32))
    else:
        y_true = rng.integers(-1, len(labels.names), size).astype(np.int32)
    y_prob = rng.dirichlet(np.ones(3), size)[:, : labels.outputs].round(1 + seed % 3)
    if labels.task == "multiclass":
        y_prob = np.maximum(y_prob, 1e-3)
        y_prob /= y_prob.sum(axis=1, keepdims=True)
    return Predictions.from_probabilities(labels, y_true, y_prob.astype(np.float32), weights)


def from_scikit_learn(predictions: Predictions, name: str) -> float | None:
    """A metric as scikit-learn computes it, with the weights as `sample_weight`."""
    labels, known = predictions.labels, predictions.is_known
    y_true, y_pred, weights = predictions.y_true, predictions.y_pred, predictions.row_weights
    if name in {"accuracy", "subset_accuracy"}:
        return float(sklearn_metrics.accuracy_score(y_true, y_pred, sample_weight=weights))
    if name == "mcc":
        # scikit-learn warns about rows with a single label.
        single = len(np.union1d(y_true[weights > 0], y_pred[weights > 0])) == 1
        score = sklearn_metrics.matthews_corrcoef
        return 0.0 if single else float(score(y_true, y_pred, sample_weight=weights))
    if name in RANKING_METRICS:
        ranking: Any = {
            "roc_auc": sklearn_metrics.roc_auc_score,
            "pr_auc": sklearn_metrics.average_precision_score,
        }[name]
        counted = known & (weights > 0)
        y_prob = np.asarray(predictions.y_prob)[counted]
        columns = zip(labels.binarize(y_true)[counted].T, y_prob.T, strict=True)
        scores = [
            ranking(outcomes, column, sample_weight=weights[counted])
            for outcomes, column in columns
            if outcomes.any() and not outcomes.all()
        ]
        return float(np.mean(scores)) if scores else None
    if name in {"log_loss", "brier", "ece"}:
        return loss_from_scikit_learn(predictions, name) if weights[known].any() else None
    average, _, metric = name.rpartition("_")
    score = getattr(sklearn_metrics, f"{metric}_score")
    options: dict[str, Any] = {"zero_division": 0.0, "sample_weight": weights}
    if not average:
        return float(score(y_true == 1, y_pred == 1, **options))
    names = None if average == "micro" else range(len(labels.names))
    return float(score(y_true, y_pred, average=average, labels=names, **options))


def loss_from_scikit_learn(predictions: Predictions, name: str) -> float:
    known, task = predictions.is_known, predictions.labels.task
    weights = predictions.row_weights[known]
    y_prob, outcomes = map(np.concatenate, zip(*predictions.known_blocks(), strict=True))
    if name == "ece":
        top = (np.arange(len(y_prob)), y_prob.argmax(axis=1)) if task == "multiclass" else ...
        confidence, outcomes = y_prob[top].ravel(), outcomes[top].ravel()
        weights = np.repeat(weights, len(confidence) // len(weights))
        bins = np.minimum((10 * confidence).astype(int), 9)
        gaps = [(weights * (confidence - outcomes))[bins == number].sum() for number in range(10)]
        return float(np.abs(gaps).sum() / weights.sum())
    loss: Any = {
        "log_loss": sklearn_metrics.log_loss,
        "brier": sklearn_metrics.brier_score_loss,
    }[name]
    if task == "multiclass":
        names = range(len(predictions.labels.names))
        y_true = predictions.y_true[known]
        return float(loss(y_true, y_prob, labels=names, sample_weight=weights))
    weights = np.repeat(weights, y_prob.shape[1])
    return float(
        loss(outcomes.ravel(), y_prob.ravel(), labels=[False, True], sample_weight=weights)
    )


@each_task
@settings(max_examples=40)
@given(size=st.integers(1, 40), seed=st.integers(0, 10_000), weighted=st.booleans())
def test_metrics_are_those_of_scikit_learn(
    labels: Labels, size: int, seed: int, *, weighted: bool
) -> None:
    weights = np.random.default_rng(seed).exponential(size=size).round(1) if weighted else None
    if weights is not None:
        weights[0] += 0.1  # at least one row counts
    predictions = random_predictions(labels, size, seed, weights)
    for name, value in compute_metrics(predictions, ALL_METRICS[labels.task]).items():
        expected = from_scikit_learn(predictions, name)
        assert value == (None if expected is None else pytest.approx(expected, abs=1e-9)), name
    precision, recall, f1, rows = sklearn_metrics.precision_recall_fscore_support(
        predictions.y_true,
        predictions.y_pred,
        labels=range(len(labels.names)),
        sample_weight=weights,
        zero_division=0.0,
    )
    expected_columns = np.stack([rows, precision, recall, f1], axis=1)
    assert compute_label_metrics(predictions) == pytest.approx(expected_columns, abs=1e-9)


@each_task
@settings(max_examples=40)
@given(size=st.integers(1, 40), seed=st.integers(0, 10_000))
def test_weighted_rows_have_the_scores_of_repeated_rows(
    labels: Labels, size: int, seed: int
) -> None:
    once = random_predictions(labels, size, seed)
    times = np.random.default_rng(seed).integers(0, 3, size)
    if not times.any():
        times[0] = 1
    repeats = np.repeat(np.arange(size), times)
    y_true, y_prob = once.y_true[repeats], once.y_prob[repeats]
    names = ALL_METRICS[labels.task]
    weights = times.astype(np.float64)
    weighted = compute_scores(labels, once.y_true, once.y_prob, None, names, weights=weights)
    repeated = compute_scores(labels, y_true, y_prob, None, names)
    for one, other in (
        (weighted.metrics, repeated.metrics),
        (weighted.majority, repeated.majority),
    ):
        assert one == pytest.approx(other, abs=1e-9, nan_ok=True)
    assert weighted.confusion == repeated.confusion
    assert weighted.labels == repeated.labels


@each_task
@settings(max_examples=20)
@given(size=st.integers(1, 40), seed=st.integers(0, 10_000), factor=st.floats(1e-6, 1e6))
def test_the_unit_of_weights_does_not_matter(
    labels: Labels, size: int, seed: int, factor: float
) -> None:
    weights = np.random.default_rng(seed).random(size) + 0.01
    metrics = WeightedMetrics(
        random_predictions(labels, size, seed), ALL_METRICS[labels.task], by_label=True
    )
    assert metrics(factor * weights) == pytest.approx(metrics(weights), abs=1e-9, nan_ok=True)


def test_label_metrics_follow_the_overall_ones_label_by_label() -> None:
    predictions = random_predictions(MULTICLASS, 30, 1)
    values = WeightedMetrics(predictions, ("accuracy",), by_label=True)(np.ones(30))
    assert len(values) == 1 + 3 * len(LABEL_METRICS)
    assert values[1:] == pytest.approx(compute_label_metrics(predictions)[:, 1:].ravel())
