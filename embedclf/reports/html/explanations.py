"""The page of explanations: each text with its tokens colored by their contributions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.reports.html.rendering import render_template, stream
from embedclf.reports.inference import CONTRIBUTION_STEPS, contribution_level
from embedclf.system.terminal import shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from embedclf.inference.explanation import Explanation, Segment

_MAX_TERMS = 20

_STRENGTHS = (0.0, 0.15, 0.32, 0.52, 0.75)
"""Opacity of the color of each level; more than the last would hide the text."""

CONTRIBUTION_SCALE = tuple(zip(CONTRIBUTION_STEPS, _STRENGTHS[1:], strict=True))
"""Smallest contribution of each color, and the opacity of the color, for the legend."""


def render_explanations(run: str, explanations: Iterable[Explanation]) -> Iterator[str]:
    """Render a page of many texts piece by piece, so that it takes the memory of one.

    Args:
        run: Name of the run that made the predictions.
        explanations: Consumed one by one while the page is written.
    """
    values = map(explanation_values, explanations)
    return stream(
        "explanations.html.j2",
        title="Explanations",
        run=run,
        contribution_scale=CONTRIBUTION_SCALE,
        explanations=values,
    )


def render_notebook_cell(explanations: Iterable[Explanation]) -> str:
    """Render a few explanations as a piece of HTML that leaves the page around it alone."""
    values = list(map(explanation_values, explanations))
    return render_template("explanation_cell.html.j2", explanations=values)


def explanation_values(explanation: Explanation) -> dict[str, Any]:
    """What templates show of an explanation."""
    terms = explanation.terms(_MAX_TERMS)
    return {
        "row": explanation.row,
        "label": explanation.label,
        "probability": explanation.probability,
        "predicted": explanation.predicted,
        "status": explanation.status,
        "segments": list(map(_segment, explanation.segments())),
        "unread": _lines(shorten(explanation.unread_text)),
        "read": len(explanation.tokens),
        "truncated": explanation.truncated,
        "no_known_token": explanation.no_known_token,
        "terms": _with_widths(terms),
        "logit": explanation.logit,
        "method": explanation.method,
    }


def _segment(segment: Segment) -> tuple[list[str], str, float, float]:
    """Lines, CSS classes (none between tokens), opacity and contribution of a piece of a text.

    A tuple, because Jinja looks up attributes slowly and a text can have many tokens.
    """
    contribution = segment.contribution
    if contribution is None:
        return _lines(segment.text), "", 0.0, 0.0
    side = "for" if contribution > 0 else "against"
    classes = side if segment.known else f"{side} unknown"
    strength = _STRENGTHS[contribution_level(contribution)]
    return _lines(segment.text), classes, strength, contribution


def _lines(text: str) -> list[str]:
    """Split a text into lines; the renderer shows other control characters as symbols."""
    return text.replace("\r\n", "\n").split("\n")


def _with_widths(
    terms: Sequence[tuple[str, int | None, float]],
) -> list[tuple[str, int | None, float, float]]:
    """Add the length of each term's bar, as a fraction of the longest."""
    largest = max(abs(term[2]) for term in terms) or 1.0  # all may be 0
    return [(*term, abs(term[2]) / largest) for term in terms]
