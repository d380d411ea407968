"""Sections of a run's report that show figures or bars, as values for its template."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedclf.evaluation.metrics import compute_reliability
from embedclf.evaluation.thresholds import ThresholdCurve
from embedclf.reports.evaluation import slice_note
from embedclf.reports.html.figures import to_svg
from embedclf.reports.html.measures import Values, measure_values
from embedclf.reports.html.plots import (
    confusion_matrix,
    learning_curve,
    precision_recall_curve,
    reliability_diagram,
    roc_curve,
)
from embedclf.reports.html.rendering import to_sentence
from embedclf.reports.verdict import metric_title
from embedclf.runs.history import describe_training
from embedclf.system.terminal import format_count

if TYPE_CHECKING:
    from embedclf.evaluation.evaluate import RunEvaluation
    from embedclf.reports.html.report_data import ReportData

_MAX_MATRIX_LABELS = 20
"""A larger confusion matrix is hard to read; the page lists the most frequent confusions."""

_MAX_CONFUSIONS = 20


def confusion_values(evaluation: RunEvaluation) -> Values | None:
    """The confusion matrix, or the most frequent confusions of many labels.

    None if rows can have several labels, or if there are many labels and no confusions.
    """
    scores = evaluation.scores
    if scores.confusion is None:
        return None
    if len(scores.labels) <= _MAX_MATRIX_LABELS:
        figure = confusion_matrix([label.label for label in scores.labels], scores.confusion)
        return {"svg": to_svg(figure, "confusion", "Confusion matrix")}
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
    caption = f"The {len(rows)} most frequent of {format_count(len(confusions), 'confusion')}"
    return {"svg": None, "most_frequent": rows, "caption": caption} if rows else None


def curve_values(evaluation: RunEvaluation) -> Values | None:
    """ROC and precision-recall curves; None without a threshold, or if all rows have one outcome.

    If rows can have several labels, all labels are ranked together (micro-average).
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
        "precision_recall": to_svg(figure, "pr", "Precision-recall curve"),
        "pr_auc": scores["pr_auc"],
        "roc": None,
    }
    if task == "binary":
        rates = curve.false_positives / (curve.rows - curve.positives)  # both outcomes occur
        figure = roc_curve(rates, curve.recall, (false_positive_rate, recall))
        values |= {"roc": to_svg(figure, "roc", "ROC curve"), "roc_auc": scores["roc_auc"]}
    return values


def calibration_values(evaluation: RunEvaluation) -> Values | None:
    """The reliability diagram and the calibration error; None if no row has a known label."""
    if not len(evaluation.predictions.calibration_pairs[0]):  # no label is known
        return None
    figure = reliability_diagram(compute_reliability(evaluation.predictions))
    subjects = {
        "binary": f"of {evaluation.scores.labels[-1].label!r}",
        "multiclass": "of the most probable label",
        "multilabel": "of all labels",
    }
    return {
        "svg": to_svg(figure, "reliability", "Reliability diagram"),
        "subject": subjects[evaluation.scored.classifier.labels.task],
        "ece": evaluation.scores.metrics["ece"],
    }


def training_values(data: ReportData) -> Values:
    """Loss and score by epoch, and why training stopped."""
    epochs, best = data.epochs, data.run.record["best_epoch"]
    scored = data.evaluation.scored
    score_name = metric_title(scored.classifier.labels.score_name)
    losses = [epoch.loss for epoch in epochs], [epoch.val_loss for epoch in epochs]
    scores = [epoch.score for epoch in epochs], [epoch.val_score for epoch in epochs]
    return {
        "stop_reason": to_sentence(describe_training(data.run.record)),
        "loss": to_svg(learning_curve(*losses, best), "loss", "Loss by epoch"),
        "calibrated": scored.source.config.training.calibration == "temperature",
        "score": to_svg(learning_curve(*scores, best), "score", f"{score_name} by epoch"),
        "score_name": score_name,
    }


def slice_values(evaluation: RunEvaluation) -> Values | None:
    """The first metric of each slice as a bar; None without slices."""
    metric, overall = next(iter(evaluation.scores.metrics.items()))
    rows = [
        {
            "by": row_slice.by,
            "name": row_slice.name,
            "rows": row_slice.rows,
            "note": slice_note(row_slice, overall),
            "measure": measure_values(row_slice.score, row_slice.interval, overall=overall),
        }
        for row_slice in evaluation.slices
    ]
    caption = f"{metric_title(metric)} by slice, with 95% intervals. Dotted line: overall."
    return {"rows": rows, "metric": metric, "caption": caption} if rows else None


def _current_rates(evaluation: RunEvaluation) -> tuple[float, float, float]:
    """Recall, precision and false positive rate at the current thresholds, over known labels."""
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
