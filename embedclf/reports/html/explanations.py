"""The page of explanations: each text with its tokens colored by what they contributed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.reports.html.rendering import stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from embedclf.inference.explanation import Explanation

_MAX_TERMS = 20


def render_explanations(run: str, explanations: Iterable[Explanation]) -> Iterator[str]:
    """Render a page of many texts piece by piece, so that it takes the memory of one.

    Args:
        run: Name of the run that made the predictions.
        explanations: Consumed one by one while the page is written.
    """
    values = map(explanation_values, explanations)
    return stream("explanations.html.j2", title=f"Explained by {run}", explanations=values)


def explanation_values(explanation: Explanation) -> dict[str, Any]:
    """What templates show of an explanation."""
    strengths = explanation.relative_contributions
    return {
        "row": explanation.row,
        "label": explanation.label,
        "probability": explanation.probability,
        "status": explanation.status,
        # tuples, because Jinja looks up attributes slowly and a text can have many tokens
        "tokens": [
            (token.token, token.known, token.contribution, strength)
            for token, strength in zip(explanation.tokens, strengths, strict=True)
        ],
        "separator": explanation.separator,
        "truncated": explanation.truncated,
        "terms": [*explanation.terms(_MAX_TERMS), ("logit", None, explanation.logit)],
        "method": explanation.method,
    }
