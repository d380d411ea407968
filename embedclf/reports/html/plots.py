"""Figures of the run report: epochs, folds, sizes, confusion, ROC, precision-recall, reliability.

They are drawn with placeholder colors; `figures.to_svg` makes them part of a page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.reports.html.figures import (
    AGAINST,
    FAINT,
    FOR,
    SOFT,
    add_legend,
    new_axes,
    new_figure,
    page_style,
    text_width,
)
from embedclf.system.terminal import format_number, shorten_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from embedclf.evaluation.metrics import Reliability
    from embedclf.system.arrays import Doubles
    from embedclf.training.folds.curve_scores import CurvePoint, LearningCurve, Projection

_WIDTH, _HEIGHT = 340, 230
"""In units: a phone's width, where letters keep their size."""

_SQUARE = 300
"""Height of a figure whose axes both run from 0 to 1, in units."""

_MIN_CELL, _MAX_CELL = 26.0, 72.0
"""Side of a confusion matrix's cell, in units."""

_DIAGONAL = 0.71
"""A name at 45 degrees takes this fraction of its length across and down."""

_MAX_EXACT_COUNT = 9999
_MAX_LARGE_DIGITS = 4
_MAX_MARKED_EPOCHS = 30


@page_style()
def learning_curve(
    training: Sequence[float], validation: Sequence[float], best_epoch: int
) -> Figure:
    """Draw a loss or score epoch by epoch; `best_epoch` counts from 1."""
    epochs = np.arange(1, len(training) + 1)
    marker = "o" if len(epochs) <= _MAX_MARKED_EPOCHS else ""
    figure = new_figure(_WIDTH, _HEIGHT)
    axes = new_axes(figure, left=48, bottom=36, top=30)
    for values, color, line, label in (
        (training, AGAINST, "--", "training"),
        (validation, FOR, "-", "validation"),
    ):
        axes.plot(epochs, values, line, color=color, marker=marker, ms=3, label=label)
    axes.axvline(best_epoch, color=SOFT, linewidth=1, linestyle=":", label="best epoch")
    best = validation[best_epoch - 1]
    axes.plot([best_epoch], [best], "o", color=FOR, ms=7, fillstyle="none")
    # By default an axis wants two ticks, so a single epoch would get fractional ones.
    axes.locator_params("x", integer=True, min_n_ticks=1)
    axes.set_xlabel("epoch")
    add_legend(axes)
    return figure


@page_style()
def fold_scores(own: Sequence[float], tfidf: Sequence[float], unit: str) -> Figure:
    """Draw the scores of folds, next to those of TF-IDF unless there are none, with their means."""
    figure = new_figure(_WIDTH, _HEIGHT)
    axes = new_axes(figure, left=48, bottom=36, top=30)
    # Rings, so that a point of the same height stays visible within
    ring: dict[str, Any] = {"color": AGAINST, "ms": 8, "fillstyle": "none", "label": "TF-IDF"}
    point: dict[str, Any] = {"color": FOR, "ms": 4, "label": "run"}
    for values, style, line in ((tfidf, ring, "--"), (own, point, "-")):
        if values:
            axes.plot(np.arange(1, len(values) + 1), values, "o", **style)
            mean = float(np.mean(values))
            axes.axhline(mean, color=style["color"], linewidth=1, linestyle=line)
    axes.locator_params("x", integer=True, min_n_ticks=1)
    axes.set_xlabel(unit)
    add_legend(axes)
    return figure


