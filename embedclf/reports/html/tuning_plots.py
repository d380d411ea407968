"""Plots of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.reports.html.figures import AGAINST, FOR, SOFT, as_svg, drawing, new_axes, room_for
from embedclf.system.terminal import shortened_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

_WIDTH, _HEIGHT = 340, 230
"""Of a plot, in units; as many as a phone's page has, so that letters keep their size there."""

_FEW_WORDS = 6
"""Values of a setting whose names stand level side by side."""

_LETTERS = 7
"""Of such a name at the most."""

Point = tuple[int, float | None]


def history(name: str, title: str, points: Sequence[Point], *, metric: str, lower: bool) -> str:
    """Scores trial by trial, the best so far as a line; those without a score at the foot.

    Args:
        name: Of the plot in its page, where no other has it.
        title: Says what is shown.
        points: Number and score of each trial, in order; None where it was pruned or failed.
        metric: What the scores are.
        lower: Whether the lowest is the best.
    """
    scored = np.array([(number, score) for number, score in points if score is not None])
    others = [number for number, score in points if score is None]
    best = (np.minimum if lower else np.maximum).accumulate(scored[:, 1])
    last = points[-1][0]
    with drawing(_WIDTH, _HEIGHT) as figure:
        axes = new_axes(figure, left=48, bottom=36, top=30)
        line = [*scored[:, 0], last], [*best, best[-1]]
        axes.plot(*line, "-", color=FOR, drawstyle="steps-post", label="best so far")
        axes.plot(*scored.T, "o", color=FOR, ms=4, alpha=0.6, label="trial")
        if others:
            foot = axes.get_ylim()[0]
            axes.plot(others, [foot] * len(others), "x", color=AGAINST, ms=4, label="no score")
        axes.locator_params("x", integer=True, min_n_ticks=1)
        axes.set(xlabel="trial", ylabel=metric)
        axes.legend(loc="lower left", bbox_to_anchor=(-0.04, 0.98), ncols=3, columnspacing=1.0)
        return as_svg(figure, name, title)


def importance_bars(name: str, title: str, shares: dict[str, float]) -> str:
    """A bar for each setting, the first on top.

    Args:
        name: Of the plot in its page, where no other has it.
        title: Says what is shown.
        shares: By setting, between 0 and 1.
    """
    names = [shortened_name(key) for key in shares]
    with drawing(_WIDTH, 46 + 20 * len(names)) as figure:
        axes = new_axes(figure, left=room_for(names) + 10, bottom=36, top=8, right=44)
        bars = axes.barh(range(len(names)), list(shares.values()), 0.7, color=FOR, alpha=0.6)
        axes.bar_label(bars, [f"{100 * share:.0f} %" for share in shares.values()], padding=3)
        axes.set_yticks(range(len(names)), names)
        axes.set(ylim=(len(names) - 0.5, -0.5), xlim=(0, max(shares.values())), xlabel="importance")
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
        axes.grid(visible=False, axis="y")
        axes.locator_params("x", nbins=4)
        return as_svg(figure, name, title)


def scores_by_value(
    name: str,
    title: str,
    points: Sequence[tuple[Any, float]],
    *,
    values: Sequence[str] | None,
    log: bool,
    metric: str,
) -> str:
    """The score of each trial over its value of one setting; the best trial comes first.

    Args:
        name: Of the plot in its page, where no other has it.
        title: Says what is shown, and names the axis.
        points: Value and score of each trial; a value is its place where `values` are named.
        values: Names of the values; None where they are numbers.
        log: Whether the numbers are spread by orders of magnitude.
        metric: What the scores are.
    """
    with drawing(_WIDTH, _HEIGHT) as figure:
        slanted = values is not None and _slanted(values)
        axes = new_axes(figure, left=48, bottom=72 if slanted else 36, top=10, right=14)
        if log:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.plot(*zip(*points, strict=True), "o", color=FOR, ms=4, alpha=0.6, linestyle="")
        best, score = points[0]
        axes.plot([best], [score], "o", color=AGAINST, ms=9, fillstyle="none")
        if values is not None:
            _name_values(axes, values, slanted=slanted)
        elif not log:
            axes.locator_params("x", nbins=5)
        axes.axhline(score, color=SOFT, linestyle=":", linewidth=1)
        axes.set(xlabel=title, ylabel=metric)
        axes.minorticks_off()
        return as_svg(figure, name, f"{metric} by {title}")


def _slanted(values: Sequence[str]) -> bool:
    return len(values) > _FEW_WORDS or max(map(len, values)) > _LETTERS


def _name_values(axes: Axes, values: Sequence[str], *, slanted: bool) -> None:
    names = [shortened_name(value) for value in values]
    slant: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(len(names)), names, **(slant if slanted else {}))
    axes.set_xlim(-0.5, len(names) - 0.5)
