"""Vectors of a run -> text."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.cells import cell_len

from embedclf.system.control_characters import escape_controls
from embedclf.system.terminal import (
    NO_VALUE,
    format_count,
    new_table,
    render,
    shorten,
    terminal_width,
    to_json,
)
from embedclf.text.vocabulary import PADDING, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from embedclf.inference.embeddings import EmbeddedText, EmbeddingEntry, Neighbor
    from embedclf.training.movement import Movement, TokenMovement

_MAX_HEAT_CELLS = 48
"""Numbers of a vector shown in the heat map."""

_HEAT_WIDTH = 52
"""Width of a token and the heat map beside it, in columns."""

_MAX_TOKEN_CHARACTERS = 24

_MAX_NUMBERS = 4
"""Numbers of a vector that are printed."""

_HEAT_COLORS = (166, 215, 230, 255, 195, 117, 32)
"""Of the terminal's 256 colors, from far below 0 to far above: oranges, gray, blues."""

_HEAT_CHARACTERS = "=-\u2219\u2219\u2219+#"
"""The same levels for a terminal without colors."""


def neighbors_text(neighbors: Sequence[Neighbor], entry: EmbeddingEntry | None = None) -> str:
    """List the neighbors of a word, the nearest first.

    Args:
        neighbors: The nearest first.
        entry: The word, printed above; None for the neighbors of a direction without a name.
    """
    table = new_table("word", "cosine", "count", "push", "towards", numbers=(1, 2, 3))
    for neighbor in neighbors:
        word = escape_controls(neighbor.entry.name)
        table.add_row(word, f"{neighbor.cosine:+.3f}", *_entry_cells(neighbor.entry))
    if entry is None:
        return render(table) + "\n"
    return f"{_entry_text(entry)}\n\n{render(table)}\n"


def neighbors_values(
    word: str, neighbors: Sequence[Neighbor], entry: EmbeddingEntry | None = None
) -> dict[str, Any]:
    """The neighbors as plain values under their published keys; arguments as `neighbors_text`."""
    values: dict[str, Any] = {"word": word}
    if entry is not None:
        values |= {"count": entry.count, "pushes": entry.label_contributions}
    entries = [{**each.entry.to_json(), "cosine": each.cosine} for each in neighbors]
    return values | {"neighbors": entries}


def movement_text(movement: Movement) -> str:
    """List the vectors that moved most in training, before and after it."""
    table = new_table(
        *("word", "count", "moved", "length before", "after", "cosine", "push before", "after"),
        "towards",
        numbers=tuple(range(1, 8)),
    )
    for token in movement.moved:
        table.add_row(*_movement_cells(token))
    note = (
        f"Median of all {movement.rows:,} vectors: length {movement.length_before:.3f} before "
        f"training, moved by {movement.median:.3f}. For the push before training, the vector "
        "before training is passed through the trained layers."
    )
    return f"{render(table)}\n\n{fill(note, terminal_width())}"


def movement_json(run: Path, movement: Movement) -> str:
    """The vectors that moved most as JSON."""
    moved = [
        {
            "entry": token.entry.to_json(),
            "before": token.before,
            "lengths": token.lengths,
            "distance": token.distance,
            "cosine": token.cosine,
        }
        for token in movement.moved
    ]
    return to_json(
        {
            "run": str(run),
            "moved": moved,
            "rows": movement.rows,
            "median": movement.median,
            "length_before": movement.length_before,
        }
    )


def token_vectors_text(embedded: EmbeddedText) -> str:
    """Show what the embedding layer returns for a text: ids, tokens, numbers, and a heat map."""
    length, width = embedded.vectors.shape  # (input_length, embedding_dim)
    padding = np.flatnonzero(embedded.ids == PADDING).tolist()
    # One row stands for all padding.
    positions = [*np.flatnonzero(embedded.ids != PADDING).tolist(), *padding[:1]]
    tokens = [_token_cell(embedded.names[at], embedded.ids[at]) for at in positions]
    # In columns of the terminal (`cell_len`): wide characters take two.
    shown = max(1, min(width, _MAX_HEAT_CELLS, _HEAT_WIDTH - max(map(cell_len, tokens))))
    largest = float(np.abs(embedded.vectors[positions, :shown]).max()) or 1.0  # all may be 0
    titles = ["", "id", "token", f"first {min(_MAX_NUMBERS, width)} of {width} numbers"]
    table = new_table(*titles, f"first {shown}", numbers=(0, 1))
    for position, token in zip(positions, tokens, strict=True):
        vector = embedded.vectors[position].tolist()
        numbers = " ".join(f"{number:+.3f}" for number in vector[:_MAX_NUMBERS])
        heat = _heat_map(number / largest for number in vector[:shown])
        table.add_row(f"{position:,}", f"{embedded.ids[position]:,}", token, numbers, heat)
    rest = len(padding) - 1
    more = f"\nand {format_count(rest, 'more row')} of padding" if rest > 0 else ""
    note = (
        f"The embedding layer returns {length:,} x {width:,} numbers per text: for a batch of "
        f"texts, an array of shape (batch, {length}, {width}). Blue is positive, orange is "
        f"negative. The largest absolute value shown is {largest:.3f}."
    )
    lines = "\n".join(map(str.rstrip, render(table, colors=True).split("\n")))
    return f"{lines}{more}\n\n{fill(note, terminal_width())}"


def token_vectors_json(run: Path, embedded: EmbeddedText) -> str:
    """The ids and vectors of a text as JSON."""
    return to_json(
        {
            "run": str(run),
            "text": embedded.text,
            "names": embedded.names,
            "ids": embedded.ids.tolist(),
            "shape": list(embedded.vectors.shape),
            "vectors": embedded.vectors.tolist(),
        }
    )


def _entry_text(entry: EmbeddingEntry) -> str:
    count, push, towards = _entry_cells(entry)
    times = "" if entry.count is None else f", read {count} times"
    return f"{escape_controls(entry.name)}: {push} towards {towards}{times}"


def _entry_cells(entry: EmbeddingEntry) -> tuple[str, str, str]:
    """Count, largest push, and the label that it pushes towards."""
    count = NO_VALUE if entry.count is None else f"{entry.count:,}"
    return (
        count,
        f"{entry.label_contributions[entry.top_label]:+.3f}",
        escape_controls(entry.top_label),
    )


def _movement_cells(token: TokenMovement) -> list[str]:
    count, push, towards = _entry_cells(token.entry)
    before, after = token.lengths
    return [
        escape_controls(token.entry.name),
        count,
        *(f"{number:.3f}" for number in (token.distance, before, after)),
        f"{token.cosine:+.2f}",
        f"{token.before[token.entry.top_label]:+.3f}",
        push,
        towards,
    ]


def _token_cell(name: str, token_id: int) -> str:
    if token_id == PADDING:
        return "(padding)"
    shown = shorten(escape_controls(name), _MAX_TOKEN_CHARACTERS)
    return f"{shown} (OOV)" if token_id == UNKNOWN else shown


def _heat_map(values: Iterable[float]) -> Any:
    """A colored character for each value between -1 and 1."""
    from rich.text import Text

    heat = Text(no_wrap=True)
    for value in values:
        # A value of exactly 1 would be one level too high.
        level = min(len(_HEAT_COLORS) - 1, int((value + 1.0) / 2.0 * len(_HEAT_COLORS)))
        heat.append(_HEAT_CHARACTERS[level], f"black on color({_HEAT_COLORS[level]})")
    return heat
