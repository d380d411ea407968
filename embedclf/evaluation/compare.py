"""Two runs on the same rows, McNemar's test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from embedclf.errors import RequestError
from embedclf.evaluation.bootstrap import Bootstrap, intervals, resample
from embedclf.evaluation.metrics import BRIEF, compute_metrics
from embedclf.evaluation.scored_rows import of_run, of_table, score_rows
from embedclf.evaluation.scores import given

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.evaluation.bootstrap import Interval
    from embedclf.evaluation.metrics import MetricValues, Predictions
    from embedclf.evaluation.scored_rows import LabeledSource, ScoredRows
    from embedclf.runs.run import Run

_SHOWN = 10


@dataclass(frozen=True)
class ChangedRow:
    """A row that one run gets right and the other does not."""

    place: str
    """`file:line`"""
    text: str
    true: tuple[str, ...]
    given: tuple[tuple[str, ...], tuple[str, ...]]
    """By the first run, by the second."""


@dataclass(frozen=True)
class Comparison:
    """What the second of two runs does better or worse than the first, on the same rows."""

    place: str
    rows: int
    cautions: tuple[str, str]
    """Why the scores of each are not those of rows it has never seen, in words; mostly empty."""
    scores: tuple[MetricValues, MetricValues]
    differences: dict[str, tuple[float, Interval] | None]
    """How much higher each score of the second is, and the 95 % interval of that; paired draws."""
    draws: int
    mended: int
    """Rows that the second alone gets right."""
    broken: int
    """Rows that the first alone gets right."""
    p_value: float
    """McNemar's exact test: how likely chance alone would part these rows so unevenly, or more,
    if both were equally good."""
    changed: tuple[ChangedRow, ...]
    """Some of those rows: first what the second broke, then what it mended."""


def compare_runs(first: Run, second: Run, table: Path | None = None) -> Comparison:
    """Compare two runs on the same rows.

    McNemar's exact test (McNemar, Note on the Sampling Error of the Difference between Correlated
    Proportions or Percentages, 1947) looks at the rows that only one of them gets right.

    Args:
        first: A run.
        second: Another, of the same labels.
        table: Labelled rows; None takes the rows that both were tested on, or else validated on.

    Raises:
        RequestError: The runs differ in their labels, or have no such rows in common.
        DataError: A table cannot be used.
        RunError: A table has changed, so that validation rows are not to be had.
    """
    _check_labels(first, second)
    places = _places(first, second, table)
    scored = [score_rows(*pair) for pair in zip((first, second), places, strict=True)]
    predicted = [given(one.classifier.labels, one.targets, one.probabilities) for one in scored]
    _check_rows(first, second, scored)
    names = BRIEF[first.record["task"]]
    draws = resample(
        [Bootstrap(one, names) for one in predicted],
        len(scored[0]),
        cells=predicted[0].probabilities.size,
        seed=places[0].config.seed,
    )
    scores = compute_metrics(predicted[0], names), compute_metrics(predicted[1], names)
    gained = intervals(draws[:, len(names) :] - draws[:, : len(names)])
    first_right, second_right = (one.right for one in predicted)
    mended, broken = second_right & ~first_right, first_right & ~second_right
    return Comparison(
        scored[0].place.name,
        len(scored[0]),
        (places[0].caution, places[1].caution),
        scores,
        {name: _gain(name, scores, edges) for name, edges in zip(names, gained, strict=True)},
        len(draws),
        int(mended.sum()),
        int(broken.sum()),
        mcnemar(int(mended.sum()), int(broken.sum())),
        (*_changed(scored, predicted, broken), *_changed(scored, predicted, mended)),
    )


def mcnemar(mended: int, broken: int) -> float:
    """The two-sided p value of McNemar's exact test; 1 where no row differs."""
    from scipy.stats import binomtest

    both = mended + broken
    return float(binomtest(mended, both).pvalue) if both else 1.0


def _check_labels(first: Run, second: Run) -> None:
    one, other = first.record, second.record
    if (one["task"], one["labels"]) != (other["task"], other["labels"]):
        raise RequestError(
            f"{second.path} gives {', '.join(other['labels'])} ({other['task']}), {first.path} "
            f"gives {', '.join(one['labels'])} ({one['task']}); only runs of the same labels can "
            "be compared"
        )


def _check_rows(first: Run, second: Run, scored: list[ScoredRows]) -> None:
    """The same rows of a table, with the same labels by both configs."""
    one, other = scored
    same = np.array_equal(one.labeled.rows, other.labeled.rows)
    if not same or not np.array_equal(one.targets, other.targets):
        raise RequestError(
            f"{first.path} and {second.path} read other rows or labels in {one.place.name}: their "
            "configs differ in data.label, data.label_separator or data.skip_invalid"
        )


def _places(first: Run, second: Run, table: Path | None) -> tuple[LabeledSource, LabeledSource]:
    """Where each run finds the rows, which are the same."""
    configs = first.config(), second.config()
    if table is not None:
        return of_table(first, configs[0], table), of_table(second, configs[1], table)
    one, other = of_run(first, configs[0]), of_run(second, configs[1])
    every = np.ones(1, np.bool_)
    masks = [every if place.only is None else place.only for place in (one, other)]
    if one.table != other.table or not np.array_equal(masks[0], masks[1]):
        raise RequestError(
            f"{first.path} and {second.path} were not tested on the same rows ({one.name}; "
            f"{other.name}); name a table with --data"
        )
    return one, other


def _gain(
    name: str, scores: tuple[MetricValues, MetricValues], edges: Interval | None
) -> tuple[float, Interval] | None:
    one, other = scores[0][name], scores[1][name]
    return None if one is None or other is None or edges is None else (other - one, edges)


def _changed(
    scored: list[ScoredRows], predicted: list[Predictions], rows: npt.NDArray[np.bool_]
) -> list[ChangedRow]:
    """The first rows under a mask."""
    at = np.flatnonzero(rows)[:_SHOWN]
    one, other = predicted
    return [
        ChangedRow(
            place,
            text,
            one.labels.named(one.targets[row]),
            (one.labels.named(one.decided[row]), other.labels.named(other.decided[row])),
        )
        for row, (place, text) in zip(at.tolist(), scored[0].shown(at), strict=True)
    ]
