"""The page of a server: a person types texts or drops a CSV, and sees the predictions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from embedclf.reports.html.explanations import CONTRIBUTION_SCALE
from embedclf.reports.html.rendering import render_template
from embedclf.reports.html.security import security_policy

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class PageRun:
    """What the page needs to know about a run."""

    name: str
    """As requests name it."""
    task: str
    label_count: int
    columns: tuple[str, ...]
    """Columns that a record needs: those of the text, and the fields."""
    list_separator: str = "|"
    """Joins the labels of a row in the CSV that the page writes."""


def render_page(runs: Sequence[PageRun], *, max_rows: int) -> str:
    """Render the page as a single file, which allows only its own style and script.

    Args:
        runs: Those to choose from, the default first.
        max_rows: Rows that the server accepts in a request; the page sends larger files in several.
    """
    settings = {
        "runs": list(map(asdict, runs)),
        "max_rows": max_rows,
        "steps": [step for step, _ in CONTRIBUTION_SCALE],
    }

    def render(security_policy: str) -> str:
        return render_template(
            "serving.html.j2",
            title="Classify texts",
            settings=settings,
            contribution_scale=CONTRIBUTION_SCALE,
            security_policy=security_policy,
        )

    return render(security_policy(render("")))
