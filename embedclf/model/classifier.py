"""Text -> calibrated probability, in NumPy."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.model.probabilities import (
    LazyLogits,
    LazyProbabilities,
    outcome_columns,
    sigmoid,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from embedclf.data.labels import Labels, Probabilities, Targets
    from embedclf.model.probabilities import AnyLogits, AnyProbabilities
    from embedclf.model.weights import Weights
    from embedclf.system.arrays import Doubles, Floats
    from embedclf.text.encodings import TokenIds
    from embedclf.text.tokenizer import Tokenizer


_MAX_FACTOR = 20.0
"""Logits are scaled by 1/20 to 20."""

_MAX_LOGITS = 1 << 23
"""Logits to fit the one temperature of a softmax on: beyond, every second row or fewer."""


@dataclass(frozen=True, repr=False)
class Classifier:
    """Computes the probabilities of the Keras network without TensorFlow, and calibrates them."""

    tokenizer: Tokenizer
    labels: Labels
    weights: Weights
    calibration: Calibration | None = None

    def predict_proba(
        self, texts: pa.ChunkedArray | pa.Array | Iterable[str | None]
    ) -> Probabilities:
        """Predict the probabilities of texts.

        Args:
            texts: Strings; None counts as an empty text.

        Returns:
            (n, outputs) float32, in the order of the texts. A binary task has one column, the
            probability of the second label; any other task has one column per label.

        Raises:
            TypeError: `texts` is a single string, or contains something other than strings.
        """
        return self.predict_proba_ids(self.tokenizer.encode(texts).ids)

    def predict_proba_ids(self, ids: TokenIds) -> Probabilities:
        """Predict the probabilities (n, outputs) of the texts with these ids."""
        return np.asarray(self.calibrate(self.probabilities(self.weights.logits(ids))))

    def lazy_proba_ids(self, ids: TokenIds) -> AnyProbabilities:
        """Predict the probabilities of token ids; with many outputs, block by block when used."""
        return self.calibrate(self.probabilities(self.weights.lazy_logits(ids)))

    def with_thresholds(self, thresholds: Sequence[float]) -> Classifier:
        """Return the same classifier with other thresholds: one per output, or none for 0.5."""
        return replace(self, labels=replace(self.labels, thresholds=tuple(thresholds)))

    def __repr__(self) -> str:
        labels, tokens = self.labels, self.tokenizer.first_ngram_id
        return f"Classifier({labels.task}, {len(labels.names):,} labels, {tokens:,} tokens)"

    def calibrate(self, probabilities: AnyProbabilities) -> AnyProbabilities:
        """Calibrate the network's probabilities (n, outputs), if a calibration was fitted."""
        if self.calibration is None:
            return probabilities
        if isinstance(probabilities, LazyProbabilities):
            return probabilities.calibrate(self.calibration)
        exclusive = self.labels.task == "multiclass"
        return self.calibration.apply(np.asarray(probabilities), exclusive=exclusive)

    def probabilities(self, logits: AnyLogits) -> AnyProbabilities:
        """Turn logits (n, outputs) into the network's probabilities, before any calibration.

        A multiclass task has a softmax, any other a sigmoid per output.
        """
        exclusive = self.labels.task == "multiclass"
        if isinstance(logits, LazyLogits):
            return LazyProbabilities.from_logits(logits, exclusive=exclusive)
        if not exclusive:
            return sigmoid(logits)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        softmax: Probabilities = powers / powers.sum(axis=1, keepdims=True)
        return softmax


@dataclass(frozen=True)
class Calibration:
    """A non-decreasing, piecewise linear curve per output: predicted to observed frequency."""

    predicted: tuple[Doubles, ...]
    """(knots,) per output: probabilities of the network, increasing."""
    observed: tuple[Doubles, ...]
    """(knots,) per output: fraction of rows that have the label at these probabilities."""

    def apply(self, probabilities: Probabilities, *, exclusive: bool) -> Probabilities:
        """Calibrate probabilities (n, outputs).

        Args:
            probabilities: Of the network.
            exclusive: Whether the probabilities of a row sum to 1. They are then normalized again
                (Zadrozny and Elkan, Transforming Classifier Scores into Accurate Multiclass
                Probability Estimates, 2002).
        """
        curves = zip(probabilities.T, self.predicted, self.observed, strict=True)
        # Beyond its first and last knot, interp continues a curve as a constant
        columns = [np.interp(column, predicted, observed) for column, predicted, observed in curves]
        calibrated = np.stack(columns, axis=1)
        if exclusive:
            calibrated /= calibrated.sum(axis=1, keepdims=True)
        return calibrated.astype(np.float32)

    def take(self, outputs: slice) -> Calibration:
        """Return the curves of a range of outputs."""
        return Calibration(self.predicted[outputs], self.observed[outputs])

    def to_json(self) -> list[dict[str, Any]]:
        """Return plain values for `calibration.json`, one entry per output."""
        return [
            {"said": predicted.tolist(), "true": observed.tolist()}
            for predicted, observed in zip(self.predicted, self.observed, strict=True)
        ]

    @classmethod
    def from_json(cls, values: Sequence[Mapping[str, Any]]) -> Calibration:
        """Restore a calibration from the values of `to_json`."""
        predicted = tuple(np.array(curve["said"]) for curve in values)
        return cls(predicted, tuple(np.array(curve["true"]) for curve in values))


