"""The explanation of a prediction, for notebooks and consoles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedclf.inference.explanation import Explanation


@dataclass(frozen=True, repr=False)
class TextExplanation:
    """Why a text has its prediction; notebooks show the text in colors, `print` a table."""

    labels: tuple[Explanation, ...]
    """One for each explained label."""

    def __repr__(self) -> str:
        explained = (f"{each.label} {each.probability:.4f}" for each in self.labels)
        return f"TextExplanation({', '.join(explained)})"

    def __str__(self) -> str:
        from embedclf.reports.inference import explanations_text

        return "".join(explanations_text(self.labels)).rstrip("\n")

    def _repr_html_(self) -> str:
        from embedclf.reports.html.explanations import render_notebook_cell

        return render_notebook_cell(self.labels)
