"""Thresholds reach what their rule asks for, as scikit-learn counts it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn import metrics

from embedclf.config.fields import CostRule, Costs, PrecisionRule, RecallRule, Threshold
from embedclf.data.labels import Labels
from embedclf.evaluation.thresholds import (
    ThresholdCurve,
    choose_thresholds,
    describe_rule,
    find_best_threshold,
)
from embedclf.system.arrays import Doubles, Floats, Mask

Rows = tuple[Mask, Floats]


@st.composite
def rows(draw: st.DrawFn) -> Rows:
    """Rows with and without the label; some have equal probabilities."""
    size = draw(st.integers(2, 30))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    y_true = rng.random(size) < 0.4
    y_true[:2] = [True, False]
    y_prob = np.clip(rng.random(size) * 0.5 + 0.5 * y_true * rng.random(size), 0.0, 1.0)
    return y_true, y_prob.astype(np.float32).round(draw(st.integers(1, 3)))


def precision_recall(
    y_true: npt.ArrayLike, y_prob: npt.ArrayLike
) -> tuple[Doubles, Doubles, Doubles]:
    """Precision and recall at each distinct probability, falling, and these probabilities."""
    precision, recall, distinct = metrics.precision_recall_curve(y_true, y_prob)
    return precision[-2::-1], recall[-2::-1], distinct[::-1]


def f1(precision: Doubles, recall: Doubles) -> Doubles:
    return 2 * precision * recall / np.maximum(precision + recall, 1e-9)


@given(rows())
def test_each_point_of_the_curve_has_the_metrics_of_its_threshold(case: Rows) -> None:
    y_true, y_prob = case
    curve = ThresholdCurve.from_predictions(y_true, y_prob)
    assert (np.diff(curve.thresholds) < 0).all()
    precision, recall, distinct = precision_recall(y_true, y_prob)
    y_pred = y_prob >= curve.thresholds[:, None]
    assert (y_pred == (y_prob >= distinct[:, None])).all()
    assert curve.precision == pytest.approx(precision)
    assert curve.recall == pytest.approx(recall)
    assert curve.f1 == pytest.approx(f1(precision, recall))
    assert curve.predicted_fraction == pytest.approx(y_pred.mean(axis=1))
    for index, threshold in enumerate(curve.thresholds):
        point = ThresholdCurve.at_threshold(y_true, y_prob, threshold)
        for name in ("precision", "recall", "f1", "true_positives", "predicted_fraction"):
            value = getattr(curve.take(index), name)
            assert value == getattr(curve, name)[index] == getattr(point, name), name


@given(rows())
def test_no_other_threshold_is_better_by_the_rule(case: Rows) -> None:
    y_true, y_prob = case
    precision, recall, _ = precision_recall(y_true, y_prob)
    best = find_best_threshold(y_true, y_prob, "f1")
    assert best.f1[0] == pytest.approx(f1(precision, recall).max())
    false_rate, true_rate, _ = metrics.roc_curve(y_true, y_prob, drop_intermediate=False)
    best = find_best_threshold(y_true, y_prob, "youden")
    assert best.youden[0] == pytest.approx((true_rate - false_rate)[1:].max())


@given(rows(), st.floats(0.05, 0.95))
def test_a_recall_is_reached_with_the_highest_precision(case: Rows, target: float) -> None:
    best = find_best_threshold(*case, RecallRule(recall=target))
    precision, recall, _ = precision_recall(*case)
    assert best.recall[0] >= target
    assert best.precision[0] >= precision[recall >= target].max() - 1e-9


@given(rows(), st.floats(0.05, 0.95))
def test_a_precision_is_reached_with_the_highest_recall_or_approached(
    case: Rows, target: float
) -> None:
    best = find_best_threshold(*case, PrecisionRule(precision=target))
    precision, recall, _ = precision_recall(*case)
    reached = precision >= target
    if reached.any():
        assert best.precision[0] >= target
        assert best.recall[0] == pytest.approx(recall[reached].max())
    else:
        assert best.precision[0] == pytest.approx(precision.max())


@given(rows(), st.floats(0.1, 10), st.floats(0.1, 10))
def test_no_other_threshold_costs_less(
    case: Rows, false_positive: float, false_negative: float
) -> None:
    y_true, y_prob = case
    rule = CostRule(cost=Costs(false_positive=false_positive, false_negative=false_negative))

    def cost(threshold: float) -> float:
        y_pred = y_prob >= threshold
        false_positives, false_negatives = (y_pred & ~y_true).sum(), (y_true & ~y_pred).sum()
        return float(false_positive * false_positives + false_negative * false_negatives)

    best = cost(float(find_best_threshold(y_true, y_prob, rule).thresholds[0]))
    assert best <= min(map(cost, np.unique(y_prob).tolist())) + 1e-6


def test_if_it_costs_least_no_row_gets_the_label() -> None:
    y_true = np.array([False, True, False, True])
    y_prob = np.array([0.9, 0.8, 0.7, 0.6], np.float32)
    rule = CostRule(cost=Costs(false_positive=100, false_negative=1))
    best = find_best_threshold(y_true, y_prob, rule)
    assert best.thresholds[0] == pytest.approx(0.95)
    assert best.predicted_fraction[0] == 0.0


def test_among_equally_good_thresholds_the_one_nearest_to_a_half_wins() -> None:
    y_true = np.array([True, True, False, False])
    y_prob = np.array([0.9, 0.45, 0.41, 0.05], np.float32)
    assert find_best_threshold(y_true, y_prob, "f1").thresholds[0] == pytest.approx(0.43)
    assert find_best_threshold(y_true, y_prob, 0.3).thresholds[0] == 0.3


def test_if_all_rows_are_alike_the_threshold_is_a_half() -> None:
    y_prob = np.array([0.9, 0.1], np.float32)
    for y_true in ([True, True], [False, False]):
        assert find_best_threshold(np.array(y_true), y_prob, "f1").thresholds[0] == 0.5


@given(rows(), rows())
def test_a_threshold_shared_by_all_labels_has_the_best_micro_f1(one: Rows, other: Rows) -> None:
    size = min(len(one[0]), len(other[0]))
    y_true = np.stack([one[0][:size], other[0][:size]], axis=1)
    y_prob = np.stack([one[1][:size], other[1][:size]], axis=1)
    labels = Labels("multilabel", ("a", "b"), (1, 1))
    first, second = choose_thresholds(
        labels, csr_array(y_true.astype(np.int32)), y_prob, "micro_f1"
    )
    assert first == second
    micro_f1 = metrics.f1_score(y_true, y_prob >= first, average="micro")
    precision, recall, _ = precision_recall(y_true.ravel(), y_prob.ravel())
    few = recall <= 10.0 * precision  # at most ten labels are predicted for each of the rows
    assert micro_f1 == pytest.approx(f1(precision, recall)[few].max(initial=0.0))


def test_a_shared_threshold_does_not_predict_nearly_all_labels_where_nothing_was_learned() -> None:
    rng = np.random.default_rng(3)
    y_true = rng.random((200, 50)) < 0.01
    y_prob = rng.uniform(0.0, 0.02, (200, 50)).astype(np.float32)
    labels = Labels("multilabel", tuple(map(str, range(50))), (2,) * 50)
    for each in (y_prob, np.full_like(y_prob, 0.01)):
        threshold, *_ = choose_thresholds(
            labels, csr_array(y_true.astype(np.int32)), each, "micro_f1"
        )
        assert (each >= threshold).sum() <= 10 * y_true.sum()


def test_each_of_several_labels_has_its_own_threshold_and_a_softmax_none() -> None:
    targets = csr_array(np.array([[1, 0], [0, 1], [1, 1], [0, 0]], np.int32))
    y_prob = np.array([[0.9, 0.2], [0.6, 0.3], [0.7, 0.4], [0.1, 0.1]], np.float32)
    labels = Labels("multilabel", ("a", "b"), (2, 2))
    assert choose_thresholds(labels, targets, y_prob, "f1") == pytest.approx((0.65, 0.25))
    softmax = Labels("multiclass", ("a", "b", "c"), (1, 1, 1))
    y_prob = np.eye(3, dtype=np.float32)[:2]
    assert choose_thresholds(softmax, np.array([0, 1], np.int32), y_prob, 0.5) == ()


@pytest.mark.parametrize(
    ("rule", "description"),
    [
        (0.25, "0.25"),
        ("f1", "f1"),
        (PrecisionRule(precision=0.9), "precision ≥ 0.9"),
        (RecallRule(recall=0.95), "recall ≥ 0.95"),
        (CostRule(cost=Costs(false_positive=1, false_negative=10)), "cost 1 : 10"),
    ],
)
def test_rules_are_described(rule: Threshold, description: str) -> None:
    assert describe_rule(rule) == description


@pytest.mark.parametrize(
    "rule",
    [
        0.4,
        "f1",
        "youden",
        PrecisionRule(precision=0.7),
        RecallRule(recall=0.8),
        CostRule(cost=Costs(false_positive=1, false_negative=3)),
    ],
    ids=str,
)
@given(rows(), st.integers(0, 10_000), st.sampled_from([0.1, 1.0, 3.0, 1e6]))
def test_a_row_counts_as_often_as_its_weight_in_any_unit(
    rule: Threshold, case: Rows, seed: int, unit: float
) -> None:
    y_true, y_prob = case
    times = np.random.default_rng(seed).integers(0, 4, len(y_true))
    weights = (unit * times).astype(np.float64)
    weighted = find_best_threshold(y_true, y_prob, rule, weights)
    repeated = find_best_threshold(np.repeat(y_true, times), np.repeat(y_prob, times), rule)
    assert weighted.thresholds == repeated.thresholds
    for name in ("precision", "recall", "f1", "youden", "predicted_fraction"):
        assert getattr(weighted, name) == pytest.approx(getattr(repeated, name), abs=1e-9), name
