"""A cross-validation -> text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.evaluation.thresholds import describe_rule, stored_rule
from embedclf.reports.verdict import metric_name
from embedclf.system.terminal import NO_VALUE, format_count, format_duration, format_score

if TYPE_CHECKING:
    from embedclf.evaluation.fold_scores import CrossValidation, FoldComparison, FoldScores, Spread
    from embedclf.runs.run import Run
    from embedclf.training.folds.cross_fitting import Folds

SPREAD_NOTE = (
    "± is the standard deviation over {folds}. It is not a confidence interval: the trainings "
    "share rows"
)
"""What a spread means (Bengio and Grandvalet, 2004)."""

PHASES = ("prepare", "fit", "refit")
"""Those of a run's seconds that each repeated training takes."""


def plan_text(run: Run, folds: Folds) -> str:
    """Announce a cross-validation, with the time that it takes at the speed of the run."""
    once = sum(run.record["seconds"].get(phase, 0.0) for phase in PHASES)
    # Each training has all rows but those of a fold; with blocks by time, half of them on average
    trainings = folds.count - 1 if folds.units.times is None else folds.count / 2
    count = format_count(folds.count, "more training")
    return f"cross-validation: {count}, about {format_duration(trainings * once)}"


def fold_scores_text(fold: FoldScores) -> str:
    """How long a fold took, and its scores."""
    name, value = next(iter(fold.metrics.items()))
    rows = format_count(fold.rows, "row")
    line = f"{format_duration(fold.seconds)}  {rows}  {name} {format_score(value)}"
    return line if fold.tfidf is None else f"{line}  TF-IDF {format_score(fold.tfidf[name])}"


def cross_validation_lines(validation: CrossValidation) -> list[str]:
    """Show mean, spread and range of the first metric, the comparison with TF-IDF, and a caution.

    The difference from TF-IDF is clear if its interval does not contain 0.
    """
    comparison = validation.compare_tfidf()
    lines = [f"cross-validation, {summary_line(validation)}"]
    if comparison is not None:
        lines.append(comparison_text(comparison))
    if validation.tfidf_missing:
        lines.append(f"no TF-IDF baseline on the folds: {validation.tfidf_missing}")
    return [*lines, spread_note(validation)]


def summary_line(validation: CrossValidation) -> str:
    """The first metric: `5 folds: accuracy 0.912 ± 0.014 (0.894 to 0.931), majority 0.500`."""
    name = validation.metrics[0]
    spread, majority = validation.spread(name), validation.spread(name, "majority")
    # Every fold defines the first metric
    assert spread is not None  # noqa: S101
    assert majority is not None  # noqa: S101
    between = f"{spread.lowest:.3f} to {spread.highest:.3f}"
    score = f"{metric_name(name)} {spread_text(spread)} ({between})"
    return f"{folds_name(validation)}: {score}, majority {majority.mean:.3f}"


def folds_name(validation: CrossValidation) -> str:
    """The number of folds, and what divides them: `5 folds by 'user'`."""
    count, time = len(validation.folds), validation.time
    if time is not None:
        return f"{format_count(count, 'block')} by {time!r}"
    by = f" by {validation.group!r}" if validation.group else ""
    return f"{format_count(count, 'fold')}{by}"


def spread_note(validation: CrossValidation) -> str:
    """What the numbers after ± mean."""
    return SPREAD_NOTE.format(folds="blocks" if validation.scheme == "forward" else "folds")


def rule_note(run: Run, rule: Any) -> str:
    """Say that the thresholds of a run have changed since its training was repeated, if so.

    Args:
        run: The run.
        rule: The rule that chose thresholds in the trainings, as plain values.
    """
    if run.threshold_settings()["rule"] == rule:
        return ""
    name = describe_rule(stored_rule(rule, run))
    return f"measured with the threshold rule of the training, {name}"


def spread_text(spread: Spread | None) -> str:
    """Mean and standard deviation: `0.912 ± 0.014`."""
    return NO_VALUE if spread is None else f"{spread.mean:.3f} ± {spread.standard_deviation:.3f}"


def comparison_text(comparison: FoldComparison) -> str:
    """Say which of run and TF-IDF is better, and in how many folds."""
    baseline, lead = "TF-IDF + logistic regression", comparison.lead
    folds = f"higher in {comparison.better} of {format_count(comparison.folds, 'fold')}"
    spread = f"{lead.mean:+.3f} ± {lead.standard_deviation:.3f}"
    if comparison.interval is None:
        return f"too few folds to compare with {baseline}: {folds}, difference {spread}"
    low, high = comparison.interval
    between = f"approximate 95% interval {low:+.3f} to {high:+.3f}"
    words = {"run": "better than", "unclear": "no clear difference from", "baseline": "worse than"}
    verdict = f"{words[comparison.verdict]} {baseline}"
    return f"{verdict}: {folds}, difference {spread} ({between})"
