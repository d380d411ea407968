"""Two runs compared on the same rows, with McNemar's test."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.errors import RequestError
from embedclf.evaluation.bootstrap import percentile_intervals, resample
from embedclf.evaluation.metrics import DEFAULT_METRICS
from embedclf.evaluation.scored_rows import score_rows
from embedclf.evaluation.weighted_metrics import WeightedMetrics, compute_metrics
from embedclf.runs.labeled_sources import locate_table, locate_test_rows
from embedclf.system.progress import activity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from embedclf.config.fields import Tables
    from embedclf.data.labels import Targets
    from embedclf.evaluation.bootstrap import Interval
    from embedclf.evaluation.metrics import MetricValues
    from embedclf.evaluation.predictions import Predictions
    from embedclf.evaluation.scored_rows import ScoredRows
    from embedclf.runs.labeled_sources import LabeledSource
    from embedclf.runs.run import Run
    from embedclf.system.arrays import Int64s, Mask
    from embedclf.tables.tables import Table

_SHOWN = 4
"""Rows to list per type of change."""


@dataclass(frozen=True)
class ChangedRow:
    """A row that one run predicts correctly and the other does not."""

    location: str
    """`file:line`"""
    text: str
    actual: tuple[str, ...]
    predicted: tuple[tuple[str, ...], tuple[str, ...]]
    """By the first run, by the second."""


@dataclass(frozen=True)
class Comparison:
    """The second of two runs compared with the first, on the same rows."""

    source: str
    """The rows, for people."""
    table: Table
    """The table that they were read from."""
    rows: int
    weight: str | None
    """The column of the weights of the rows."""
    cautions: tuple[str, str]
    """Why the scores of each run are optimistic, for people; empty if they are not."""
    metrics: tuple[MetricValues, MetricValues]
    differences: dict[str, tuple[float, Interval] | None]
    """By metric: the second run's value minus the first's, and a 95% interval from paired draws."""
    draws: int
    resampled: str
    """What the draws take, for people: `rows`, or `30 groups of 'user'`."""
    fixed: int
    """Number of rows that only the second run predicts correctly."""
    broken: int
    """Number of rows that only the first run predicts correctly."""
    p_value: float
    """Result of McNemar's exact test; of `grouped_mcnemar` if rows have groups."""
    changed: tuple[ChangedRow, ...]
    """Examples of these rows: those the second run broke, then those it fixed."""


@activity("comparing runs")
def compare_runs(
    first: Run,
    second: Run,
    table: Tables | None = None,
    reading: Mapping[str, Any] | None = None,
) -> Comparison:
    """Compare two runs on the same rows.

    Args:
        first: A run.
        second: Another run with the same labels.
        table: Labeled rows; None uses the test rows of both, or their validation rows.
        reading: Keys of `data` by which the table differs from those of the runs.

    Raises:
        RequestError: The runs have different labels, or no such rows in common.
        DataError: A table cannot be used.
        RunError: A table has changed, so the validation rows are unknown.
    """
    _check_labels(first, second)
    sources = _locate_rows(first, second, table, reading or {})
    scored = [score_rows(*pair) for pair in zip((first, second), sources, strict=True)]
    _check_rows(first, second, scored)
    _check_weights(first, second, scored)
    # By groups, and with weights, if either run has any.
    grouped = max(scored, key=lambda rows: rows.groups is not None)
    weighted = max(scored, key=lambda rows: rows.weights is not None)
    both = [
        replace(rows.predictions, weights=weighted.weights, groups=grouped.groups)
        for rows in scored
    ]
    names = DEFAULT_METRICS[first.record["task"]]
    draws = resample(
        [WeightedMetrics(predictions, names) for predictions in both],
        cells=both[0].cells,
        seed=sources[0].config.seed,
    )
    metrics = compute_metrics(both[0], names), compute_metrics(both[1], names)
    # (draws, 2 * metrics) -> (draws, metrics), second minus first.
    intervals = percentile_intervals(draws[:, len(names) :] - draws[:, : len(names)])
    counted = both[0].is_counted
    fixed = counted & both[1].correct & ~both[0].correct
    broken = counted & both[0].correct & ~both[1].correct
    return Comparison(
        sources[0].name,
        scored[0].labeled.table,
        len(scored[0]),
        weighted.source.config.data.weight,
        (sources[0].caution, sources[1].caution),
        metrics,
        {
            name: _difference(name, metrics, interval)
            for name, interval in zip(names, intervals, strict=True)
        },
        len(draws),
        grouped.resampled,
        int(fixed.sum()),
        int(broken.sum()),
        _test_changes(fixed, broken, grouped.groups),
        (*_changed_rows(scored[0], both, broken), *_changed_rows(scored[0], both, fixed)),
    )


def mcnemar(fixed: int, broken: int) -> float:
    """Compute McNemar's exact test of two classifiers on the same rows.

    McNemar, Note on the Sampling Error of the Difference between Correlated Proportions or
    Percentages, 1947.

    Args:
        fixed: Number of rows that only the second predicts correctly.
        broken: Number of rows that only the first predicts correctly.

    Returns:
        The two-sided p-value: the probability of counts at least as uneven if both were equally
        good; 1 if both counts are 0.
    """
    from scipy.stats import binomtest

    changed = fixed + broken
    return float(binomtest(fixed, changed).pvalue) if changed else 1.0


