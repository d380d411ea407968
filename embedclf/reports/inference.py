"""Predictions, explanations, vectors -> text."""

from __future__ import annotations

import json
from dataclasses import asdict
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.cells import cell_len

from embedclf.inference.predict import ranked
from embedclf.system.terminal import (
    NONE,
    WIDTH,
    new_table,
    percent,
    rendered,
    score,
    shortened,
    visible,
)
from embedclf.text.vocabulary import PADDING, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from embedclf.inference.embeddings import EmbeddedText, EmbeddingEntry, Neighbor
    from embedclf.inference.explain import Explanation
    from embedclf.training.movement import Movement, TokenMovement

_CELLS = 48
"""Most numbers of a vector in the heat map."""

_ROOM = 52
"""Columns for a name and the heat map beside it."""

_LONGEST = 24
"""Letters of a name."""

_NUMBERS = 4
"""Numbers of a vector that are printed."""

_COLOURS = (166, 215, 230, 255, 195, 117, 32)
"""Of the terminal's 256 colours, from far below 0 to far above: oranges, grey, blues."""

_GLYPHS = "=-\u2219\u2219\u2219+#"
"""What stands for them where there are no colours."""


def near(found: Sequence[Neighbor]) -> str:
    """Rows near a direction, the nearest first."""
    table = new_table("word", "cosine", "count", "push", "towards", numbers=(1, 2, 3))
    for one in found:
        entry = one.entry
        table.add_row(visible(entry.word), f"{one.cosine:+.3f}", *_told(entry))
    return rendered(table)


def entry_line(entry: EmbeddingEntry) -> str:
    """A token or phrase on a line."""
    count, push, towards = _told(entry)
    times = "" if entry.count is None else f", read {count} times"
    return f"{visible(entry.word)}: {push} towards {towards}{times}"


def near_facts(
    word: str, entry: EmbeddingEntry | None, found: Sequence[Neighbor]
) -> dict[str, Any]:
    """The same as plain values."""
    told: dict[str, Any] = {"word": word}
    if entry is not None:
        told |= {"count": entry.count, "pushes": entry.pushes}
    return told | {"neighbors": [{**asdict(one.entry), "cosine": one.cosine} for one in found]}


def movement(told: Movement) -> str:
    """The vectors that moved most, before and after."""
    table = new_table(
        *("word", "count", "moved", "length before", "after", "cosine", "push before", "after"),
        "towards",
        numbers=tuple(range(1, 8)),
    )
    for one in told.moved:
        table.add_row(*_moved(one))
    note = (
        f"Half of all {told.rows:,} vectors began no longer than {told.length_before:.3f} and "
        f"moved no farther than {told.median:.3f}. A push before is what the layers, as they are "
        "now, make of the vector as it was."
    )
    return f"{rendered(table)}\n\n{fill(note, WIDTH)}"


def movement_facts(told: Movement) -> dict[str, Any]:
    """The same as plain values."""
    return asdict(told)


def block(told: EmbeddedText) -> str:
    """What the embedding layer gives for a text: ids, tokens, numbers, and a heat map."""
    from rich.text import Text

    length, width = told.vectors.shape
    padding = np.flatnonzero(told.ids == PADDING).tolist()
    places = [*np.flatnonzero(told.ids != PADDING).tolist(), *padding[:1]]
    names = [_name(told.names[place], told.ids[place]) for place in places]
    shown = max(1, min(width, _CELLS, _ROOM - max(map(cell_len, names))))
    largest = float(np.abs(told.vectors[places, :shown]).max()) or 1.0
    titles = ["", "id", "token", f"first {min(_NUMBERS, width)} of {width} numbers"]
    table = new_table(*titles, f"first {shown}", numbers=(0, 1))
    for place, name in zip(places, names, strict=True):
        numbers = " ".join(f"{one:+.3f}" for one in told.vectors[place, :_NUMBERS])
        heat = Text(no_wrap=True)
        for one in told.vectors[place, :shown]:
            level = _level(float(one) / largest)
            heat.append(_GLYPHS[level], f"black on color({_COLOURS[level]})")
        table.add_row(f"{place:,}", f"{told.ids[place]:,}", name, numbers, heat)
    more = f"\nand {len(padding) - 1:,} more rows of padding" if len(padding) > 1 else ""
    note = (
        f"A block of {length:,} x {width:,} numbers; for a batch of texts the layer's output is "
        f"(batch, {length}, {width}). Blue is above 0, orange below; of those shown none is "
        f"farther from 0 than {largest:.3f}."
    )
    drawn = "\n".join(map(str.rstrip, rendered(table, colors=True).split("\n")))
    return f"{drawn}{more}\n\n{fill(note, WIDTH)}"


def block_facts(told: EmbeddedText) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "text": told.text,
        "names": told.names,
        "ids": told.ids.tolist(),
        "shape": list(told.vectors.shape),
        "vectors": told.vectors.tolist(),
    }


def _told(entry: EmbeddingEntry) -> tuple[str, str, str]:
    count = NONE if entry.count is None else f"{entry.count:,}"
    return count, f"{entry.pushes[entry.towards]:+.3f}", visible(entry.towards)


def _moved(one: TokenMovement) -> list[str]:
    count, push, towards = _told(one.entry)
    before, after = one.lengths
    return [
        visible(one.entry.word),
        count,
        *(f"{number:.3f}" for number in (one.distance, before, after)),
        f"{one.cosine:+.2f}",
        f"{one.before[one.entry.towards]:+.3f}",
        push,
        towards,
    ]


def _name(name: str, number: int) -> str:
    """What a row of a block is of, in at most so many letters."""
    if number == PADDING:
        return "(padding)"
    shown = shortened(visible(name), _LONGEST)
    return f"{shown} (unknown)" if number == UNKNOWN else shown


def _level(share: float) -> int:
    """Which of the colours a number has, as a share of the largest, -1 to 1."""
    return min(len(_COLOURS) - 1, int((share + 1.0) / 2.0 * len(_COLOURS)))


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
    return rendered(text, colors=True)


def _style(strength: float) -> str:
    level = int(4.999 * abs(strength))
    colors = _FOR if strength > 0 else _AGAINST
    return f"black on color({colors[level - 1]})" if level else ""


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
    if told.truncated:
        yield f"{told.truncated:,} more tokens were cut: the network reads {len(told.tokens):,}"
    yield told.method
