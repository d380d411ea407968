"""Evaluations -> text."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from embedclf.data.label_forms import match_forms
from embedclf.evaluation.metrics import LABEL_METRICS, LOWER_IS_BETTER
from embedclf.reports.thresholds import format_thresholds
from embedclf.reports.verdict import verdict_text
from embedclf.system.control_characters import escape_controls
from embedclf.system.terminal import (
    NO_VALUE,
    format_count,
    format_definitions,
    format_number,
    format_score,
    join_shortened,
    new_table,
    render,
    shorten,
    terminal_width,
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
"""Tokens to show for a mistake: those with the largest contributions."""

_MAX_LABELS = 20
"""Labels to show."""

_MAX_CONFUSIONS = 10
"""Pairs of labels to list if the confusion matrix is too wide."""

_HIDDEN_METRICS = {
    "binary": {f"{mean}_{name}" for mean in ("macro", "weighted") for name in LABEL_METRICS}
    - {"macro_f1"},
    "multiclass": {"weighted_precision", "weighted_recall"},
    "multilabel": {"weighted_precision", "weighted_recall"},
}
"""Metrics that only the JSON has, since the others nearly determine them."""


def evaluation_text(evaluation: RunEvaluation) -> str:
    """Show the verdict, then scores, labels, confusions, slices and the worst mistakes."""
    skipped = evaluation.scored.labeled.skipped
    entries = [("verdict", verdict_text(evaluation))]
    if skipped:
        entries.append(("skipped", f"{format_count(skipped, 'row')} without a valid label"))
    if evaluation.scores.unknown_labels:
        unknown = unknown_labels_text(evaluation.scored.source.name, evaluation.scores)
        entries.append(("unknown labels", unknown))
    sections = [
        format_definitions(entries),
        _score_table(evaluation),
        format_definitions(evaluation_notes(evaluation)),
        _label_table(evaluation),
        _confusion_text(evaluation.scores),
        _slice_table(evaluation),
    ]
    if evaluation.mistakes:
        mistakes = map(_mistake_text, evaluation.mistakes)
        sections.append("\n".join([_mistakes_title(evaluation), *mistakes]))
    return "\n\n".join(filter(None, sections))


def evaluation_json(run: Path, evaluation: RunEvaluation) -> str:
    """The evaluation as JSON."""
    scored = evaluation.scored
    values = {
        "run": str(run),
        "data": scored.source.name,
        "form": scored.labeled.table.description,
        "caution": scored.source.caution,
        "rows_skipped": scored.labeled.skipped,
        "weight": scored.source.config.data.weight,
        **evaluation.scores.to_json(),
        "intervals": evaluation.intervals,
        "draws": evaluation.draws,
        "resampled": evaluation.scored.resampled,
        "baselines": baselines_json(evaluation),
        "slices": [asdict(each) for each in evaluation.slices],
        "mistakes": [_mistake_values(mistake) for mistake in evaluation.mistakes],
    }
    # `to_json` makes copies, so the evaluation stays unchanged.
    for label, intervals in zip(values["labels"], evaluation.label_intervals, strict=True):
        label["intervals"] = dict(zip(LABEL_METRICS, intervals, strict=True))
    return to_json(values)


def baselines_json(evaluation: RunEvaluation) -> dict[str, Any]:
    """Return the baselines by name, as plain values."""
    return {each.name: _baseline_values(each) for each in evaluation.baselines}


def format_interval(interval: Interval | None) -> str:
    """An interval with three decimals: `0.912 to 0.954`."""
    return f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else NO_VALUE


def format_short_interval(interval: Interval | None) -> str:
    """An interval with two decimals, for narrow columns: `0.91-0.95`."""
    return f"{interval[0]:.2f}-{interval[1]:.2f}" if interval else NO_VALUE


def evaluation_notes(evaluation: RunEvaluation) -> list[tuple[str, str]]:
    """Explain the scores: cautions, baselines, thresholds, intervals."""
    labels = evaluation.scored.classifier.labels
    entries = []
    if evaluation.scored.source.caution:
        entries.append(("caution", evaluation.scored.source.caution))
    if evaluation.scored.source.note:
        entries.append(("table", evaluation.scored.source.note))
    if evaluation.scored.weights is not None:
        column = evaluation.scored.source.config.data.weight
        entries.append(("weights", f"rows are weighted by {column!r}, in counts of labels too"))
    first = next(iter(evaluation.scores.metrics))  # the main one of the task
    for baseline in evaluation.baselines:
        verdict = _baseline_verdict(baseline, first)
        entries.append((baseline.name, f"{baseline.description}; {verdict}"))
    if evaluation.baseline_missing:
        entries.append(("tf-idf", f"not fitted: {evaluation.baseline_missing}"))
    if labels.thresholds and set(labels.thresholds) != {0.5}:
        entries.append(("threshold", format_thresholds(labels.names, labels.thresholds)))
    resampled = f"{evaluation.draws:,} bootstrap draws over {evaluation.scored.resampled}"
    few = "; these are so few that intervals are too narrow" if evaluation.scored.few_groups else ""
    entries.append(("intervals", f"95% confidence, {resampled}{few}"))
    losses = [name for name in evaluation.scores.metrics if name in LOWER_IS_BETTER]
    metrics = f"lower is better for {', '.join(losses)}"
    if labels.task == "binary":
        metrics = f"precision, recall and f1 are those of {labels.names[1]!r}; {metrics}"
    return [*entries, ("metrics", metrics)]


def slice_note(row_slice: Slice, overall: float | None) -> str:
    """Mark a slice whose score is significantly below that of all rows."""
    return "below overall" if overall is not None and row_slice.interval[1] < overall else ""


def mistake_labels(mistake: Mistake) -> str:
    """The actual and the predicted labels of a row."""
    actual, predicted = (
        ", ".join(labels) or "no label" for labels in (mistake.actual, mistake.predicted)
    )
    return f"actual: {actual}, predicted: {predicted}"


def unknown_labels_text(rows: str, scores: Scores) -> str:
    """List the labels that do not occur in training.

    Args:
        rows: The scored rows, for people.
        scores: Their scores.
    """
    labels = [
        f"{name!r} ({format_count(count, 'row')})" for name, count in scores.unknown_labels.items()
    ]
    fault = "labels that do not occur in training count as errors"
    text = f"{rows}: {fault}: {join_shortened(labels)}"
    forms = match_forms(scores.unknown_labels, [label.label for label in scores.labels])
    if forms:
        pairs = [f"{label!r} is a form of {known!r}" for label, known in forms.items()]
        text += f"; {join_shortened(pairs)}: train with data.merge_label_forms: true"
    return text


def _score_table(evaluation: RunEvaluation) -> str:
    hidden = _HIDDEN_METRICS[evaluation.scored.classifier.labels.task]
    names = [baseline.name for baseline in evaluation.baselines]
    numbers = tuple(range(1, 3 + len(names)))
    table = new_table("", "score", "95% interval", *names, numbers=numbers)
    for name, value in evaluation.scores.metrics.items():
        if name in hidden:
            continue
        interval = format_interval(evaluation.intervals[name])
        baselines = (format_score(baseline.metrics[name]) for baseline in evaluation.baselines)
        table.add_row(name, format_score(value), interval, *baselines)
    return render(table)


def _baseline_verdict(baseline: BaselineComparison, score_name: str) -> str:
    """Compare the run with a baseline, with the interval of the difference."""
    low, high = baseline.interval
    difference = f"{score_name} {baseline.lead:+.4f} ({low:+.3f} to {high:+.3f})"
    verdicts = {"run": "this run is better", "baseline": "this run is worse"}
    return f"{verdicts.get(baseline.verdict, 'no clear difference')}: {difference}"


def _label_table(evaluation: RunEvaluation) -> str:
    """A table of all labels, or if there are many, of those with the lowest F1."""
    table = new_table("label", "rows", *LABEL_METRICS, numbers=range(1, 5))
    pairs = list(zip(evaluation.scores.labels, evaluation.label_intervals, strict=True))
    title = ""
    if len(pairs) > _MAX_LABELS:
        title = f"{_MAX_LABELS} of {len(pairs)} labels, lowest f1 first\n"
        pairs = sorted(pairs, key=lambda pair: pair[0].f1)[:_MAX_LABELS]
    for label, intervals in pairs:
        scores = (label.precision, label.recall, label.f1)
        cells = [
            _format_score_interval(score, interval)
            for score, interval in zip(scores, intervals, strict=True)
        ]
        table.add_row(label.label, format_number(label.rows), *cells)
    return title + render(table)


def _format_score_interval(score: float, interval: Interval | None) -> str:
    return f"{score:.3f} ({format_short_interval(interval)})"


def _confusion_text(scores: Scores) -> str:
    """The confusion matrix, or if it is too wide, a list; empty if rows can have several labels."""
    if scores.confusion is None:
        return _frequent_confusions(scores)
    names = [label.label for label in scores.labels]
    rows = [list(map(format_number, counts)) for counts in scores.confusion]
    corner = "actual \\ predicted"
    first = max(len(corner), *map(len, names))
    columns = zip(names, *rows, strict=True)  # transposed: each title with its cells
    # 3 spaces separate columns; a matrix with wrapped rows would be unreadable.
    if first + sum(3 + max(map(len, column)) for column in columns) > terminal_width():
        return _frequent_confusions(scores)
    table = new_table(corner, *names, numbers=tuple(range(1, len(names) + 1)))
    for name, cells in zip(names, rows, strict=True):
        table.add_row(name, *cells)
    return render(table)


def _frequent_confusions(scores: Scores) -> str:
    """A table of the most frequent confusions; empty if there are none."""
    pairs = scores.confusions
    table = new_table("actual", "predicted", "rows", numbers=(2,))
    for confusion in pairs[:_MAX_CONFUSIONS]:
        table.add_row(confusion.actual, confusion.predicted, format_number(confusion.rows))
    title = f"most frequent confusions (first {min(len(pairs), _MAX_CONFUSIONS)} of {len(pairs):,})"
    return f"{title}\n{render(table)}" if pairs else ""


def _slice_table(evaluation: RunEvaluation) -> str:
    name, overall = next(iter(evaluation.scores.metrics.items()))
    table = new_table("slice by", "", "rows", name, "", numbers=(2, 3))
    before = ""
    for each in evaluation.slices:
        by = each.by if each.by != before else ""
        score = _format_score_interval(each.score, each.interval)
        table.add_row(by, each.name, f"{each.rows:,}", score, slice_note(each, overall))
        before = each.by
    return render(table)


def _mistakes_title(evaluation: RunEvaluation) -> str:
    title = "most confident mistakes"
    if evaluation.scored.before_refit:
        # The network before it is not stored
        title += " (probability: before the refit; tokens: what they add after it)"
    return title


def _mistake_text(mistake: Mistake) -> str:
    explanation = mistake.explanation
    contributions = [
        # No-break spaces keep a token and its contribution on one line.
        f"{name} {total:+.2f}".replace(" ", "\xa0")
        for name, times, total in explanation.terms(_MAX_TOKENS)
        # Bias and padding have no number of occurrences; only tokens explain a mistake.
        if times is not None and name != "other tokens"
    ]
    label = f"{explanation.label} ({format_score(explanation.probability)})"
    entries = [
        ("", shorten(" ".join(explanation.text.split()), _MAX_TEXT_CHARACTERS)),
        ("", f"{label}: {', '.join(contributions)}"),
    ]
    head = escape_controls(f"{mistake.location}  {mistake_labels(mistake)}")
    if len(head) > terminal_width():
        head = escape_controls(mistake.location)
        entries.insert(0, ("", mistake_labels(mistake)))
    details = format_definitions(entries).replace("\xa0", " ")
    return f"{head}\n{details}"


def _baseline_values(baseline: BaselineComparison) -> dict[str, Any]:
    return {
        "name": baseline.name,
        "scores": baseline.metrics,
        "lead": baseline.lead,
        "interval": baseline.interval,
        "description": baseline.description,
        "verdict": baseline.verdict,
    }


def _mistake_values(mistake: Mistake) -> dict[str, Any]:
    explanation = mistake.explanation
    tokens = [[token.token, token.contribution] for token in explanation.tokens]
    ngrams = [[ngram.ngram, ngram.contribution] for ngram in explanation.ngrams]
    return {
        "place": mistake.location,
        "actual": mistake.actual,
        "predicted": mistake.predicted,
        "label": explanation.label,
        "probability": explanation.probability,
        "text": explanation.text,
        "tokens": tokens + ngrams,
    }
