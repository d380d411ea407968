"""Thresholds and what they come to → text and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.layout import new_table, percent, rendered, score
from embedclf.report import to_json
from embedclf.scoring import BEFORE_REFIT
from embedclf.thresholds import named

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.decisions import Choice, Weighed

COLUMNS = ("rule", "threshold", "precision", "recall", "f1", "given", "rows", "")
"""Of a table of choices."""


def weighed(told: Weighed) -> str:
    """What thresholds come to, the one that the run decides by marked."""
    several = len(told.thresholds) > 1
    head = ("label", "rule") if several else ("rule",)
    numbers = range(len(head), len(head) + 6)
    table = new_table(*head, *COLUMNS[1:], numbers=numbers)
    for choice in told.choices:
        table.add_row(*([choice.label] if several else []), *cells(choice))
    lines = [
        heading(told),
        rendered(table),
        flattered(told),
    ]
    return "\n".join(lines)


def heading(told: Weighed) -> str:
    """Which rows, and of which label if it is one."""
    of = "" if len(told.thresholds) > 1 else f" of {told.choices[0].label!r}"
    return f"{told.place}: {told.rows:,} rows; what thresholds{of} come to"


def flattered(told: Weighed) -> str:
    """Why other rows would come to less."""
    before = f"; {BEFORE_REFIT}" if told.refitted else ""
    return (
        "measured on the rows that they are chosen on, so a little too good; `embedclf evaluate` "
        f"scores others{before}"
    )


def weighed_json(run: Path, told: Weighed) -> str:
    """The same for programs."""
    return to_json(
        {
            "run": str(run),
            "data": told.place,
            "refitted": told.refitted,
            "rows": told.rows,
            "rule": named(told.rule),
            "thresholds": told.thresholds,
            "choices": [_choice_json(choice) for choice in told.choices],
        }
    )


def cells(choice: Choice) -> list[str]:
    """A rule and what it comes to, in the order of `COLUMNS`."""
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
