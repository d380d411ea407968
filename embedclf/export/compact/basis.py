"""The embedding in a basis in which equal errors cost equally much."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from embedclf.model.weights import DenseLayer, Weights
    from embedclf.system.arrays import Doubles, Floats

_NEGLIGIBLE = 1e-10
"""Directions that the kernel scales by less than this, compared with the largest, are dropped."""


def to_output_basis(
    weights: Weights, counts: Doubles, *, exclusive: bool
) -> tuple[Floats, tuple[DenseLayer, ...]]:
    """Return the same network with an embedding whose numbers are in units of the first layer.

    An error of a number then changes the units by as much, whichever number it is, so all numbers
    can have the same step. With any pooling but max, numbers are also decorrelated: the first
    columns vary most, the last ones hardly, and compress to little (transform coding; Goyal,
    Theoretical Foundations of Transform Coding, 2001). There are no more columns than units.

    Args:
        weights: Of the network.
        counts: (vocabulary_rows,) by which rows count.
        exclusive: Whether a softmax follows, for which only differences of logits matter.

    Returns:
        (vocabulary_rows, columns), and the dense layers.
    """
    first, bias = weights.dense[0]
    kernel: Doubles = first.astype(np.float64)
    if exclusive and len(weights.dense) == 1:
        kernel = kernel - kernel.mean(axis=1, keepdims=True)
    transform = _scale if weights.pooling == "max" else _decorrelate
    rows, kernel = transform(weights.embedding.astype(np.float64), kernel, counts)
    layer = (kernel.astype(np.float32), bias)
    return rows.astype(np.float32), (layer, *weights.dense[1:])


def _scale(rows: Doubles, kernel: Doubles, counts: Doubles) -> tuple[Doubles, Doubles]:
    """Scale the columns of rows by what the kernel does to them; a maximum allows nothing else."""
    del counts
    lengths = np.linalg.norm(kernel, axis=1)
    return rows * lengths, kernel / np.where(lengths > 0.0, lengths, 1.0)[:, None]


def _decorrelate(rows: Doubles, kernel: Doubles, counts: Doubles) -> tuple[Doubles, Doubles]:
    """Rotate rows (vocabulary_rows, width); the kernel has `width` rows for each position."""
    width = rows.shape[1]
    kernels = kernel.reshape(-1, width, kernel.shape[1])  # (positions, width, units)
    # (width, width): how much a direction of the embedding matters to all units
    squares, directions = np.linalg.eigh(np.einsum("pwu,pvu->wv", kernels, kernels))
    matters = squares > _NEGLIGIBLE * squares[-1]
    matters[-1] = True
    lengths = np.sqrt(np.maximum(squares[matters], np.finfo(np.float64).tiny))
    directions = directions[:, matters]
    scaled = rows @ (directions * lengths)
    _, axes = np.linalg.eigh((scaled * counts[:, None]).T @ scaled)
    axes = axes[:, ::-1]  # the largest first
    inverse = axes.T @ (directions / lengths).T  # (columns, width)
    rotated = inverse @ kernels  # (positions, columns, units)
    return scaled @ axes, rotated.reshape(-1, kernel.shape[1])
