"""Figures of the tuning report: scores by trial, importance, scores by setting.

`optuna.visualization.matplotlib` (Optuna 5.0) draws all three, but does not suit a page:

* Its ggplot style has fixed colors, which ignore dark mode.
* Figures are 640 units wide, twice the width of a phone.
* The names of ten values overlap, and long setting names are clipped.
* Pruned trials are missing.
* Every call warns that it is experimental.
* It computes the importance again, which takes 1.1 s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.reports.html.figures import (
    AGAINST,
    FOR,
    SOFT,
    add_legend,
    new_axes,
    new_figure,
    page_style,
    text_width,
)
from embedclf.system.terminal import shorten_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT = 340, 230
"""In units: a phone's width, where letters keep their size."""

_MAX_LEVEL_NAMES = 6
"""More names of values than this are slanted, to have room side by side."""

_MAX_LEVEL_LETTERS = 7


@page_style()
def optimization_history(
    trials: Sequence[tuple[int, float | None]], metric: str, *, lower_is_better: bool
) -> Figure:
    """Draw scores trial by trial, the best so far as a line.

    Args:
        trials: Number and score of each trial, in order; None, for pruned and failed trials, is
            drawn as a cross at the bottom.
        metric: Name of the score.
        lower_is_better: Whether the best score is the lowest.
    """
    # (n, 2) of number and score.
    scored = np.array([(number, score) for number, score in trials if score is not None])
    others = [number for number, score in trials if score is None]
    best = (np.minimum if lower_is_better else np.maximum).accumulate(scored[:, 1])
    last = trials[-1][0]
    figure = new_figure(_WIDTH, _HEIGHT)
    axes = new_axes(figure, left=48, bottom=36, top=30)
    # The line reaches the last trial, even if that has no score.
    line = [*scored[:, 0], last], [*best, best[-1]]
    axes.plot(*line, "-", color=FOR, drawstyle="steps-post", label="best so far")
    axes.plot(*scored.T, "o", color=FOR, ms=4, alpha=0.6, label="trial")
    if others:
        bottom = axes.get_ylim()[0]  # known once the scores are drawn
        axes.plot(others, [bottom] * len(others), "x", color=AGAINST, ms=4, label="no score")
    axes.locator_params("x", integer=True, min_n_ticks=1)
    axes.set(xlabel="trial", ylabel=metric)
    add_legend(axes)
    return figure


@page_style()
def importance_bars(importance: dict[str, float]) -> Figure:
    """Draw a bar for the importance (0 to 1) of each setting, the first on top."""
    names = [shorten_name(key) for key in importance]
    values = list(importance.values())
    figure = new_figure(_WIDTH, 46 + 20 * len(names))
    axes = new_axes(figure, left=text_width(names) + 10, bottom=36, top=8, right=44)
    bars = axes.barh(range(len(names)), values, 0.7, color=FOR, alpha=0.6)
    axes.bar_label(bars, [f"{100 * value:.0f}%" for value in values], padding=3)
    axes.set_yticks(range(len(names)), names)
    axes.set(ylim=(len(names) - 0.5, -0.5), xlim=(0, max(values)), xlabel="importance")
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
    axes.grid(visible=False, axis="y")
    axes.locator_params("x", nbins=4)
    return figure


@page_style()
def setting_slice(
    points: Sequence[tuple[Any, float]],
    setting: str,
    metric: str,
    *,
    values: Sequence[str] | None,
    log: bool,
) -> Figure:
    """Draw the score of each trial over its value of one setting.

    Args:
        points: Value and score of each trial, the best trial first; a value is an index into
            `values` if these are passed.
        setting: Name of the setting.
        metric: Name of the score.
        values: Names of a categorical setting's values; None for numbers.
        log: Whether the axis of the numbers is logarithmic.
    """
    slanted = values is not None and _need_slant(values)
    figure = new_figure(_WIDTH, _HEIGHT)
    axes = new_axes(figure, left=48, bottom=72 if slanted else 36, top=10, right=14)
    if log:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.plot(*zip(*points, strict=True), "o", color=FOR, ms=4, alpha=0.6, linestyle="")
    best, score = points[0]
    axes.plot([best], [score], "o", color=AGAINST, ms=9, fillstyle="none")
    if values is not None:
        _set_value_names(axes, values, slanted=slanted)
    elif not log:
        axes.locator_params("x", nbins=5)
    axes.axhline(score, color=SOFT, linestyle=":", linewidth=1)
    axes.set(xlabel=setting, ylabel=metric)
    axes.minorticks_off()  # on a log axis they may also have labels
    return figure


def _need_slant(values: Sequence[str]) -> bool:
    return len(values) > _MAX_LEVEL_NAMES or max(map(len, values)) > _MAX_LEVEL_LETTERS


def _set_value_names(axes: Axes, values: Sequence[str], *, slanted: bool) -> None:
    names = [shorten_name(value) for value in values]
    slant: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(len(names)), names, **(slant if slanted else {}))
    axes.set_xlim(-0.5, len(names) - 0.5)
