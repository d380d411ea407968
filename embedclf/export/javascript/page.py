"""The page of an export, on which a person tries the classifier."""

from __future__ import annotations

from typing import Any

from embedclf.reports.html.explanations import CONTRIBUTION_SCALE
from embedclf.reports.html.rendering import render_template
from embedclf.reports.html.security import security_policy


def render_demo_page(description: dict[str, Any]) -> str:
    """Render the page, which imports the module beside it.

    Args:
        description: Of the classifier, as `describe` returns it.
    """
    columns = description["columns"]
    fields = [name for name in columns["fields"] if name not in columns["constants"]]

    def render(policy: str) -> str:
        return render_template(
            "demo.html.j2",
            title="Classify a text",
            run=description["run"],
            fields=fields,
            text=columns["text"],
            is_alone=not fields and len(columns["text"]) == 1,
            settings={"steps": [step for step, _ in CONTRIBUTION_SCALE]},
            contribution_scale=CONTRIBUTION_SCALE,
            security_policy=policy,
        )

    return render(security_policy(render(""), imports=True))
