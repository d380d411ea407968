"""Text → probability: the one scoring path, in NumPy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    from embedclf.calibration import Calibration
    from embedclf.labels import Labels, Probabilities
    from embedclf.tokenizer import TokenIds, Tokenizer
    from embedclf.weights import Floats, Weights


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
