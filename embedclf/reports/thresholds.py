"""Thresholds and what they come to -> text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.evaluation.scored_rows import REFIT_CAUTION
from embedclf.evaluation.thresholds import describe_rule
from embedclf.system.terminal import (
    format_percent,
    format_score,
    new_table,
    render,
    shorten,
    to_json,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from embedclf.evaluation.run_thresholds import ThresholdOption, ThresholdTable

THRESHOLD_COLUMNS = ("rule", "threshold", "precision", "recall", "f1", "given", "rows", "")
"""The columns that `threshold_cells` fills."""


def threshold_text(thresholds: ThresholdTable) -> str:
    """Show precision and recall at several thresholds, the current one marked."""
    several = len(thresholds.thresholds) > 1
    head = ("label", "rule") if several else ("rule",)
    numbers = range(len(head), len(head) + 6)
    table = new_table(*head, *THRESHOLD_COLUMNS[1:], numbers=numbers)
    for option in thresholds.options:
        table.add_row(*([option.label] if several else []), *threshold_cells(option))
    return "\n".join([threshold_heading(thresholds), render(table), threshold_caution(thresholds)])


def threshold_json(run: Path, thresholds: ThresholdTable) -> str:
    """The table as JSON."""
    return to_json(
        {
            "run": str(run),
            "data": thresholds.source,
            "refitted": thresholds.refitted,
            "rows": thresholds.rows,
            "rule": describe_rule(thresholds.rule),
            "thresholds": thresholds.thresholds,
            "choices": [_option_values(option) for option in thresholds.options],
        }
    )


def threshold_heading(thresholds: ThresholdTable) -> str:
    """Name the rows, and the label if there is only one to decide on."""
    label = "" if len(thresholds.thresholds) > 1 else f" of {thresholds.options[0].label!r}"
    return f"{thresholds.source}: {thresholds.rows:,} rows; what thresholds{label} come to"


def threshold_caution(thresholds: ThresholdTable) -> str:
    """Warn that the scores are optimistic: the same rows chose the thresholds."""
    before = f"; {REFIT_CAUTION}" if thresholds.refitted else ""
    return (
        "measured on the rows that they are chosen on, so a little too good; `embedclf evaluate` "
        f"scores others{before}"
    )


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
        "the run's" if option.is_current else "",
    ]


def format_thresholds(labels: Sequence[str], thresholds: Sequence[float]) -> str:
    """The probability from which each label is predicted.

    Args:
        labels: All labels of a run.
        thresholds: One for each label, or with two labels only that of the second.
    """
    if len(thresholds) > 1 and len(set(thresholds)) == 1:
        return f"each label from {thresholds[0]:.4f} on"
    # A single threshold belongs to the last label, the positive one.
    pairs = zip(labels[-len(thresholds) :], thresholds, strict=True)
    return shorten(", ".join(f"{label!r} from {threshold:.4f} on" for label, threshold in pairs))


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
        "share_given": float(point.predicted_fraction[0]),
    }
