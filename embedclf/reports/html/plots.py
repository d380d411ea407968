"""Learning, confusion, ROC, PR, reliability, intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.reports.html.figures import (
    AGAINST,
    FAINT,
    FOR,
    SOFT,
    as_svg,
    drawing,
    new_axes,
    place,
    room_for,
)
from embedclf.system.terminal import shortened_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from embedclf.evaluation.metrics import Reliability
    from embedclf.system.arrays import Doubles


_WIDTH, _HEIGHT = 340, 230
"""Of a plot, in units; as many as a phone's page has, so that letters keep their size there."""

_SQUARE = 300
"""Height of a plot of shares over shares."""

_LEAST_SIDE, _MOST_SIDE = 26.0, 72.0
"""Of a cell of a matrix, in units."""

_SLANT = 0.71
"""Share of its length that a name at 45 degrees takes across and down."""

_MOST_DIGITS = 9999
"""The largest number of a cell that is written out."""

_FEW_DIGITS = 4
"""Letters of a number that a cell has room for."""

_FEW_MARKS = 30
"""Epochs up to which each is marked."""


def learning_curve(
    name: str, title: str, training: Sequence[float], validation: Sequence[float], best: int
) -> str:
    """How a loss or a score went from epoch to epoch, the kept epoch marked.

    Args:
        name: Of the plot in its page, where no other has it.
        title: Says what is shown.
        training: (epochs,) on training rows.
        validation: (epochs,) on validation rows.
        best: The number of the kept epoch, from 1.
    """
    epochs = np.arange(1, len(training) + 1)
    marker = "o" if len(epochs) <= _FEW_MARKS else ""
    with drawing(_WIDTH, _HEIGHT) as figure:
        axes = new_axes(figure, left=48, bottom=36, top=30)
        for values, color, dashes, label in (
            (training, AGAINST, "--", "training"),
            (validation, FOR, "-", "validation"),
        ):
            axes.plot(epochs, values, dashes, color=color, marker=marker, ms=3, label=label)
        axes.axvline(best, color=SOFT, linewidth=1, linestyle=":", label="kept epoch")
        axes.plot([best], [validation[best - 1]], "o", color=FOR, ms=7, fillstyle="none")
        axes.locator_params("x", integer=True, min_n_ticks=1)
        axes.set_xlabel("epoch")
        _legend(axes)
        return as_svg(figure, name, title)


def confusion_matrix(
    name: str, title: str, labels: Sequence[str], cells: Sequence[Sequence[int]]
) -> str:
    """What is taken for what: a row for each true label, coloured by its shares.

    Args:
        name: Of the plot in its page, where no other has it.
        title: Says what is shown.
        labels: In the order of rows and columns.
        cells: [true label][given label] in rows.
    """
    names = [shortened_name(label) for label in labels]
    longest = room_for(names)
    side = max(_LEAST_SIDE, min(_MOST_SIDE, (_WIDTH - longest - 40) / len(names)))
    level = longest < side
    across, down = (10.0, 16.0) if level else (longest * _SLANT, longest * _SLANT)
    matrix, left, bottom = side * len(names), longest + 26, down + 30
    with drawing(left + matrix + across, bottom + matrix + 6) as figure:
        axes = new_axes(figure, left=left, bottom=bottom, top=6, right=across)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        for row, counts in enumerate(cells):
            for column, count in enumerate(counts):
                _cell(axes, (row, column), count, sum(counts))
        axes.set(xlim=(-0.5, len(names) - 0.5), ylim=(len(names) - 0.5, -0.5))
        slant: dict[str, Any] = {"rotation": -45, "ha": "left", "rotation_mode": "anchor"}
        axes.set_xticks(range(len(names)), names, **({} if level else slant))
        axes.set_yticks(range(len(names)), names)
        axes.set_ylabel("true")
        axes.set_xlabel("given")
        return as_svg(figure, name, title)


def roc_curve(
    name: str, title: str, false: Doubles, found: Doubles, at: tuple[float, float]
) -> str:
    """Share of the rows with a label that get it, over that of the others that get it.

    Args:
        name: Of the plot in its page, where no other has it.
        title: Says what is shown.
        false: (thresholds,) rising false positive rates between 0 and 1.
        found: (thresholds,) true positive rates.
        at: Both at the threshold that decides.
    """
    with drawing(_WIDTH, _SQUARE) as figure:
        axes = _unit_axes(figure, "false positive rate", "true positive rate (recall)")
        axes.plot([0, 1], [0, 1], ":", color=SOFT, linewidth=1, label="guessing")
        axes.plot([0, *false, 1], [0, *found, 1], "-", color=FOR)
        axes.plot(*([one] for one in at), "o", color=AGAINST, ms=7, label="the run's threshold")
        _legend(axes)
        return as_svg(figure, name, title)


