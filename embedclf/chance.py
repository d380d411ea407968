"""Chance: what vectors begin with where nothing is known, the same from the same seed anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from embedclf.weights import Floats

LIMIT = 0.05
"""Most that numbers of an embedding begin with in Keras, on either side of 0."""


def chance(shape: tuple[int, int], seed: int, limit: float = LIMIT) -> Floats:
    """Draw uniform numbers between -limit and limit, (rows, embedding_dim)."""
    rows = np.random.default_rng(seed).random(shape, np.float32)
    rows *= np.float32(2.0 * limit)
    rows -= np.float32(limit)
    return rows
