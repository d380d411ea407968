"""Rows ranked by probability, and the areas under their ROC and PR curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from embedclf.system.arrays import Doubles, Mask, Offsets, Rows


@dataclass(frozen=True)
class Ranking:
    """Rows sorted by falling probability, to compute areas for many weightings.

    Rows of equal probability form a tie. Only ties with a positive row contribute to the areas, so
    only `order` includes the others.
    """

    order: Rows
    """(n,)"""
    tie_starts: Offsets
    """(ties,) first position of each tie in `order`."""
    tie_ends: Offsets
    """(ties,) last position of each tie in `order`."""
    positives: Rows
    """(positives,) positive rows in the order of their ties."""
    positive_starts: Offsets
    """(ties,) where the rows of each tie start in `positives`."""

    @classmethod
    def from_predictions(cls, y_true: Mask, y_prob: npt.NDArray[np.floating]) -> Ranking:
        """Rank rows; at least one must be positive.

        Args:
            y_true: (n,) whether a row is positive.
            y_prob: (n,) the probability of being positive.
        """
        order, ends = rank_by_probability(y_prob)
        places = np.flatnonzero(y_true[order])
        # The ties with a positive row, and where their positives start among all positives.
        ties, positive_starts = np.unique(np.searchsorted(ends, places), return_index=True)
        starts = np.append(0, ends[:-1] + 1)[ties]
        return cls(order, starts, ends[ties], order[places], positive_starts)

    def areas(self, weights: Doubles) -> tuple[float, float]:
        """ROC AUC and average precision of weighted rows.

        Args:
            weights: (n,) how often each row occurs.

        Returns:
            NaN for both if the weighted rows are all positive or all negative.
        """
        cumulative = np.cumsum(weights[self.order])
        predicted = cumulative[self.tie_ends]  # (ties,) weight of a tie and all above it
        # `reduceat` is wrong for empty segments, but each tie has a positive row.
        in_tie = np.add.reduceat(weights[self.positives], self.positive_starts)
        true_positives = np.cumsum(in_tie)
        positives, total = true_positives[-1], cumulative[-1]
        negatives = total - positives
        if not positives or not negatives:
            return np.nan, np.nan
        before = cumulative[self.tie_starts] - weights[self.order[self.tie_starts]]
        negatives_in_tie = predicted - before - in_tie
        negatives_below = negatives - (predicted - true_positives)
        # Pairs of a positive and a lower negative (Mann-Whitney U); a tied pair counts half.
        pairs = in_tie @ (negatives_below + negatives_in_tie / 2.0)
        # If all weights down to a tie are 0, so is `in_tie`, and the precision does not matter.
        precision = true_positives / np.maximum(predicted, 1.0)
        return float(pairs / (positives * negatives)), float(precision @ in_tie / positives)


def rank_by_probability(y_prob: npt.NDArray[np.floating]) -> tuple[Rows, Offsets]:
    """(n,) rows by falling probability, and (ties,) the last position of each tie."""
    order = np.argsort(-y_prob, kind="stable")
    # No probability is -1, so the last row always ends a tie.
    return order, np.flatnonzero(np.diff(y_prob[order], append=-1.0))
