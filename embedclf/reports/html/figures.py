"""Matplotlib figures as SVG in the page's colours."""

from __future__ import annotations

import io
import logging
import re
import warnings
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FOR, AGAINST, INK, SOFT, FAINT = "#0a0b01", "#0a0b02", "#0a0b03", "#0a0b04", "#0a0b05"

_COLOURS = {
    FOR: "rgb(var(--for))",
    AGAINST: "rgb(var(--against))",
    INK: "currentColor",
    SOFT: "var(--soft)",
    FAINT: "var(--faint)",
}
"""Colours that are drawn with, and what of the page's style takes their place."""

_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: small, found, read aloud
    "svg.hashsalt": "embedclf",  # the same numbers give the same text
    "text.parse_math": False,  # a dollar in a label is a dollar
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": SOFT,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.6,
}

_POINTS = 72
"""Units of the picture in one of matplotlib's inches."""

_ADVANCE = 6.0
"""Width of a letter at most, in units; a page's own font has not been measured."""


@contextmanager
def drawing(width: float, height: float) -> Iterator[Figure]:
    """A figure of so many units; settings made elsewhere neither count nor change."""
    # It tells where it keeps its list of fonts when it cannot write to the home folder, before its
    # own log level can be set; no font of that list is used.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from matplotlib import rc_context, rcdefaults, rcParams
    from matplotlib.figure import Figure

    with rc_context(), warnings.catch_warnings():
        # The page's fonts draw the letters, not the one whose lack of them is warned of.
        warnings.filterwarnings("ignore", "Glyph")
        rcdefaults()
        rcParams.update(_SETTINGS)
        yield Figure((width / _POINTS, height / _POINTS), dpi=_POINTS)


def new_axes(figure: Figure, *, left: float, bottom: float, top: float, right: float = 10) -> Axes:
    """Axes with margins in units."""
    return figure.add_axes(place(figure, left=left, bottom=bottom, top=top, right=right))


def place(
    figure: Figure, *, left: float, bottom: float, top: float, right: float = 10
) -> tuple[float, float, float, float]:
    """Margins in units → left, bottom, width and height as shares of the figure."""
    width, height = figure.get_size_inches() * _POINTS
    inner = (width - left - right) / width, (height - bottom - top) / height
    return left / width, bottom / height, *inner


def as_svg(figure: Figure, name: str, title: str) -> str:
    """A figure as an SVG element that fits its page.

    Args:
        figure: It.
        name: Of the plot in its page, where no other has it; the names within begin with it.
        title: Says what is shown, for those who cannot see it.
    """
    written = io.StringIO()
    figure.savefig(
        written,
        format="svg",
        transparent=True,
        metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")),
    )
    text = written.getvalue()
    body = text[text.index(">", text.index("<svg")) + 1 :]
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, flags=re.DOTALL)
    body = re.sub(r"<[^>]*>", lambda tag: _at_home(tag[0], name), body)
    width, height = figure.get_size_inches() * _POINTS
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {width:g} {height:g}" style="--width: {width:.0f}px" role="img" '
        f'aria-labelledby="{name}-title">\n<title id="{name}-title">{escape(title)}</title>'
        f"{body.rstrip()}\n"
    )


def missing_letter(text: str) -> str | None:
    """The first letter that matplotlib's own font lacks; a picture of pixels would show a box."""
    from matplotlib.font_manager import findfont, get_font

    known = get_font(findfont("DejaVu Sans")).get_charmap()
    return next((letter for letter in text if ord(letter) not in known), None)


def room_for(names: Iterable[str]) -> float:
    """The width of the longest of some names, in units."""
    return max(map(cell_len, names)) * _ADVANCE


def _at_home(tag: str, name: str) -> str:
    """A tag with the page's letters and colours, and with names that no other plot has."""
    tag = re.sub(r"\s*font-family: [^;\"]*;?", "", tag)
    tag = re.sub(r'( id="|url\(#|href="#)', rf"\1{name}-", tag)
    for drawn, shown in _COLOURS.items():
        tag = tag.replace(drawn, shown)
    return tag
