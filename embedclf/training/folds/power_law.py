"""The inverse power law of a learning curve: error = asymptote + scale · rows^-exponent.

Cortes, Jackel, Solla, Vapnik and Denker, Learning Curves: Asymptotic Values and Rate of
Convergence, 1993; for classifiers of text and with weighted least squares: Figueroa,
Zeng-Treitler, Kandula and Ngo, Predicting Sample Size Required for Classification Performance,
2012.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from embedclf.system.arrays import Doubles

MIN_ASYMPTOTE_POINTS = 4
"""Points from which the asymptote is fitted, too; with fewer, it is 0."""

_EXPONENTS = np.linspace(0.0, 1.5, 31)
"""On a grid, the other two parameters have a closed form: no start values, no local minimum. With
0, the error is constant."""


@dataclass(frozen=True)
class PowerLaws:
    """One law or several, each an entry of the arrays."""

    asymptote: Doubles
    """(laws,) the error with unlimited rows, from 0."""
    scale: Doubles
    """(laws,) from 0, so that errors never grow with the rows."""
    exponent: Doubles
    """(laws,)"""

    def error(self, rows: float) -> Doubles:
        """Return the errors (laws,) with a number of training rows."""
        errors: Doubles = self.asymptote + self.scale * rows**-self.exponent
        return errors


def fit_power_laws(rows: Doubles, errors: Doubles) -> PowerLaws:
    """Fit laws by weighted least squares; the weight of a point is its number of rows.

    Scores of more rows vary less, and they are nearer to what the law extrapolates to. With fewer
    than 4 points, the asymptote is 0: the points determine no third parameter.

    Args:
        rows: (points,) at least two, rising.
        errors: (laws, points) from 0 to 1.
    """
    weights, has_asymptote = rows / rows.sum(), len(rows) >= MIN_ASYMPTOTE_POINTS
    fits = [
        # A constant error is a scale alone; an asymptote would be the same thing
        _fit_linear(errors, rows**-exponent, weights, asymptote=has_asymptote and exponent > 0.0)
        for exponent in _EXPONENTS
    ]
    # (exponents, 3, laws): asymptote, scale, sum of squares
    values = np.array(fits)
    best = values[:, 2].argmin(axis=0)
    asymptote, scale, _ = values[best, :, np.arange(len(errors))].T
    return PowerLaws(asymptote, scale, _EXPONENTS[best])


def _fit_linear(errors: Doubles, x: Doubles, weights: Doubles, *, asymptote: bool) -> Doubles:
    """Fit error = asymptote + scale · x, both from 0.

    Args:
        errors: (laws, points)
        x: (points,) above 0.
        weights: (points,) that sum to 1.
        asymptote: Whether the asymptote can differ from 0.

    Returns:
        (3, laws): asymptotes, scales, and weighted sums of squares.
    """
    proportional = errors @ (weights * x) / (weights @ x**2)  # (laws,) scales through 0
    zeros = np.zeros(len(errors))
    if asymptote:
        mean, means = weights @ x, errors @ weights
        slopes = np.maximum(errors @ (weights * (x - mean)) / (weights @ (x - mean) ** 2), 0.0)
        offsets = means - slopes * mean
        below = offsets < 0.0
        zeros, proportional = np.maximum(offsets, 0.0), np.where(below, proportional, slopes)
    residuals = errors - zeros[:, None] - proportional[:, None] * x  # (laws, points)
    return np.stack([zeros, proportional, residuals**2 @ weights])
