"""Integrated gradients of a logit, exact for ReLU layers.

Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks, 2017, section 3: a gradient is
averaged along the straight line from a baseline, here vectors of zeros, to the text. Pooling and
the first dense layer map this line to a straight line. The layers above it are linear, except where
a ReLU changes between 0 and its input. Between these points the gradient is constant, so its mean
is a finite sum, not an approximation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from embedclf.model.weights import Weights
    from embedclf.system.arrays import Doubles, Floats


def mean_gradient(weights: Weights, contributions: Floats, output: int) -> tuple[Doubles, int]:
    """Average the gradient of a logit on the line from no tokens to the text.

    Computed in float64, since breakpoints can be closer together than float32 resolves.

    Args:
        weights: Of the network.
        contributions: (ids, units) of each id to the units of the first dense layer.
        output: Index of the logit.

    Returns:
        (units,) the mean derivative of the logit by each unit of the first dense layer, and the
        number of linear pieces of the line; 0 without hidden layers.
    """
    start = weights.dense[0][1].astype(np.float64)  # (units,) without tokens: the bias
    change = contributions.sum(axis=0, dtype=np.float64)
    if len(weights.dense) == 1:
        return weights.logit_gradients(start[None], output)[0], 0
    breakpoints = _find_breakpoints(weights, np.stack([start, start + change]))
    # (pieces, 1): the gradient is constant within a piece, so one point of each is enough
    midpoints = (breakpoints[:-1] + breakpoints[1:])[:, None] / 2
    gradients = weights.logit_gradients(start + midpoints * change, output)  # (pieces, units)
    return np.diff(breakpoints) @ gradients, len(midpoints)  # a piece counts by its length


def _find_breakpoints(weights: Weights, units: Doubles) -> Doubles:
    """Find where a ReLU changes on a straight line between two points of the first units.

    A ReLU changes where its unit is 0. Between the breakpoints of one layer, the units of the next
    layer are linear, so its breakpoints follow from their values at those.

    Args:
        weights: With hidden layers.
        units: (2, units) of the first dense layer before its ReLU, at both ends.

    Returns:
        (breakpoints + 2,) positions from 0 to 1, both included.
    """
    positions = np.array([0.0, 1.0])
    for kernel, bias in weights.dense[1:]:
        before, after = units[:-1], units[1:]
        # A unit that is 0 at an end changes there, which is a position already
        piece, unit = np.nonzero(before * after < 0.0)
        fraction = before[piece, unit] / (before - after)[piece, unit]
        breakpoints = positions[piece] + fraction * np.diff(positions)[piece]
        refined = np.unique(np.concatenate([positions, breakpoints]))
        # Exact, as these units are linear between the positions so far; (refined, units)
        units = np.stack([np.interp(refined, positions, column) for column in units.T], axis=1)
        units = np.maximum(units, 0.0) @ kernel.astype(np.float64) + bias
        positions = refined
    return positions
