"""Text → probability: the one scoring path, in NumPy."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from embedclf.tokenizer import PADDING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from embedclf.labels import Labels, Probabilities
    from embedclf.tokenizer import TokenIds, Tokenizer

Floats = npt.NDArray[np.float32]

_BATCH_NUMBERS = 1 << 22
"""Numbers gathered from the embedding at once: 16 MB, about what a processor caches."""


@dataclass(frozen=True)
class Weights:
    """What was learned, and how the layers are joined."""

    pooling: str
    embedding: Floats  # (rows, embedding_dim)
    dense: tuple[tuple[Floats, Floats], ...]
    """Kernel (inputs, units) and bias (units,) of each hidden layer (ReLU) and of the output."""


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
        """
        return self.score(self.tokenizer.encode(texts).ids)

    def score(self, ids: TokenIds) -> Probabilities:
        """Score token ids (n, sequence_length): probabilities (n, outputs)."""
        numbers = max(1, ids.shape[1] * self.weights.embedding.shape[1])
        rows = max(1, _BATCH_NUMBERS // numbers)
        table = self._table()
        probabilities = np.empty((len(ids), self.labels.outputs), np.float32)
        for start in range(0, len(ids), rows):
            batch = ids[start : start + rows]
            probabilities[start : start + rows] = self._activate(self._logits(table, batch))
        return probabilities

    def _table(self) -> Floats:
        """The embedding, its padding row such that pooling passes it over."""
        if self.weights.pooling == "flatten":
            return self.weights.embedding
        table = self.weights.embedding.copy()
        table[PADDING] = 0.0 if self.weights.pooling == "average" else -np.inf
        return table

    def _logits(self, table: Floats, ids: TokenIds) -> Floats:
        vectors = self._pool(table[ids], ids)  # (batch, features)
        *hidden, (kernel, bias) = self.weights.dense
        for hidden_kernel, hidden_bias in hidden:
            vectors = np.maximum(vectors @ hidden_kernel + hidden_bias, 0.0)
        logits: Floats = vectors @ kernel + bias  # (batch, outputs)
        return logits

    def _pool(self, vectors: Floats, ids: TokenIds) -> Floats:
        """(batch, sequence_length, embedding_dim) → (batch, features); no token gives zeros."""
        if self.weights.pooling == "flatten":
            return vectors.reshape(len(vectors), -1)
        lengths = np.count_nonzero(ids, axis=1)[:, None].astype(np.float32)  # (batch, 1)
        if self.weights.pooling == "average":
            average: Floats = vectors.sum(axis=1) / np.maximum(lengths, 1.0)
            return average
        return np.where(lengths > 0, vectors.max(axis=1), np.float32(0.0))

    def _activate(self, logits: Floats) -> Probabilities:
        if self.labels.task == "multiclass":
            powers = np.exp(logits - logits.max(axis=1, keepdims=True))
            shares: Probabilities = powers / powers.sum(axis=1, keepdims=True)
            return shares
        sigmoid: Probabilities = 0.5 * (1.0 + np.tanh(0.5 * logits))
        return sigmoid


def read_weights(model: bytes, pooling: str) -> Weights:
    """Read the weights out of a `.keras` file.

    The file is a zip archive; `model.weights.h5` in it names a layer by its class and its number
    among the layers of that class, in the order of `config.json`.

    Args:
        model: The content of the file.
        pooling: How the network pools.
    """
    import h5py

    with zipfile.ZipFile(io.BytesIO(model)) as archive:
        config = json.loads(archive.read("config.json"))
        weights = io.BytesIO(archive.read("model.weights.h5"))
    dense = sum(layer["class_name"] == "Dense" for layer in config["config"]["layers"])
    with h5py.File(weights, "r") as file:
        layers = file["layers"]

        def variables(name: str) -> list[Floats]:
            stored = layers[name]["vars"]
            return [np.asarray(stored[key], np.float32) for key in sorted(stored, key=int)]

        heads = [variables("dense" if k == 0 else f"dense_{k}") for k in range(dense)]
        return Weights(
            pooling,
            variables("embedding")[0],
            tuple((kernel, bias) for kernel, bias in heads),
        )
