"""Thresholds with their precision and recall -> text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.evaluation.thresholds import describe_rule
from embedclf.runs.seen_tables import REFIT_CAUTION
from embedclf.system.terminal import (
    format_percent,
    format_score,
    join_shortened,
    new_table,
    render,
    to_json,
    wrap_result,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from embedclf.evaluation.run_thresholds import ThresholdOption, ThresholdTable

THRESHOLD_COLUMNS = ("rule", "threshold", "precision", "recall", "f1", "predicted", "rows", "")
"""The columns of `threshold_cells`."""


def threshold_text(thresholds: ThresholdTable) -> str:
    """Show precision and recall at several thresholds; the current one is marked."""
    several = len(thresholds.thresholds) > 1
    head = ("label", "rule") if several else ("rule",)
    numbers = range(len(head), len(head) + 6)
    table = new_table(*head, *THRESHOLD_COLUMNS[1:-1], numbers=numbers)
    for option in thresholds.options:
        rule, *scores, mark = threshold_cells(option)
        # Next to the rule: as a column, it is too far away, and too wide for 80 characters.
        marked = f"{rule} ({mark})" if mark else rule
        table.add_row(*([option.label] if several else []), marked, *scores)
    caution = wrap_result(threshold_caution(thresholds))
    return "\n".join([threshold_heading(thresholds), render(table), caution])


def threshold_json(run: Path, thresholds: ThresholdTable) -> str:
    """The table as JSON."""
    return to_json(
        {
            "run": str(run),
            "data": thresholds.source,
            "refitted": thresholds.refitted,
            "rows": thresholds.rows,
            "weight": thresholds.weight,
            "rule": describe_rule(thresholds.rule),
            "thresholds": thresholds.thresholds,
            "choices": [_option_values(option) for option in thresholds.options],
        }
    )


def threshold_heading(thresholds: ThresholdTable) -> str:
    """Name the rows and their weights, and the label if only one has a threshold."""
    label = "" if len(thresholds.thresholds) > 1 else f" for {thresholds.options[0].label!r}"
    weights = f", weighted by {thresholds.weight!r}" if thresholds.weight else ""
    return f"thresholds{label} on {thresholds.rows:,} {thresholds.source}{weights}"


def threshold_caution(thresholds: ThresholdTable) -> str:
    """Warn that the scores are optimistic."""
    before = f"; {REFIT_CAUTION}" if thresholds.refitted else ""
    return f"slightly optimistic: the same rows chose the threshold{before}"


def threshold_cells(option: ThresholdOption) -> list[str]:
    """A rule, its threshold and scores, in the order of `THRESHOLD_COLUMNS`."""
    point = option.point
    # Each (1,): a point is a curve of a single threshold.
    scores = (point.thresholds, point.precision, point.recall, point.f1)
    return [
        describe_rule(option.rule),
        *(format_score(float(values[0])) for values in scores),
        format_percent(float(point.predicted_fraction[0])),
        # Rounding recovers the exact count from the fraction.
        f"{round(float(point.predicted_fraction[0]) * point.rows):,}",
        "current" if option.is_current else "",
    ]


def format_thresholds(labels: Sequence[str], thresholds: Sequence[float]) -> str:
    """Format the probability from which each label is predicted: `'pos' ≥ 0.4200`.

    Args:
        labels: All labels of a run.
        thresholds: One for each label, or in a binary task only that of the second.
    """
    if len(thresholds) > 1 and len(set(thresholds)) == 1:
        return f"every label ≥ {thresholds[0]:.4f}"
    # A single threshold belongs to the last label, the positive one.
    pairs = zip(labels[-len(thresholds) :], thresholds, strict=True)
    return join_shortened([f"{label!r} ≥ {threshold:.4f}" for label, threshold in pairs])


def _option_values(option: ThresholdOption) -> dict[str, Any]:
    point = option.point
    return {
        "label": option.label,
        "rule": describe_rule(option.rule),
        "taken": option.is_current,
        "threshold": float(point.thresholds[0]),
        "precision": float(point.precision[0]),
        "recall": float(point.recall[0]),
        "f1": float(point.f1[0]),
        "predicted_fraction": float(point.predicted_fraction[0]),
    }
