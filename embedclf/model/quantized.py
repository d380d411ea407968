"""Weights whose embedding is whole numbers times a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from embedclf.model.weights import Weights

if TYPE_CHECKING:
    from embedclf.model.weights import DenseLayer
    from embedclf.system.arrays import Floats

_BLOCK_ROWS = 1 << 12
"""Rows that are transposed at once: all of their numbers fit into a cache."""


@dataclass(frozen=True)
class QuantizedWeights:
    """The weights of a network in few bits."""

    pooling: str
    multiples: npt.NDArray[Any]
    """(embedding_dim, vocabulary_rows) signed integers: the embedding, transposed, in steps.
    Numbers of one column are alike, so they compress best side by side."""
    step: float
    dense: tuple[DenseLayer, ...]

    def restore(self) -> Weights:
        """Return the weights as the other parts of a classifier use them."""
        columns, rows = self.multiples.shape
        embedding: Floats = np.empty((rows, columns), np.float32)
        for start in range(0, rows, _BLOCK_ROWS):
            block = slice(start, start + _BLOCK_ROWS)
            np.multiply(self.multiples[:, block].T, np.float32(self.step), out=embedding[block])
        return Weights.from_layers(self.pooling, embedding, self.dense)
