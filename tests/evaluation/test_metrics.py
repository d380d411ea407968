"""Reliability and its intervals are those of scikit-learn and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve

from embedclf.data.labels import Labels
from embedclf.evaluation.metrics import CALIBRATION_BINS, compute_reliability
from embedclf.evaluation.predictions import Predictions

BINARY = Labels("binary", ("neg", "pos"), (30, 20))


def test_reliability_is_that_of_scikit_learn_and_its_intervals_of_scipy() -> None:
    rng = np.random.default_rng(3)
    y_prob = rng.random((400, 1)).astype(np.float32) ** 2
    y_true = (rng.random(400) < y_prob[:, 0]).astype(np.int32)
    bins = compute_reliability(Predictions.from_probabilities(BINARY, y_true, y_prob))
    observed, predicted = calibration_curve(y_true, y_prob[:, 0], n_bins=CALIBRATION_BINS)
    np.testing.assert_allclose(bins.observed_frequency, observed)
    np.testing.assert_allclose(bins.predicted_probability, predicted, rtol=1e-5)
    assert bins.counts.sum() == 400
    for low, high, frequency, rows in zip(
        bins.low, bins.high, observed, bins.counts[bins.counts > 0], strict=True
    ):
        expected = binomtest(round(frequency * rows), int(rows)).proportion_ci(method="wilson")
        assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-6)
