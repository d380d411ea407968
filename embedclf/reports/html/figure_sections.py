"""Sections of a run's page that have a figure, as values for its template."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from embedclf.evaluation.metrics import compute_reliability
from embedclf.evaluation.thresholds import ThresholdCurve
from embedclf.reports.evaluation import (
    format_interval,
    slice_note,
)
from embedclf.reports.html.figures import to_svg
from embedclf.reports.html.plots import (
    confusion_matrix,
    interval_chart,
    learning_curve,
    precision_recall_curve,
    reliability_diagram,
    roc_curve,
)
from embedclf.reports.verdict import metric_title
from embedclf.runs.history import describe_training
from embedclf.system.terminal import format_score

if TYPE_CHECKING:
    from embedclf.evaluation.evaluate import RunEvaluation
    from embedclf.reports.html.report_data import ReportData

_MAX_MATRIX_LABELS = 20
"""A larger confusion matrix is hard to read; the page lists the most frequent confusions."""

_MAX_CONFUSIONS = 20

Values = dict[str, Any]
"""What a section of the template shows."""


def confusion_values(evaluation: RunEvaluation) -> Values | None:
    """The confusion matrix, or the most frequent confusions of many labels; None if multilabel."""
    scores = evaluation.scores
    if scores.confusion is None:
        return None
    if len(scores.labels) <= _MAX_MATRIX_LABELS:
        figure = confusion_matrix([label.label for label in scores.labels], scores.confusion)
        return {"svg": to_svg(figure, "confusion", "confusion matrix")}
    confusions = [
        (count, actual, predicted)
        for actual, counts in zip(scores.labels, scores.confusion, strict=True)
        for predicted, count in zip(scores.labels, counts, strict=True)
        if count and predicted is not actual  # both are from the same list
    ]
    confusions.sort(key=lambda confusion: -confusion[0])
    rows = [
        # Never divides by 0: a label with confusions has rows.
        (actual.label, predicted.label, count, count / actual.rows)
        for count, actual, predicted in confusions[:_MAX_CONFUSIONS]
    ]
    return {"svg": None, "most_frequent": rows, "count": len(confusions)}


def curve_values(evaluation: RunEvaluation) -> Values | None:
    """ROC and precision-recall curves, where a threshold decides and both outcomes occur.

    With several labels a row, all cells are ranked as one (micro-average).
    """
    predictions, scores = evaluation.predictions, evaluation.scores.metrics
    task = evaluation.scored.classifier.labels.task
    y_true = predictions.known_outcomes.ravel()  # (known * outputs,)
    if task == "multiclass" or y_true.all() or not y_true.any():
        return None
    # Not `known_probabilities`: clipping would tie probabilities near 0 or 1.
    curve = ThresholdCurve.from_predictions(
        y_true, predictions.y_prob[predictions.is_known].ravel()
    )
    recall, precision, false_positive_rate = _current_rates(evaluation)
    figure = precision_recall_curve(
        curve.recall, curve.precision, (recall, precision), float(y_true.mean())
    )
    values = {
        "precision_recall": to_svg(figure, "pr", "precision-recall curve"),
        "pr_auc": scores["pr_auc"],
        "roc": None,
    }
    if task == "binary":
        rates = curve.false_positives / (curve.rows - curve.positives)  # both outcomes occur
        figure = roc_curve(rates, curve.recall, (false_positive_rate, recall))
        values |= {"roc": to_svg(figure, "roc", "ROC curve"), "roc_auc": scores["roc_auc"]}
    return values


def reliability_values(evaluation: RunEvaluation) -> Values | None:
    """The reliability diagram and the calibration error; None if no row has a known label."""
    if not len(evaluation.predictions.calibration_pairs[0]):  # no label is known
        return None
    figure = reliability_diagram(compute_reliability(evaluation.predictions))
    subjects = {
        "binary": f"of {evaluation.scores.labels[-1].label!r}",
        "multiclass": "of the likeliest label",
        "multilabel": "of all labels",
    }
    return {
        "svg": to_svg(figure, "reliability", "reliability diagram"),
        "subject": subjects[evaluation.scored.classifier.labels.task],
        "ece": evaluation.scores.metrics["ece"],
    }


def learning_values(data: ReportData) -> Values:
    """Loss and score by epoch, and what stopped the training."""
    epochs, best = data.epochs, data.run.record["best_epoch"]
    scored = data.evaluation.scored
    score_name = metric_title(scored.classifier.labels.score_name)
    losses = [epoch.loss for epoch in epochs], [epoch.val_loss for epoch in epochs]
    scores = [epoch.score for epoch in epochs], [epoch.val_score for epoch in epochs]
    return {
        "stop_reason": describe_training(data.run.record),
        "loss": to_svg(learning_curve(*losses, best), "loss", "loss by epoch"),
        "calibrated": scored.source.config.training.calibration == "temperature",
        "score": to_svg(learning_curve(*scores, best), "score", f"{score_name} by epoch"),
        "score_name": score_name,
    }


def slice_values(evaluation: RunEvaluation) -> Values:
    """The first metric of each slice with its interval, as a chart and as rows."""
    metric, overall = next(iter(evaluation.scores.metrics.items()))
    title = f"{metric_title(metric)} of slices, with 95 % intervals"
    groups = [
        (by, [(row_slice.name, row_slice.score, *row_slice.interval) for row_slice in group])
        # `groupby` joins neighbors only; slices are in order of what they slice by.
        for by, group in groupby(evaluation.slices, lambda row_slice: row_slice.by)
    ]
    rows = [
        [
            f"{row_slice.by}: {row_slice.name}",
            f"{row_slice.rows:,}",
            format_score(row_slice.score),
            format_interval(row_slice.interval),
            slice_note(row_slice, overall),
        ]
        for row_slice in evaluation.slices
    ]
    svg = to_svg(interval_chart(groups, overall or 0.0, title), "slices", title)
    return {"svg": svg, "metric": metric, "rows": rows}


def _current_rates(evaluation: RunEvaluation) -> tuple[float, float, float]:
    """Recall, precision and false positive rate at the run's threshold, on rows of known labels."""
    predictions = evaluation.predictions
    # Both (known, outputs).
    y_true = predictions.known_outcomes
    y_pred = predictions.labels.binarize(predictions.y_pred)[predictions.is_known]
    positives, negatives = int(y_true.sum()), int((~y_true).sum())
    hits, false_alarms = int((y_true & y_pred).sum()), int((~y_true & y_pred).sum())
    return (
        hits / max(positives, 1),
        hits / max(hits + false_alarms, 1),
        false_alarms / max(negatives, 1),
    )
