"""Text for a terminal: tables, names, numbers, paths, JSON."""

from __future__ import annotations

import io
import itertools
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedclf.system.control_characters import escape_controls, escape_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from rich.table import Column, Table

_MIN_WIDTH, _MAX_WIDTH = 60, 100
"""Minimum and maximum width of output, in columns."""

NO_VALUE = "–"  # noqa: RUF001 - an en dash marks a cell without a value

_NAME_WIDTH = 22
"""Maximum columns of a name next to a plot; tables show the whole name."""

_WIDE_GAP, _NARROW_GAP = 3, 2
"""Spaces between the columns of a table: usually, and where there is little room."""

_LONGEST_WORD = 20
"""Columns of a word in a table; longer words are shortened where there is no room for them."""

_NUMBER = re.compile(r"[+-]?\d[\d.,]*")


def new_table(*columns: str, numbers: Sequence[int] = ()) -> Table:
    """Make an empty rich table; the columns at the positions in `numbers` are right-aligned."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, column in enumerate(columns):
        right = index in numbers
        table.add_column(column, justify="right" if right else "left", no_wrap=right)
    return table


def terminal_width() -> int:
    """Return the columns to print in: those of the terminal, from 60 to 100; 100 in a pipe."""
    return max(_MIN_WIDTH, min(_terminal_columns() or _MAX_WIDTH, _MAX_WIDTH))


def render(renderable: Any, *, colors: bool = False) -> str:
    """Render a rich table or text in the width of the terminal, optionally in color.

    A table that is too wide is printed in several pieces, each of which begins with the first
    column.
    """
    from rich.table import Table

    is_table = isinstance(renderable, Table)
    pieces = _split_table(renderable, terminal_width()) if is_table else [renderable]
    return "\n\n".join(_render(piece, colors=colors) for piece in pieces)


def format_definitions(entries: Sequence[tuple[str, str]]) -> str:
    """Format names with a text next to each, wrapped at words."""
    from textwrap import wrap

    indent = max(14, *(len(name) for name, _ in entries)) + 2
    room = terminal_width() - indent
    lines = []
    for name, text in entries:
        fitting = text if _terminal_columns() is None else _shorten_words(text, room)
        wrapped = wrap(fitting, room, break_on_hyphens=False, break_long_words=False)
        first, *others = map(escape_controls, wrapped or [""])
        lines += [f"{name:<{indent}}{first}", *(" " * indent + other for other in others)]
    return "\n".join(lines)


def wrap_message(text: str) -> str:
    """Wrap a message for standard error at words, if that is a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        return text
    width = _terminal_columns(sys.stderr) or _MAX_WIDTH
    # Indented lines are laid out already, or are commands to copy.
    return "\n".join(
        line if line.startswith(" ") else _wrap_lines(line, width) for line in text.split("\n")
    )


def wrap_result(text: str) -> str:
    """Wrap sentences for standard output at words, if its width is known; pipes get whole lines."""
    return text if _terminal_columns() is None else _wrap_lines(text, terminal_width())


def format_score(score: float | None) -> str:
    """Format a score with four decimals, or as a dash if it is undefined."""
    return NO_VALUE if score is None else f"{score:.4f}"


def format_percent(fraction: float, *, places: int = 1) -> str:
    """Format a fraction from 0 to 1 as a percentage: `12.3%`."""
    return f"{100 * fraction:.{places}f}%"


def format_count(count: float, noun: str, plural: str = "") -> str:
    """Format a number of things: `1 row`, `1,234 rows`; the default plural ends in -s."""
    return f"{format_number(count)} {noun if count == 1 else plural or noun + 's'}"


def format_number(number: float) -> str:
    """Format a number of things, which weights can make fractional: `1,234`, `12.5`, `0.25`."""
    if number == int(number):
        return f"{int(number):,}"
    return f"{number:,.1f}" if abs(number) >= 10 else f"{number:.3g}"


def format_duration(seconds: float) -> str:
    """Format a duration: `0.8s`, `12s`, `1m 12s`, `2h 5m`."""
    if seconds < 9.95:  # 9.95 would be rounded to 10.0
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes}m" if hours else f"{minutes}m {rest}s"


def shorten(text: str, max_length: int = 400) -> str:
    """Truncate a text to a number of characters; an ellipsis marks the truncation."""
    return text if len(text) <= max_length else text[: max_length - 1] + "…"


def join_shortened(items: Sequence[str], max_length: int = 400) -> str:
    """Join items with commas, as many as fit but at least one; the number of the others follows."""
    lengths = itertools.accumulate(len(item) + len(", ") for item in items)
    fitting = sum(1 for _ in itertools.takewhile(lambda length: length <= max_length, lengths))
    shown = [shorten(item, max_length) for item in items[: max(1, fitting)]]
    more = len(items) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def shorten_name(name: str) -> str:
    """Truncate a name to the columns it has next to a plot; wide characters take two."""
    from rich.cells import cell_len, set_cell_size

    shown = escape_controls(name)
    if cell_len(shown) <= _NAME_WIDTH:
        return shown
    # Half of a wide character becomes a space, hence rstrip.
    return set_cell_size(shown, _NAME_WIDTH - 1).rstrip() + "…"


