"""Thresholds and what they come to → text and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.layout import new_table, percent, rendered, score
from embedclf.report import to_json
from embedclf.thresholds import named

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.decisions import Choice, Weighed


def weighed(told: Weighed) -> str:
    """What thresholds come to, the one that the run decides by marked."""
    several = len(told.thresholds) > 1
    head = ("label", "rule") if several else ("rule",)
    numbers = range(len(head), len(head) + 6)
    table = new_table(
        *head, "threshold", "precision", "recall", "f1", "given", "rows", "", numbers=numbers
    )
    for choice in told.choices:
        table.add_row(*([choice.label] if several else []), *_cells(choice))
    of = "" if several else f" of {told.choices[0].label!r}"
    lines = [
        f"{told.place}: {told.rows:,} rows; what thresholds{of} come to",
        rendered(table),
        "measured on the rows that they are chosen on, so a little too good; `embedclf evaluate` "
        "scores others",
    ]
    return "\n".join(lines)


def weighed_json(run: Path, told: Weighed) -> str:
    """The same for programs."""
    return to_json(
        {
            "run": str(run),
            "data": told.place,
            "rows": told.rows,
            "rule": named(told.rule),
            "thresholds": told.thresholds,
            "choices": [_choice_json(choice) for choice in told.choices],
        }
    )


def _cells(choice: Choice) -> list[str]:
    curve = choice.curve
    shares = (curve.thresholds, curve.precision, curve.recall, curve.f1)
    return [
        named(choice.rule),
        *(score(float(share[0])) for share in shares),
        percent(float(curve.given[0])),
        f"{round(float(curve.given[0]) * curve.rows):,}",
        "the run's" if choice.taken else "",
    ]


def _choice_json(choice: Choice) -> dict[str, Any]:
    curve = choice.curve
    shares = {
        "threshold": curve.thresholds,
        "precision": curve.precision,
        "recall": curve.recall,
        "f1": curve.f1,
        "share_given": curve.given,
    }
    values = {name: float(share[0]) for name, share in shares.items()}
    return {"label": choice.label, "rule": named(choice.rule), "taken": choice.taken, **values}
