"""Calibrated probabilities of an export: rounding before a steep curve passes, a fault does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from embedclf.errors import ExportError
from embedclf.export.rounding import ROUNDING, check_calibrated, tolerance_of
from embedclf.model.classifier import Calibration
from embedclf.runs.run import Run

if TYPE_CHECKING:
    from embedclf.model.classifier import Classifier
    from embedclf.system.arrays import Floats

RUNS = Path(__file__).parents[1] / "formats" / "8"
TEXTS = ["great hotel", "awful film on day 4", "", "about heat 3"]


def steep(name: str) -> Classifier:
    """A classifier with curves that rise from 0.1 to 0.9 where its probabilities are."""
    classifier = Run.open(RUNS / name).classifier()
    middles = classifier.predict_proba(TEXTS)[0].astype(np.float64)
    predicted = tuple(np.array([each - 1e-5, each + 1e-5]) for each in middles)
    observed = (np.array([0.1, 0.9]),) * len(predicted)
    return replace(classifier, calibration=Calibration(predicted, observed))


def shifted(classifier: Classifier, step: float) -> Floats:
    """The probabilities of labels if the network's differ by a step."""
    ids = classifier.tokenizer.encode(TEXTS).ids
    outputs = np.asarray(classifier.probabilities(classifier.weights.logits(ids)))
    calibrated = classifier.calibrate((outputs + np.float32(step)).astype(np.float32))
    return classifier.labels.label_probabilities(np.asarray(calibrated))


@pytest.mark.parametrize(
    "name", ["binary-average", "multiclass-average-hidden", "multilabel-average"]
)
def test_rounding_passes_and_a_fault_does_not(name: str) -> None:
    classifier = steep(name)
    exact = shifted(classifier, 0.0)
    for step in (0.0, 2e-6, -2e-6):
        found = shifted(classifier, step)
        check_calibrated(classifier, TEXTS, found)
        assert np.abs(found - exact).max() <= tolerance_of(classifier.calibration)
    assert np.abs(shifted(classifier, 2e-6) - exact).max() > 1e-3
    for wrong in (shifted(classifier, 1e-4), exact + np.float32(0.5), exact * np.nan):
        with pytest.raises(ExportError, match="calibration differs"):
            check_calibrated(classifier, TEXTS, wrong)


def test_without_a_calibration_rounding_alone_is_allowed() -> None:
    classifier = Run.open(RUNS / "binary-average").classifier()
    assert tolerance_of(classifier.calibration) == ROUNDING
    check_calibrated(classifier, TEXTS, np.zeros((4, 2), np.float32))
