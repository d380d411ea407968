"""Mean, spread and comparison of folds."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from embedclf.evaluation.fold_scores import CrossValidation, FoldScores

VALUES = st.lists(st.floats(0, 1), min_size=2, max_size=8)


def folds_with(own: list[float], tfidf: list[float] | None) -> CrossValidation:
    """A cross-validation with these accuracies, 10 rows in each fold."""
    folds = tuple(
        FoldScores(
            fold=number + 1,
            rows=10,
            training_rows=10 * (len(own) - 1),
            best_epoch=3,
            metrics={"accuracy": value, "roc_auc": None if number else value},
            majority={"accuracy": 0.5, "roc_auc": None},
            tfidf=None if tfidf is None else {"accuracy": tfidf[number], "roc_auc": None},
            seconds=0.5,
        )
        for number, value in enumerate(own)
    )
    return CrossValidation("stratified", None, None, False, 0.5, "", folds)


@given(VALUES)
def test_mean_and_spread_are_those_of_the_folds(values: list[float]) -> None:
    spread = folds_with(values, None).spread("accuracy")
    assert spread is not None
    assert spread.mean == pytest.approx(np.mean(values))
    assert spread.standard_deviation == pytest.approx(np.std(values, ddof=1))
    assert (spread.lowest, spread.highest) == (min(values), max(values))


@given(VALUES)
def test_what_is_stored_is_what_was_measured(values: list[float]) -> None:
    validation = folds_with(values, values[::-1])
    assert CrossValidation.from_json(json.loads(json.dumps(validation.to_json()))) == validation


@given(VALUES, st.data())
def test_the_interval_of_the_lead_is_that_of_the_corrected_test(
    own: list[float], data: st.DataObject
) -> None:
    count = len(own)
    tfidf = data.draw(st.lists(st.floats(0, 1), min_size=count, max_size=count))
    comparison = folds_with(own, tfidf).compare_tfidf()
    assert comparison is not None
    leads = np.subtract(own, tfidf)
    assert comparison.better == sum(leads > 0)
    if count == 2:
        assert comparison.interval is None
        assert comparison.verdict == "unclear"
        return
    assert comparison.interval is not None
    error = math.sqrt((1 / count + 1 / (count - 1)) * leads.var(ddof=1))
    margin = stats.t.ppf(0.975, count - 1) * error
    assert comparison.interval == pytest.approx((leads.mean() - margin, leads.mean() + margin))


def test_a_metric_that_one_fold_defines_has_no_spread() -> None:
    validation = folds_with([0.5, 0.6, 0.7], None)
    assert validation.spread("roc_auc") is None
    assert validation.spread("accuracy", "tfidf") is None
    assert validation.compare_tfidf() is None


@pytest.mark.parametrize(
    ("own", "verdict"),
    [((0.9, 0.91, 0.92), "run"), ((0.7, 0.71, 0.72), "baseline"), ((0.9, 0.7, 0.8), "unclear")],
)
def test_a_clear_difference_shows_in_all_folds(own: tuple[float, ...], verdict: str) -> None:
    comparison = folds_with([*own], [0.8, 0.81, 0.8]).compare_tfidf()
    assert comparison is not None
    assert comparison.verdict == verdict
