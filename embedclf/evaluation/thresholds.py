"""Thresholds chosen by a rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from embedclf.config.fields import CostRule, PrecisionRule, RecallRule, Threshold
from embedclf.evaluation.metrics import ranked

if TYPE_CHECKING:
    from embedclf.data.labels import Labels, Probabilities, Targets
    from embedclf.system.arrays import Doubles


USUAL: tuple[Threshold, ...] = (
    0.5,
    "f1",
    "youden",
    *(PrecisionRule(precision=share) for share in (0.8, 0.9, 0.95)),
    *(RecallRule(recall=share) for share in (0.8, 0.9, 0.95)),
)
"""Rules that people choose by."""


@dataclass(frozen=True)
class ThresholdCurve:
    """What each threshold comes to on some rows; one stands between any two probabilities."""

    thresholds: Doubles
    """Falling."""
    true_positives: Doubles
    false_positives: Doubles
    positives: int
    rows: int

    @classmethod
    def of(
        cls, came: npt.NDArray[np.bool_], probabilities: npt.NDArray[np.floating]
    ) -> ThresholdCurve:
        """The curve of one label: in which rows (n,) it is, and its probability there."""
        order, last = ranked(probabilities)
        equal = probabilities[order[last]].astype(np.float64)  # of each run
        given = last + 1.0
        found = np.cumsum(came[order])[last].astype(np.float64)
        thresholds = (equal + np.append(equal[1:], 0.0)) / 2.0
        return cls(thresholds, found, given - found, int(came.sum()), len(came))

    @classmethod
    def at(
        cls, came: npt.NDArray[np.bool_], probabilities: npt.NDArray[np.floating], threshold: float
    ) -> ThresholdCurve:
        """The curve of that threshold alone."""
        given = probabilities >= np.float64(threshold)
        found = np.array([np.count_nonzero(given & came)], np.float64)
        false = np.array([np.count_nonzero(given & ~came)], np.float64)
        return cls(np.array([threshold]), found, false, int(came.sum()), len(came))

    def or_none(self, largest: float) -> ThresholdCurve:
        """The curve with a threshold above the largest probability, where no row gets the label."""
        if largest >= 1.0:
            return self
        return ThresholdCurve(
            np.append((largest + 1.0) / 2.0, self.thresholds),
            np.append(0.0, self.true_positives),
            np.append(0.0, self.false_positives),
            self.positives,
            self.rows,
        )

    def take(self, index: int) -> ThresholdCurve:
        """One threshold of the curve."""
        one = slice(index, index + 1)
        counts = self.true_positives[one], self.false_positives[one]
        return ThresholdCurve(self.thresholds[one], *counts, self.positives, self.rows)

    @property
    def given(self) -> Doubles:
        """Share of the rows that get the label."""
        return (self.true_positives + self.false_positives) / max(self.rows, 1)

    @property
    def precision(self) -> Doubles:
        """Share of them that have it; 0 where none gets it."""
        return self.true_positives / np.maximum(self.true_positives + self.false_positives, 1.0)

    @property
    def recall(self) -> Doubles:
        """Share of the rows that have the label that get it."""
        return self.true_positives / max(self.positives, 1)

    @property
    def f1(self) -> Doubles:
        """Harmonic mean of precision and recall."""
        both = self.true_positives + self.false_positives + self.positives
        return 2.0 * self.true_positives / np.maximum(both, 1.0)

    @property
    def youden(self) -> Doubles:
        """Recall less the share of the other rows that get the label (Youden, 1950)."""
        return self.recall - self.false_positives / max(self.rows - self.positives, 1)


def choose(
    labels: Labels, targets: Targets, probabilities: Probabilities, rule: Threshold
) -> tuple[float, ...]:
    """Choose the threshold of each output: each its own, or by `micro_f1` one for all.

    Args:
        labels: Of the classifier.
        targets: Of the rows to choose on, which must not be those it is tested on.
        probabilities: (n, outputs) for them.
        rule: A threshold itself, or what it is to reach.

    Returns:
        (outputs,) thresholds; none for a softmax, which gives the likeliest label.
    """
    if labels.task == "multiclass":
        return ()
    came = labels.present(targets)
    if rule == "micro_f1":
        shared = best(came.ravel(), probabilities.ravel(), rule)
        return (float(shared.thresholds[0]),) * labels.outputs
    columns = zip(came.T, probabilities.T, strict=True)
    return tuple(float(best(*column, rule).thresholds[0]) for column in columns)


def best(
    came: npt.NDArray[np.bool_], probabilities: npt.NDArray[np.floating], rule: Threshold
) -> ThresholdCurve:
    """Find what a rule comes to for one label, at one threshold.

    Of equally good thresholds the one nearest to 0.5 is taken. Where no row or each has the label,
    there is nothing to choose by, and it is 0.5. A precision that none reaches is come as near to
    as can be.

    Args:
        came: (n,) whether a row has the label.
        probabilities: (n,) of the label.
        rule: A threshold itself, or what it is to reach.
    """
    if isinstance(rule, float) or came.all() or not came.any():
        return ThresholdCurve.at(came, probabilities, rule if isinstance(rule, float) else 0.5)
    curve = ThresholdCurve.of(came, probabilities)
    if isinstance(rule, CostRule):
        curve = curve.or_none(float(probabilities.max()))
    merits = _merits(curve, rule)
    equal = np.flatnonzero(merits >= merits.max() - 1e-12)
    return curve.take(int(equal[np.abs(curve.thresholds[equal] - 0.5).argmin()]))


def named(rule: Threshold) -> str:
    """A rule in a few words."""
    if isinstance(rule, PrecisionRule):
        return f"precision ≥ {rule.precision:g}"
    if isinstance(rule, RecallRule):
        return f"recall ≥ {rule.recall:g}"
    if isinstance(rule, CostRule):
        return f"cost {rule.cost.false_positive:g} : {rule.cost.false_negative:g}"
    return f"{rule:g}" if isinstance(rule, float) else rule


def read_rule(plain: Any) -> Threshold:
    """A rule out of the plain values of a config or a run."""
    return TypeAdapter(Threshold).validate_python(plain)


def plain_rule(rule: Threshold) -> Any:
    """The plain values of a rule."""
    return TypeAdapter(Threshold).dump_python(rule, mode="json")


def _merits(curve: ThresholdCurve, rule: Threshold) -> Doubles:
    """How good each threshold is by a rule."""
    if isinstance(rule, PrecisionRule):
        reached = curve.precision >= rule.precision
        return np.where(reached, 1.0 + curve.recall, curve.precision)
    if isinstance(rule, RecallRule):
        return np.where(curve.recall >= rule.recall, 1.0 + curve.precision, curve.recall)
    if isinstance(rule, CostRule):
        missed = curve.positives - curve.true_positives
        cost = rule.cost.false_positive * curve.false_positives + rule.cost.false_negative * missed
        return -cost / curve.rows
    return curve.youden if rule == "youden" else curve.f1
