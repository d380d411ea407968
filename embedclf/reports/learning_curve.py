"""A learning curve -> text."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from embedclf.reports.cross_validation import PHASES, rule_note
from embedclf.reports.evaluation import format_interval, format_short_interval
from embedclf.reports.verdict import metric_name
from embedclf.system.terminal import (
    format_count,
    format_definitions,
    format_duration,
    format_score,
    new_table,
    render,
    to_json,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.evaluation.bootstrap import Interval
    from embedclf.runs.run import Run
    from embedclf.training.folds.curve_scores import LearningCurve
    from embedclf.training.folds.learning_curve import CurvePlan, SubsetScore

_PLOT_WIDTH = 17


def plan_text(run: Run, plan: CurvePlan) -> str:
    """Announce a learning curve, with the time that it takes at the speed of the run."""
    once = sum(run.record["seconds"].get(phase, 0.0) for phase in PHASES)
    table = len(plan.folds)
    seconds = format_duration(once * float(plan.rows.sum()) / table)
    trainings = format_count(plan.rows.size, "training")
    return f"learning curve: {trainings} on parts of {format_count(table, 'row')}, about {seconds}"


def subset_score_text(score: SubsetScore) -> str:
    """How long a training took, its rows, and its score."""
    rows = format_count(score.training.rows, "row")
    return f"{format_duration(score.seconds)}  {rows}  {score.metric} {format_score(score.score)}"


def learning_curve_text(run: Run, curve: LearningCurve) -> str:
    """Show the scores by rows, the expectation for twice the rows, and what the numbers mean."""
    columns = curve_columns(curve)
    table = new_table(*columns, "", numbers=range(len(columns)))
    plots = _plot([(score, interval) for *_, score, interval in _levels(curve)])
    for cells, plot in zip(curve_rows(curve), plots, strict=True):
        table.add_row(*cells, plot)
    top = [("verdict", f"{curve_title(curve)}: {curve_verdict(curve)}")]
    sections = (format_definitions(top), render(table), format_definitions(curve_notes(run, curve)))
    return "\n\n".join(sections)


def learning_curve_json(run: Run, curve: LearningCurve) -> str:
    """The learning curve as JSON."""
    return to_json({"run": str(run.path), **curve.to_json()})


def curve_title(curve: LearningCurve) -> str:
    """What is measured on which rows: `accuracy on 574 test rows of test.csv`."""
    basis = curve.basis
    rows = basis.scored if " rows " in f" {basis.scored}" else f"rows of {basis.scored}"
    article = "the " if rows.startswith("latest ") else ""
    return f"{metric_name(basis.metric)} on {article}{basis.scored_rows:,} {rows}"


def curve_verdict(curve: LearningCurve) -> str:
    """Say what twice the rows would bring: `more rows would help: 0.861 expected ...`."""
    twice = curve.projection
    words = {"gain": "more rows would help", "unclear": "no clear gain from more rows"}
    expected = f"{twice.score:.3f} expected with {format_count(twice.rows, 'row')}"
    gain = f"a gain of {twice.gain:.3f} (95% interval {format_interval(twice.gain_interval)})"
    return f"{words[twice.verdict]}: {expected}, {gain}"


def curve_columns(curve: LearningCurve) -> list[str]:
    """The columns of `curve_rows`."""
    return ["rows", "part", curve.basis.metric, "95% interval", "subsets"]


def curve_rows(curve: LearningCurve) -> list[list[str]]:
    """The cells of each size by `curve_columns`, and at the end those of twice the rows."""
    return [
        [
            f"{rows:,}",
            name,
            format_score(score),
            format_interval(interval),
            format_short_interval((min(scores), max(scores)) if scores else None),
        ]
        for rows, name, scores, score, interval in _levels(curve)
    ]


def summary_line(curve: LearningCurve) -> str:
    """The first metric with all rows and twice the rows: `accuracy 0.861 with 1,000 rows; ...`."""
    last, metric = curve.points[-1], metric_name(curve.basis.metric)
    return (
        f"{metric} {last.score:.3f} with {format_count(last.rows, 'row')}; {curve_verdict(curve)}"
    )


def curve_notes(run: Run, curve: LearningCurve) -> list[tuple[str, str]]:
    """Explain the numbers: the curve, intervals, subsets, settings."""
    basis = curve.basis
    whole = f"whole groups of {basis.group!r}" if basis.group else "stratified by label"
    spread = f"lowest and highest of {curve.subsets} nested subsets per size, {whole}"
    twice = curve.projection
    step = f"{twice.measured_gain:+.3f} ({format_interval(twice.measured_gain_interval)})"
    entries = [
        ("half to all", f"{step}, the gain that the last doubling of the rows brought"),
        ("curve", _formula_note(curve)),
        ("intervals", _interval_note(curve)),
        ("subsets", f"{spread}; each has its own seed and validation rows"),
    ]
    missing = [str(Fraction(1, 2**size)) for size in range(len(curve.points), 4)]
    if missing:
        entries.append(("sizes", f"too few rows to train on {' and '.join(missing)} of them"))
    entries.append(("settings", "those of the run, which were chosen for all rows"))
    if note := rule_note(run, basis.rule):
        entries.append(("threshold", note))
    if basis.caution:
        entries.append(("caution", basis.caution))
    return entries


def _formula_note(curve: LearningCurve) -> str:
    """The fitted curve as a formula, and how it was fitted."""
    power = f"{curve.scale:.3g} · rows^-{curve.exponent:.2f}"
    fit = "weighted least squares"
    if curve.asymptote is None:
        few = f"{len(curve.points)} sizes are too few to fit what it approaches"
        return f"error = {power} by {fit}; {few}, so that is 0"
    return f"error = {curve.asymptote:.3f} + {power} by {fit}"


def _interval_note(curve: LearningCurve) -> str:
    """What the intervals resample, and what they cannot know."""
    basis = curve.basis
    scored = "scored rows" if basis.resampled == "rows" else basis.resampled
    draws = f"{basis.draws:,} bootstrap draws over {scored} and over subsets"
    return f"95% confidence, {draws}; for twice the rows, if the curve continues as fitted"


def _levels(
    curve: LearningCurve,
) -> list[tuple[int, str, Sequence[float], float, Interval | None]]:
    """Rows, name, scores of subsets, score and interval of each size, and of twice the rows."""
    twice = curve.projection
    return [
        *(
            (
                point.rows,
                str(Fraction(point.fraction)) if point.fraction < 1.0 else "all",
                point.scores,
                point.score,
                point.interval,
            )
            for point in curve.points
        ),
        (twice.rows, "twice", (), twice.score, twice.interval),
    ]


def _plot(levels: Sequence[tuple[float, Interval | None]]) -> list[str]:
    """Draw each score as a point within its interval, all on the same scale."""
    bounds = [bound for score, interval in levels for bound in interval or (score, score)]
    low, high = min(bounds), max(bounds)

    def column(value: float) -> int:
        place = round((value - low) / ((high - low) or 1.0) * (_PLOT_WIDTH - 1))
        return min(max(place, 0), _PLOT_WIDTH - 1)

    lines = []
    for score, interval in levels:
        start, end = map(column, interval or (score, score))
        cells = [" "] * _PLOT_WIDTH
        cells[start : end + 1] = "─" * (end + 1 - start)
        cells[column(score)] = "●"
        lines.append("".join(cells).rstrip())
    return lines
