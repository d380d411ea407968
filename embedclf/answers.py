"""Predictions and explanations → text and JSON: what a run says of texts."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from embedclf.layout import NONE, new_table, percent, rendered, score, visible
from embedclf.prediction import ranked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from embedclf.explanation import Explanation

_STRONGEST = 12
"""Tokens that are listed; the others are one line."""
_BAR = 24
_FOR, _AGAINST = (195, 153, 117, 75), (230, 223, 216, 209)
"""Of the terminal's 256 colours, weak to strong: blues and oranges, which all eyes tell apart."""


def predictions(rows: Sequence[dict[str, Any]]) -> str:
    """Predictions of single texts for people: a line a text."""
    several = any(ranked(row) for row in rows)
    titles = ["prediction", "probability", *(["labels"] if several else []), "unknown", "text"]
    table = new_table(*titles, numbers=(1, len(titles) - 2))
    for row in rows:
        share = row["probability"]
        cells = [visible(row["prediction"]) or NONE, _share(share)]
        if several:
            shares = (f"{visible(name)} {score(share)}" for name, share in ranked(row))
            cells.append(", ".join(shares))
        cut = " (cut)" if row["truncated"] else ""
        table.add_row(*cells, percent(row["unknown_share"]), f"{visible(row['text'])}{cut}")
    return rendered(table)


def explanations(told: Iterable[Explanation]) -> Iterator[str]:
    """Explanations for people: the text in colours, and what its tokens add up to."""
    for number, one in enumerate(told):
        yield ("\n\n" if number else "") + _explanation(one) + "\n"


def explanation_json(told: Explanation) -> str:
    """The same for programs: an element of a JSON list."""
    values = asdict(told) | {"unknown": told.unknown, "error": told.error}
    return json.dumps(values, ensure_ascii=False)


def _explanation(told: Explanation) -> str:
    lines = [
        f"{visible(told.label)}  {score(told.probability)}  ({told.standing}, text {told.row:,})",
        "",
        _coloured(told),
        "",
        _sum(told),
        *_notes(told),
    ]
    return "\n".join(lines)


def _share(given: Any) -> str:
    return score(given) if isinstance(given, float) else given or NONE


def _coloured(told: Explanation) -> str:
    """The tokens, the stronger the more colour; a terminal without colours shows them plain."""
    from rich.text import Text

    text = Text(told.separator).join(
        Text(visible(token.token), _style(strength))
        for token, strength in zip(told.tokens, told.strengths, strict=True)
    )
    return rendered(text, colours=True)


def _style(strength: float) -> str:
    level = int(4.999 * abs(strength))
    colours = _FOR if strength > 0 else _AGAINST
    return f"black on color({colours[level - 1]})" if level else ""


def _sum(told: Explanation) -> str:
    rows = told.summands(_STRONGEST)
    longest = max(abs(total) for _, _, total in rows) or 1.0
    table = new_table("token", "times", "adds", "", numbers=(1, 2))
    for name, times, total in rows:
        bar = ("+" if total > 0 else "-") * round(_BAR * abs(total) / longest)
        table.add_row(visible(name), "" if times is None else f"{times:,}", f"{total:+.4f}", bar)
    table.add_row("logit", "", f"{told.logit:+.4f}", "the sum")
    return rendered(table)


def _notes(told: Explanation) -> Iterator[str]:
    """What the numbers do not say by themselves."""
    unknown = sum(not token.known for token in told.tokens)
    if unknown:
        yield f"{unknown:,} of {len(told.tokens):,} tokens unknown, together {told.unknown:+.4f}"
    if told.cut:
        yield f"{told.cut:,} more tokens were cut: the network reads {len(told.tokens):,}"
    yield told.method
