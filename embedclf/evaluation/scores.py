"""Scores of a run and of the majority baseline on the same rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.evaluation.metrics import (
    DEFAULT_METRICS,
    PROBABILITY_METRICS,
    RANKING_METRICS,
)
from embedclf.evaluation.predictions import Predictions
from embedclf.evaluation.weighted_metrics import compute_label_metrics, compute_metrics

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from embedclf.data.labels import Labels, Targets
    from embedclf.evaluation.metrics import MetricValues
    from embedclf.model.probabilities import AnyProbabilities
    from embedclf.runs.run import Run
    from embedclf.system.arrays import Doubles, Int64s


_MAX_MATRIX_LABELS = 100
"""Labels up to which there is a confusion matrix: 10,000 numbers."""


@dataclass(frozen=True)
class LabelScores:
    """Metrics of one label, each between 0 and 1."""

    label: str
    rows: float
    """Number of rows; their total weight if rows are weighted."""
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Confusion:
    """How many rows of one label are predicted to have another."""

    actual: str
    predicted: str
    rows: float
    """Their total weight if rows are weighted."""


@dataclass(frozen=True)
class Scores:
    """Scores over all rows; a label that does not occur in training counts as an error."""

    rows: int
    metrics: MetricValues
    majority: MetricValues
    """Metrics of always predicting the most frequent training label."""
    majority_label: str
    labels: tuple[LabelScores, ...]
    confusion: tuple[tuple[float, ...], ...] | None
    """[actual label][predicted label] number of rows, or their total weight if rows are weighted;
    None if a row can have several labels, or with more than 100 labels."""
    confusions: tuple[Confusion, ...]
    """The pairs of different labels with a row, most frequent first; none if a row can have several
    labels."""
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
            confusions=_read_confusions(values),
            unknown_labels=values["unknown_labels"],
        )


def read_scores(run: Run) -> dict[str, Scores]:
    """Read the scores from training: `validation`, and `test` if the run has a test table."""
    return {split: Scores.from_json(values) for split, values in run.metrics().items()}


def compute_scores(
    labels: Labels,
    targets: Targets,
    probabilities: AnyProbabilities,
    unknown_labels: dict[str, int] | None = None,
    metrics: Sequence[str] = (),
    *,
    weights: Doubles | None = None,
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
        weights: (n,) how many rows each row counts for; None if each counts for one.
    """
    predictions = Predictions.from_probabilities(labels, targets, probabilities, weights)
    return score_predictions(predictions, unknown_labels, metrics)


def score_predictions(
    predictions: Predictions,
    unknown_labels: dict[str, int] | None = None,
    metrics: Sequence[str] = (),
) -> Scores:
    """Score predictions that are already decided; arguments as for `compute_scores`."""
    labels = predictions.labels
    metrics = metrics or DEFAULT_METRICS[labels.task]
    majority = Predictions.from_majority(labels, predictions.y_true, predictions.weights)
    label_metrics = compute_label_metrics(predictions)
    return Scores(
        rows=len(predictions),
        metrics=compute_metrics(predictions, metrics),
        majority=_compute_majority(majority, metrics),
        majority_label=labels.names[int(np.argmax(labels.totals))],
        labels=tuple(
            LabelScores(name, rows, *values)
            for name, rows, values in zip(
                labels.names,
                _plain_numbers(label_metrics[:, 0]).tolist(),
                label_metrics[:, 1:].tolist(),
                strict=True,
            )
        ),
        confusion=_confusion_matrix(predictions),
        confusions=_count_confusions(predictions),
        unknown_labels=unknown_labels or {},
    )


def _compute_majority(majority: Predictions, metrics: Sequence[str]) -> MetricValues:
    """Compute the metrics of the majority baseline; None if undefined.

    All rows rank equal, so ranking metrics are undefined. In a multi-label task, label frequencies
    are not probabilities, so metrics of probabilities are undefined too.
    """
    multilabel = majority.labels.task == "multilabel"
    undefined = PROBABILITY_METRICS if multilabel else RANKING_METRICS
    defined = [name for name in metrics if name not in undefined]
    values = compute_metrics(majority, defined)
    return {name: values.get(name) for name in metrics}


def _confusion_matrix(predictions: Predictions) -> tuple[tuple[float, ...], ...] | None:
    labels, known = predictions.labels, predictions.is_known
    size = len(labels.names)
    if labels.task == "multilabel" or size > _MAX_MATRIX_LABELS:
        return None
    cells = predictions.y_true[known] * size + predictions.y_pred[known]  # (known,) row-major
    weights = predictions.row_weights[known]
    totals = np.bincount(cells, weights, size * size).astype(np.float64)
    return tuple(map(tuple, _plain_numbers(totals).reshape(size, size).tolist()))


def _count_confusions(predictions: Predictions) -> tuple[Confusion, ...]:
    labels = predictions.labels
    if labels.task == "multilabel":
        return ()
    wrong = predictions.is_known & ~predictions.correct & predictions.is_counted
    pairs = np.stack([predictions.y_true[wrong], predictions.y_pred[wrong]], axis=1)
    # Sorted by the order of labels; a table of all pairs would be too large for many labels.
    distinct, places = np.unique(pairs, axis=0, return_inverse=True)
    weights = predictions.row_weights[wrong]
    totals = np.bincount(places.ravel(), weights, len(distinct)).astype(np.float64)
    return _most_frequent(
        Confusion(labels.names[actual], labels.names[predicted], rows)
        for (actual, predicted), rows in zip(
            distinct.tolist(), _plain_numbers(totals).tolist(), strict=True
        )
    )


def _read_confusions(values: dict[str, Any]) -> tuple[Confusion, ...]:
    """Read the confusions of a run; older versions stored only the matrix."""
    if "confusions" in values:
        return tuple(Confusion(**confusion) for confusion in values["confusions"])
    names = [label["label"] for label in values["labels"]]
    return _most_frequent(
        Confusion(actual, predicted, rows)
        for actual, counts in zip(names, values["confusion"] or [[]] * len(names), strict=True)
        for predicted, rows in zip(names, counts, strict=False)
        if rows and predicted != actual
    )


def _most_frequent(confusions: Iterable[Confusion]) -> tuple[Confusion, ...]:
    """Sort by falling number of rows; ties stay in the order of labels."""
    return tuple(sorted(confusions, key=lambda confusion: -confusion.rows))


def _plain_numbers(totals: Doubles) -> Doubles | Int64s:
    """Return sums of weights as integers if all are whole, as they are for rows that count once."""
    whole = totals.astype(np.int64)
    return whole if (whole == totals).all() else totals
