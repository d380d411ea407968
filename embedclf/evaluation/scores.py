"""The scores of a run on rows, next to those of a majority baseline."""

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
    """Scores over all rows; a row with an unknown label counts as a wrong prediction."""

    rows: int
    metrics: MetricValues
    majority: MetricValues
    """Metrics of always predicting the most frequent training label."""
    majority_label: str
    labels: tuple[LabelScores, ...]
    confusion: tuple[tuple[int, ...], ...] | None
    """[actual label][predicted label] in rows; None if a row can have several labels."""
    unknown_labels: dict[str, int]
    """Labels that the classifier does not know, with their rows."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for `metrics.json`."""
        # The file's published key differs from the name of the field.
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
    """Read the scores that training wrote: `validation`, and `test` if there was a test table."""
    return {split: Scores.from_json(values) for split, values in run.metrics().items()}


def compute_scores(
    labels: Labels,
    targets: Targets,
    probabilities: Probabilities,
    unknown_labels: dict[str, int] | None = None,
    metrics: Sequence[str] = (),
) -> Scores:
    """Score probabilities against targets, at the labels' thresholds.

    Metrics of probabilities are over the rows whose label is known, all others over all rows; macro
    and weighted means are over the known labels.

    Args:
        labels: Of the classifier.
        targets: (n,) with -1 for an unknown label, or (n, labels) with unknown labels in the last
            columns.
        probabilities: (n, outputs)
        unknown_labels: Labels that the classifier does not know, with their rows.
        metrics: Names; `DEFAULT_METRICS` when empty.
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
    """The metrics of the majority baseline; None where it has none.

    All rows rank equal, so there is no ranking metric. With several labels a row, the frequencies
    of the labels are not probabilities, so there is no metric of these either.
    """
    undefined = PROBABILITY_METRICS if labels.task == "multilabel" else RANKING_METRICS
    defined = [name for name in metrics if name not in undefined]
    values = compute_metrics(Predictions.from_majority(labels, targets), defined)
    return {name: values.get(name) for name in metrics}


def _count_confusions(predictions: Predictions) -> tuple[tuple[int, ...], ...] | None:
    if predictions.labels.task == "multilabel":
        return None
    # Not by scikit-learn: it refuses an empty array, which is left if no row is known.
    size, known = len(predictions.labels.names), predictions.is_known
    cells = predictions.y_true[known] * size + predictions.y_pred[known]  # (known,) row-major
    counts = np.bincount(cells, minlength=size * size).reshape(size, size)
    return tuple(map(tuple, counts.tolist()))
