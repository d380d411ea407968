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
from embedclf.system.control_characters import escape_controls
from embedclf.system.progress import activity
from embedclf.system.terminal import format_count, format_percent, shorten_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markupsafe import Markup
    from matplotlib.figure import Figure

    from embedclf.inference.projection import MapPoint, WordMap

_PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999933", "#aa4499")
"""For more than two labels: distinct for color-blind readers, on light and dark grounds
(Okabe and Ito, Color Universal Design, 2008)."""

_PNG_COLORS = {FOR: "#2563eb", AGAINST: "#ea580c", FOREGROUND: "#1a1a1a", SOFT: "#888888"}
_PNG_DPI = 200


def render_word_map(run: str, word_map: WordMap) -> Iterator[str]:
    """Render a page with the map and a legend of its colors."""
    return stream(
        "word_map.html.j2",
        title=run,
        caption=_caption(word_map),
        legend=_legend(word_map),
        svg=word_map_svg(word_map, standalone=False),
    )


@activity("drawing the map")
def word_map_svg(word_map: WordMap, *, standalone: bool = True) -> Markup:
    """Render the map as SVG; a standalone file has its own style sheet."""
    return to_svg(
        _draw(word_map, {}),  # `to_svg` replaces the placeholders
        "map",
        _caption(word_map),
        template="word_map.svg.j2",
        standalone=standalone,
        points=map(_point_values, word_map.points),
    )


@activity("drawing the map")
@page_style()
def word_map_png(word_map: WordMap) -> bytes:
    """Render the map as a PNG on white.

    Raises:
        RequestError: A name has characters that Matplotlib's font lacks.
    """
    names = "".join(
        point.entry.name for point in word_map.points if point.name_position is not None
    )
    # As names are drawn: control characters are symbols by then.
    if character := missing_glyph(escape_controls(names)):
        raise RequestError(
            f"a PNG cannot show {character!r}, which its font lacks; use -o with .html or .svg"
        )
    file = io.BytesIO()
    _draw(word_map, _PNG_COLORS).savefig(file, format="png", dpi=_PNG_DPI, facecolor="white")
    return file.getvalue()


def _caption(word_map: WordMap) -> str:
    count = format_count(len(word_map.points), "token")
    tokens = f"{count}, colored by the label that each supports most."
    if not word_map.explained_variance_ratios:
        return (
            f"{tokens} t-SNE puts tokens with similar vectors next to each other; longer distances "
            "have no meaning."
        )
    axes = ", ".join(
        f"the {axis} axis explains {format_percent(ratio)}"
        for axis, ratio in zip(
            ("horizontal", "vertical"), word_map.explained_variance_ratios, strict=False
        )
    )
    return (
        f"{tokens} Principal component analysis (PCA) of their vectors: {axes} of the variance. "
        "Each axis is stretched to fill the map."
    )


def _legend(word_map: WordMap) -> list[tuple[str, str]]:
    """Labels with their colors; one entry for all labels that share a color."""
    colors = _label_colors(word_map)
    others = [label for label, color in colors.items() if color == SOFT]
    entries = [(label, color) for label, color in colors.items() if color != SOFT]
    if others:
        name = others[0] if len(others) == 1 else format_count(len(others), "other label")
        entries.append((name, SOFT))
    return [(label, PAGE_COLORS.get(color, color)) for label, color in entries]


def _label_colors(word_map: WordMap) -> dict[str, str]:
    """A color for each label that is some token's top label; the rarest labels share one."""
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
    """The position of a point, and the tooltip that a pointer, a touch or the tab key shows."""
    entry = point.entry
    times = "" if entry.count is None else f", {format_count(entry.count, 'occurrence')}"
    name, label = shorten_name(entry.name), shorten_name(entry.top_label)
    text = f"{name}: {entry.label_contributions[entry.top_label]:+.2f} for {label}{times}"
    # An estimate, as only the browser knows the font; 12 is the padding of both sides.
    width = min(7.0 * cell_len(text) + 12, WIDTH)
    # The box stays on the map; near the bottom edge it is above the point.
    left = min(max(0.0, point.x - width / 2), WIDTH - width)
    top = point.y + 12 if point.y < HEIGHT - 40 else point.y - 34
    return {"text": text, "x": point.x, "y": point.y, "left": left, "top": top, "width": width}
