"""The word map as a page, an SVG file or a PNG file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

from embedclf.errors import RequestError
from embedclf.inference.projection import HEIGHT, POINT_RADIUS, WIDTH
from embedclf.reports.html.figures import (
    AGAINST,
    FOR,
    FOREGROUND,
    PAGE_COLORS,
    SOFT,
    missing_glyph,
    new_figure,
    page_style,
    to_svg,
)
from embedclf.reports.html.rendering import stream
from embedclf.system.terminal import escape_controls, format_percent, shorten_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markupsafe import Markup
    from matplotlib.figure import Figure

    from embedclf.inference.projection import MapPoint, WordMap

_PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999933", "#882255")
"""For more than two labels. Color-blind readers can tell them apart on light and dark grounds
(Okabe and Ito, Color Universal Design, 2008)."""

_PNG_COLORS = {FOR: "#2563eb", AGAINST: "#ea580c", FOREGROUND: "#1a1a1a", SOFT: "#888888"}
_PNG_DPI = 200


def render_word_map(run: str, word_map: WordMap) -> Iterator[str]:
    """Render a page with the map and a legend of its colors."""
    colors = _label_colors(word_map)
    return stream(
        "word_map.html.j2",
        title=f"The words of {run}",
        caption=_caption(word_map),
        legend=[(label, PAGE_COLORS.get(color, color)) for label, color in colors.items()],
        svg=word_map_svg(word_map, standalone=False),
    )


def word_map_svg(word_map: WordMap, *, standalone: bool = True) -> Markup:
    """Render the map as SVG; a standalone file has the style sheet that a page brings otherwise."""
    return to_svg(
        _draw(word_map, {}),  # `to_svg` replaces the placeholders
        "map",
        _caption(word_map),
        template="word_map.svg.j2",
        standalone=standalone,
        points=map(_point_values, word_map.points),
    )


@page_style()
def word_map_png(word_map: WordMap) -> bytes:
    """Render the map as pixels on white.

    Raises:
        RequestError: A name has characters that Matplotlib's font lacks.
    """
    names = "".join(
        point.entry.name for point in word_map.points if point.name_position is not None
    )
    # As names are drawn: control characters are symbols by then.
    if character := missing_glyph(escape_controls(names)):
        raise RequestError(
            f"the letters of a picture have no {character!r}; a page (.html) or .svg has all"
        )
    file = io.BytesIO()
    _draw(word_map, _PNG_COLORS).savefig(file, format="png", dpi=_PNG_DPI, facecolor="white")
    return file.getvalue()


def _caption(word_map: WordMap) -> str:
    tokens = f"{len(word_map.points):,} tokens, coloured by the label that each speaks for most"
    if not word_map.explained_variance_ratios:
        return f"{tokens}; t-SNE keeps near what is near, and far tells nothing."
    across, *up = map(format_percent, word_map.explained_variance_ratios)
    return (
        f"{tokens}. Of the variance of their vectors {across} lies across, {', '.join(up)} "
        "upwards: the two directions in which they differ most, each stretched to fill the map."
    )


def _label_colors(word_map: WordMap) -> dict[str, str]:
    """The color of each label that is some token's top label; the rarest share one."""
    if len(word_map.labels) == 2:
        return dict(zip(word_map.labels, (AGAINST, FOR), strict=True))
    labels = [point.entry.top_label for point in word_map.points]
    ranked = sorted(set(labels), key=lambda label: (-labels.count(label), label))
    return {
        label: _PALETTE[rank] if rank < len(_PALETTE) else SOFT for rank, label in enumerate(ranked)
    }


@page_style()
def _draw(word_map: WordMap, colors: dict[str, str]) -> Figure:
    """Draw points and names; `colors` replace the placeholders where no page does."""
    figure = new_figure(WIDTH, HEIGHT)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(HEIGHT, 0)  # y grows downward, as in SVG
    axes.set_axis_off()
    for label, color in _label_colors(word_map).items():
        points = [point for point in word_map.points if point.entry.top_label == label]
        places = [point.x for point in points], [point.y for point in points]
        # The size of a marker is its diameter.
        axes.plot(*places, "o", color=colors.get(color, color), ms=2 * POINT_RADIUS, mew=0)
    for point in word_map.points:
        if point.name_position is not None:
            name, color = shorten_name(point.entry.name), colors.get(FOREGROUND, FOREGROUND)
            axes.text(*point.name_position, name, fontsize=10, va="center", color=color)
    return figure


def _point_values(point: MapPoint) -> dict[str, Any]:
    """Where a pointer, a finger or the tab key finds a point, and the text that it then shows."""
    entry = point.entry
    times = "" if entry.count is None else f", read {entry.count:,} times"
    name, label = shorten_name(entry.name), shorten_name(entry.top_label)
    text = f"{name}: {entry.label_contributions[entry.top_label]:+.2f} towards {label}{times}"
    # An estimate, as only the browser knows the font; 12 is the padding of both sides.
    width = min(7.0 * cell_len(text) + 12, WIDTH)
    # The box stays on the map; near the bottom edge it is above the point.
    left = min(max(0.0, point.x - width / 2), WIDTH - width)
    top = point.y + 12 if point.y < HEIGHT - 40 else point.y - 34
    return {"text": text, "x": point.x, "y": point.y, "left": left, "top": top, "width": width}
