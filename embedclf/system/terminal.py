"""Text for a terminal: tables, names, numbers, paths, JSON."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH = 100

NO_VALUE = "–"  # noqa: RUF001 - an en dash marks a cell without a value

_NAME_WIDTH = 22
"""Maximum columns of a name next to a plot; tables show the whole name."""

# Unicode has pictures for ASCII controls only; the others become U+FFFD.
_CONTROL_PICTURES = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}
_CONTROL_PICTURES |= dict.fromkeys([*range(0x80, 0xA0), 0xFFFE, 0xFFFF], 0xFFFD)


def new_table(*columns: str, numbers: Sequence[int] = ()) -> Any:
    """Make an empty rich table; the columns at the positions in `numbers` are right-aligned."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, column in enumerate(columns):
        right = index in numbers
        table.add_column(column, justify="right" if right else "left", no_wrap=right)
    return table


def render(renderable: Any, *, colors: bool = False) -> str:
    """Render a rich table or text in at most `WIDTH` columns, optionally in color."""
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
    ).print(renderable)
    lines = [line.rstrip() for line in stream.getvalue().rstrip("\n").split("\n")]
    # Color codes begin with a control character.
    return "\n".join(lines if colors else map(escape_controls, lines))


def format_definitions(entries: Sequence[tuple[str, str]]) -> str:
    """Format names with a text next to each, wrapped at `WIDTH`."""
    from textwrap import wrap

    width = max(14, *(len(name) for name, _ in entries)) + 2
    lines = []
    for name, text in entries:
        wrapped = wrap(text, WIDTH - width, break_on_hyphens=False, break_long_words=False)
        first, *others = map(escape_controls, wrapped or [""])
        lines += [f"{name:<{width}}{first}", *(" " * width + other for other in others)]
    return "\n".join(lines)


def format_score(score: float | None) -> str:
    """Format a score with four decimals, or as a dash if it is undefined."""
    return NO_VALUE if score is None else f"{score:.4f}"


def format_percent(fraction: float) -> str:
    """Format a fraction from 0 to 1 as a percentage."""
    return f"{100 * fraction:.1f} %"


def shorten(text: str, max_length: int = 400) -> str:
    """Truncate a text to a number of characters; an ellipsis marks the truncation."""
    return text if len(text) <= max_length else text[: max_length - 1] + "…"


def shorten_name(name: str) -> str:
    """Truncate a name to the columns it has next to a plot; wide characters take two."""
    from rich.cells import cell_len, set_cell_size

    shown = escape_controls(name)
    if cell_len(shown) <= _NAME_WIDTH:
        return shown
    # Half of a wide character becomes a space, hence rstrip.
    return set_cell_size(shown, _NAME_WIDTH - 1).rstrip() + "…"


def escape_controls(text: str) -> str:
    """Replace control characters by symbols for them, so that they have no effect."""
    return text.translate(_CONTROL_PICTURES)


def display_path(path: Path) -> Path:
    """Return a path as a user would type it: relative if it is below the working directory."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def to_json(values: Any) -> str:
    """Format plain values as indented JSON."""
    import json

    return json.dumps(values, ensure_ascii=False, indent=2, default=str)
