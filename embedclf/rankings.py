"""Rankings: areas under the curves of ranked rows, for many weights of the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from embedclf.measures import Doubles

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Ranking:
    """Rows by falling probability; of the runs of equal ones those with a row that came true."""

    order: Integers
    """(n,) rows."""
    first: Integers
    """(runs,) places in the order where they begin."""
    last: Integers
    """(runs,) and where they end."""
    came: Integers
    """(true,) rows that came true, run by run."""
    starts: Integers
    """(runs,) where the rows of each run begin among these."""

    @classmethod
    def of(cls, likely: npt.NDArray[np.floating], came: npt.NDArray[np.bool_]) -> Ranking:
        """Rank rows (n,) by their probability."""
        order, last = ranked(likely)
        places = np.flatnonzero(came[order])
        runs, starts = np.unique(np.searchsorted(last, places), return_index=True)
        first = np.append(0, last[:-1] + 1)[runs]
        return cls(order, first, last[runs], order[places], starts)

    def areas(self, weights: Doubles) -> tuple[float, float]:
        """ROC AUC and average precision of weighted rows; NaN where all or none came true."""
        before = np.cumsum(weights[self.order])
        given = before[self.last]
        found = np.add.reduceat(weights[self.came], self.starts)
        found_by_then = np.cumsum(found)
        true, total = found_by_then[-1], before[-1]
        false = total - true
        if not true or not false:
            return np.nan, np.nan
        inside = given - before[self.first] + weights[self.order[self.first]] - found
        below = false - (given - found_by_then)
        precise = found_by_then / np.maximum(given, 1.0)
        return float(found @ (below + inside / 2.0) / (true * false)), float(precise @ found / true)


def ranked(likely: npt.NDArray[np.floating]) -> tuple[Integers, Integers]:
    """(n,) rows by falling probability, and (runs,) places where runs of equal ones end."""
    order = np.argsort(-likely, kind="stable")
    return order, np.flatnonzero(np.diff(likely[order], append=-1.0))