@page_style()
def size_curve(curve: LearningCurve) -> Figure:
    """Draw the scores by training rows with their intervals, and the fitted curve to twice them."""
    figure = new_figure(_WIDTH, _HEIGHT)
    axes = new_axes(figure, left=48, bottom=36, top=30, right=20)
    points, twice = curve.points, curve.projection
    rows = np.geomspace(points[0].rows, twice.rows, 50)
    fitted = [curve.fitted_score(each) for each in rows]
    axes.plot(rows, fitted, ":", color=SOFT, linewidth=1, label="fitted curve")
    _draw_intervals(axes, points, {"color": FOR, "ms": 5, "label": "measured"})
    expected: dict[str, Any] = {"color": AGAINST, "ms": 6, "fillstyle": "none"}
    _draw_intervals(axes, [twice], expected | {"label": "expected"})
    axes.set_xscale("log", base=2)
    sizes = [*(point.rows for point in points), twice.rows]
    axes.set_xticks(sizes, list(map(_abbreviate, sizes)))
    axes.set_xlabel("training rows")
    add_legend(axes)
    return figure


@page_style()
def confusion_matrix(labels: Sequence[str], counts: Sequence[Sequence[float]]) -> Figure:
    """Draw a row for each actual label, colored by the fraction of its rows.

    Args:
        labels: In the order of rows and columns.
        counts: [actual label][predicted label] in rows.
    """
    names = [shorten_name(label) for label in labels]
    longest = text_width(names)
    # As large as the page's width allows; below the minimum the figure outgrows it.
    side = max(_MIN_CELL, min(_MAX_CELL, (_WIDTH - longest - 40) / len(names)))
    level = longest < side  # column names fit side by side
    right, down = (10.0, 16.0) if level else (longest * _DIAGONAL, longest * _DIAGONAL)
    matrix, left, bottom = side * len(names), longest + 26, down + 30
    figure = new_figure(left + matrix + right, bottom + matrix + 6)
    axes = new_axes(figure, left=left, bottom=bottom, top=6, right=right)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    for row, cells in enumerate(counts):
        for column, count in enumerate(cells):
            _draw_cell(axes, (row, column), count, sum(cells))
    axes.set(xlim=(-0.5, len(names) - 0.5), ylim=(len(names) - 0.5, -0.5))  # row 0 on top
    slant: dict[str, Any] = {"rotation": -45, "ha": "left", "rotation_mode": "anchor"}
    axes.set_xticks(range(len(names)), names, **({} if level else slant))
    axes.set_yticks(range(len(names)), names)
    axes.set_ylabel("actual")
    axes.set_xlabel("predicted")
    return figure


@page_style()
def roc_curve(
    false_positive_rates: Doubles, recall: Doubles, current: tuple[float, float]
) -> Figure:
    """Draw recall over the false positive rate.

    Args:
        false_positive_rates: (thresholds,) rising, between 0 and 1.
        recall: (thresholds,) the true positive rates.
        current: Both rates at the current threshold.
    """
    figure = new_figure(_WIDTH, _SQUARE)
    axes = _add_unit_axes(figure, "false positive rate", "true positive rate (recall)")
    axes.plot([0, 1], [0, 1], ":", color=SOFT, linewidth=1, label="random")
    # From a threshold above all probabilities to one below all.
    axes.plot([0, *false_positive_rates, 1], [0, *recall, 1], "-", color=FOR)
    _mark_threshold(axes, current)
    add_legend(axes)
    return figure


@page_style()
def precision_recall_curve(
    recall: Doubles, precision: Doubles, current: tuple[float, float], prevalence: float
) -> Figure:
    """Draw precision over recall, with the steps that average precision sums.

    Args:
        recall: (thresholds,) rising, between 0 and 1.
        precision: (thresholds,)
        current: Both at the current threshold.
        prevalence: Fraction of the rows that have the label: the precision of random
            predictions.
    """
    figure = new_figure(_WIDTH, _SQUARE)
    axes = _add_unit_axes(figure, "recall", "precision")
    axes.axhline(prevalence, linestyle=":", color=SOFT, linewidth=1, label="random")
    # Average precision weighs each precision by the gain of recall up to it: steps-pre.
    steps = [0, *recall], [precision[0], *precision]
    axes.plot(*steps, "-", color=FOR, drawstyle="steps-pre")
    _mark_threshold(axes, current)
    add_legend(axes)
    return figure


