"""A comparison of two runs -> text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.evaluation.metrics import LOWER_IS_BETTER
from embedclf.reports.evaluation import format_interval
from embedclf.system.control_characters import escape_controls
from embedclf.system.terminal import (
    NO_VALUE,
    format_count,
    format_definitions,
    format_score,
    new_table,
    render,
    shorten,
    to_json,
    wrap_result,
)

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.evaluation.bootstrap import Interval
    from embedclf.evaluation.compare import ChangedRow, Comparison

_MAX_TEXT_CHARACTERS = 200

_SIGNIFICANCE_LEVEL = 0.05
"""The p-value below which a difference is significant."""


def comparison_text(first: Path, second: Path, comparison: Comparison) -> str:
    """Show the scores of both runs, and what changed from the first to the second."""
    titles = ("", "first", "second", "difference", "95% interval", "better")
    table = new_table(*titles, numbers=(1, 2, 3, 4))
    for name, difference in comparison.differences.items():
        scores = [format_score(values[name]) for values in comparison.metrics]
        table.add_row(name, *scores, *_difference_cells(name, difference))
    lines = [
        format_definitions(
            [
                ("first", str(first)),
                ("second", str(second)),
                ("rows", f"{comparison.rows:,} {comparison.source}"),
            ]
        ),
        render(table),
        format_definitions(
            [
                *_cautions(comparison),
                *_weights(comparison),
                (
                    "intervals",
                    f"95% confidence, {comparison.draws:,} paired bootstrap draws over "
                    f"{comparison.resampled}",
                ),
                ("changes", _mcnemar_text(comparison)),
            ]
        ),
        *map(_changed_row_text, comparison.changed),
    ]
    return "\n".join(lines)


def comparison_json(first: Path, second: Path, comparison: Comparison) -> str:
    """The comparison as JSON."""
    return to_json(
        {
            "runs": [str(first), str(second)],
            "place": comparison.source,
            "rows": comparison.rows,
            "weight": comparison.weight,
            "cautions": comparison.cautions,
            "scores": comparison.metrics,
            "differences": {
                # An undefined difference stays None: null in JSON.
                name: difference and {"difference": difference[0], "interval": difference[1]}
                for name, difference in comparison.differences.items()
            },
            "draws": comparison.draws,
            "resampled": comparison.resampled,
            "fixed": comparison.fixed,
            "broken": comparison.broken,
            "p_value": comparison.p_value,
            "changed": [_changed_row_values(row) for row in comparison.changed],
        }
    )


def _cautions(comparison: Comparison) -> list[tuple[str, str]]:
    """Why the scores are optimistic; once if the reason is the same for both runs."""
    first, second = comparison.cautions
    if first == second:
        return [("caution", first)] if first else []
    pairs = (("first", first), ("second", second))
    return [("caution", f"{run} run: {caution}") for run, caution in pairs if caution]


def _weights(comparison: Comparison) -> list[tuple[str, str]]:
    if comparison.weight is None:
        return []
    return [("weights", f"rows are weighted by {comparison.weight!r}")]


def _difference_cells(name: str, difference: tuple[float, Interval] | None) -> tuple[str, str, str]:
    """Format a difference, its interval, and the run that is significantly better."""
    if difference is None:
        return NO_VALUE, NO_VALUE, ""
    gain, interval = difference
    if interval[0] <= 0.0 <= interval[1]:
        better = ""
    else:
        # Exclusive or: for a loss, lower is better.
        better = "second" if (gain > 0.0) != (name in LOWER_IS_BETTER) else "first"
    return f"{gain:+.4f}", format_interval(interval), better


def _mcnemar_text(comparison: Comparison) -> str:
    if comparison.p_value >= _SIGNIFICANCE_LEVEL:
        verdict = "no clear difference"
    elif comparison.fixed > comparison.broken:
        verdict = "the second is right significantly more often"
    else:
        verdict = "the first is right significantly more often"
    by_row = comparison.resampled == "rows"
    test = "McNemar's exact test" + ("" if by_row else f" over {comparison.resampled}")
    return (
        f"the second run fixes {format_count(comparison.fixed, 'row')} and breaks "
        f"{comparison.broken:,}: {verdict} ({test}, p = {comparison.p_value:.2g})"
    )


def _changed_row_text(row: ChangedRow) -> str:
    labels = (row.actual, *row.predicted)
    actual, first, second = (", ".join(names) or "no label" for names in labels)
    # Exactly one run is right about a changed row, so looking at the second is enough.
    change = "fixed" if second == actual else "broken"
    head = f"{row.location}  {change}: actual {actual}, first {first}, second {second}"
    text = shorten(" ".join(row.text.split()), _MAX_TEXT_CHARACTERS)
    return f"{wrap_result(escape_controls(head))}\n{format_definitions([('', text)])}"


def _changed_row_values(row: ChangedRow) -> dict[str, Any]:
    return {
        "place": row.location,
        "text": row.text,
        "actual": row.actual,
        "predicted": row.predicted,
    }
