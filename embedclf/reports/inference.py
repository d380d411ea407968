"""Predictions and explanations -> text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from embedclf.inference.predictor import ranked_labels
from embedclf.system.control_characters import escape_controls
from embedclf.system.terminal import (
    NO_VALUE,
    format_count,
    format_percent,
    format_score,
    new_table,
    render,
    shorten,
    terminal_width,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from embedclf.inference.explanation import Explanation
    from embedclf.inference.suggesting.suggest import SuggestionRequest, Suggestions

CONTRIBUTION_STEPS = (0.1, 0.3, 1.0, 3.0)
"""Logits from which a contribution has the next stronger color, the same in every text. They
multiply the odds of a label by about 1.1, 1.3, 2.7 and 20."""

_MAX_TOKENS = 12
"""Tokens listed in an explanation; one line sums up the others."""

_BAR_WIDTH = 24
"""Columns of the longest bar, if the terminal has room for it."""

_NUMBERS_WIDTH = 26
"""Columns of the counts and the contributions, with the gaps around them."""

_FOR_COLORS, _AGAINST_COLORS = (195, 153, 117, 75), (230, 223, 216, 209)
"""Of the terminal's 256 colors, weak to strong: blues and oranges, which color-blind readers can
distinguish."""


def predictions_text(rows: Sequence[dict[str, Any]]) -> str:
    """A table with a row for each text.

    Args:
        rows: As `predict` returns them for texts.
    """
    columns = {
        "prediction": [
            _list_cell(map(escape_controls, _as_list(row["prediction"]))) for row in rows
        ],
        "probability": [
            _list_cell(map(format_score, _as_list(row["probability"]))) for row in rows
        ],
        "labels": list(map(_ranking_cell, rows)),
        "OOV": [format_percent(row["unknown_share"]) for row in rows],
        "note": [", ".join(_text_notes(row)) for row in rows],
        "text": [escape_controls(row["text"]) for row in rows],
    }
    for optional in ("labels", "note"):
        if not any(columns[optional]):
            del columns[optional]
    titles = list(columns)
    table = new_table(*titles, numbers=[titles.index(title) for title in ("probability", "OOV")])
    for cells in zip(*columns.values(), strict=True):
        table.add_row(*cells)
    return render(table)


def no_known_token_text(count: int) -> str:
    """Warn about rows whose texts had no influence on their predictions."""
    rows = format_count(count, "row")
    if count == 1:
        return f"{rows} has no known token: its prediction is the model's default"
    return f"{rows} have no known token: their prediction is the model's default"


def suggestion_lines(suggestions: Suggestions, request: SuggestionRequest) -> list[str]:
    """Sentences about suggested rows: how many, out of how many, and what to do with them."""
    counts = suggestions.counts
    place = "" if request.output is None else f"{request.output}: "
    ignored = [
        (counts.labeled, "with a label"),
        (counts.learned, "in the tables of the run"),
        (counts.empty, "without text"),
    ]
    others = ", ".join(f"{count:,} {what}" for count, what in ignored if count)
    lines = [
        f"{place}{format_count(counts.chosen, 'row')} to label, out of {counts.unlabeled:,}"
        + (f" (ignored: {others})" if others else "")
    ]
    if counts.chosen < request.count:
        lines.append(
            f"fewer than {request.count:,}: there are no other different texts without a label"
        )
    return lines


def explanations_text(
    explanations: Iterable[Explanation], *, legend: bool = False
) -> Iterator[str]:
    """Show texts in colors and the contributions of their tokens, one explanation at a time.

    Args:
        explanations: Consumed one by one.
        legend: Whether to explain the colors at the end.
    """
    for number, explanation in enumerate(explanations):
        yield ("\n\n" if number else "") + _explanation_text(explanation) + "\n"
    if legend:
        yield f"\n{_color_legend()}\n"


def explanation_json(explanation: Explanation) -> str:
    """An explanation as JSON on one line."""
    return json.dumps(explanation.to_json(), ensure_ascii=False)


def contribution_level(contribution: float) -> int:
    """Return the strength of a contribution's color, from 0 (no color) to 4."""
    return sum(abs(contribution) >= step for step in CONTRIBUTION_STEPS)


