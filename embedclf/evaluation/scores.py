"""Scores of a run and of the majority baseline on the same rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.evaluation.metrics import (
    DEFAULT_METRICS,
    PROBABILITY_METRICS,
    RANKING_METRICS,
    compute_label_metrics,
    compute_metrics,
)
from embedclf.evaluation.predictions import Predictions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.data.labels import Labels, Probabilities, Targets
    from embedclf.evaluation.metrics import MetricValues
    from embedclf.runs.run import Run


@dataclass(frozen=True)
class LabelScores:
    """Metrics of one label, each between 0 and 1."""

    label: str
    rows: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Scores:
    """Scores over all rows; a label that does not occur in training counts as an error."""

    rows: int
    metrics: MetricValues
    majority: MetricValues
    """Metrics of always predicting the most frequent training label."""
    majority_label: str
    labels: tuple[LabelScores, ...]
    confusion: tuple[tuple[int, ...], ...] | None
    """[actual label][predicted label] number of rows; None if a row can have several labels."""
    unknown_labels: dict[str, int]
    """Number of rows of each label that does not occur in training."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for `metrics.json`."""
        # The published key differs from the name of the field.
        return {
            ("scores" if key == "metrics" else key): value for key, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Scores:
        """Read what `to_json` wrote."""
        return cls(
            rows=values["rows"],
            metrics=values["scores"],
            majority=values["majority"],
            majority_label=values["majority_label"],
            labels=tuple(LabelScores(**label) for label in values["labels"]),
            confusion=values["confusion"] and tuple(map(tuple, values["confusion"])),
            unknown_labels=values["unknown_labels"],
        )


def read_scores(run: Run) -> dict[str, Scores]:
    """Read the scores from training: `validation`, and `test` if the run has a test table."""
    return {split: Scores.from_json(values) for split, values in run.metrics().items()}


def compute_scores(
    labels: Labels,
    targets: Targets,
    probabilities: Probabilities,
    unknown_labels: dict[str, int] | None = None,
    metrics: Sequence[str] = (),
) -> Scores:
    """Score probabilities against targets, by the thresholds of the labels.

    Metrics of probabilities use only rows whose label occurs in training; other metrics use all
    rows. Macro and weighted averages are over the training labels.

    Args:
        labels: Of the classifier.
        targets: (n,) with -1 for an unknown label, or (n, labels) with unknown labels in the last
            columns.
        probabilities: (n, outputs)
        unknown_labels: Number of rows of each label that does not occur in training.
        metrics: Names; empty means `DEFAULT_METRICS`.
    """
    metrics = metrics or DEFAULT_METRICS[labels.task]
    predictions = Predictions.from_probabilities(labels, targets, probabilities)
    label_metrics = compute_label_metrics(predictions).tolist()
    return Scores(
        rows=len(targets),
        metrics=compute_metrics(predictions, metrics),
        majority=_compute_majority(labels, targets, metrics),
        majority_label=labels.names[int(np.argmax(labels.counts))],
        labels=tuple(
            LabelScores(name, int(rows), *values)
            for name, (rows, *values) in zip(labels.names, label_metrics, strict=True)
        ),
        confusion=_count_confusions(predictions),
        unknown_labels=unknown_labels or {},
    )


def _compute_majority(labels: Labels, targets: Targets, metrics: Sequence[str]) -> MetricValues:
    """Compute the metrics of the majority baseline; None if undefined.

    All rows rank equal, so ranking metrics are undefined. In a multi-label task, label frequencies
    are not probabilities, so metrics of probabilities are undefined too.
    """
    undefined = PROBABILITY_METRICS if labels.task == "multilabel" else RANKING_METRICS
    defined = [name for name in metrics if name not in undefined]
    values = compute_metrics(Predictions.from_majority(labels, targets), defined)
    return {name: values.get(name) for name in metrics}


def _count_confusions(predictions: Predictions) -> tuple[tuple[int, ...], ...] | None:
    if predictions.labels.task == "multilabel":
        return None
    # Not by scikit-learn, which refuses an empty array; no row may be known.
    size, known = len(predictions.labels.names), predictions.is_known
    cells = predictions.y_true[known] * size + predictions.y_pred[known]  # (known,) row-major
    counts = np.bincount(cells, minlength=size * size).reshape(size, size)
    return tuple(map(tuple, counts.tolist()))
