"""Areas of weighted rows are scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from embedclf.evaluation.ranking import Ranking


@given(size=st.integers(2, 30), digits=st.integers(1, 3), seed=st.integers(0, 10_000))
def test_areas_of_weighted_rows_are_those_of_scikit_learn(
    size: int, digits: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    y_true = rng.random(size) < 0.4
    y_true[:2] = [True, False]
    y_prob = rng.random(size).round(digits)
    weights = rng.integers(1, 4, size).astype(np.float64)
    roc_auc, average_precision = Ranking.from_predictions(y_true, y_prob).areas(weights)
    assert roc_auc == pytest.approx(roc_auc_score(y_true, y_prob, sample_weight=weights))
    assert average_precision == pytest.approx(
        average_precision_score(y_true, y_prob, sample_weight=weights)
    )


def test_rows_of_one_kind_alone_have_no_areas() -> None:
    ranking = Ranking.from_predictions(np.array([True, False]), np.array([0.3, 0.6]))
    for weights in ([1.0, 0.0], [0.0, 1.0]):
        assert np.isnan(ranking.areas(np.array(weights))).all()
