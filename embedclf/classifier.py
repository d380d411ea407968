"""Text → probability: the one scoring path, in NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from embedclf.labels import Labels, Probabilities
    from embedclf.tokenizer import TokenIds, Tokenizer
    from embedclf.weights import Floats, Weights


@dataclass(frozen=True)
class Classifier:
    """Scores texts exactly as the Keras network does, without TensorFlow."""

    tokenizer: Tokenizer
    labels: Labels
    weights: Weights

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

    def score(self, ids: TokenIds) -> Probabilities:
        """Score token ids (n, sequence_length): probabilities (n, outputs)."""
        return self.activate(self.weights.logits(ids))

    def activate(self, logits: Floats) -> Probabilities:
        """Turn logits into probabilities, both (n, outputs): by softmax, or a sigmoid each."""
        if self.labels.task == "multiclass":
            powers = np.exp(logits - logits.max(axis=1, keepdims=True))
            shares: Probabilities = powers / powers.sum(axis=1, keepdims=True)
            return shares
        sigmoid: Probabilities = 0.5 * (1.0 + np.tanh(0.5 * logits))
        return sigmoid
