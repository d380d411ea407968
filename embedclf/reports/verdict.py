"""The verdict on a run in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedclf.system.terminal import display_path, format_percent, shorten

if TYPE_CHECKING:
    from embedclf.evaluation.bootstrap import Interval
    from embedclf.evaluation.evaluate import BaselineComparison, RunEvaluation

_MIN_ERROR_REDUCTION = 0.1
"""Fraction of the majority baseline's errors that a useful classifier must avoid."""

_MAX_LABEL_CHARACTERS = 40


def verdict_text(evaluation: RunEvaluation) -> str:
    """Say how often a run is right, which baseline comes close, and its weakest label.

    A baseline that is significantly better is said to be better; a difference whose interval
    contains 0 is said to be unclear.
    """
    clauses = ", ".join([_score_clause(evaluation), *_baseline_clauses(evaluation)])
    recall = _recall_clause(evaluation)
    return f"{clauses}; {recall}." if recall else f"{clauses}."


def scored_rows_text(evaluation: RunEvaluation) -> str:
    """How many rows were scored, and which: `574 test rows of test.csv`."""
    source = evaluation.scored.source
    is_whole_table = source.name == str(display_path(source.table))
    rows = f"rows of {source.name}" if is_whole_table else source.name
    return f"{evaluation.scores.rows:,} {rows}"


def metric_title(name: str) -> str:
    """A metric's name for the beginning of a sentence: `Micro F1`."""
    return name.replace("_", " ").capitalize().replace("f1", "F1")


def _score_clause(evaluation: RunEvaluation) -> str:
    # The first metric, accuracy or micro F1, is always defined; `or` satisfies the type checker.
    name, value = next(iter(evaluation.scores.metrics.items()))
    rows, interval = scored_rows_text(evaluation), evaluation.intervals[name]
    between = f" ({_format_range(name, interval)})" if interval else ""
    if name == "accuracy":
        return f"Right for {format_percent(value or 0.0)} of {rows}{between}"
    return f"{metric_title(name)} {value or 0.0:.3f}{between} on {rows}"


def _baseline_clauses(evaluation: RunEvaluation) -> list[str]:
    """Compare with the other baselines, and with guessing where that is not far behind."""
    # The majority baseline is always there, and first.
    majority, *others = evaluation.baselines
    name, value = next(iter(majority.metrics.items()))
    guess = value or 0.0
    guessing = f"always saying {_quote_label(evaluation.scores.majority_label)}"
    if majority.verdict == "run" and majority.lead < _MIN_ERROR_REDUCTION * (1.0 - guess):
        reaches = "which is right for" if name == "accuracy" else "which reaches"
        clauses = [f"hardly better than {guessing}, {reaches} {_format_value(name, guess)}"]
    elif majority.verdict != "run" or not others:
        clauses = [_compare(majority, guessing, name)]
    else:
        clauses = []
    return clauses + [_compare(other, "TF-IDF with logistic regression", name) for other in others]


def _compare(baseline: BaselineComparison, baseline_name: str, metric: str) -> str:
    low, high = baseline.interval
    if baseline.verdict == "unclear":
        interval = f"{_format_signed(metric, low)} to {_format_signed(metric, high)}"
        return f"not clearly better or worse than {baseline_name} ({interval})"
    difference = _format_difference(metric, abs(baseline.lead))
    # No unit: a difference of percentages is in points, which the clause has named already.
    between = _format_range(metric, _absolute(baseline.interval), unit="")
    word = "better" if baseline.verdict == "run" else "WORSE"
    return f"{word} than {baseline_name} by {difference} ({between})"


def _recall_clause(evaluation: RunEvaluation) -> str:
    """The recall of the positive label, or of several labels the lowest one below 1."""
    scores = evaluation.scores
    if evaluation.scored.classifier.labels.task == "binary":
        positive = scores.labels[1]  # the second label of two
        recall = format_percent(positive.recall)
        return f"{recall} of {_quote_label(positive.label)} is found" if positive.rows else ""
    # Without rows, recall is 0 by convention and says nothing about the label.
    occurring = [label for label in scores.labels if label.rows]
    weakest = min(occurring, key=lambda label: label.recall, default=None)
    if weakest is None or weakest.recall == 1.0:
        return ""
    rows = f"{weakest.rows:,} rows" if weakest.rows > 1 else "only row"
    recall = format_percent(weakest.recall)
    return f"least found is {_quote_label(weakest.label)}: {recall} of its {rows}"


def _quote_label(name: str) -> str:
    return repr(shorten(name, _MAX_LABEL_CHARACTERS))


def _format_value(metric: str, value: float) -> str:
    return format_percent(value) if metric == "accuracy" else f"{value:.3f}"


def _format_difference(metric: str, value: float) -> str:
    return f"{100 * value:.1f} points" if metric == "accuracy" else f"{value:.3f}"


def _format_signed(metric: str, value: float) -> str:
    return f"{100 * value:+.1f} points" if metric == "accuracy" else f"{value:+.3f}"


def _absolute(interval: Interval) -> Interval:
    low, high = sorted(map(abs, interval))
    return low, high


def _format_range(metric: str, interval: Interval, *, unit: str = " %") -> str:
    if metric != "accuracy":
        return f"{interval[0]:.3f} to {interval[1]:.3f}"
    return f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}{unit}"
