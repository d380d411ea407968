"""Matplotlib figures as SVG that takes its colors and fonts from the page."""

from __future__ import annotations

import io
import logging
import re
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from markupsafe import Markup
from rich.cells import cell_len

from embedclf.reports.html.rendering import render_template

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FOR, AGAINST, FOREGROUND, SOFT, FAINT = "#0a0b01", "#0a0b02", "#0a0b03", "#0a0b04", "#0a0b05"
"""Placeholders in a figure; the SVG has the colors of the page instead."""

PAGE_COLORS = {
    FOR: "rgb(var(--for))",
    AGAINST: "rgb(var(--against))",
    FOREGROUND: "currentColor",
    SOFT: "var(--soft)",
    FAINT: "var(--faint)",
}

_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: small, searchable, readable by screen readers
    "svg.hashsalt": "embedclf",  # the same numbers give the same SVG
    "text.parse_math": False,  # a dollar in a label is a dollar
    "font.size": 10,
    "text.color": FOREGROUND,
    "axes.labelcolor": FOREGROUND,
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
    "xtick.labelcolor": FOREGROUND,
    "ytick.labelcolor": FOREGROUND,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.labelcolor": FOREGROUND,
    "lines.linewidth": 1.6,
}

_POINTS_PER_INCH = 72
"""One SVG unit is a point, so sizes in units and font sizes in points agree."""

_MAX_LETTER_WIDTH = 6.0
"""In units. An estimate: which font the page has is known only in the browser."""

_XLINK_HREF = "{http://www.w3.org/1999/xlink}href"


@contextmanager
def page_style() -> Iterator[None]:
    """Draw with the settings of a page; the caller's have no effect and do not change."""
    # Matplotlib warns through logging, from its import on: that it cannot write to the home
    # directory, or that it builds its font cache.
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        from matplotlib import rc_context, rcdefaults, rcParams

        with rc_context(), warnings.catch_warnings():
            # The browser's fonts draw the text, so gaps in Matplotlib's font do not matter.
            warnings.filterwarnings("ignore", "Glyph")
            # Inside `rc_context`, which restores the caller's settings at the end.
            rcdefaults()
            rcParams.update(_SETTINGS)
            yield
    finally:
        logger.setLevel(level)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure; width and height in units."""
    # Not pyplot, which keeps every figure in memory and may choose a windowing backend.
    from matplotlib.figure import Figure

    return Figure((width / _POINTS_PER_INCH, height / _POINTS_PER_INCH), dpi=_POINTS_PER_INCH)


def new_axes(figure: Figure, *, left: float, bottom: float, top: float, right: float = 10) -> Axes:
    """Axes with margins in units."""
    width, height = figure.get_size_inches() * _POINTS_PER_INCH
    inner = (width - left - right) / width, (height - bottom - top) / height
    return figure.add_axes((left / width, bottom / height, *inner))


def add_legend(axes: Axes) -> None:
    """Put the legend above the axes, where it covers no line."""
    axes.legend(loc="lower left", bbox_to_anchor=(-0.04, 0.98), ncols=3, columnspacing=1.0)


# The style again, since Matplotlib reads fonttype and hashsalt when it saves.
@page_style()
def to_svg(
    figure: Figure, name: str, title: str, *, template: str = "figure.svg.j2", **values: Any
) -> Markup:
    """Convert a figure to an SVG element for a page.

    Args:
        figure: Drawn under `page_style`.
        name: Unique in the page; every id in the SVG begins with it.
        title: Describes the figure to those who cannot see it.
        template: Extends `figure.svg.j2`.
        values: Of that template.
    """
    file = io.StringIO()
    # None leaves an entry out; a date would make every file different.
    metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(file, format="svg", transparent=True, metadata=metadata)
    width, height = figure.get_size_inches() * _POINTS_PER_INCH
    drawing = _adapt_to_page(file.getvalue(), name)
    values |= {"name": name, "title": title, "width": width, "height": height}
    return Markup(render_template(template, drawing=drawing, **values))  # noqa: S704 - autoescaped


def missing_glyph(text: str) -> str | None:
    """The first character that Matplotlib's own font lacks; as pixels it would be a box."""
    from matplotlib.font_manager import findfont, get_font

    glyphs = get_font(findfont("DejaVu Sans")).get_charmap()
    return next((character for character in text if ord(character) not in glyphs), None)


def text_width(names: Iterable[str]) -> float:
    """Width of the longest name, in units."""
    return max(map(cell_len, names)) * _MAX_LETTER_WIDTH


def _adapt_to_page(svg: str, name: str) -> Markup:
    """The content of Matplotlib's SVG, without its style sheet and with ids of its own."""
    root = ET.fromstring(svg)  # noqa: S314 - Matplotlib wrote it
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]  # HTML knows no prefixed tags
        element.attrib = {
            "xlink:href" if key == _XLINK_HREF else key: _adapt_attribute(key, value, name)
            for key, value in element.attrib.items()
        }
    content = [element for element in root if element.find("style") is None]
    text = "".join(ET.tostring(element, encoding="unicode").rstrip() for element in content)
    return Markup(text)  # noqa: S704 - the XML writer has escaped it


def _adapt_attribute(key: str, value: str, name: str) -> str:
    # All figures are in one document, so ids and references to them need a prefix.
    if key == "id":
        return f"{name}-{value}"
    if key == _XLINK_HREF:
        return value.replace("#", f"#{name}-")
    # Without a font family, the page's own applies.
    value = re.sub(r"\s*font-family: [^;]*;?", "", value).replace("url(#", f"url(#{name}-")
    for placeholder, color in PAGE_COLORS.items():
        value = value.replace(placeholder, color)
    return value