def precision_recall_curve(
    name: str,
    title: str,
    recall: Doubles,
    precision: Doubles,
    at: tuple[float, float],
    share: float,
) -> str:
    """Precision over recall; the steps are those of average precision.

    Args:
        name: Of the plot in its page, where no other has it.
        title: Says what is shown.
        recall: (thresholds,) rising, between 0 and 1.
        precision: (thresholds,)
        at: Both at the threshold that decides.
        share: Of the rows that have the label: the precision of guessing.
    """
    with drawing(_WIDTH, _SQUARE) as figure:
        axes = _unit_axes(figure, "recall", "precision")
        axes.axhline(share, linestyle=":", color=SOFT, linewidth=1, label="guessing")
        steps = [0, *recall], [precision[0], *precision]
        axes.plot(*steps, "-", color=FOR, drawstyle="steps-pre")
        axes.plot(*([one] for one in at), "o", color=AGAINST, ms=7, label="the run's threshold")
        _legend(axes)
        return as_svg(figure, name, title)


def reliability_diagram(name: str, title: str, bins: Reliability) -> str:
    """How often what was said with a probability came true, and how often that was said.

    Args:
        name: Of the plot in its page, where no other has it.
        title: Says what is shown.
        bins: The probabilities.
    """
    with drawing(_WIDTH, _SQUARE + 90) as figure:
        axes = _unit_axes(figure, "", "share that came true", bottom=126)
        axes.plot([0, 1], [0, 1], ":", color=SOFT, linewidth=1, label="as often as said")
        spread = np.maximum(np.stack([bins.came - bins.low, bins.high - bins.came]), 0.0)
        axes.errorbar(
            bins.said, bins.came, spread, fmt="o-", color=FOR, ms=4, elinewidth=1, capsize=2
        )
        _legend(axes)
        axes.tick_params(labelbottom=False)
        counts = figure.add_axes(place(figure, left=48, bottom=36, top=_SQUARE - 16))
        edges = np.linspace(0.0, 1.0, len(bins.times) + 1)
        widths = np.diff(edges)
        bars = counts.bar(edges[:-1], bins.times, widths, align="edge", color=FOR, alpha=0.5)
        counts.bar_label(bars, list(map(_brief, bins.times.tolist())), padding=2, fontsize=8)
        counts.set(xlim=(-0.03, 1.03), xlabel="probability that was said", ylabel="times")
        counts.set_ylim(0, bins.times.max() * 1.35)
        counts.locator_params("y", nbins=2, integer=True)
        counts.yaxis.set_major_formatter(lambda value, _: _brief(int(value)))
        return as_svg(figure, name, title)


def interval_chart(
    name: str,
    title: str,
    groups: Sequence[tuple[str, Sequence[tuple[str, float, float, float]]]],
    whole: float,
) -> str:
    """Scores with their intervals, one below the other, beside the score of the whole.

    Args:
        name: Of the plot in its page, where no other has it.
        title: Says what is shown.
        groups: What each group has in common, and its members: name, score, and from where to
            where that may be by chance.
        whole: The score of all.
    """
    rows = [
        row
        for by, members in groups
        for row in ((by, None), *((each, edges) for each, *edges in members))
    ]
    names = [shortened_name(row) for row, _ in rows]
    left = room_for(names) + 10
    with drawing(_WIDTH, 46 + 20 * len(rows)) as figure:
        axes = new_axes(figure, left=left, bottom=36, top=8)
        axes.axvline(whole, color=SOFT, linestyle=":", linewidth=1)
        for row, (_, scored) in enumerate(rows):
            if scored is not None:
                _interval(axes, row, scored, whole)
        axes.set_yticks(range(len(rows)), names)
        for text, (_, scored) in zip(axes.get_yticklabels(), rows, strict=True):
            text.set_fontweight("bold" if scored is None else "normal")
        axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel=title)
        axes.locator_params("x", nbins=4)
        return as_svg(figure, name, title)


def _unit_axes(figure: Figure, across: str, up: str, *, bottom: float = 36) -> Axes:
    """Axes of shares over shares."""
    axes = new_axes(figure, left=48, bottom=bottom, top=24)
    ticks = np.linspace(0.0, 1.0, 6)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xlabel=across, ylabel=up)
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    return axes


def _legend(axes: Axes) -> None:
    """What the lines are, above them, where none runs."""
    axes.legend(loc="lower left", bbox_to_anchor=(-0.04, 0.98), ncols=3, columnspacing=1.0)


def _cell(axes: Axes, at: tuple[int, int], count: int, of: int) -> None:
    """A cell of a confusion matrix: its share as a depth of colour, its number if there is one."""
    row, column = at
    share = count / max(of, 1)
    color = FOR if row == column else AGAINST
    alpha = 0.1 + 0.65 * share if count else 0.4
    color = color if count else FAINT
    axes.bar(column, 0.94, 0.94, bottom=row - 0.47, color=color, alpha=alpha, linewidth=0)
    if count:
        size = 10 if len(_brief(count)) <= _FEW_DIGITS else 8
        axes.text(column, row, _brief(count), ha="center", va="center", fontsize=size)


def _interval(axes: Axes, row: int, scored: Sequence[float], whole: float) -> None:
    """A score and from where to where it may be; what lies surely below the whole is a square."""
    value, low, high = scored
    color, marker = (AGAINST, "s") if high < whole else (FOR, "o")
    axes.plot([low, high], [row, row], "-", color=color, linewidth=1.4)
    axes.plot([value], [row], marker, color=color, ms=5)


def _brief(count: int) -> str:
    """A number in at most five letters or so."""
    return f"{count:,}" if count <= _MOST_DIGITS else f"{count / 1000:,.0f}k"