def _as_list(value: Any) -> list[Any]:
    """A multilabel row holds lists, others a single value."""
    return value if isinstance(value, list) else [value]


def _list_cell(items: Iterable[str]) -> str:
    return ", ".join(items) or NO_VALUE


def _ranking_cell(row: dict[str, Any]) -> str:
    return ", ".join(
        f"{escape_controls(name)} {format_score(probability)}"
        for name, probability in ranked_labels(row)
    )


def _text_notes(row: dict[str, Any]) -> Iterator[str]:
    if row["truncated"]:
        yield "truncated"
    if row["no_known_token"]:
        yield "no known token"


def _explanation_text(explanation: Explanation) -> str:
    label = f"{escape_controls(explanation.label)} ({format_score(explanation.probability)})"
    head = f"prediction {label}" if explanation.predicted else f"label {label}, not predicted"
    lines = [
        f"{head}, text {explanation.row:,}",
        "",
        _colored_text(explanation),
        "",
        _contribution_table(explanation),
        *_notes(explanation),
    ]
    return "\n".join(lines)


def _colored_text(explanation: Explanation) -> str:
    """The text as it was written, its tokens colored by their contributions."""
    from rich.text import Text

    # Text objects, not markup, in which a token such as `[red]` would be an instruction.
    text = Text()
    for segment in explanation.segments():
        style = "" if segment.contribution is None else _token_style(segment.contribution)
        text.append(_escape_line_by_line(segment.text), style)
    text.append(_escape_line_by_line(shorten(explanation.unread_text)), "dim")
    return render(text, colors=True)


def _color_legend() -> str:
    from rich.text import Text

    text = Text("color: contribution to the logit, ")
    for sign, name in ((1.0, "for"), (-1.0, ", against")):
        text.append(name)
        for step in CONTRIBUTION_STEPS:
            text.append(" ").append(f"{sign * step:+g}", _token_style(sign * step))
    return render(text, colors=True)


def _escape_line_by_line(text: str) -> str:
    return "\n".join(map(escape_controls, text.replace("\r\n", "\n").split("\n")))


def _token_style(contribution: float) -> str:
    level = contribution_level(contribution)
    colors = _FOR_COLORS if contribution > 0 else _AGAINST_COLORS
    return f"black on color({colors[level - 1]})" if level else ""


def _contribution_table(explanation: Explanation) -> str:
    from rich.cells import cell_len

    rows = explanation.terms(_MAX_TOKENS)
    largest = max(abs(total) for _, _, total in rows) or 1.0  # all may be 0
    names_width = max(cell_len(escape_controls(name)) for name, _, _ in rows)
    bar_width = min(_BAR_WIDTH, max(1, terminal_width() - names_width - _NUMBERS_WIDTH))
    table = new_table("token", "count", "contribution", "", numbers=(1, 2))
    for name, times, total in rows:
        bar = ("+" if total > 0 else "-") * round(bar_width * abs(total) / largest)
        count = "" if times is None else f"{times:,}"
        table.add_row(escape_controls(name), count, f"{total:+.4f}", bar)
    table.add_row("logit", "", f"{explanation.logit:+.4f}", "(sum)")
    return render(table)


def _notes(explanation: Explanation) -> Iterator[str]:
    """Out-of-vocabulary and truncated tokens, and how contributions were computed."""
    count = len(explanation.tokens)
    unknown = sum(not token.known for token in explanation.tokens)
    if explanation.no_known_token:
        yield "no known token: the probability is the model's default"
    elif unknown:
        contribution = f"{explanation.unknown_contribution:+.4f}"
        yield (
            f"{unknown:,} of {format_count(count, 'token')} out of vocabulary (OOV), "
            f"contribution {contribution}"
        )
    if explanation.truncated:
        total = format_count(count + explanation.truncated, "token")
        yield f"truncated: the model reads only the first {count:,} of {total}"
    yield explanation.method
