"""Token ids -> logits in NumPy; reads model.keras by h5py."""

from __future__ import annotations

import io
import json
import math
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from embedclf.system.arrays import Floats
from embedclf.text.vocabulary import PADDING

if TYPE_CHECKING:
    from embedclf.text.tokenizer import TokenIds


Layer = tuple[Floats, Floats]  # kernel (inputs, units), bias (units,)

FOLDED_NUMBERS = 1 << 24
"""Most numbers of a folded table: 64 MiB."""

AVERAGES = ("average", "sqrt")
"""Poolings that divide the sum of a text's vectors by how many they are, or by the root of that
(Cer et al., Universal Sentence Encoder, 2018, section 3.1), so that a long text says more than a
short one, yet not so much more as it is longer."""

_GATHERED_NUMBERS = 1 << 20
"""Numbers gathered from a table at once: 4 MiB, which a processor's cache holds."""


@dataclass(frozen=True)
class Weights:
    """What was learned, and how the layers are joined."""

    pooling: str
    embedding: Floats
    """(vocabulary, embedding_dim); pooling by average or max never reads the padding row."""
    dense: tuple[Layer, ...]
    """Each hidden layer (ReLU), then the output."""
    folded: Floats | None
    """(positions, vocabulary, units): what a token adds to each unit of the first dense layer, at
    each position with flatten, wherever with average; None where gathering vectors is as good."""

    @classmethod
    def of(cls, pooling: str, embedding: Floats, dense: tuple[Layer, ...]) -> Weights:
        """Join the weights of layers, folded where that pays."""
        return cls(pooling, embedding, dense, _fold(pooling, embedding, dense[0][0]))

    def logits(self, ids: TokenIds) -> Floats:
        """Score token ids (n, slots): logits (n, outputs)."""
        width = (self.embedding if self.folded is None else self.folded).shape[-1]
        rows = max(1, _GATHERED_NUMBERS // max(1, ids.shape[1] * width))
        logits = np.empty((len(ids), len(self.dense[-1][1])), np.float32)
        for start in range(0, len(ids), rows):
            batch = slice(start, start + rows)
            logits[batch] = self.head(self._first(ids[batch]))
        return logits

    def head(self, units: Floats) -> Floats:
        """What follows the first dense layer: its units (n, units) before ReLU → logits."""
        for kernel, bias in self.dense[1:]:
            units = np.maximum(units, 0.0) @ kernel + bias
        return units

    def added(self, ids: TokenIds) -> Floats:
        """What each id of one text (slots,) adds to the units of the first dense layer.

        They add up to what the layer gives without its bias. With max pooling a token adds that of
        its numbers which are the largest; of equal ones the first counts.

        Returns:
            (slots, units).
        """
        kernel, _ = self.dense[0]
        vectors = self.embedding[ids]  # (slots, embedding_dim)
        if self.pooling == "flatten":
            places = kernel.reshape(len(ids), vectors.shape[1], -1)
            at_places: Floats = (vectors[:, None] @ places)[:, 0]
            return at_places
        real = ids != PADDING
        if self.pooling in AVERAGES:
            weighed: Floats = vectors * (real / self._divisors(ids[None])[0])[:, None]
            return weighed @ kernel
        ranked = np.where(real[:, None], vectors, -np.inf)
        largest = np.arange(len(ids))[:, None] == ranked.argmax(axis=0)
        return np.where(largest & real[:, None], vectors, np.float32(0.0)) @ kernel

    def slopes(self, units: npt.NDArray[np.floating], output: int) -> npt.NDArray[np.floating]:
        """How a logit changes with each unit of the first dense layer, before ReLU.

        Args:
            units: (n, units) where to measure.
            output: Which logit.

        Returns:
            (n, units) derivatives.
        """
        below = []
        for kernel, bias in self.dense[1:]:
            below.append(units > 0.0)
            units = np.maximum(units, 0.0) @ kernel + bias
        slopes = np.zeros_like(units)
        slopes[:, output] = 1.0
        for (kernel, _), active in zip(self.dense[:0:-1], below[::-1], strict=True):
            slopes = (slopes @ kernel.T) * active
        return slopes

    def _first(self, ids: TokenIds) -> Floats:
        """(n, units) of the first dense layer, before its ReLU where it is hidden."""
        kernel, bias = self.dense[0]
        if self.folded is None:
            return self._pool(ids) @ kernel + bias
        positions, rows, units = self.folded.shape
        places = ids + np.arange(positions, dtype=np.int32) * rows  # (n, slots)
        added = _sum(self.folded.reshape(-1, units).take(places, axis=0))  # (n, units)
        return (added / self._divisors(ids) if self.pooling in AVERAGES else added) + bias

    def _pool(self, ids: TokenIds) -> Floats:
        """(n, slots) → (n, features); no token gives zeros."""
        vectors = self.embedding.take(ids, axis=0)  # (n, slots, embedding_dim)
        if self.pooling == "flatten":
            return vectors.reshape(len(ids), -1)
        real = ids != PADDING  # (n, slots)
        if self.pooling in AVERAGES:
            shares = real.astype(np.float32) / self._divisors(ids)
            average: Floats = (shares[:, None] @ vectors)[:, 0]
            return average
        vectors[~real] = -np.inf
        return np.where(real.any(axis=1)[:, None], vectors.max(axis=1), np.float32(0.0))

    def _divisors(self, ids: TokenIds) -> Floats:
        """(n, 1) what the sum of each text's vectors is divided by."""
        counts = np.count_nonzero(ids, axis=1)[:, None].astype(np.float32)
        lengths: Floats = np.maximum(counts, np.float32(1.0))
        return lengths if self.pooling == "average" else np.sqrt(lengths)


def read_weights(model: bytes, pooling: str) -> Weights:
    """Read the weights out of a `.keras` file, and fold them where that pays.

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

        kernels = [variables("dense" if k == 0 else f"dense_{k}") for k in range(dense)]
        embedding = variables("embedding")[0]
    return Weights.of(pooling, embedding, tuple((kernel, bias) for kernel, bias in kernels))


def folds(pooling: str, shape: tuple[int, int, int], embedding_dim: int) -> bool:
    """Whether a table of that shape, (positions, vocabulary, units), is made and pays."""
    numbers = math.prod(shape)
    return pooling != "max" and shape[2] < embedding_dim and numbers <= FOLDED_NUMBERS


def _fold(pooling: str, embedding: Floats, kernel: Floats) -> Floats | None:
    """Multiply each row of the embedding by the first kernel, where a token then costs less.

    Both are linear, and so is what stands between them but for max. A text's units are then sums
    over one number a token and unit, and not over `embedding_dim` of them.
    """
    vocabulary, width = embedding.shape
    units = kernel.shape[1]
    positions = len(kernel) // width  # one, but for flatten
    if not folds(pooling, (positions, vocabulary, units), width):
        return None
    folded: Floats = embedding @ kernel.reshape(positions, width, units)
    if pooling in AVERAGES:
        folded[:, PADDING] = 0.0
    return folded


def _sum(vectors: Floats) -> Floats:
    """(n, tokens, units) → (n, units); a product with ones, which is far quicker than `sum`."""
    ones = np.ones((1, vectors.shape[1]), np.float32)
    total: Floats = (ones @ vectors)[:, 0]
    return total