def grouped_mcnemar(changes: Int64s) -> float:
    """Compute McNemar's test of rows in groups, which are not independent.

    If both classifiers are equally good, swapping them in all rows of a group changes nothing. So
    the signs of the groups' changes are flipped at random (a permutation test, as of paired samples
    in Good, Permutation, Parametric and Bootstrap Tests of Hypotheses, 2005). With groups of one
    row, this is McNemar's exact test.

    Args:
        changes: (groups,) rows that only the second predicts correctly, minus those that only the
            first does.

    Returns:
        The two-sided p-value, exact except for rounding.
    """
    sizes, counts = np.unique(np.abs(changes), return_counts=True)
    most = int(sizes @ counts)
    angles = 2.0 * np.pi * np.arange(2 * most + 1) / (2 * most + 1)
    # A sum of independent signs has a product of cosines as its characteristic function.
    characteristic = np.prod(np.cos(np.outer(sizes, angles)) ** counts[:, None], axis=0)
    probabilities = np.fft.fft(characteristic).real / len(angles)  # of 0, 1, ..., -2, -1
    sums = np.fft.fftfreq(len(angles), 1 / len(angles))
    return float(np.clip(probabilities[np.abs(sums) > abs(changes.sum()) - 0.5].sum(), 0.0, 1.0))


def _check_labels(first: Run, second: Run) -> None:
    records = first.record, second.record
    if any(records[0][key] != records[1][key] for key in ("task", "labels")):
        one, other = (f"{', '.join(record['labels'])} ({record['task']})" for record in records)
        raise RequestError(
            f"cannot compare runs with different labels: {first.path} has {one}; {second.path} has "
            f"{other}"
        )


def _locate_rows(
    first: Run, second: Run, table: Tables | None, reading: Mapping[str, Any]
) -> tuple[LabeledSource, LabeledSource]:
    """Locate the rows for each run, and check that they are the same."""
    configs = first.config(), second.config()
    if table is not None:
        return (
            locate_table(first, configs[0], table, reading),
            locate_table(second, configs[1], table, reading),
        )
    one, other = locate_test_rows(first, configs[0]), locate_test_rows(second, configs[1])
    all_rows = np.ones(1, np.bool_)
    masks = [all_rows if source.only is None else source.only for source in (one, other)]
    if one.table != other.table or not np.array_equal(masks[0], masks[1]):
        raise RequestError(
            f"{first.path} and {second.path} do not have the same test rows ({one.name}; "
            f"{other.name}); choose labeled rows with --data TABLE"
        )
    return one, other


def _check_rows(first: Run, second: Run, scored: list[ScoredRows]) -> None:
    """Check that both configs read the same rows of the table, with the same labels."""
    one, other = scored
    same_rows = np.array_equal(one.labeled.positions, other.labeled.positions)
    if not same_rows or not _are_equal(one.targets, other.targets):
        raise RequestError(
            f"{first.path} and {second.path} read different rows or labels from "
            f"{one.source.name}: their configs differ in data.label, data.label_separator, "
            "data.missing_labels, data.merge_label_forms or data.skip_invalid"
        )


def _check_weights(first: Run, second: Run, scored: list[ScoredRows]) -> None:
    """Raise RequestError if both runs weight rows, but not alike."""
    one, other = (rows.weights for rows in scored)
    if one is not None and other is not None and not np.array_equal(one, other):
        columns = " and ".join(repr(rows.source.config.data.weight) for rows in scored)
        raise RequestError(
            f"{first.path} and {second.path} weight rows by different columns ({columns}); "
            "compare runs with the same data.weight"
        )


def _test_changes(fixed: Mask, broken: Mask, groups: Int64s | None) -> float:
    """Return the p-value of the rows (n,) that the second run fixes and breaks."""
    if groups is None:
        return mcnemar(int(fixed.sum()), int(broken.sum()))
    numbers = np.unique(groups, return_inverse=True)[1]
    changes = np.bincount(numbers, fixed.astype(np.int64) - broken)
    return grouped_mcnemar(changes.astype(np.int64))


def _are_equal(one: Targets, other: Targets) -> bool:
    if one.ndim == 1:
        return np.array_equal(one, other)
    return bool(one.shape == other.shape and (one != other).nnz == 0)


def _difference(
    name: str, metrics: tuple[MetricValues, MetricValues], interval: Interval | None
) -> tuple[float, Interval] | None:
    one, other = metrics[0][name], metrics[1][name]
    if one is None or other is None or interval is None:
        return None
    return other - one, interval


def _changed_rows(scored: ScoredRows, both: list[Predictions], mask: Mask) -> list[ChangedRow]:
    """The first rows under a mask."""
    rows = np.flatnonzero(mask)[:_SHOWN]
    first, second = both
    labels = first.labels
    return [
        ChangedRow(
            location,
            text,
            labels.decode(first.y_true, row),
            (labels.decode(first.y_pred, row), labels.decode(second.y_pred, row)),
        )
        for row, (location, text) in zip(rows.tolist(), scored.read_texts(rows), strict=True)
    ]
