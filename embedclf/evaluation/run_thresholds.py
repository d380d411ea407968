"""Thresholds of a run: compare them, or choose new ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from embedclf.data.labels import THRESHOLD
from embedclf.errors import RequestError
from embedclf.evaluation.scored_rows import score_rows
from embedclf.evaluation.scores import compute_scores
from embedclf.evaluation.thresholds import (
    COMMON_RULES,
    choose_thresholds,
    find_best_threshold,
    rule_from_json,
    rule_to_json,
    stored_rule,
)
from embedclf.model.probabilities import outcome_columns
from embedclf.runs.labeled_sources import LabeledSource, locate_validation_rows
from embedclf.runs.seen_tables import is_unchanged
from embedclf.system.progress import activity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from embedclf.config.fields import Threshold
    from embedclf.evaluation.scored_rows import ScoredRows
    from embedclf.evaluation.thresholds import ThresholdCurve
    from embedclf.runs.run import Run


@dataclass(frozen=True)
class ThresholdOption:
    """A rule, and the threshold that it chooses for a label."""

    label: str
    rule: Threshold
    point: ThresholdCurve
    """The threshold, and its predictions."""
    is_current: bool
    """Whether it is the current threshold."""


@dataclass(frozen=True)
class ThresholdTable:
    """Thresholds compared on the validation rows of a run."""

    source: str
    """The rows, for people."""
    refitted: bool
    """Whether the run was refitted on all rows, including these."""
    rows: int
    weight: str | None
    """The column of weights; numbers of predicted rows are sums of them."""
    rule: Threshold
    """The current rule of the run."""
    thresholds: tuple[float, ...]
    """(outputs,) the current thresholds."""
    options: tuple[ThresholdOption, ...]


def parse_rule(text: str) -> Threshold:
    """Parse a rule from the command line: `f1`, `0.3`, `precision=0.9`, `cost=1:10`.

    Raises:
        RequestError: It is not a rule.
    """
    name, equals, value = text.partition("=")
    values: Any = name
    try:
        if name == "cost":
            costs = map(float, value.split(":"))
            # `strict` raises ValueError unless there are two costs.
            values = {name: dict(zip(("false_positive", "false_negative"), costs, strict=True))}
        elif equals:
            values = {name: float(value)}
        elif not name.isidentifier():  # names of metrics are identifiers, numbers are not
            values = float(name)
        return rule_from_json(values)
    except (ValueError, ValidationError) as error:
        raise RequestError(
            f"--metric {text}: not a valid rule; use f1, micro_f1, youden, precision=0.9, "
            "recall=0.95, cost=1:10 (false positive : false negative), or a threshold from 0 to 1"
        ) from error


@activity("comparing thresholds")
def tabulate_thresholds(run: Run) -> ThresholdTable:
    """Compare thresholds on a run's validation rows.

    In a binary task, compare common rules for the positive label. In a multi-label task, compare
    each label's current threshold with 0.5.

    Raises:
        RequestError: The run has no threshold, because it predicts the most probable label.
        RunError: The validation rows are no longer available.
        DataError: Their table cannot be used.
    """
    _check_has_thresholds(run)
    return _tabulate(run, score_rows(run, locate_validation_rows(run, run.config())))


@activity("choosing thresholds")
def set_thresholds(run: Run, rule: Threshold) -> ThresholdTable:
    """Choose new thresholds for a run on its validation rows, and store its new scores.

    Test rows are scored again if their table is unchanged. Otherwise their scores are removed,
    because they depend on the old thresholds.

    Raises:
        RequestError: The run has no threshold, because it predicts the most probable label.
        RunError: The validation rows are no longer available.
        DataError: A table cannot be used.
    """
    _check_has_thresholds(run)
    config = run.config()
    scored = score_rows(run, locate_validation_rows(run, config))
    labels = scored.classifier.labels
    thresholds = choose_thresholds(
        labels, scored.targets, scored.probabilities, rule, scored.weights
    )
    metrics = {"validation": _score(scored, thresholds)}
    test = config.data.test
    if test is not None and is_unchanged(run, "test", test):
        test_rows = score_rows(run, LabeledSource.from_table(config, test))
        metrics["test"] = _score(test_rows, thresholds)
    run.update_thresholds({"rule": rule_to_json(rule), "thresholds": thresholds}, metrics)
    return _tabulate(run, scored)


def _check_has_thresholds(run: Run) -> None:
    if run.record["task"] == "multiclass":
        labels = len(run.record["labels"])
        raise RequestError(
            f"{run.path}: no threshold to choose: with {labels} labels, the most probable one is "
            "predicted"
        )


def _score(scored: ScoredRows, thresholds: tuple[float, ...]) -> dict[str, Any]:
    labels = scored.classifier.with_thresholds(thresholds).labels
    return compute_scores(
        labels,
        scored.targets,
        scored.probabilities,
        scored.unknown_labels,
        weights=scored.weights,
    ).to_json()


def _tabulate(run: Run, scored: ScoredRows) -> ThresholdTable:
    settings, outputs = run.threshold_settings(), scored.classifier.labels.outputs
    rule = stored_rule(settings["rule"], run)
    thresholds = tuple(settings["thresholds"]) or (THRESHOLD,) * outputs
    options = tuple(_options(scored, rule, thresholds))
    source = scored.source
    weight, rows = source.config.data.weight, len(scored)
    return ThresholdTable(source.name, run.refitted, rows, weight, rule, thresholds, options)


def _options(
    scored: ScoredRows, current: Threshold, thresholds: tuple[float, ...]
) -> Iterable[ThresholdOption]:
    """For each label, yield the current threshold, then those of the other rules."""
    labels = scored.classifier.labels
    rules: tuple[Threshold, ...] = COMMON_RULES if labels.task == "binary" else (THRESHOLD,)
    columns = outcome_columns(labels, scored.targets, scored.probabilities)
    names = labels.names[-labels.outputs :]  # in a binary task, the second label alone
    for name, threshold, column in zip(names, thresholds, columns, strict=True):
        # The stored threshold, not the rule: micro_f1 chooses one for all labels together.
        point = find_best_threshold(*column, threshold, scored.weights)
        yield ThresholdOption(name, current, point, is_current=True)
        for rule in rules:
            if rule != current:
                point = find_best_threshold(*column, rule, scored.weights)
                yield ThresholdOption(name, rule, point, is_current=False)