def fit_isotonic(
    labels: Labels,
    targets: Targets,
    probabilities: AnyProbabilities,
    weights: Doubles | None = None,
) -> Calibration:
    """Fit an isotonic regression per output (Zadrozny and Elkan, 2002).

    Observed frequencies are clipped to [1/(n+2), 1-1/(n+2)], since n rows cannot prove that a label
    never or always applies. An output that has only one class keeps its probabilities.

    Args:
        labels: Of the classifier.
        targets: Of the validation rows.
        probabilities: (n, outputs) of the network for these rows.
        weights: (n,) how many rows each row counts for; None if each counts for one.
    """
    from sklearn.isotonic import IsotonicRegression

    if weights is not None:
        counted = weights > 0.0
        targets, probabilities = targets[counted], probabilities[counted]
        weights = weights[counted]
    lowest = 1.0 / (targets.shape[0] + 2)
    predicted, observed = [], []
    for y_true, y_prob in outcome_columns(labels, targets, probabilities):
        # The regression would be a constant, which loses the order of the rows
        if y_true.all() or not y_true.any():
            identity = np.array([0.0, 1.0])
            predicted.append(identity)
            observed.append(identity)
        else:
            regression = IsotonicRegression(y_min=lowest, y_max=1.0 - lowest)
            regression.fit(y_prob.astype(np.float64), y_true, sample_weight=weights)
            # The knots are enough to interpolate, so predicting needs no scikit-learn
            predicted.append(regression.X_thresholds_)
            observed.append(regression.y_thresholds_)
    return Calibration(tuple(predicted), tuple(observed))


def fit_inverse_temperature(
    labels: Labels, targets: Targets, logits: AnyLogits, weights: Doubles | None = None
) -> Floats:
    """Find the factors for the logits that minimize log loss: one over the temperature.

    Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks, 2017, section 4.2.
    A softmax has a single factor, so no prediction changes; each sigmoid has its own. Since n
    rows cannot prove that a network is never wrong, targets are smoothed by 1/(n+2) (after Platt,
    Probabilistic Outputs for Support Vector Machines, 1999, section 2.2).

    Args:
        labels: Of the classifier.
        targets: Of the validation rows.
        logits: (n, outputs) of the network for these rows.
        weights: (n,) how many rows each row counts for; None if each counts for one.

    Returns:
        (outputs,) factors between 1/20 and 20.
    """
    if weights is not None:
        counted = weights > 0.0
        targets, logits, weights = targets[counted], logits[counted], weights[counted]
    smoothing = 1.0 / (targets.shape[0] + 2)
    if labels.task == "multiclass":
        every = slice(None, None, -(-math.prod(logits.shape) // _MAX_LOGITS) or 1)
        y_true = labels.binarize(targets[every])
        # Divided among the other labels: the targets of a row still sum to 1
        smoothed = np.where(y_true, 1.0 - smoothing, smoothing / (labels.outputs - 1))
        weights = None if weights is None else weights[every]
        factor = _minimize_log_loss(np.asarray(logits[every], np.float64), smoothed, weights)
        return np.repeat(np.float32(factor), labels.outputs)
    factors = []
    for has_label, column in outcome_columns(labels, targets, logits):
        logit = column.astype(np.float64)
        target = np.where(has_label, 1.0 - smoothing, smoothing)
        # a sigmoid is a softmax over its logit and 0
        both = np.stack([logit, np.zeros_like(logit)], 1)
        factors.append(_minimize_log_loss(both, np.stack([target, 1.0 - target], 1), weights))
    return np.array(factors, np.float32)


def _minimize_log_loss(logits: Doubles, targets: Doubles, weights: Doubles | None) -> float:
    """Find the factor of lowest cross-entropy after a softmax; the loss is convex in the factor.

    Args:
        logits: (n, classes).
        targets: (n, classes) probabilities.
        weights: (n,) of the rows; None if all count alike.
    """
    from scipy.optimize import minimize_scalar

    def loss(factor: float) -> float:
        normalizers = np.log(np.exp(factor * shifted).sum(axis=1))
        return float(np.average(normalizers, weights=weights) - factor * slope)

    bounds = (1.0 / _MAX_FACTOR, _MAX_FACTOR)
    with np.errstate(all="ignore"):  # the epoch itself reports logits that are not finite
        # Targets of a row sum to 1, so a shift of its logits does not change its loss
        shifted = logits - logits.max(axis=1, keepdims=True)
        # Linear in the factor, so one sum is enough for all factors
        slope = np.average((targets * shifted).sum(axis=1), weights=weights)
        return float(minimize_scalar(loss, bounds=bounds).x)
