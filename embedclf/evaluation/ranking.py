"""Rows ranked by probability, and the areas under their ROC and PR curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from embedclf.system.arrays import Doubles, Int32s, Mask, Offsets, Rows


@dataclass(frozen=True)
class Ranking:
    """Rows ranked by probability, to compute areas for many weightings.

    Only the probabilities of positive rows matter: where they lie among all others. So a row is
    described by the number of its segment, from the lowest probability to the highest. Segments of
    odd numbers are ties with a positive row, the others lie between them.
    """

    segments: Int32s
    """(n,)"""
    ties: int
    """Number of different probabilities of positive rows."""
    positives: Rows
    """(positives,) the positive rows."""

    @classmethod
    def from_predictions(cls, y_true: Mask, y_prob: npt.NDArray[np.floating]) -> Ranking:
        """Rank rows; at least one must be positive.

        Args:
            y_true: (n,) whether a row is positive.
            y_prob: (n,) the probability of being positive.
        """
        ties = np.unique(y_prob[y_true])
        below = np.searchsorted(ties, y_prob)  # ties below each row
        segments = below + np.searchsorted(ties, y_prob, side="right")
        return cls(segments.astype(np.int32), len(ties), np.flatnonzero(y_true))

    def areas(self, weights: Doubles) -> tuple[float, float]:
        """ROC AUC and average precision of weighted rows.

        Args:
            weights: (n,) how often each row occurs.

        Returns:
            NaN for both if the weighted rows are all positive or all negative.
        """
        totals = np.bincount(self.segments, weights, 2 * self.ties + 1)
        of_positives = weights[self.positives]
        in_tie = np.bincount(self.segments[self.positives] // 2, of_positives, self.ties)
        negatives_in_tie = totals[1::2] - in_tie
        # From the lowest segment up; the last one, above all positives, holds negatives alone.
        negatives_up_to = np.cumsum(totals[:-1:2] + np.append(0.0, negatives_in_tie[:-1]))
        positives = in_tie.sum()
        negatives = negatives_up_to[-1] + negatives_in_tie[-1] + totals[-1]
        if not positives or not negatives > 0.0:
            return np.nan, np.nan
        # Pairs of a positive and a lower negative (Mann-Whitney U); a tied pair counts half.
        pairs = in_tie @ (negatives_up_to + negatives_in_tie / 2.0)
        # Of each tie and all above it.
        true_positives = np.cumsum(in_tie[::-1])
        predicted = np.cumsum((totals[1::2] + totals[2::2])[::-1])
        # If all weights down to a tie are 0, so is `in_tie`, and the precision does not matter.
        precision = true_positives / np.maximum(predicted, np.finfo(np.float64).tiny)
        average_precision = float(precision @ in_tie[::-1] / positives)
        return float(pairs / (positives * negatives)), average_precision


def rank_by_probability(y_prob: npt.NDArray[np.floating]) -> tuple[Rows, Offsets]:
    """(n,) rows by falling probability, and (ties,) the last position of each tie."""
    order = np.argsort(-y_prob, kind="stable")
    # No probability is -1, so the last row always ends a tie.
    return order, np.flatnonzero(np.diff(y_prob[order], append=-1.0))
