"""Text -> probability in NumPy, calibrated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    from embedclf.data.labels import Labels, Probabilities, Targets
    from embedclf.model.weights import Weights
    from embedclf.system.arrays import Doubles, Floats
    from embedclf.text.tokenizer import TokenIds, Tokenizer


@dataclass(frozen=True)
class Classifier:
    """Scores texts exactly as the Keras network does, without TensorFlow; then calibrates them."""

    tokenizer: Tokenizer
    labels: Labels
    weights: Weights
    calibration: Calibration | None = None

    def predict_proba(
        self, texts: pa.ChunkedArray | pa.Array | Iterable[str | None]
    ) -> Probabilities:
        """Score texts.

        Args:
            texts: Strings; None counts as an empty text.

        Returns:
            (n, outputs) float32, in the order of the texts: for a binary task one column, the
            probability of the second label; else a column a label.

        Raises:
            TypeError: One string is given instead of several, or something is no string.
        """
        return self.score(self.tokenizer.encode(texts).ids)

    def deciding(self, thresholds: Sequence[float]) -> Classifier:
        """The classifier with other thresholds, one an output or none."""
        return replace(self, labels=replace(self.labels, thresholds=tuple(thresholds)))

    def score(self, ids: TokenIds) -> Probabilities:
        """Score token ids (n, sequence_length): probabilities (n, outputs)."""
        return self.calibrated(self.activate(self.weights.logits(ids)))

    def calibrated(self, probabilities: Probabilities) -> Probabilities:
        """Calibrate the network's probabilities (n, outputs), if that was learned."""
        if self.calibration is None:
            return probabilities
        return self.calibration.apply(probabilities, exclusive=self.labels.task == "multiclass")

    def activate(self, logits: Floats) -> Probabilities:
        """Turn logits into the network's probabilities, both (n, outputs).

        By softmax, or a sigmoid each; the calibration is left to come.
        """
        if self.labels.task == "multiclass":
            powers = np.exp(logits - logits.max(axis=1, keepdims=True))
            shares: Probabilities = powers / powers.sum(axis=1, keepdims=True)
            return shares
        sigmoid: Probabilities = 0.5 * (1.0 + np.tanh(0.5 * logits))
        return sigmoid


_MOST_FACTOR = 20.0
"""Most that logits are multiplied or divided by."""


@dataclass(frozen=True)
class Calibration:
    """A rising line for each output: what it says, and how often that came true."""

    said: tuple[Doubles, ...]
    """(knots,) each: probabilities as the network gives them, rising."""
    true: tuple[Doubles, ...]
    """(knots,) each: the share of rows for which they came true; between knots it is a line."""

    def apply(self, probabilities: Probabilities, *, exclusive: bool) -> Probabilities:
        """Calibrate probabilities (n, outputs).

        Args:
            probabilities: Of the network.
            exclusive: Whether those of a row add up to one, as they are made to do again (Zadrozny
                and Elkan, Transforming Classifier Scores into Accurate Multiclass Probability
                Estimates, 2002).
        """
        lines = zip(probabilities.T, self.said, self.true, strict=True)
        columns = [np.interp(column, said, true) for column, said, true in lines]
        calibrated = np.stack(columns, axis=1)
        if exclusive:
            calibrated /= calibrated.sum(axis=1, keepdims=True)
        return calibrated.astype(np.float32)

    def to_json(self) -> list[dict[str, Any]]:
        """Plain values, an entry an output."""
        return [
            {"said": said.tolist(), "true": true.tolist()}
            for said, true in zip(self.said, self.true, strict=True)
        ]

    @classmethod
    def from_json(cls, values: list[dict[str, Any]]) -> Calibration:
        """The calibration that `to_json` wrote."""
        said = tuple(np.array(line["said"]) for line in values)
        return cls(said, tuple(np.array(line["true"]) for line in values))


def isotonic(labels: Labels, targets: Targets, probabilities: Probabilities) -> Calibration:
    """Learn how often each output comes true (Zadrozny and Elkan, 2002).

    No share is nearer to 0 or 1 than one row in two more than there are would be, since so many
    rows cannot show more; an output that never or always came true stays as it is.

    Args:
        labels: Of the classifier.
        targets: Of the validation rows.
        probabilities: (n, outputs) of the network for them.
    """
    from sklearn.isotonic import IsotonicRegression

    least = 1.0 / (len(targets) + 2)
    said, true = [], []
    for came, column in zip(labels.present(targets).T, probabilities.T, strict=True):
        if came.all() or not came.any():
            knots = shares = np.array([0.0, 1.0])
        else:
            line = IsotonicRegression(y_min=least, y_max=1.0 - least)
            line.fit(column.astype(np.float64), came)
            knots, shares = line.X_thresholds_, line.y_thresholds_
        said.append(knots)
        true.append(shares)
    return Calibration(tuple(said), tuple(true))


def inverse_temperature(labels: Labels, targets: Targets, logits: Floats) -> Floats:
    """Find what to multiply logits by for the lowest log loss: one over the temperature.

    Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks, 2017, section 4.2.
    A softmax has one factor, so that no decision changes; sigmoids have one each. Since so many
    rows cannot show that a network is never wrong, one in two more than there are counts as if it
    was (after Platt, Probabilistic Outputs for Support Vector Machines, 1999, section 2.2).

    Args:
        labels: Of the classifier.
        targets: Of the validation rows.
        logits: (n, outputs) of the network for them.

    Returns:
        (outputs,) factors between 1/20 and 20.
    """
    came, doubles = labels.present(targets), logits.astype(np.float64)
    wrong = 1.0 / (len(targets) + 2)
    if labels.task == "multiclass":
        wanted = np.where(came, 1.0 - wrong, wrong / (labels.outputs - 1))
        return np.repeat(np.float32(_lowest(doubles, wanted)), labels.outputs)
    wanted = np.where(came, 1.0 - wrong, wrong)
    pairs = zip(doubles.T, wanted.T, strict=True)
    factors = [
        _lowest(np.stack([logit, np.zeros_like(logit)], 1), np.stack([true, 1.0 - true], 1))
        for logit, true in pairs
    ]
    return np.array(factors, np.float32)


def _lowest(logits: Doubles, wanted: Doubles) -> float:
    """The factor of lowest cross-entropy after a softmax, which is convex in it.

    Args:
        logits: (n, classes).
        wanted: (n, classes) probabilities as they should be.
    """
    from scipy.optimize import minimize_scalar

    def loss(factor: float) -> float:
        return float(np.log(np.exp(factor * shifted).sum(axis=1)).mean() - factor * slope)

    bounds = (1.0 / _MOST_FACTOR, _MOST_FACTOR)
    with np.errstate(all="ignore"):  # logits that are no numbers are told by their epoch
        shifted = logits - logits.max(axis=1, keepdims=True)
        slope = (wanted * shifted).sum(axis=1).mean()
        return float(minimize_scalar(loss, bounds=bounds).x)
