"""Evaluations -> text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.evaluation.metrics import LABEL_METRICS
from embedclf.reports.thresholds import format_thresholds
from embedclf.system.terminal import (
    NO_VALUE,
    WIDTH,
    escape_controls,
    format_definitions,
    format_score,
    new_table,
    render,
    shorten,
    to_json,
)

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.evaluation.bootstrap import Interval
    from embedclf.evaluation.error_analysis import Mistake, Slice
    from embedclf.evaluation.evaluate import BaselineComparison, RunEvaluation
    from embedclf.evaluation.scores import Scores

_MAX_TEXT_CHARACTERS = 300

_MAX_TOKENS = 5
"""Tokens shown for a mistake: those that contributed most."""


def evaluation_text(evaluation: RunEvaluation) -> str:
    """Show scores, baselines, labels, confusion, slices and the worst mistakes of a run."""
    scored, scores = evaluation.scored, evaluation.scores
    skipped = scored.labeled.skipped
    note = f", {skipped:,} more skipped: no valid label" if skipped else ""
    lines = [f"{scored.source.name}: {scores.rows:,} rows{note}"]
    if scores.unknown_labels:
        lines.append(unknown_labels_text(scored.source.name, scores))
    lines += [_score_table(evaluation), format_definitions(evaluation_notes(evaluation))]
    lines += ["", _label_table(evaluation)]
    if confusion := _confusion_text(scores):
        lines += ["", confusion]
    lines += ["", _slice_table(evaluation)]
    if evaluation.mistakes:
        lines += ["", "the worst mistakes", *map(_mistake_text, evaluation.mistakes)]
    return "\n".join(lines)


def evaluation_json(run: Path, evaluation: RunEvaluation) -> str:
    """The evaluation as JSON; `rows` is their number."""
    scored = evaluation.scored
    values = {
        "run": str(run),
        "data": scored.source.name,
        "form": scored.labeled.table.description,
        "caution": scored.source.caution,
        "rows_skipped": scored.labeled.skipped,
        **evaluation.scores.to_json(),
        "intervals": evaluation.intervals,
        "draws": evaluation.draws,
        "baselines": {each.name: _baseline_values(each) for each in evaluation.baselines},
        "slices": [_slice_values(each) for each in evaluation.slices],
        "mistakes": [_mistake_values(mistake) for mistake in evaluation.mistakes],
    }
    # `to_json` made copies, so this leaves the evaluation unchanged.
    for label, intervals in zip(values["labels"], evaluation.label_intervals, strict=True):
        label["intervals"] = dict(zip(LABEL_METRICS, intervals, strict=True))
    return to_json(values)


def format_interval(interval: Interval | None) -> str:
    """An interval with three decimals: `0.912 to 0.954`."""
    return f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else NO_VALUE


def format_short_interval(interval: Interval | None) -> str:
    """An interval with two decimals, for narrow columns: `0.91-0.95`."""
    return f"{interval[0]:.2f}-{interval[1]:.2f}" if interval else NO_VALUE


def evaluation_notes(evaluation: RunEvaluation) -> list[tuple[str, str]]:
    """What the scores need beside them: baselines, thresholds, cautions, verdicts."""
    labels = evaluation.scored.classifier.labels
    entries = [(baseline.name, baseline.description) for baseline in evaluation.baselines]
    if evaluation.baseline_missing:
        entries.append(("tf-idf", f"not fitted: {evaluation.baseline_missing}"))
    if labels.thresholds and set(labels.thresholds) != {0.5}:
        entries.append(("threshold", format_thresholds(labels.names, labels.thresholds)))
    draws = f"bootstrap over rows, {evaluation.draws:,} draws; a mean over labels is 'macro'"
    entries.append(("intervals", draws))
    if evaluation.scored.source.caution:
        entries.append(("rows", evaluation.scored.source.caution))
    first = next(iter(evaluation.scores.metrics))  # the main one of the task
    verdicts = (_baseline_verdict(baseline, first) for baseline in evaluation.baselines)
    return [*entries, *(("verdict", verdict) for verdict in verdicts)]


def slice_note(row_slice: Slice, overall: float | None) -> str:
    """Mark a slice whose score is significantly below that of all rows."""
    return "below all" if overall is not None and row_slice.interval[1] < overall else ""


def mistake_labels(mistake: Mistake) -> str:
    """The actual and the predicted labels of a row."""
    actual, predicted = (
        ", ".join(labels) or "no label" for labels in (mistake.actual, mistake.predicted)
    )
    return f"true: {actual}, given: {predicted}"


def unknown_labels_text(rows: str, scores: Scores) -> str:
    """Count the labels that training never saw.

    Args:
        rows: Names the rows that were scored.
        scores: Theirs.
    """
    labels = ", ".join(f"{name!r} {count:,}" for name, count in scores.unknown_labels.items())
    total = sum(scores.unknown_labels.values())
    return shorten(
        f"{rows}: {total:,} times a label that training never saw, which is always wrong: {labels}"
    )


def _score_table(evaluation: RunEvaluation) -> str:
    names = [baseline.name for baseline in evaluation.baselines]
    numbers = tuple(range(1, 3 + len(names)))
    table = new_table("", "score", "95 % interval", *names, numbers=numbers)
    for name, value in evaluation.scores.metrics.items():
        interval = format_interval(evaluation.intervals[name])
        baselines = (format_score(baseline.metrics[name]) for baseline in evaluation.baselines)
        table.add_row(name, format_score(value), interval, *baselines)
    return render(table)


def _baseline_verdict(baseline: BaselineComparison, score_name: str) -> str:
    """Say whether the run is better than a baseline; the interval is of the difference."""
    # The sentence names the winner, so the bounds lose their sign, and with it their order.
    low, high = sorted(abs(edge) for edge in baseline.interval)
    if baseline.verdict == "unclear":
        return (
            f"no clear difference from {baseline.name}: {score_name} {baseline.lead:+.4f} "
            f"({baseline.interval[0]:+.3f} to {baseline.interval[1]:+.3f})"
        )
    better = baseline.verdict == "run"
    than = f"better than {baseline.name}" if better else f"{baseline.name} IS BETTER than this run"
    return f"{than}: {score_name} by {abs(baseline.lead):.4f} ({low:.3f} to {high:.3f})"


def _label_table(evaluation: RunEvaluation) -> str:
    columns = ("precision", "(95 %)", "recall", "(95 %)", "f1", "(95 %)")
    table = new_table("label", "rows", *columns, numbers=range(1, 8))
    for label, intervals in zip(evaluation.scores.labels, evaluation.label_intervals, strict=True):
        scores = (label.precision, label.recall, label.f1)
        cells = [
            cell
            for score, interval in zip(scores, intervals, strict=True)
            for cell in (format_score(score), format_short_interval(interval))
        ]
        table.add_row(label.label, f"{label.rows:,}", *cells)
    return render(table)


def _confusion_text(scores: Scores) -> str | None:
    """The confusion matrix; None if rows have several labels or it is too wide."""
    if scores.confusion is None:
        return None
    names = [label.label for label in scores.labels]
    rows = [[f"{count:,}" for count in counts] for counts in scores.confusion]
    corner = "true \\ given"
    first = max(len(corner), *map(len, names))
    columns = zip(names, *rows, strict=True)  # transposed: each title with its cells
    # 3 blanks separate columns; a matrix with wrapped rows would be unreadable.
    if first + sum(3 + max(map(len, column)) for column in columns) > WIDTH:
        return None
    table = new_table(corner, *names, numbers=tuple(range(1, len(names) + 1)))
    for name, cells in zip(names, rows, strict=True):
        table.add_row(name, *cells)
    return render(table)


def _slice_table(evaluation: RunEvaluation) -> str:
    name, overall = next(iter(evaluation.scores.metrics.items()))
    table = new_table("rows by", "", "rows", name, "95 % interval", "", numbers=(2, 3, 4))
    before = ""
    for each in evaluation.slices:
        by = each.by if each.by != before else ""
        score, interval = format_score(each.score), format_interval(each.interval)
        note = slice_note(each, overall)
        table.add_row(by, each.name, f"{each.rows:,}", score, interval, note)
        before = each.by
    return render(table)


def _mistake_text(mistake: Mistake) -> str:
    explanation = mistake.explanation
    contributions = [
        f"{name} {total:+.2f}"
        for name, times, total in explanation.terms(_MAX_TOKENS)
        # Bias and padding have no number of occurrences; only tokens explain a mistake.
        if times is not None and name != "other tokens"
    ]
    label = f"{explanation.label} {format_score(explanation.probability)}"
    entries = [
        ("", shorten(" ".join(explanation.text.split()), _MAX_TEXT_CHARACTERS)),
        ("", f"{label}: {', '.join(contributions)}"),
    ]
    head = escape_controls(f"{mistake.location}  {mistake_labels(mistake)}")
    return f"{shorten(head, WIDTH)}\n{format_definitions(entries)}"


def _baseline_values(baseline: BaselineComparison) -> dict[str, Any]:
    return {
        "name": baseline.name,
        "scores": baseline.metrics,
        "lead": baseline.lead,
        "interval": baseline.interval,
        "told": baseline.description,
        "verdict": baseline.verdict,
    }


def _slice_values(row_slice: Slice) -> dict[str, Any]:
    return {
        "by": row_slice.by,
        "name": row_slice.name,
        "rows": row_slice.rows,
        "score": row_slice.score,
        "interval": row_slice.interval,
    }


def _mistake_values(mistake: Mistake) -> dict[str, Any]:
    explanation = mistake.explanation
    tokens = [[token.token, token.contribution] for token in explanation.tokens]
    ngrams = [[ngram.ngram, ngram.contribution] for ngram in explanation.ngrams]
    return {
        # Published keys; they keep their names whatever the attributes are called.
        "place": mistake.location,
        "true": mistake.actual,
        "given": mistake.predicted,
        "label": explanation.label,
        "probability": explanation.probability,
        "text": explanation.text,
        "tokens": tokens + ngrams,
    }
