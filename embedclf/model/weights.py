"""Token ids -> logits in NumPy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from embedclf.model.probabilities import LazyLogits, is_lazy
from embedclf.system.arrays import Floats
from embedclf.text.vocabulary import PADDING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.model.probabilities import AnyLogits
    from embedclf.text.encodings import TokenIds


DenseLayer = tuple[Floats, Floats]  # kernel (inputs, units), bias (units,)

VECTORS_LAYER = "vectors"
"""Name of the layer of word vectors that training does not change, if a network has one."""

AVERAGING_POOLINGS = ("average", "sqrt")
"""Poolings that divide the sum of a text's vectors by their number, or by its square root (Cer et
al., Universal Sentence Encoder, 2018, section 3.1). With the root, a long text has larger features
than a short one, but not in proportion to its length."""

_MAX_FUSED_NUMBERS = 1 << 24
"""Largest fused table: 64 MiB."""

_GATHERED_NUMBERS = 1 << 20
"""Numbers gathered from a table at once: 4 MiB, which fits into a processor's cache."""


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
        """Compute the logits (n, outputs) of token ids (n, input_length)."""
        logits = np.empty((len(ids), len(self.dense[-1][1])), np.float32)
        for batch in self._batches(ids):
            logits[batch] = self.logits_from_units(self._first_units(ids[batch]))
        return logits

    def lazy_logits(self, ids: TokenIds) -> AnyLogits:
        """Compute the logits (n, outputs) of token ids (n, input_length), lazily if many outputs.

        With many outputs, the inputs of the output layer are computed and kept instead.
        """
        kernel, bias = self.dense[-1]
        if not is_lazy(len(bias), len(kernel)):
            return self.logits(ids)
        features = np.empty((len(ids), len(kernel)), np.float32)
        for batch in self._batches(ids):
            features[batch] = self._last_inputs(ids[batch])
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

    def unit_contributions(self, ids: TokenIds) -> Floats:
        """Compute what ids (input_length,) of a text contribute to the first dense layer's units.

        The contributions sum to the output of the layer without its bias. With max pooling, a token
        contributes the features in which its vector is the largest; in a tie, the first token does.

        Returns:
            (input_length, units).
        """
        kernel, _ = self.dense[0]
        vectors = self.embedding[ids]  # (input_length, numbers)
        if self.pooling == "flatten":
            kernels = kernel.reshape(len(ids), vectors.shape[1], -1)  # one per position
            # A product per position: (input_length, 1, numbers) @ (..., numbers, units)
            by_position: Floats = (vectors[:, None] @ kernels)[:, 0]
            return by_position
        real = ids != PADDING
        if self.pooling in AVERAGING_POOLINGS:
            weighted: Floats = vectors * (real / self._divisors(ids[None])[0])[:, None]
            return weighted @ kernel
        masked = np.where(real[:, None], vectors, -np.inf)
        # argmax picks one token; a comparison with the maximum would count tied tokens twice
        largest = np.arange(len(ids))[:, None] == masked.argmax(axis=0)
        # argmax is 0 in a text of padding alone, so padding has to be masked a second time
        return np.where(largest & real[:, None], vectors, np.float32(0.0)) @ kernel

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
        """Yield ranges of rows whose gathered numbers fit into a processor's cache."""
        width = self._width if self.fused is None else self.fused.shape[-1]
        rows = max(1, _GATHERED_NUMBERS // max(1, ids.shape[1] * width))
        return (slice(start, start + rows) for start in range(0, len(ids), rows))

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
        positions, vocabulary_rows, units = self.fused.shape
        # The rows of all positions are one table, which a single take gathers from.
        # int32 widens ids that a split stores as uint16, and is enough for a table of this size.
        rows = ids + np.arange(positions, dtype=np.int32) * vocabulary_rows  # (n, input_length)
        sums = _sum_tokens(self.fused.reshape(-1, units).take(rows, axis=0))  # (n, units)
        if self.pooling in AVERAGING_POOLINGS:
            # Pooling and kernel are linear, so dividing after the kernel gives the same
            sums = sums / self._divisors(ids)
        return sums + bias

    def _pool(self, ids: TokenIds) -> Floats:
        """Pool the vectors of ids (n, input_length) to (n, features); zeros without tokens."""
        if self.pooling in AVERAGING_POOLINGS:
            return self._average(ids)
        vectors = self.embedding.take(ids, axis=0)  # (n, input_length, numbers)
        if self.pooling == "flatten":
            return vectors.reshape(len(ids), -1)
        real = ids != PADDING  # (n, input_length)
        vectors[~real] = -np.inf  # `take` has copied, so the embedding stays as it is
        return np.where(real.any(axis=1)[:, None], vectors.max(axis=1), np.float32(0.0))

    def _average(self, ids: TokenIds) -> Floats:
        """Sum the vectors of ids (n, input_length), divided as the pooling says."""
        factors = (ids != PADDING).astype(np.float32) / self._divisors(ids)
        if self.kept is None:
            return _weighted_sum(self.trained, ids, factors)
        # Rows are long here, so that columns of padding are not gathered, nor n-grams' zeros
        words = np.where(ids < len(self.kept), ids, PADDING)
        pooled = []
        for rows, row_ids in ((self.kept, words), (self.trained, ids)):
            columns = row_ids.any(axis=0)
            pooled.append(_weighted_sum(rows, row_ids[:, columns], factors[:, columns]))
        return np.concatenate(pooled, axis=1)

    def _divisors(self, ids: TokenIds) -> Floats:
        """Compute the divisors (n, 1) of the sums of each text's vectors."""
        # PADDING is 0; int64 counts would turn the quotients into float64
        counts = np.count_nonzero(ids, axis=1)[:, None].astype(np.float32)
        lengths: Floats = np.maximum(counts, np.float32(1.0))
        return lengths if self.pooling == "average" else np.sqrt(lengths)


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
    if pooling in AVERAGING_POOLINGS:
        fused[:, PADDING] = 0.0  # instead of a mask in every batch
    return fused


def _weighted_sum(rows: Floats, ids: TokenIds, factors: Floats) -> Floats:
    """Sum the rows of ids (n, tokens), each times its factor (n, tokens)."""
    # A product per text: (n, 1, tokens) @ (n, tokens, numbers)
    total: Floats = (factors[:, None] @ rows.take(ids, axis=0))[:, 0]
    return total


def _sum_tokens(vectors: Floats) -> Floats:
    """Sum (n, tokens, units) to (n, units); a product with ones is far faster than `sum`."""
    ones = np.ones((1, vectors.shape[1]), np.float32)
    total: Floats = (ones @ vectors)[:, 0]
    return total
