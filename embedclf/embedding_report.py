"""Neighbors, analogies, movements and blocks of vectors → text and plain values."""

from __future__ import annotations

from dataclasses import asdict
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.cells import cell_len

from embedclf.layout import NONE, WIDTH, new_table, rendered, shortened, visible
from embedclf.vocabularies import PADDING, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.embeddings import Block, Entry, Near
    from embedclf.movement import Moved, Movement

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


def near(found: Sequence[Near]) -> str:
    """Rows near a direction, the nearest first."""
    table = new_table("word", "cosine", "count", "push", "towards", numbers=(1, 2, 3))
    for one in found:
        entry = one.entry
        table.add_row(visible(entry.word), f"{one.cosine:+.3f}", *_told(entry))
    return rendered(table)


def entry_line(entry: Entry) -> str:
    """A token or phrase on a line."""
    count, push, towards = _told(entry)
    times = "" if entry.count is None else f", read {count} times"
    return f"{visible(entry.word)}: {push} towards {towards}{times}"


def near_facts(word: str, entry: Entry | None, found: Sequence[Near]) -> dict[str, Any]:
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


def block(told: Block) -> str:
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
    drawn = "\n".join(map(str.rstrip, rendered(table, colours=True).split("\n")))
    return f"{drawn}{more}\n\n{fill(note, WIDTH)}"


def block_facts(told: Block) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "text": told.text,
        "names": told.names,
        "ids": told.ids.tolist(),
        "shape": list(told.vectors.shape),
        "vectors": told.vectors.tolist(),
    }


def _told(entry: Entry) -> tuple[str, str, str]:
    count = NONE if entry.count is None else f"{entry.count:,}"
    return count, f"{entry.pushes[entry.towards]:+.3f}", visible(entry.towards)


def _moved(one: Moved) -> list[str]:
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
