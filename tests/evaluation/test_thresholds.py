"""Thresholds reach what their rule asks for, as scikit-learn counts it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from embedclf.config.fields import CostRule, Costs, PrecisionRule, RecallRule, Threshold
from embedclf.data.labels import Labels
from embedclf.evaluation.thresholds import ThresholdCurve, best, choose, named

Rows = tuple[npt.NDArray[np.bool_], npt.NDArray[np.float32]]


@st.composite
def rows(draw: st.DrawFn) -> Rows:
    """Rows of both kinds, with probabilities of which some are equal."""
    size = draw(st.integers(2, 30))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    came = rng.random(size) < 0.4
    came[:2] = [True, False]
    likely = np.clip(rng.random(size) * 0.5 + 0.5 * came * rng.random(size), 0.0, 1.0)
    return came, likely.astype(np.float32).round(draw(st.integers(1, 3)))


@given(rows())
def test_each_point_of_the_curve_is_what_its_threshold_comes_to(some: Rows) -> None:
    came, likely = some
    curve = ThresholdCurve.of(came, likely)
    assert (np.diff(curve.thresholds) < 0).all()
    for index, threshold in enumerate(curve.thresholds):
        decided = likely >= threshold
        one = curve.take(index)
        assert one.precision[0] == pytest.approx(metrics.precision_score(came, decided))
        assert one.recall[0] == pytest.approx(metrics.recall_score(came, decided))
        assert one.f1[0] == pytest.approx(metrics.f1_score(came, decided))
        assert one.given[0] == pytest.approx(decided.mean())
        assert one.true_positives == ThresholdCurve.at(came, likely, threshold).true_positives


@given(rows())
def test_no_other_threshold_is_better_by_the_rule(some: Rows) -> None:
    came, likely = some
    cuts = [*np.unique(likely), 0.0]
    f1 = best(came, likely, "f1").f1[0]
    assert f1 == pytest.approx(max(metrics.f1_score(came, likely >= cut) for cut in cuts))
    youden = best(came, likely, "youden").youden[0]
    expected = max(2 * metrics.balanced_accuracy_score(came, likely >= cut) - 1 for cut in cuts)
    assert youden == pytest.approx(expected)


@given(rows(), st.floats(0.05, 0.95))
def test_a_recall_is_reached_with_the_highest_precision(some: Rows, asked: float) -> None:
    came, likely = some
    found = best(came, likely, RecallRule(recall=asked))
    assert found.recall[0] >= asked
    for cut in np.unique(likely):
        if metrics.recall_score(came, likely >= cut) >= asked:
            assert found.precision[0] >= metrics.precision_score(came, likely >= cut) - 1e-9


@given(rows(), st.floats(0.05, 0.95))
def test_a_precision_is_reached_with_the_highest_recall_or_come_near(
    some: Rows, asked: float
) -> None:
    came, likely = some
    found = best(came, likely, PrecisionRule(precision=asked))
    shares = [
        (metrics.precision_score(came, likely >= cut), metrics.recall_score(came, likely >= cut))
        for cut in np.unique(likely)
    ]
    reached = [recall for precision, recall in shares if precision >= asked]
    if reached:
        assert found.precision[0] >= asked
        assert found.recall[0] == pytest.approx(max(reached))
    else:
        assert found.precision[0] == pytest.approx(max(precision for precision, _ in shares))


@given(rows(), st.floats(0.1, 10), st.floats(0.1, 10))
def test_no_other_threshold_costs_less(some: Rows, false: float, missed: float) -> None:
    came, likely = some
    rule = CostRule(cost=Costs(false_positive=false, false_negative=missed))

    def cost(threshold: float) -> float:
        decided = likely >= threshold
        return float(false * (decided & ~came).sum() + missed * (came & ~decided).sum())

    found = cost(float(best(came, likely, rule).thresholds[0]))
    assert found <= min(map(cost, np.unique(likely).tolist())) + 1e-6


def test_where_it_is_cheapest_no_row_gets_the_label() -> None:
    came = np.array([False, True, False, True])
    likely = np.array([0.9, 0.8, 0.7, 0.6], np.float32)
    rule = CostRule(cost=Costs(false_positive=100, false_negative=1))
    assert best(came, likely, rule).thresholds[0] == pytest.approx(0.95)
    assert best(came, likely, rule).given[0] == 0.0


def test_of_equally_good_thresholds_the_one_nearest_to_a_half_is_taken() -> None:
    came = np.array([True, True, False, False])
    likely = np.array([0.9, 0.45, 0.41, 0.05], np.float32)
    assert best(came, likely, "f1").thresholds[0] == pytest.approx(0.43)
    assert best(came, likely, 0.3).thresholds[0] == 0.3


def test_where_there_is_nothing_to_choose_by_it_is_a_half() -> None:
    likely = np.array([0.9, 0.1], np.float32)
    for came in ([True, True], [False, False]):
        assert best(np.array(came), likely, "f1").thresholds[0] == 0.5


@given(rows(), rows())
def test_one_threshold_for_all_labels_is_best_for_all_together(one: Rows, other: Rows) -> None:
    size = min(len(one[0]), len(other[0]))
    came = np.stack([one[0][:size], other[0][:size]], axis=1)
    likely = np.stack([one[1][:size], other[1][:size]], axis=1)
    labels = Labels("multilabel", ("a", "b"), (1, 1))
    first, second = choose(labels, came.astype(np.int32), likely, "micro_f1")
    assert first == second

    def micro_f1(cut: float) -> float:
        return float(metrics.f1_score(came, likely >= cut, average="micro"))

    assert micro_f1(first) == pytest.approx(max(map(micro_f1, [*likely.ravel().tolist(), 0.0])))


def test_each_of_several_labels_has_its_own_and_a_softmax_none() -> None:
    targets = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], np.int32)
    likely = np.array([[0.9, 0.2], [0.6, 0.3], [0.7, 0.4], [0.1, 0.1]], np.float32)
    several = Labels("multilabel", ("a", "b"), (2, 2))
    assert choose(several, targets, likely, "f1") == pytest.approx((0.65, 0.25))
    three = Labels("multiclass", ("a", "b", "c"), (1, 1, 1))
    assert choose(three, np.array([0, 1], np.int32), np.eye(3, dtype=np.float32)[:2], 0.5) == ()


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (0.25, "0.25"),
        ("f1", "f1"),
        (PrecisionRule(precision=0.9), "precision ≥ 0.9"),
        (RecallRule(recall=0.95), "recall ≥ 0.95"),
        (CostRule(cost=Costs(false_positive=1, false_negative=10)), "cost 1 : 10"),
    ],
)
def test_rules_have_names(rule: Threshold, name: str) -> None:
    assert named(rule) == name
