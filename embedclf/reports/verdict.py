"""The verdict on a run in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedclf.system.terminal import near, percent, shortened

if TYPE_CHECKING:
    from embedclf.evaluation.bootstrap import Interval
    from embedclf.evaluation.evaluate import BaselineComparison, RunEvaluation

_HARDLY = 0.1
"""Share of a guesser's errors that a classifier must spare one to be worth the name."""

_NAME = 40
"""Letters of a label."""


def verdict(told: RunEvaluation) -> str:
    """How often a run is right, what else would be as good, and what it finds least.

    A baseline that wins is said to win; what chance may explain is said to be unclear.
    """
    clauses = ", ".join([_reached(told), *_beside(told)])
    found = _found(told)
    return f"{clauses}; {found}." if found else f"{clauses}."


def rows_told(told: RunEvaluation) -> str:
    """How many rows were scored, and which: `574 test rows of test.csv`."""
    place = told.scored.place
    of = f"rows of {place.name}" if place.name == str(near(place.table)) else place.name
    return f"{told.evaluation.rows:,} {of}"


def titled(name: str) -> str:
    """A score's name as a sentence begins with it: `Micro F1`."""
    return name.replace("_", " ").capitalize().replace("f1", "F1")


def _reached(told: RunEvaluation) -> str:
    name, value = next(iter(told.evaluation.scores.items()))
    rows, interval = rows_told(told), told.intervals[name]
    between = f" ({_range(name, interval)})" if interval else ""
    if name == "accuracy":
        return f"Right for {percent(value or 0.0)} of {rows}{between}"
    return f"{titled(name)} {value or 0.0:.3f}{between} on {rows}"


def _beside(told: RunEvaluation) -> list[str]:
    """How it stands beside guessing, unless that is no question, and beside another method."""
    majority, *others = told.rivals
    name, value = next(iter(majority.scores.items()))
    guess = value or 0.0
    always = f"always saying {_label(told.evaluation.majority_label)}"
    if majority.verdict == "run" and majority.lead < _HARDLY * (1.0 - guess):
        reached = "which is right for" if name == "accuracy" else "which reaches"
        clauses = [f"hardly better than {always}, {reached} {_value(name, guess)}"]
    elif majority.verdict != "run" or not others:
        clauses = [_compared(majority, always, name)]
    else:
        clauses = []
    return [*clauses, *(_compared(one, "TF-IDF with logistic regression", name) for one in others)]


def _compared(rival: BaselineComparison, rival_name: str, name: str) -> str:
    low, high = rival.interval
    by = (
        f"{_difference(name, abs(rival.lead))} ({_range(name, _absolute(rival.interval), by=True)})"
    )
    if rival.verdict == "run":
        return f"better than {rival_name} by {by}"
    if rival.verdict == "baseline":
        return f"WORSE than {rival_name} by {by}"
    edges = f"{_signed(name, low)} to {_signed(name, high)}"
    return f"not clearly better or worse than {rival_name} ({edges})"


def _found(told: RunEvaluation) -> str:
    """What share of the positive label is found, or of the label that is found least."""
    evaluation = told.evaluation
    there = [label for label in evaluation.labels if label.rows]
    if told.scored.classifier.labels.task == "binary":
        positive = evaluation.labels[1]
        share = percent(positive.recall)
        return f"{share} of {_label(positive.label)} is found" if positive.rows else ""
    least = min(there, key=lambda label: label.recall, default=None)
    if least is None or least.recall == 1.0:
        return ""
    rows = f"{least.rows:,} rows" if least.rows > 1 else "only row"
    return f"least found is {_label(least.label)}: {percent(least.recall)} of its {rows}"


def _label(name: str) -> str:
    return repr(shortened(name, _NAME))


def _value(name: str, value: float) -> str:
    return percent(value) if name == "accuracy" else f"{value:.3f}"


def _difference(name: str, value: float) -> str:
    return f"{100 * value:.1f} points" if name == "accuracy" else f"{value:.3f}"


def _signed(name: str, value: float) -> str:
    return f"{100 * value:+.1f} points" if name == "accuracy" else f"{value:+.3f}"


def _absolute(interval: Interval) -> Interval:
    low, high = sorted(map(abs, interval))
    return low, high


def _range(name: str, interval: Interval, *, by: bool = False) -> str:
    if name != "accuracy":
        return f"{interval[0]:.3f} to {interval[1]:.3f}"
    return f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}{'' if by else ' %'}"
