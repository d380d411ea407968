"""Probabilities + targets -> Scores, beside the majority."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.evaluation.metrics import (
    BRIEF,
    OF_PROBABILITIES,
    RANKING,
    Predictions,
    compute_metrics,
    of_labels,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.data.labels import Labels, Probabilities, Targets
    from embedclf.evaluation.metrics import MetricValues
    from embedclf.runs.run import Run


@dataclass(frozen=True)
class LabelScores:
    """How well one label is found; scores between 0 and 1."""

    label: str
    rows: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Scores:
    """Scores over all rows: an unknown label is one that no prediction finds."""

    rows: int
    scores: MetricValues
    majority: MetricValues
    """The scores of always giving the label that most training rows have."""
    majority_label: str
    labels: tuple[LabelScores, ...]
    confusion: tuple[tuple[int, ...], ...] | None
    """[true label][given label] in rows; None where a row has several labels."""
    unknown_labels: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Scores:
        """The evaluation that `to_json` wrote."""
        labels = tuple(LabelScores(**label) for label in values["labels"])
        confusion = values["confusion"] and tuple(map(tuple, values["confusion"]))
        return cls(**{**values, "labels": labels, "confusion": confusion})


def measured(run: Run) -> dict[str, Scores]:
    """What training measured, by part: `validation`, and `test` where there was a table."""
    return {part: Scores.from_json(values) for part, values in run.metrics().items()}


def compute_scores(
    labels: Labels,
    targets: Targets,
    probabilities: Probabilities,
    unknown_labels: dict[str, int] | None = None,
    names: Sequence[str] = (),
) -> Scores:
    """Score probabilities against targets at the labels' thresholds (or the likeliest label).

    What is measured of probabilities is so over the rows whose label is known, all else over all
    rows; macro and weighted means are over the known labels.

    Args:
        labels: Of the classifier.
        targets: (n,) with -1 for an unknown label, or (n, labels), unknown ones behind the known.
        probabilities: (n, outputs).
        unknown_labels: Labels that the classifier does not know, with their rows.
        names: What to measure; `measures.BRIEF` when empty.
    """
    names = names or BRIEF[labels.task]
    predicted = given(labels, targets, probabilities)
    label_scores = [
        LabelScores(name, int(rows), *shares)
        for name, (rows, *shares) in zip(labels.names, of_labels(predicted).tolist(), strict=True)
    ]
    return Scores(
        rows=len(targets),
        scores=compute_metrics(predicted, names),
        majority=_guessed(labels, targets, names),
        majority_label=labels.names[int(np.argmax(labels.counts))],
        labels=tuple(label_scores),
        confusion=_confusion(labels, targets, predicted.decided),
        unknown_labels=unknown_labels or {},
    )


def given(labels: Labels, targets: Targets, probabilities: Probabilities) -> Predictions:
    """Rows with the decisions that probabilities lead to; no unknown label is ever given."""
    decided = labels.decide(probabilities)
    if labels.task == "multilabel":
        decided = np.pad(decided, ((0, 0), (0, targets.shape[1] - decided.shape[1])))
    return Predictions(labels, targets, probabilities, decided)


def guess(labels: Labels, targets: Targets) -> Predictions:
    """Rows that all get the commonest label, with the probabilities that training rows have."""
    top, several = int(np.argmax(labels.counts)), labels.task == "multilabel"
    decided = np.zeros_like(targets)
    decided[..., top if several else slice(None)] = 1 if several else top
    shares = np.array(labels.counts[-labels.outputs :]) / sum(labels.counts)
    probabilities = np.tile(shares.astype(np.float32), (len(targets), 1))
    return Predictions(labels, targets, probabilities, decided)


def _guessed(labels: Labels, targets: Targets, names: Sequence[str]) -> MetricValues:
    """The scores of always giving the commonest label, with its share in training.

    All rows rank equal. With several labels a row the shares are not known, and neither is what is
    measured of them.
    """
    beyond = OF_PROBABILITIES if labels.task == "multilabel" else RANKING
    scores = compute_metrics(guess(labels, targets), [name for name in names if name not in beyond])
    return {name: scores.get(name) for name in names}


def _confusion(
    labels: Labels, targets: Targets, decided: Targets
) -> tuple[tuple[int, ...], ...] | None:
    if labels.task == "multilabel":
        return None
    size = len(labels.names)
    known = targets >= 0
    cells = np.bincount(targets[known] * size + decided[known], minlength=size * size)
    return tuple(map(tuple, cells.reshape(size, size).tolist()))
