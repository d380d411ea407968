"""Token ids -> logits in NumPy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from embedclf.model.pooling import largest_in_rows, sum_rows
from embedclf.model.probabilities import LazyLogits, is_lazy
from embedclf.system.arrays import Floats
from embedclf.text.encodings import TokenIds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.model.probabilities import AnyLogits
    from embedclf.system.arrays import Int32s, Offsets
    from embedclf.text.encodings import PaddedIds

DenseLayer = tuple[Floats, Floats]  # kernel (inputs, units), bias (units,)

VECTORS_LAYER = "vectors"
"""Name of the layer of word vectors that training does not change, if a network has one."""

AVERAGING_POOLINGS = ("average", "sqrt")
"""Poolings that divide the sum of a text's vectors by their number, or by its square root (Cer et
al., Universal Sentence Encoder, 2018, section 3.1). With the root, a long text has larger features
than a short one, but not in proportion to its length."""

_MAX_FUSED_NUMBERS = 1 << 24
"""Largest fused table: 64 MiB."""

_BATCH_NUMBERS = 1 << 20
"""Features of the texts that are scored at once: 4 MiB."""


@dataclass(frozen=True)
class Weights:
    """The learned weights of a network, and how to apply them."""

    pooling: str
    trained: Floats
    """(vocabulary_rows, embedding_dim) of the embedding that training changes."""
    dense: tuple[DenseLayer, ...]
    """The hidden layers (ReLU), then the output layer."""
    fused: Floats | None
    """(positions, vocabulary_rows, units): embedding times first kernel, that is, what each token
    adds to each unit of the first dense layer. One position per id with flatten pooling, else a
    single one. None if gathering vectors is not slower."""
    kept: Floats | None = None
    """(first_ngram_id, kept_dim) word vectors that training did not change. They come before the
    trained numbers of a token; n-grams have zeros instead."""

    @classmethod
    def from_layers(
        cls,
        pooling: str,
        trained: Floats,
        dense: tuple[DenseLayer, ...],
        *,
        kept: Floats | None = None,
    ) -> Weights:
        """Combine the layers; fuse the embedding and the first dense layer where that pays."""
        return cls(pooling, trained, dense, _fuse(pooling, trained, kept, dense[0][0]), kept)

    @property
    def kept_dim(self) -> int:
        """Numbers at the start of each row of `embedding` that training did not change."""
        width: int = 0 if self.kept is None else self.kept.shape[1]
        return width

    @cached_property  # a fused table needs no embedding, and joining copies all of it
    def embedding(self) -> Floats:
        """(vocabulary_rows, kept_dim + embedding_dim): kept numbers, then trained ones.

        Average, sqrt and max pooling ignore the padding row.
        """
        return join_rows(self.kept, self.trained)

    def logits(self, ids: TokenIds) -> Floats:
        """Compute the logits (n, outputs) of the texts with these ids."""
        if len(ids) == 1:
            return self.logits_from_units(self._first_units(ids))
        logits = np.empty((len(ids), len(self.dense[-1][1])), np.float32)
        for texts in self._batches(ids):
            logits[texts] = self.logits_from_units(self._first_units(ids[texts]))
        return logits

    def lazy_logits(self, ids: TokenIds) -> AnyLogits:
        """Compute the logits (n, outputs), lazily if there are many outputs.

        With many outputs, the inputs of the output layer are computed and kept instead.
        """
        kernel, bias = self.dense[-1]
        if not is_lazy(len(bias), len(kernel)):
            return self.logits(ids)
        features = np.empty((len(ids), len(kernel)), np.float32)
        for texts in self._batches(ids):
            features[texts] = self._last_inputs(ids[texts])
        return LazyLogits(features, kernel, bias)

    def logits_from_units(self, units: Floats) -> Floats:
        """Apply the layers after the first dense layer.

        Args:
            units: (n, units) of the first dense layer, before its ReLU.

        Returns:
            (n, outputs) logits; `units` itself if the first dense layer is the output layer.
        """
        for kernel, bias in self.dense[1:]:
            units = np.maximum(units, 0.0) @ kernel + bias
        return units

    def unit_contributions(self, ids: Int32s) -> Floats:
        """Compute what the ids (k,) of a text contribute to the first dense layer's units.

        The contributions sum to the output of the layer without its bias. With max pooling, a token
        contributes the features in which its vector is the largest; in a tie, the first token does.

        Returns:
            (k, units); with flatten pooling, (sequence_length, units), since padding contributes.
        """
        kernel, _ = self.dense[0]
        if self.pooling == "flatten":
            vectors = self.embedding[self._pad(TokenIds(ids, np.array([len(ids)])))[0]]
            kernels = kernel.reshape(*vectors.shape, -1)  # one per position
            # A product per position: (sequence_length, 1, numbers) @ (..., numbers, units)
            by_position: Floats = (vectors[:, None] @ kernels)[:, 0]
            return by_position
        vectors = self.embedding[ids]  # (k, numbers)
        if self.pooling in AVERAGING_POOLINGS:
            averaged: Floats = vectors / self._divisors(np.array([len(ids)]))
            return averaged @ kernel
        if not len(ids):  # nothing has a maximum
            return vectors @ kernel
        # argmax picks one token; a comparison with the maximum would count tied tokens twice
        largest = np.arange(len(ids))[:, None] == vectors.argmax(axis=0)
        return np.where(largest, vectors, np.float32(0.0)) @ kernel

    def logit_gradients(
        self, units: npt.NDArray[np.floating], output: int
    ) -> npt.NDArray[np.floating]:
        """Differentiate a logit by the units of the first dense layer, before their ReLU.

        Args:
            units: (n, units) at which to differentiate.
            output: Index of the logit.

        Returns:
            (n, units) derivatives.
        """
        active = []
        for kernel, bias in self.dense[1:]:
            active.append(units > 0.0)  # the derivative of a ReLU at 0 is 0, as in TensorFlow
            units = np.maximum(units, 0.0) @ kernel + bias
        gradients = np.zeros_like(units)
        gradients[:, output] = 1.0
        # From the last layer back to the second
        for (kernel, _), mask in zip(self.dense[:0:-1], active[::-1], strict=True):
            gradients = (gradients @ kernel.T) * mask
        return gradients

    @property
    def _width(self) -> int:
        """Numbers in a vector."""
        width: int = self.kept_dim + self.trained.shape[1]
        return width

    def _batches(self, ids: TokenIds) -> Iterator[slice]:
        """Yield ranges of texts whose features take little memory."""
        texts = max(1, _BATCH_NUMBERS // len(self.dense[0][0]))
        return (slice(start, start + texts) for start in range(0, len(ids), texts))

    def _last_inputs(self, ids: TokenIds) -> Floats:
        """Compute the inputs (n, features) of the output layer."""
        if len(self.dense) == 1:
            return self._pool(ids)
        units = self._first_units(ids)
        for kernel, bias in self.dense[1:-1]:
            units = np.maximum(units, 0.0) @ kernel + bias
        return np.maximum(units, np.float32(0.0))

    def _first_units(self, ids: TokenIds) -> Floats:
        """Compute the first dense layer's units (n, units), before the ReLU if it is hidden."""
        kernel, bias = self.dense[0]
        if self.fused is None:
            return self._pool(ids) @ kernel + bias
        if self.pooling == "flatten":
            return self._sum_positions(self.fused, ids) + bias
        # Pooling and kernel are linear, so dividing after the kernel gives the same
        return sum_rows(self.fused[0], ids) / self._divisors(ids.lengths) + bias

    def _sum_positions(self, fused: Floats, ids: TokenIds) -> Floats:
        """Sum the rows of a fused table that each text has at each position."""
        positions, vocabulary_rows, units = fused.shape
        # The rows of all positions are one table, small enough for int32
        rows = self._pad(ids) + np.arange(positions, dtype=np.int32) * vocabulary_rows
        ends = np.arange(1, len(ids) + 1) * positions
        return sum_rows(fused.reshape(-1, units), TokenIds(rows.ravel(), ends))

    def _pool(self, ids: TokenIds) -> Floats:
        """Pool the vectors of each text to (n, features); zeros without tokens."""
        if self.pooling == "flatten":
            vectors = self.embedding.take(self._pad(ids), axis=0)  # (n, sequence_length, numbers)
            return vectors.reshape(len(ids), -1)
        if self.pooling == "max":
            return largest_in_rows(self.embedding, ids)
        sums = sum_rows(self.trained, ids)
        if self.kept is not None:  # rows are long here, so n-grams' zeros are not gathered
            words = ids.values < len(self.kept)
            of_words = TokenIds(ids.values[words], np.cumsum(ids.count(words)))
            sums = np.concatenate([sum_rows(self.kept, of_words), sums], axis=1)
        return sums / self._divisors(ids.lengths)

    def _pad(self, ids: TokenIds) -> PaddedIds:
        """Pad the ids of each text to the length that the kernel of a flat layer is made for."""
        return ids.pad(len(self.dense[0][0]) // self._width)

    def _divisors(self, lengths: Offsets) -> Floats:
        """Compute the divisors (n, 1) of the sums of each text's vectors from its length (n,)."""
        # int64 counts would turn the quotients into float64
        counts = np.maximum(lengths, 1)[:, None].astype(np.float32)
        return counts if self.pooling == "average" else np.sqrt(counts)


def join_rows(kept: Floats | None, trained: Floats) -> Floats:
    """Join kept numbers (first_ngram_id, kept_dim) and trained ones (vocabulary_rows, any).

    Returns:
        (vocabulary_rows, numbers); the trained numbers themselves if none are kept.
    """
    if kept is None:
        return trained
    joined = np.zeros((len(trained), kept.shape[1] + trained.shape[1]), np.float32)
    joined[: len(kept), : kept.shape[1]] = kept
    joined[:, kept.shape[1] :] = trained
    return joined


def should_fuse(
    pooling: str, shape: tuple[int, int, int], embedding_dim: int, kept_dim: int = 0
) -> bool:
    """Return whether a fused table is possible, small and faster.

    Args:
        pooling: Pooling of the network.
        shape: (positions, vocabulary_rows, units) of the table.
        embedding_dim: Length of the trained vectors that are gathered otherwise.
        kept_dim: Length of the kept vectors. They count half, since n-grams have none.
    """
    is_shorter = shape[2] < embedding_dim + kept_dim // 2
    return pooling != "max" and is_shorter and math.prod(shape) <= _MAX_FUSED_NUMBERS


def _fuse(pooling: str, trained: Floats, kept: Floats | None, kernel: Floats) -> Floats | None:
    """Multiply the embedding by the first kernel, where that makes a token cheaper to score.

    Both are linear, and so is every pooling but max. A text's units are then sums of one number
    per token and unit instead of all numbers of its vector.
    """
    (vocabulary_rows, embedding_dim), units = trained.shape, kernel.shape[1]
    kept_dim = 0 if kept is None else kept.shape[1]
    width = kept_dim + embedding_dim
    positions = len(kernel) // width  # 1, except with flatten
    if not should_fuse(pooling, (positions, vocabulary_rows, units), embedding_dim, kept_dim):
        return None
    kernels = kernel.reshape(positions, width, units)
    # (positions, vocabulary_rows, units): the embedding broadcasts over the positions
    fused: Floats = trained @ kernels[:, kept_dim:]
    if kept is not None:
        fused[:, : len(kept)] += kept @ kernels[:, :kept_dim]
    return fused
