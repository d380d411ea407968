"""Predictions and explanations -> text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from embedclf.inference.predict import ranked_labels
from embedclf.system.terminal import (
    NO_VALUE,
    escape_controls,
    format_percent,
    format_score,
    new_table,
    render,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from embedclf.inference.explanation import Explanation

_MAX_TOKENS = 12
"""Tokens listed in an explanation; one line sums up the others."""

_BAR_WIDTH = 24

_FOR_COLORS, _AGAINST_COLORS = (195, 153, 117, 75), (230, 223, 216, 209)
"""Of the terminal's 256 colors, weak to strong: blues and oranges, which color-blind readers can
tell apart."""


def predictions_text(rows: Sequence[dict[str, Any]]) -> str:
    """A table with a row for each text.

    Args:
        rows: As `predict` returns them for texts.
    """
    has_ranking = any(ranked_labels(row) for row in rows)
    titles = ["prediction", "probability", *(["labels"] if has_ranking else []), "unknown", "text"]
    # Right-aligned: the probability, and `unknown`, second to last with or without a ranking.
    table = new_table(*titles, numbers=(1, len(titles) - 2))
    for row in rows:
        cells = [escape_controls(row["prediction"]) or NO_VALUE]
        cells.append(_probability_cell(row["probability"]))
        if has_ranking:
            labels = (
                f"{escape_controls(name)} {format_score(probability)}"
                for name, probability in ranked_labels(row)
            )
            cells.append(", ".join(labels))
        note = " (cut)" if row["truncated"] else ""
        text = f"{escape_controls(row['text'])}{note}"
        table.add_row(*cells, format_percent(row["unknown_share"]), text)
    return render(table)


def explanations_text(explanations: Iterable[Explanation]) -> Iterator[str]:
    """Show texts in colors and the contributions of their tokens, one explanation at a time."""
    for number, explanation in enumerate(explanations):
        yield ("\n\n" if number else "") + _explanation_text(explanation) + "\n"


def explanation_json(explanation: Explanation) -> str:
    """An explanation as JSON on one line."""
    return json.dumps(explanation.to_json(), ensure_ascii=False)


def _probability_cell(value: Any) -> str:
    """A probability; of several labels they come as text already."""
    return format_score(value) if isinstance(value, float) else value or NO_VALUE


def _explanation_text(explanation: Explanation) -> str:
    label = f"{escape_controls(explanation.label)}  {format_score(explanation.probability)}"
    lines = [
        f"{label}  ({explanation.status}, text {explanation.row:,})",
        "",
        _colored_tokens(explanation),
        "",
        _contribution_table(explanation),
        *_notes(explanation),
    ]
    return "\n".join(lines)


def _colored_tokens(explanation: Explanation) -> str:
    """The text, its strongest tokens in the strongest colors."""
    from rich.text import Text

    # Text objects, not markup, in which a token such as `[red]` would be an instruction.
    text = Text(explanation.separator).join(
        Text(escape_controls(token.token), _token_style(strength))
        for token, strength in zip(
            explanation.tokens, explanation.relative_contributions, strict=True
        )
    )
    return render(text, colors=True)


def _token_style(strength: float) -> str:
    # Slightly below 5, so that a strength of 1 has the strongest of four colors and 0.2 none.
    level = int(4.999 * abs(strength))
    colors = _FOR_COLORS if strength > 0 else _AGAINST_COLORS
    return f"black on color({colors[level - 1]})" if level else ""


def _contribution_table(explanation: Explanation) -> str:
    rows = explanation.terms(_MAX_TOKENS)
    largest = max(abs(total) for _, _, total in rows) or 1.0  # all may be 0
    table = new_table("token", "times", "adds", "", numbers=(1, 2))
    for name, times, total in rows:
        bar = ("+" if total > 0 else "-") * round(_BAR_WIDTH * abs(total) / largest)
        count = "" if times is None else f"{times:,}"
        table.add_row(escape_controls(name), count, f"{total:+.4f}", bar)
    table.add_row("logit", "", f"{explanation.logit:+.4f}", "the sum")
    return render(table)


def _notes(explanation: Explanation) -> Iterator[str]:
    """Unknown and truncated tokens, and how exact the contributions are."""
    count = len(explanation.tokens)
    unknown = sum(not token.known for token in explanation.tokens)
    if unknown:
        contribution = f"{explanation.unknown_contribution:+.4f}"
        yield f"{unknown:,} of {count:,} tokens unknown, together {contribution}"
    if explanation.truncated:
        yield f"{explanation.truncated:,} more tokens were cut: the network reads {count:,}"
    yield explanation.method
