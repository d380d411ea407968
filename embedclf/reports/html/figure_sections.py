"""Sections of a run's report that show figures or bars, as values for its template."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from embedclf.evaluation.metrics import compute_reliability
from embedclf.evaluation.thresholds import ThresholdCurve
from embedclf.reports.cross_validation import (
    comparison_text,
    folds_name,
    rule_note,
    spread_note,
    spread_text,
    summary_line,
)
from embedclf.reports.evaluation import slice_note
from embedclf.reports.html.figures import to_svg
from embedclf.reports.html.measures import Values, measure_values
from embedclf.reports.html.plots import (
    confusion_matrix,
    fold_scores,
    learning_curve,
    precision_recall_curve,
    reliability_diagram,
    roc_curve,
    size_curve,
)
from embedclf.reports.html.rendering import to_sentence
from embedclf.reports.learning_curve import (
    curve_columns,
    curve_notes,
    curve_rows,
    curve_title,
    curve_verdict,
)
from embedclf.reports.verdict import metric_title
from embedclf.runs.history import describe_training
from embedclf.system.terminal import NO_VALUE, format_count

if TYPE_CHECKING:
    from collections.abc import Iterable

    from embedclf.evaluation.evaluate import RunEvaluation
    from embedclf.evaluation.fold_scores import CrossValidation
    from embedclf.evaluation.predictions import Predictions
    from embedclf.reports.html.report_data import ReportData
    from embedclf.system.arrays import Mask

_MAX_MATRIX_LABELS = 20
"""A larger confusion matrix is hard to read; the page lists the most frequent confusions."""

_MAX_CONFUSIONS = 20

_MAX_CELLS = 1 << 23
"""Rows times labels of the curves of several labels; beyond, every second row or fewer."""


def confusion_values(evaluation: RunEvaluation) -> Values | None:
    """The confusion matrix, or the most frequent confusions of many labels.

    None if rows can have several labels, or if there are many labels and no confusions.
    """
    scores = evaluation.scores
    if scores.confusion is not None and len(scores.labels) <= _MAX_MATRIX_LABELS:
        figure = confusion_matrix([label.label for label in scores.labels], scores.confusion)
        return {"svg": to_svg(figure, "confusion", "Confusion matrix")}
    rows_of = {label.label: label.rows for label in scores.labels}
    rows = [
        # Never divides by 0: a label with confusions has rows.
        (each.actual, each.predicted, each.rows, each.rows / rows_of[each.actual])
        for each in scores.confusions[:_MAX_CONFUSIONS]
    ]
    confusions = format_count(len(scores.confusions), "confusion")
    caption = f"The {len(rows)} most frequent of {confusions}"
    return {"svg": None, "most_frequent": rows, "caption": caption} if rows else None


def curve_values(evaluation: RunEvaluation) -> Values | None:
    """ROC and precision-recall curves; None without a threshold, or if all rows have one outcome.

    If rows can have several labels, all labels are ranked together (micro-average).
    """
    predictions, scores = evaluation.predictions.thin(_MAX_CELLS), evaluation.scores.metrics
    task = evaluation.scored.classifier.labels.task
    if task == "multiclass":
        return None
    predictions = predictions.filter(predictions.is_known & predictions.is_counted)
    if not predictions.has_both_outcomes:
        return None
    y_true = predictions.labels.binarize(predictions.y_true)  # (known, outputs)
    weights = np.repeat(predictions.row_weights, y_true.shape[1])
    y_prob = np.asarray(predictions.y_prob).ravel()
    curve = ThresholdCurve.from_predictions(y_true.ravel(), y_prob, weights)
    recall, precision, false_positive_rate = _current_rates(predictions, y_true)
    figure = precision_recall_curve(
        curve.recall, curve.precision, (recall, precision), curve.positives / curve.rows
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
    if not len(evaluation.predictions.calibration):  # no label is known
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


def fold_values(data: ReportData) -> Values | None:
    """The first metric fold by fold, and mean and spread of all; None without cross-validation."""
    validation = data.cross_validation
    if validation is None:
        return None
    name, comparison = validation.metrics[0], validation.compare_tfidf()
    own = [fold.metrics[name] or 0.0 for fold in validation.folds]
    tfidf = [(fold.tfidf or {}).get(name) or 0.0 for fold in validation.folds if comparison]
    baselines = {"majority": "majority"} | ({"tfidf": "tf-idf"} if comparison else {})
    unit = "block" if validation.scheme == "forward" else "fold"
    title = f"{metric_title(name)} by {unit}"
    return {
        "svg": to_svg(fold_scores(own, tfidf, unit), "folds", title),
        "title": title,
        "caption": f"{format_count(validation.rows, 'scored row')} in {folds_name(validation)}",
        "columns": ["mean ± standard deviation", "lowest", "highest", *baselines.values()],
        "rows": [_spread_cells(validation, metric, baselines) for metric in validation.metrics],
        "summary": to_sentence(summary_line(validation)),
        "comparison": to_sentence(comparison_text(comparison)) if comparison else "",
        "notes": [
            to_sentence(note)
            for note in (spread_note(validation), rule_note(data.run, validation.rule))
            if note
        ],
    }


def size_values(data: ReportData) -> Values | None:
    """The first metric by training rows, and with twice the rows; None if it was not measured."""
    curve = data.learning_curve
    if curve is None:
        return None
    title = f"{metric_title(curve.basis.metric)} by training rows"
    return {
        "svg": to_svg(size_curve(curve), "sizes", title),
        "title": title,
        "caption": f"{title}; subsets: lowest and highest",
        "summary": to_sentence(f"{curve_title(curve)}: {curve_verdict(curve)}"),
        "columns": curve_columns(curve),
        "rows": curve_rows(curve),
        "notes": curve_notes(data.run, curve),
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


def _current_rates(predictions: Predictions, y_true: Mask) -> tuple[float, float, float]:
    """Recall, precision and false positive rate at the current thresholds, over known labels.

    Args:
        predictions: Known rows.
        y_true: (known, outputs) their outcomes.
    """
    y_pred = predictions.labels.binarize(predictions.y_pred)
    weights = predictions.row_weights
    positives, negatives = (weights @ cells.sum(axis=1) for cells in (y_true, ~y_true))
    hits, false_alarms = (weights @ (cells & y_pred).sum(axis=1) for cells in (y_true, ~y_true))
    # Both outcomes occur; a prediction of the label may not.
    precision = hits / (hits + false_alarms) if hits + false_alarms else 0.0
    return float(hits / positives), float(precision), float(false_alarms / negatives)


def _spread_cells(validation: CrossValidation, metric: str, baselines: Iterable[str]) -> list[str]:
    """Mean and spread of a metric, its range, and the means of baselines."""
    spread = validation.spread(metric)
    between = [spread.lowest, spread.highest] if spread else []
    return [
        metric,
        spread_text(spread),
        *([f"{score:.3f}" for score in between] or [NO_VALUE] * 2),
        *(spread_text(validation.spread(metric, baseline)) for baseline in baselines),
    ]
