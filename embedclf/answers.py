"""Predictions → text and JSON: what a run says of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.layout import NONE, new_table, percent, rendered, score
from embedclf.report import to_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_LAST = ("truncated", "unknown_share", "text")


def predictions(rows: Sequence[dict[str, Any]]) -> str:
    """Predictions of single texts for people: a line a text."""
    found = [name for name in rows[0] if name not in _LAST]
    numbers = [index for index, name in enumerate(found) if "probability" in name]
    table = new_table(*found, "unknown", "text", numbers=(*numbers, len(found)))
    for row in rows:
        cells = [_cell(row[name]) for name in found]
        cut = " (cut)" if row["truncated"] else ""
        table.add_row(*cells, percent(row["unknown_share"]), f"{row['text']}{cut}")
    return rendered(table)


def predictions_json(run: Path, rows: Sequence[dict[str, Any]]) -> str:
    """Predictions for programs, a record a row."""
    return to_json({"run": str(run), "predictions": rows})


def _cell(given: Any) -> str:
    return score(given) if isinstance(given, float) else given or NONE
