"""Text for a terminal: tables, listings, numbers, paths, JSON."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len, set_cell_size

if TYPE_CHECKING:
    from collections.abc import Sequence


WIDTH = 100

_PICTURES = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}

_PICTURES |= dict.fromkeys([*range(0x80, 0xA0), 0xFFFE, 0xFFFF], 0xFFFD)

NONE = "–"  # noqa: RUF001 - the typographer's dash for a cell without a value


def new_table(*columns: str, numbers: Sequence[int] = ()) -> Any:
    """Begin a rich table; the columns at the positions in `numbers` stand to the right."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, column in enumerate(columns):
        right = index in numbers
        table.add_column(column, justify="right" if right else "left", no_wrap=right)
    return table


def rendered(table: Any, *, colors: bool = False) -> str:
    """A rich table or text in at most `WIDTH` columns, in a terminal's colours on wish."""
    from rich.console import Console

    stream = io.StringIO()
    Console(
        file=stream,
        width=WIDTH,
        color_system="256" if colors else None,
        force_terminal=colors,
        markup=False,
        emoji=False,
        highlight=False,
    ).print(table)
    lines = [line.rstrip() for line in stream.getvalue().rstrip("\n").split("\n")]
    return "\n".join(lines if colors else map(visible, lines))


def listing(entries: Sequence[tuple[str, str]]) -> str:
    """Names with a text beside each, wrapped at `WIDTH`."""
    from textwrap import wrap

    width = max(14, *(len(name) for name, _ in entries)) + 2
    lines = []
    for name, text in entries:
        parts = wrap(text, WIDTH - width, break_on_hyphens=False, break_long_words=False)
        first, *others = map(visible, parts or [""])
        lines += [f"{name:<{width}}{first}", *(" " * width + other for other in others)]
    return "\n".join(lines)


def score(value: float | None) -> str:
    """A score with four decimals, or a dash where there is none."""
    return NONE if value is None else f"{value:.4f}"


def percent(share: float) -> str:
    """A share between 0 and 1 in per cent."""
    return f"{100 * share:.1f} %"


def shortened(text: str, most: int = 400) -> str:
    """A text cut to so many letters, the cut marked."""
    return text if len(text) <= most else text[: most - 1] + "…"


def visible(text: str) -> str:
    """A text whose control characters are shown by their pictures, and do nothing."""
    return text.translate(_PICTURES)


def near(path: Path) -> Path:
    """A path as one would type it: relative when it lies below the working directory."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


_NAME = 22
"""Letters of a name beside a plot; tables have the whole one."""


def shortened_name(name: str) -> str:
    """A name in at most so many columns, wide letters counted twice."""
    shown = visible(name)
    if cell_len(shown) <= _NAME:
        return shown
    return set_cell_size(shown, _NAME - 1).rstrip() + "…"


def to_json(values: Any) -> str:
    """Plain values as JSON for people and programs."""
    return json.dumps(values, ensure_ascii=False, indent=2, default=str)
