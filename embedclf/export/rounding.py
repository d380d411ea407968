"""How far probabilities of an export may be from those of its run.

Both add the same float32 numbers in another order. Where a calibration rises steeply, it enlarges
the difference. So a calibrated probability is compared with the range that rounding allows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from embedclf.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.model.classifier import Calibration, Classifier
    from embedclf.system.arrays import Doubles, Floats

ROUNDING = 5e-6
"""Largest difference before the calibration. Logits of many labels, or of long texts, are large,
and so are the last digits of float32 in them; the largest difference measured is 8e-7."""

_CALIBRATED = 1e-6
"""Largest difference that the calibration itself may add."""


def tolerance_of(calibration: Calibration | None) -> float:
    """Return the largest difference that rounding can make in a calibrated probability."""
    if calibration is None:
        return ROUNDING
    curves = zip(calibration.predicted, calibration.observed, strict=True)
    slopes = [float(np.max(np.diff(ys) / np.diff(xs), initial=1.0)) for xs, ys in curves]
    return min(1.0, 2.0 * max(slopes) * ROUNDING)


def check_calibrated(classifier: Classifier, texts: Sequence[str], found: Floats) -> None:
    """Check that calibrated probabilities are those of the run, but for rounding before them.

    Args:
        classifier: Of the run.
        texts: That the export has scored.
        found: (n, labels) its probabilities.

    Raises:
        ExportError: One is out of its range.
    """
    calibration = classifier.calibration
    if calibration is None:
        return
    ids = classifier.tokenizer.encode(texts).ids
    outputs = np.asarray(classifier.probabilities(classifier.weights.logits(ids)), np.float64)
    low, high = (_follow(calibration, outputs + step) for step in (-ROUNDING, ROUNDING))
    task = classifier.labels.task
    if task == "multiclass":  # they are divided by their sum
        low, high = _divide(low, high), _divide(high, low)
    elif task == "binary":
        low, high = np.hstack([1 - high, low]), np.hstack([1 - low, high])
    distances = np.maximum(low - found, found - high)
    if not distances.max(initial=0.0) <= _CALIBRATED:  # NaN is no match
        fault = f"its calibration differs by {distances.max():.2g} in a probability"
        raise ExportError(fault)


def _follow(calibration: Calibration, outputs: Doubles) -> Doubles:
    """Return the values of the curves, which never fall, at outputs (n, outputs)."""
    curves = zip(outputs.T, calibration.predicted, calibration.observed, strict=True)
    return np.stack([np.interp(*each) for each in curves], axis=1)


def _divide(values: Doubles, others: Doubles) -> Doubles:
    """Divide each value (n, labels) by its sum with the other labels' others."""
    divided: Doubles = values / (values + others.sum(axis=1, keepdims=True) - others)
    return divided
