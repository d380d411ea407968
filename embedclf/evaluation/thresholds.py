"""Rules that choose decision thresholds."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError

from embedclf.config.fields import CostRule, PrecisionRule, RecallRule, Threshold
from embedclf.data.labels import THRESHOLD
from embedclf.errors import RunError
from embedclf.evaluation.ranking import rank_by_probability
from embedclf.model.probabilities import outcome_columns

if TYPE_CHECKING:
    from embedclf.data.labels import Labels, Targets
    from embedclf.model.probabilities import AnyProbabilities
    from embedclf.runs.run import Run
    from embedclf.system.arrays import Doubles, Mask

COMMON_RULES: tuple[Threshold, ...] = (
    THRESHOLD,
    "f1",
    "youden",
    *(PrecisionRule(precision=precision) for precision in (0.8, 0.9, 0.95)),
    *(RecallRule(recall=recall) for recall in (0.8, 0.9, 0.95)),
)
"""Commonly used rules."""

_MAX_CELLS = 1 << 22
"""Rows times outputs to choose one threshold for all: beyond, every second row or fewer."""

_MAX_PREDICTED = 10
"""Labels predicted by `micro_f1` at most for each that the rows have: a network that has learned
nothing would predict nearly all labels of all rows."""

_TOLERANCE = 1e-12
"""Scores that differ by less are equal: smaller differences are rounding errors."""

_TINY = float(np.finfo(np.float64).tiny)
"""The least number to divide by, in case that no row counts."""


@dataclass(frozen=True)
class ThresholdCurve:
    """The predictions of one label at many thresholds.

    Each threshold lies halfway between two neighboring probabilities.
    """

    thresholds: Doubles
    """In descending order."""
    true_positives: Doubles
    """Rows, or their total weight if rows are weighted; so are all numbers of rows."""
    false_positives: Doubles
    positives: float
    """Rows with the label."""
    rows: float

    @classmethod
    def from_predictions(
        cls,
        y_true: Mask,
        y_prob: npt.NDArray[np.floating],
        weights: Doubles | None = None,
    ) -> ThresholdCurve:
        """The curve of one label.

        Args:
            y_true: (n,) whether a row has the label.
            y_prob: (n,) the label's probability.
            weights: (n,) how many rows each row counts for; None if each counts for one.
        """
        order, ends = rank_by_probability(y_prob)
        # In double precision: no float32 lies between two neighboring float32 numbers.
        distinct = y_prob[order[ends]].astype(np.float64)
        thresholds = (distinct + np.append(distinct[1:], 0.0)) / 2.0  # the last predicts all rows
        # Rows of equal probability are predicted together, so only the last one counts.
        weights = np.ones(len(y_true)) if weights is None else weights
        true_positives = np.cumsum(np.where(y_true, weights, 0.0)[order])[ends]
        # Not the difference from the predicted rows, which rounding can leave below 0.
        false_positives = np.cumsum(np.where(y_true, 0.0, weights)[order])[ends]
        positives = float(true_positives[-1])
        rows = positives + float(false_positives[-1])
        return cls(thresholds, true_positives, false_positives, positives, rows)

    @classmethod
    def at_threshold(
        cls,
        y_true: Mask,
        y_prob: npt.NDArray[np.floating],
        threshold: float,
        weights: Doubles | None = None,
    ) -> ThresholdCurve:
        """The curve of a single threshold; arguments as for `from_predictions`."""
        # In double precision: a float32 threshold could be rounded to a probability.
        y_pred = y_prob >= np.float64(threshold)
        weights = np.ones(len(y_true)) if weights is None else weights
        true_positives = np.array([weights[y_pred & y_true].sum()])
        false_positives = np.array([weights[y_pred & ~y_true].sum()])
        positives, rows = float(weights[y_true].sum()), float(weights.sum())
        return cls(np.array([threshold]), true_positives, false_positives, positives, rows)

    def extended_above(self, largest: float) -> ThresholdCurve:
        """The curve with one more threshold, above the largest probability: no row is predicted."""
        if largest >= 1.0:  # a threshold of 1 would still predict that row
            return self
        return ThresholdCurve(
            np.append((largest + 1.0) / 2.0, self.thresholds),
            np.append(0.0, self.true_positives),
            np.append(0.0, self.false_positives),
            self.positives,
            self.rows,
        )

    def take(self, index: int) -> ThresholdCurve:
        """The curve of one of the thresholds."""
        point = slice(index, index + 1)
        return ThresholdCurve(
            self.thresholds[point],
            self.true_positives[point],
            self.false_positives[point],
            self.positives,
            self.rows,
        )

    @property
    def predicted_fraction(self) -> Doubles:
        """Fraction of rows for which the label is predicted."""
        return (self.true_positives + self.false_positives) / max(self.rows, _TINY)

    @property
    def precision(self) -> Doubles:
        """Precision; 0 where no row is predicted."""
        predicted = self.true_positives + self.false_positives
        return self.true_positives / np.maximum(predicted, _TINY)

    @property
    def recall(self) -> Doubles:
        """Recall; 0 where no row has the label."""
        return self.true_positives / max(self.positives, _TINY)

    @property
    def f1(self) -> Doubles:
        """Harmonic mean of precision and recall."""
        total = self.true_positives + self.false_positives + self.positives
        return 2.0 * self.true_positives / np.maximum(total, _TINY)

    @property
    def youden(self) -> Doubles:
        """Recall minus the false positive rate (Youden, 1950)."""
        return self.recall - self.false_positives / max(self.rows - self.positives, _TINY)


def choose_thresholds(
    labels: Labels,
    targets: Targets,
    probabilities: AnyProbabilities,
    rule: Threshold,
    weights: Doubles | None = None,
) -> tuple[float, ...]:
    """Choose a threshold for each output; `micro_f1` chooses one for all.

    With the one for all, at most ten times as many labels are predicted as the rows have.

    Args:
        labels: Of the classifier.
        targets: Of the rows to choose on, which must not be test rows.
        probabilities: (n, outputs) of the same rows.
        rule: A fixed threshold, or the metric to optimize or reach.
        weights: (n,) how many rows each row counts for; None if each counts for one.

    Returns:
        (outputs,) thresholds; empty for a softmax, which predicts the most probable label.
    """
    if labels.task == "multiclass":
        return ()
    if rule == "micro_f1":
        every = slice(None, None, -(-math.prod(probabilities.shape) // _MAX_CELLS) or 1)
        y_true, y_prob = labels.binarize(targets[every]), np.asarray(probabilities[every])
        weights = None if weights is None else np.repeat(weights[every], labels.outputs)
        best = find_best_threshold(y_true.ravel(), y_prob.ravel(), rule, weights)
        return (float(best.thresholds[0]),) * labels.outputs
    columns = outcome_columns(labels, targets, probabilities)
    points = (find_best_threshold(*column, rule, weights) for column in columns)
    return tuple(float(point.thresholds[0]) for point in points)


def find_best_threshold(
    y_true: Mask,
    y_prob: npt.NDArray[np.floating],
    rule: Threshold,
    weights: Doubles | None = None,
) -> ThresholdCurve:
    """Find the best threshold for one label by a rule.

    Among equally good thresholds, the one nearest to 0.5 wins. If all rows or no rows have the
    label, the threshold is 0.5. If no threshold reaches the requested precision, it is the one with
    the highest precision.

    Args:
        y_true: (n,) whether a row has the label.
        y_prob: (n,) the label's probability.
        rule: A fixed threshold, or the metric to optimize or reach.
        weights: (n,) how many rows each row counts for; None if each counts for one.

    Returns:
        The curve at this threshold only.
    """
    if weights is not None:
        # A row that counts for nothing must not add a threshold between two others.
        counted = weights > 0.0
        y_true, y_prob, weights = y_true[counted], y_prob[counted], weights[counted]
    if isinstance(rule, float):
        return ThresholdCurve.at_threshold(y_true, y_prob, rule, weights)
    if y_true.all() or not y_true.any():
        return ThresholdCurve.at_threshold(y_true, y_prob, THRESHOLD, weights)
    draw = _few_predicted if rule == "micro_f1" else ThresholdCurve.from_predictions
    curve = draw(y_true, y_prob, weights)
    # By the other rules, never predicting the label is never the best choice.
    if isinstance(rule, CostRule) or rule == "micro_f1":
        curve = curve.extended_above(float(y_prob.max()))
    scores = _score_thresholds(curve, rule)
    best = np.flatnonzero(scores >= scores.max() - _TOLERANCE)
    return curve.take(int(best[np.abs(curve.thresholds[best] - THRESHOLD).argmin()]))


def describe_rule(rule: Threshold) -> str:
    """Describe a rule in a few words: `recall ≥ 0.95`."""
    if isinstance(rule, PrecisionRule):
        return f"precision ≥ {rule.precision:g}"
    if isinstance(rule, RecallRule):
        return f"recall ≥ {rule.recall:g}"
    if isinstance(rule, CostRule):
        return f"cost {rule.cost.false_positive:g} : {rule.cost.false_negative:g}"
    return f"{rule:g}" if isinstance(rule, float) else rule


def rule_from_json(values: Any) -> Threshold:
    """Read a rule from the plain values of a config or a run.

    Raises:
        ValidationError: It is not a rule.
    """
    return TypeAdapter(Threshold).validate_python(values)


def stored_rule(values: Any, run: Run) -> Threshold:
    """Read a rule that a run has stored.

    Raises:
        RunError: It is not a rule.
    """
    try:
        return rule_from_json(values)
    except ValidationError as error:
        fault = "damaged: it has no rule for thresholds that embedclf knows"
        raise RunError(f"{run.path}: {fault}; restore it or train again") from error


def rule_to_json(rule: Threshold) -> Any:
    """Plain values that `rule_from_json` reads."""
    return TypeAdapter(Threshold).dump_python(rule, mode="json")


def _few_predicted(
    y_true: Mask, y_prob: npt.NDArray[np.floating], weights: Doubles | None
) -> ThresholdCurve:
    """The curve down to `_MAX_PREDICTED` labels, without sorting the others."""
    counts = np.ones(1) if weights is None else weights
    positives, lightest = float((y_true * counts).sum()), float(counts.min())
    limit = math.floor(_MAX_PREDICTED * positives / lightest)
    most = min(limit + 1, len(y_prob))  # the last one is too many
    kept = y_prob >= np.partition(y_prob, len(y_prob) - most)[len(y_prob) - most]
    of_kept = None if weights is None else weights[kept]
    curve = ThresholdCurve.from_predictions(y_true[kept], y_prob[kept], of_kept)
    rows = float(len(y_true)) if weights is None else float(weights.sum())
    return replace(curve, positives=positives, rows=rows)


def _score_thresholds(curve: ThresholdCurve, rule: Threshold) -> Doubles:
    """Score each threshold of a curve by a rule; higher is better."""
    if isinstance(rule, PrecisionRule):
        # Adding 1 ranks all thresholds that reach the target above the others.
        reached = curve.precision >= rule.precision - _TOLERANCE
        return np.where(reached, 1.0 + curve.recall, curve.precision)
    if isinstance(rule, RecallRule):
        reached = curve.recall >= rule.recall - _TOLERANCE
        return np.where(reached, 1.0 + curve.precision, curve.recall)
    if isinstance(rule, CostRule):
        false_negatives = curve.positives - curve.true_positives
        cost = rule.cost.false_positive * curve.false_positives
        return -(cost + rule.cost.false_negative * false_negatives) / curve.rows
    if rule == "micro_f1":
        predicted = curve.true_positives + curve.false_positives
        return np.where(predicted <= _MAX_PREDICTED * curve.positives, curve.f1, -predicted)
    return curve.youden if rule == "youden" else curve.f1
