"""The map of words: page, SVG, PNG."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.cells import cell_len

from embedclf.errors import RequestError
from embedclf.inference.projection import HEIGHT, SPOT, WIDTH
from embedclf.reports.html.figures import AGAINST, FOR, INK, SOFT, as_svg, drawing, missing_letter
from embedclf.reports.html.page import TAIL, head, plain
from embedclf.system.terminal import percent, shortened_name, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

    from embedclf.inference.projection import MapPoint, WordMap

_MANY = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999933", "#882255")
"""For labels of more than two, told apart by most eyes on light and dark (Okabe and Ito, 2008)."""

_PRINTED = {FOR: "#2563eb", AGAINST: "#ea580c", INK: "#1a1a1a", SOFT: "#888888"}
"""Colours where no page has its own."""

_TARGET = 9.0
"""Radius of what a pointer or finger hits."""

_DPI = 200

_HOVER = """\
.spot circle { fill: transparent; } .spot rect, .spot text { visibility: hidden; }
.spot rect { fill: Canvas; stroke: var(--soft); } .spot text { font: 12px system-ui, sans-serif; }
.spot:hover rect, .spot:focus rect, .spot:hover text, .spot:focus text { visibility: visible; }
.spot:focus { outline: none; } .spot:hover circle, .spot:focus circle { stroke: currentColor; }
"""

_STYLE = (
    """\
:root { --soft: #888; --faint: #8883; }
body { max-width: 60rem; }
figure { margin: 1rem 0; overflow-x: auto; }
svg { display: block; width: 100%; height: auto; min-width: 40rem; }
svg text { fill: currentColor; }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1rem; list-style: none; padding: 0; }
.key i { display: inline-block; width: .7em; height: .7em; border-radius: 50%; margin-right: .4em; }
"""
    + _HOVER
)

_ALONE = (
    """\
svg { color-scheme: light dark; --for: 37 99 235; --against: 234 88 12; --soft: #888; }
svg { --faint: #8883; background: Canvas; color: CanvasText; }
svg text { fill: currentColor; font-family: system-ui, sans-serif; }
"""
    + _HOVER
)


def page(run: str, drawn: WordMap) -> Iterator[str]:
    """A page of a map, with what its colours are."""
    colors = _colours(drawn)
    shown = {FOR: "rgb(var(--for))", AGAINST: "rgb(var(--against))", SOFT: "var(--soft)"}
    yield head(f"The words of {run}", _STYLE)
    yield f"<p>{plain(_told(drawn))}</p>\n"
    key = "".join(
        f'<li><i style="background:{shown.get(color, color)}"></i>{plain(label)}</li>'
        for label, color in colors.items()
    )
    yield f'<ul class="key">{key}</ul>\n<figure>\n{_svg(drawn, "")}</figure>\n'
    yield TAIL


def svg(drawn: WordMap) -> str:
    """The map alone."""
    return _svg(drawn, f"<style>\n{_ALONE}</style>")


def png(drawn: WordMap) -> bytes:
    """The map as pixels on white.

    Raises:
        RequestError: A name has letters that the font of pictures lacks.
    """
    names = "".join(spot.entry.word for spot in drawn.spots if spot.name_at is not None)
    with drawing(WIDTH, HEIGHT) as figure:
        if lacking := missing_letter(visible(names)):
            raise RequestError(
                f"the letters of a picture have no {lacking!r}; a page (.html) or .svg has all"
            )
        _draw(figure, drawn, _PRINTED)
        written = io.BytesIO()
        figure.savefig(written, format="png", dpi=_DPI, facecolor="white")
        return written.getvalue()


def _told(drawn: WordMap) -> str:
    what = f"{len(drawn.spots):,} tokens, coloured by the label that each speaks for most"
    if not drawn.shares:
        return f"{what}; t-SNE keeps near what is near, and far tells nothing."
    across, *up = map(percent, drawn.shares)
    return (
        f"{what}. Of the variance of their vectors {across} lies across, {', '.join(up)} upwards: "
        "the two directions in which they differ most, each stretched to fill the map."
    )


def _colours(drawn: WordMap) -> dict[str, str]:
    """The colour of each label that some token speaks for; rarer ones share one."""
    if len(drawn.labels) == 2:
        return dict(zip(drawn.labels, (AGAINST, FOR), strict=True))
    spoken = [spot.entry.towards for spot in drawn.spots]
    ranked = sorted(set(spoken), key=lambda label: (-spoken.count(label), label))
    return {label: _MANY[at] if at < len(_MANY) else SOFT for at, label in enumerate(ranked)}


def _draw(figure: Figure, drawn: WordMap, shown: dict[str, str]) -> None:
    """Draw spots and names; `shown` are the colours that stand for those of a page."""
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(HEIGHT, 0)
    axes.set_axis_off()
    colors = _colours(drawn)
    for label, color in colors.items():
        spots = [spot for spot in drawn.spots if spot.entry.towards == label]
        places = [spot.x for spot in spots], [spot.y for spot in spots]
        drawn_with = shown.get(color, color)
        axes.plot(*places, "o", color=drawn_with, ms=2 * SPOT, mew=0)
    for spot in drawn.spots:
        if spot.name_at is not None:
            name, ink = shortened_name(spot.entry.word), shown.get(INK, INK)
            axes.text(*spot.name_at, name, fontsize=10, va="center", color=ink)


def _svg(drawn: WordMap, style: str) -> str:
    with drawing(WIDTH, HEIGHT) as figure:
        _draw(figure, drawn, {})
        body = as_svg(figure, "map", _told(drawn))
    targets = "\n".join(_target(spot) for spot in drawn.spots)
    opened = body.index(">") + 1
    closed = body.rindex("</svg>")
    return f"{body[:opened]}{style}{body[opened:closed]}{targets}\n</svg>\n"


def _target(spot: MapPoint) -> str:
    """What a pointer, a finger or the tab key finds: the word, its push and its count."""
    entry = spot.entry
    times = "" if entry.count is None else f", read {entry.count:,} times"
    word, label = shortened_name(entry.word), shortened_name(entry.towards)
    told = f"{word}: {entry.pushes[entry.towards]:+.2f} towards {label}{times}"
    width = min(7.0 * cell_len(told) + 12, WIDTH)
    left = min(max(0.0, spot.x - width / 2), WIDTH - width)
    top = spot.y + 12 if spot.y < HEIGHT - 40 else spot.y - 34
    return (
        f'<g class="spot" tabindex="0" aria-label="{plain(told)}">'
        f'<circle cx="{spot.x:.1f}" cy="{spot.y:.1f}" r="{_TARGET:g}"/>'
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="22" rx="4"/>'
        f'<text x="{left + 6:.1f}" y="{top + 15:.1f}">{plain(told)}</text></g>'
    )