@page_style()
def reliability_diagram(bins: Reliability) -> Figure:
    """Draw observed frequencies over predicted probabilities, and how many fall in each bin."""
    figure = new_figure(_WIDTH, _SQUARE + 90)
    axes = _add_unit_axes(figure, "", "observed frequency", bottom=126)
    axes.plot([0, 1], [0, 1], ":", color=SOFT, linewidth=1, label="perfectly calibrated")
    # (2, filled) below and above; rounding may make one negative, which `errorbar` refuses.
    errors = np.maximum(
        np.stack([bins.observed_frequency - bins.low, bins.high - bins.observed_frequency]), 0.0
    )
    style: dict[str, Any] = {"color": FOR, "ms": 4, "elinewidth": 1, "capsize": 2}
    axes.errorbar(bins.predicted_probability, bins.observed_frequency, errors, fmt="o-", **style)
    add_legend(axes)
    axes.tick_params(labelbottom=False)  # the histogram below has the same axis
    histogram = new_axes(figure, left=48, bottom=36, top=_SQUARE - 16)
    edges = np.linspace(0.0, 1.0, len(bins.counts) + 1)
    bars = histogram.bar(
        edges[:-1], bins.counts, np.diff(edges), align="edge", color=FOR, alpha=0.5
    )
    histogram.bar_label(bars, list(map(_abbreviate, bins.counts.tolist())), padding=2, fontsize=8)
    histogram.set(xlim=(-0.03, 1.03), xlabel="predicted probability", ylabel="count")
    histogram.set_ylim(0, bins.counts.max() * 1.35)  # room for the counts above bars
    histogram.locator_params("y", nbins=2, integer=True)
    histogram.yaxis.set_major_formatter(lambda value, _: _abbreviate(int(value)))
    return figure


def _draw_intervals(
    axes: Axes, points: Sequence[CurvePoint | Projection], style: Mapping[str, Any]
) -> None:
    """Draw scores over rows as points with their intervals; a point without one has no line."""
    scores = np.array([point.score for point in points])
    bounds = np.array([point.interval or (point.score, point.score) for point in points])
    # `errorbar` refuses negative lengths: a mean of draws can miss the score
    errors = np.maximum(np.stack([scores - bounds[:, 0], bounds[:, 1] - scores]), 0.0)
    rows = [point.rows for point in points]
    axes.errorbar(rows, scores, errors, fmt="o", elinewidth=1, capsize=2, **style)


def _add_unit_axes(figure: Figure, xlabel: str, ylabel: str, *, bottom: float = 36) -> Axes:
    axes = new_axes(figure, left=48, bottom=bottom, top=24)
    ticks = np.linspace(0.0, 1.0, 6)
    # Axes clip what they draw: markers at 0 and 1 need a margin.
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xlabel=xlabel, ylabel=ylabel)
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    return axes


def _mark_threshold(axes: Axes, point: tuple[float, float]) -> None:
    x, y = point
    axes.plot([x], [y], "o", color=AGAINST, ms=7, label="current threshold")


def _draw_cell(axes: Axes, position: tuple[int, int], count: float, row_total: float) -> None:
    row, column = position
    color = FOR if row == column else AGAINST
    alpha = 0.1 + 0.65 * count / (row_total or 1)
    color, alpha = (color, alpha) if count else (FAINT, 0.4)
    # Not `imshow`, whose bitmap could not take its colors from the page.
    axes.bar(column, 0.94, 0.94, bottom=row - 0.47, color=color, alpha=alpha, linewidth=0)
    if count:
        text = _abbreviate(count)
        size = 10 if len(text) <= _MAX_LARGE_DIGITS else 8
        axes.text(column, row, text, ha="center", va="center", fontsize=size)


def _abbreviate(count: float) -> str:
    return format_number(count) if count <= _MAX_EXACT_COUNT else f"{count / 1000:,.0f}k"
