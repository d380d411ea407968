"""The result of an evaluation in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedclf.runs.seen_tables import SEEN_CAUTIONS, VALIDATION_CAUTION
from embedclf.system.terminal import (
    format_count,
    format_percent,
    quote_number,
    shorten,
)
from embedclf.tables.files import display_tables

if TYPE_CHECKING:
    from embedclf.evaluation.bootstrap import Interval
    from embedclf.evaluation.evaluate import BaselineComparison, RunEvaluation

_MIN_ERROR_REDUCTION = 0.1
"""Fraction of the majority baseline's errors that a useful classifier avoids."""

_MAX_LABEL_CHARACTERS = 40


def verdict_text(evaluation: RunEvaluation) -> str:
    """Summarize an evaluation: the score, the difference from baselines, and the weakest label.

    The difference from a baseline is clear if its interval does not contain 0.
    """
    baselines = ", ".join(_baseline_clauses(evaluation))
    sentence = f"{_score_clause(evaluation)}: {baselines}"
    recall = _recall_clause(evaluation)
    return f"{sentence}; {recall}" if recall else sentence


def scored_rows_text(evaluation: RunEvaluation) -> str:
    """The number and the source of the rows: `574 test rows of test.csv`."""
    source = evaluation.scored.source
    is_whole_table = source.name == display_tables(source.table)
    count = evaluation.scores.rows
    if is_whole_table:
        return f"{format_count(count, 'row')} of {source.name}"
    return f"{count:,} {source.name}"


def metric_name(name: str) -> str:
    """A metric's name within a sentence: `micro F1`."""
    return name.replace("_", " ").replace("f1", "F1")


def metric_title(name: str) -> str:
    """A metric's name for the beginning of a sentence: `Micro F1`."""
    title = metric_name(name)
    return title[0].upper() + title[1:]


def _score_clause(evaluation: RunEvaluation) -> str:
    # The first metric, accuracy or micro F1, is always defined; `or` satisfies the type checker.
    name, value = next(iter(evaluation.scores.metrics.items()))
    interval = evaluation.intervals[name]
    asides = [_format_interval(name, interval)] if interval else []
    remarks = (evaluation.scored.few_groups, _bias(evaluation.scored.source.caution))
    asides += filter(None, remarks)
    aside = f" ({'; '.join(asides)})" if asides else ""
    score = f"{metric_name(name)} {_format_value(name, value or 0.0)}{aside}"
    return f"{score} on {scored_rows_text(evaluation)}"


def _bias(caution: str) -> str:
    """The caution of rows that training has seen, in one or two words."""
    if caution == SEEN_CAUTIONS["train"]:
        return "inflated"
    return "slightly optimistic" if caution.startswith(VALIDATION_CAUTION) else ""


def _baseline_clauses(evaluation: RunEvaluation) -> list[str]:
    """Compare with the other baselines, and with the majority baseline if it comes close."""
    # The majority baseline always exists, and is first.
    majority, *others = evaluation.baselines
    name, value = next(iter(majority.metrics.items()))
    guess = value or 0.0
    guessing = f"always predicting {_quote_label(evaluation.scores.majority_label)}"
    if majority.verdict == "run" and majority.lead < _MIN_ERROR_REDUCTION * (1.0 - guess):
        clauses = [f"barely better than {guessing} ({_format_value(name, guess)})"]
    elif majority.verdict != "run" or not others:
        clauses = [_compare(majority, guessing, name)]
    else:
        clauses = []
    return clauses + [_compare(other, "TF-IDF + logistic regression", name) for other in others]


def _compare(baseline: BaselineComparison, baseline_name: str, metric: str) -> str:
    low, high = baseline.interval
    if baseline.verdict == "unclear":
        interval = _format_difference(metric, low, high, sign="+")
        return f"no clear difference from {baseline_name} ({interval}{_unit(metric)})"
    difference = _format_difference(metric, abs(baseline.lead))
    # The sentence names the winner, so the bounds lose their sign, and with it their order.
    between = _format_difference(metric, *sorted((abs(low), abs(high))))
    word = "better" if baseline.verdict == "run" else "worse"
    return f"{word} than {baseline_name} by {difference}{_unit(metric)} ({between})"


def _recall_clause(evaluation: RunEvaluation) -> str:
    """The recall of the positive label; in other tasks, the lowest recall of a label below 1."""
    scores = evaluation.scores
    if evaluation.scored.classifier.labels.task == "binary":
        positive = scores.labels[1]  # the second label of two
        if not positive.rows:
            return ""
        label = quote_number(shorten(positive.label, _MAX_LABEL_CHARACTERS))
        return f"{label}: recall {format_percent(positive.recall)}"
    # Without rows, recall is 0 by convention, which does not describe the label.
    occurring = [label for label in scores.labels if label.rows]
    weakest = min(occurring, key=lambda label: label.recall, default=None)
    if weakest is None or weakest.recall == 1.0:
        return ""
    label = quote_number(shorten(weakest.label, _MAX_LABEL_CHARACTERS))
    recall, rows = format_percent(weakest.recall), format_count(weakest.rows, "row")
    return f"weakest label: {label} (recall {recall}, {rows})"


def _quote_label(name: str) -> str:
    return repr(shorten(name, _MAX_LABEL_CHARACTERS))


def _format_value(metric: str, value: float) -> str:
    return format_percent(value) if metric == "accuracy" else f"{value:.3f}"


def _format_interval(metric: str, interval: Interval) -> str:
    """Format the interval of a score: `82.9-90.4%`."""
    low, high = (_format_value(metric, bound) for bound in interval)
    return f"{low.removesuffix('%')}-{high}"


def _format_difference(metric: str, *values: float, sign: str = "") -> str:
    """Format a difference of scores, or the interval of one: `2.4 to 11.6`."""
    scale, places = (100.0, 1) if metric == "accuracy" else (1.0, 3)
    return " to ".join(f"{scale * value:{sign}.{places}f}" for value in values)


def _unit(metric: str) -> str:
    """The unit of a difference: accuracies differ by percentage points."""
    return " points" if metric == "accuracy" else ""