def quote_number(name: str) -> str:
    """Quote a label that is a number, which would read as one of the numbers around it."""
    return repr(name) if _NUMBER.fullmatch(name) else name


def display_path(path: Path) -> Path:
    """Return a path as a user would type it: relative if it is below the working directory."""
    here = Path.cwd()
    shown = path.relative_to(here) if path.is_relative_to(here) else path
    return Path(escape_controls(str(shown)))


def to_json(values: Any) -> str:
    """Format plain values as indented JSON, with escapes for all control characters."""
    import json

    text = json.dumps(values, ensure_ascii=False, indent=2, default=str)
    return escape_json(text)


def _terminal_columns(stream: TextIO | None = None) -> int | None:
    """Return the columns of a stream's terminal, or of COLUMNS; None if there is neither."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size((stream or sys.__stdout__ or sys.stdout).fileno()).columns
    except (AttributeError, OSError, ValueError):  # closed, no terminal, or no file at all
        return None


def _wrap_lines(text: str, width: int) -> str:
    """Wrap lines at words, with an indentation of the lines that continue one."""
    from textwrap import TextWrapper

    wrapper = TextWrapper(
        max(width, _MIN_WIDTH),
        subsequent_indent="    ",
        break_on_hyphens=False,
        break_long_words=False,
    )
    return "\n".join(map(wrapper.fill, text.split("\n")))


def _render(renderable: Any, *, colors: bool) -> str:
    from rich.console import Console

    stream = io.StringIO()
    Console(
        file=stream,
        width=terminal_width(),
        height=25,  # of no effect, but without it rich ignores the width where TERM is dumb
        color_system="256" if colors else None,
        force_terminal=colors,
        markup=False,
        emoji=False,
        highlight=False,
    ).print(renderable)
    lines = [line.rstrip() for line in stream.getvalue().rstrip("\n").split("\n")]
    # Color codes begin with a control character.
    return "\n".join(lines if colors else map(escape_controls, lines))


def _split_table(table: Table, width: int) -> list[Table]:
    """Return tables of at most a width; all of them have the first column."""
    gap = _WIDE_GAP
    if _table_width(table.columns, gap) > width:
        gap = _NARROW_GAP
        for column in table.columns:
            column.header = str(column.header).replace(" ", "\n")
    groups = [[*table.columns[:1]]]
    for column in table.columns[1:]:
        if len(groups[-1]) > 1 and _table_width([*groups[-1], column], gap) > width:
            groups.append([*table.columns[:1]])
        groups[-1].append(column)
    return [_table_of(group, width, gap) for group in groups]


def _table_of(columns: Sequence[Column], width: int, gap: int) -> Table:
    """Return a table that has some columns of another, wide enough for their numbers and words."""
    numbers = [index for index, column in enumerate(columns) if column.no_wrap]
    table = new_table(*(str(column.header) for column in columns), numbers=numbers)
    table.padding = (0, 1, 0, gap - 2)  # the divider takes a column, too
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*row)
    # Set here, because rich shrinks columns without regard to the length of their words.
    spare = width - _table_width(columns, gap)
    wanted = [_line_width(column) - _word_width(column) for column in columns]
    for left, index in enumerate(sorted(range(len(columns)), key=wanted.__getitem__)):
        extra = max(0, min(wanted[index], spare // (len(columns) - left)))
        table.columns[index].width = _word_width(columns[index]) + extra
        spare -= extra
    return table


def _table_width(columns: Sequence[Column], gap: int) -> int:
    """Return the minimum width of a table."""
    return sum(map(_word_width, columns)) + gap * (len(columns) - 1)


def _word_width(column: Column) -> int:
    """Return the minimum width of a column: that of its numbers, or of its longest word."""
    from rich.cells import cell_len

    if column.no_wrap:
        return _line_width(column)
    words = [word for cell in (column.header, *column.cells) for word in str(cell).split()]
    return min(max(map(cell_len, words), default=0), _LONGEST_WORD)


def _line_width(column: Column) -> int:
    """Return the width of a column whose lines are not wrapped."""
    from rich.cells import cell_len

    cells = (column.header, *column.cells)
    return max(cell_len(line) for cell in cells for line in str(cell).split("\n"))


def _shorten_words(text: str, max_length: int) -> str:
    """Shorten the words that are too long for a line: paths at their beginning, others at the end.

    Only words that need it are touched, so spaces stay as they are.
    """
    words = text.split(" ")
    return " ".join(
        word
        if len(word) <= max_length
        else "…" + word[1 - max_length :]
        if "/" in word
        else shorten(word, max_length)
        for word in words
    )
