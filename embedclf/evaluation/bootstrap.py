"""Confidence intervals by the bootstrap.

Rows are drawn with replacement, which gives each a weight; a measure of weighted rows is what it
would be if each row stood there so many times (Efron and Tibshirani, An Introduction to the
Bootstrap, 1993, chapter 13). What costs time, sorting above all, is done once for all draws.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from embedclf.evaluation.metrics import BINS, RANKING, SHARES, Ranking, bin_of
from embedclf.system.threads import in_order, threads_of_one

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from embedclf.evaluation.metrics import Predictions
    from embedclf.system.arrays import Doubles, Int64s

Interval = tuple[float, float]
"""From, to."""

_MOST, _FEWEST = 1000, 200
"""Draws."""

_MOST_CELLS = 1 << 30
"""Rows times outputs times draws; where they would be more, there are fewer draws."""

_AT_ONCE = 20

_TAILS = (2.5, 97.5)


class Bootstrap:
    """Measures rows again and again, each time with other weights."""

    def __init__(
        self, predicted: Predictions, names: Sequence[str], *, by_label: bool = False
    ) -> None:
        """Prepare.

        Args:
            predicted: The rows.
            names: What is to be measured, as `measures.measure` knows it.
            by_label: Whether precision, recall and f1 of each label are to follow.
        """
        self.predicted = predicted
        self.names = names
        self.by_label = by_label

    def __call__(self, weights: Doubles) -> Doubles:
        """Measure rows by how often each (n,) is there.

        Returns:
            (names,) and behind them, if wanted, (labels · 3) label by label; NaN for what such
            rows do not define.
        """
        draw = _Draw(self, weights)
        values = np.array([draw.measured(name) for name in self.names], np.float64)
        return np.append(values, draw.shares.T.ravel()) if self.by_label else values

    @cached_property
    def cells(self) -> Int64s:
        """(n,) the cell of a table of true and given labels, an unknown one being the last."""
        width = len(self.predicted.labels.names) + 1
        true: Int64s = self.predicted.targets.astype(np.int64)
        true[true < 0] = width - 1
        return true * width + self.predicted.decided

    @cached_property
    def hits(self) -> Doubles:
        """(n, 3 · labels) of several labels those found, given and there, in each row."""
        there, given = self.predicted.targets == 1, self.predicted.decided == 1
        return np.concatenate([there & given, given, there], axis=1).astype(np.float64)

    @cached_property
    def exact(self) -> Doubles:
        """(n,) 1 where all of a row is right."""
        return self.predicted.right.astype(np.float64)

    @cached_property
    def rankings(self) -> list[Ranking]:
        """The ranking of the known rows by each output that came true of some and not of all."""
        predicted = self.predicted
        likely = predicted.probabilities[predicted.known]
        return [
            Ranking.of(column, came)
            for column, came in zip(likely.T, predicted.came.T, strict=True)
            if came.any() and not came.all()
        ]

    @cached_property
    def losses(self) -> dict[str, Doubles]:
        """(known,) what each known row adds to the mean of a measure."""
        likely, came = self.predicted.likely, self.predicted.came
        squares = (likely - came) ** 2
        if self.predicted.labels.task == "multiclass":
            return {"log_loss": -np.log(likely[came]), "brier": squares.sum(axis=1)}
        logs = -np.log(np.where(came, likely, 1.0 - likely))
        return {"log_loss": logs.mean(axis=1), "brier": squares.mean(axis=1)}

    @cached_property
    def gaps(self) -> tuple[Int64s, Doubles]:
        """(claims,) the bin of each probability, and how far it is from what came."""
        likely, came = self.predicted.claims
        return bin_of(likely), likely - came


class _Draw:
    """Weighted rows: what several measures need of them is found once."""

    def __init__(self, resampler: Bootstrap, weights: Doubles) -> None:
        self._of = resampler
        self._weights = weights
        self._total = weights.sum()

    def measured(self, name: str) -> float:
        """A measure by its name."""
        if name in {"accuracy", "subset_accuracy"}:
            return float(self._weights @ self._of.exact / self._total)
        if name == "mcc":
            return self._mcc()
        if name in RANKING:
            return float(self._ranked[RANKING.index(name)])
        if name == "ece":
            return self._ece()
        if name in {"log_loss", "brier"}:
            known = self._known
            return float(known @ self._of.losses[name] / known.sum()) if known.any() else np.nan
        return self._share(*name.rpartition("_")[::2])

    @cached_property
    def shares(self) -> Doubles:
        """(3, labels) precision, recall and f1 of each known label."""
        return _shares(self._counts[:, : len(self._of.predicted.labels.names)])

    @property
    def supports(self) -> tuple[Doubles, Doubles, Doubles]:
        """(labels,) the rows that precision, recall and f1 of each known label are shares of."""
        _, given, there = self._counts[:, : self.shares.shape[1]]
        return given, there, there

    def support(self, name: str) -> float:
        """The rows that a measure is a share of: for a mean over labels those of the rarest.

        0 where it is no share of rows, or there is none.
        """
        average, _, share = name.rpartition("_")
        if name == "mcc" and self._mcc() <= 0.0:  # no worst there is, but what guessing reaches
            return 0.0
        if share not in SHARES or average == "micro":
            return float(self._total)
        of = self.supports[SHARES.index(share)]
        return float(of.min() if average else of[1])

    @cached_property
    def _counts(self) -> Doubles:
        """(3, labels, unknown ones behind) rows in which each label is found, given and there."""
        if self._of.predicted.labels.task == "multilabel":
            return (self._weights @ self._of.hits).reshape(3, -1)
        width = len(self._of.predicted.labels.names) + 1
        table = np.bincount(self._of.cells, self._weights, width * width).reshape(width, width)
        return np.stack([np.diag(table), table.sum(axis=0), table.sum(axis=1)])

    @cached_property
    def _known(self) -> Doubles:
        """(known,) weights of the rows whose label is known."""
        return self._weights[self._of.predicted.known]

    @cached_property
    def _ranked(self) -> Doubles:
        """(2,) ROC AUC and average precision, each the mean over outputs."""
        areas = [ranking.areas(self._known) for ranking in self._of.rankings]
        defined = np.array([pair for pair in areas if not np.isnan(pair[0])])
        return defined.mean(axis=0) if len(defined) else np.array([np.nan, np.nan])

    def _share(self, average: str, share: str) -> float:
        at = SHARES.index(share)
        if not average:
            return float(self.shares[at, 1])
        if average == "micro":
            return float(_shares(self._counts.sum(axis=1, keepdims=True))[at, 0])
        if average == "macro":
            return float(self.shares[at].mean())
        there = self._counts[2, : self.shares.shape[1]]
        return float(there @ self.shares[at] / there.sum()) if there.any() else 0.0

    def _mcc(self) -> float:
        """Matthews' coefficient for several classes (Gorodkin, 2004)."""
        found, given, there = self._counts
        spread = (self._total**2 - given @ given) * (self._total**2 - there @ there)
        both = found.sum() * self._total - given @ there
        return float(both / np.sqrt(spread)) if spread else 0.0

    def _ece(self) -> float:
        bins, gaps = self._of.gaps
        if not self._known.any():
            return np.nan
        weights = np.repeat(self._known, len(gaps) // len(self._known))
        return float(np.abs(np.bincount(bins, weights * gaps, BINS)).sum() / weights.sum())


def intervals_of(resampler: Bootstrap, values: Doubles, *, seed: int) -> list[Interval | None]:
    """The 95 % intervals of what a resampler measures.

    They are the middle 95 % of the draws (draws, values), None where no draw defines a value. The
    expected calibration error of few rows is too high, since it adds up what is chance in each
    bin, and that of draws from them still more. So its interval reaches as far below it as the
    draws lie above it (the pivotal bootstrap), and down to 0 where calibrated probabilities would
    come to as much in 2.5 of 100 cases (Bröcker and Smith, Increasing the Reliability of
    Reliability Diagrams, 2007). Where all draws agree on 1 or 0 since no row is wrong, or none is
    right, the interval is the exact one of so many rows (Clopper and Pearson, 1934).
    """
    found = intervals(values)
    whole = _Draw(resampler, np.ones(len(resampler.predicted.targets)))
    supports = [whole.support(name) for name in resampler.names]
    if resampler.by_label:
        supports += np.stack(whole.supports, axis=1).ravel().tolist()
    found = [
        interval and _widened(interval, support)
        for interval, support in zip(found, supports, strict=True)
    ]
    if "ece" in resampler.names:
        at = list(resampler.names).index("ece")
        interval = found[at]
        found[at] = interval and _of_calibration(resampler, whole, interval[1], seed)
    return found


def _widened(interval: Interval, support: float) -> Interval:
    """The exact interval of a share of so many rows, where draws show no other than 0 or 1."""
    if not support:
        return interval
    least = 0.025 ** (1.0 / support)
    if interval == (1.0, 1.0):
        return least, 1.0
    return (0.0, 1.0 - least) if interval == (0.0, 0.0) else interval


def _of_calibration(resampler: Bootstrap, whole: _Draw, high: float, seed: int) -> Interval:
    """The interval of the expected calibration error, whose upper end the draws tell."""
    measured = whole.measured("ece")
    likely, _ = resampler.predicted.claims
    bins, _ = resampler.gaps
    rng = np.random.default_rng(seed)
    chance = [
        np.abs(np.bincount(bins, likely - (rng.random(len(likely)) < likely), BINS)).sum()
        for _ in range(_FEWEST)
    ]
    by_chance = measured <= np.percentile(chance, _TAILS[1]) / len(likely)
    return 0.0 if by_chance else max(0.0, 2.0 * measured - high), high


def resample(
    measures: Sequence[Callable[[Doubles], Doubles]], rows: int, *, cells: int, seed: int
) -> Doubles:
    """Measure the same draws of rows by one or more resamplers.

    Args:
        measures: Resamplers over the same rows, in the same order.
        rows: How many there are.
        cells: Rows times outputs.
        seed: Source of chance.

    Returns:
        (draws, values of all behind one another); 1,000 draws, less for very many cells.
    """
    draws = int(np.clip(_MOST_CELLS // max(cells, 1), _FEWEST, _MOST))

    def some(block: int) -> list[Doubles]:
        rng = np.random.default_rng([seed, block])
        drawn = (rng.integers(0, rows, rows) for _ in range(min(_AT_ONCE, draws - block)))
        weights = (np.bincount(chosen, minlength=rows).astype(np.float64) for chosen in drawn)
        return [np.concatenate([measure(one) for measure in measures]) for one in weights]

    with threads_of_one():
        blocks = list(in_order(some, range(0, draws, _AT_ONCE)))
    return np.array([one for block in blocks for one in block])


def intervals(values: Doubles) -> list[Interval | None]:
    """The middle 95 % of draws (draws, values), for each value; None where none is defined."""
    found: list[Interval | None] = []
    for column in values.T:
        defined = column[~np.isnan(column)]
        edges = np.percentile(defined, _TAILS).tolist() if len(defined) else None
        found.append(edges and (edges[0], edges[1]))
    return found


def _shares(counts: Doubles) -> Doubles:
    """(3, labels) found, given and there → precision, recall and f1; 0 where undefined."""
    found, given, there = counts
    least = np.finfo(np.float64).tiny
    of = np.stack([given, there, (given + there) / 2.0])
    return np.where(of > 0.0, found / np.maximum(of, least), 0.0)
