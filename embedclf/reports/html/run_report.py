"""The page of a run: scores, figures, mistakes, data, config."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedclf.audit.findings import summarize_severities
from embedclf.evaluation.metrics import compute_reliability
from embedclf.evaluation.scored_rows import SEEN_CAUTIONS
from embedclf.evaluation.thresholds import ThresholdCurve
from embedclf.reports.audit import example_location
from embedclf.reports.evaluation import (
    evaluation_notes,
    format_interval,
    format_short_interval,
    mistake_labels,
    slice_note,
    unknown_labels_text,
)
from embedclf.reports.html.explanations import explanation_values
from embedclf.reports.html.figures import to_svg
from embedclf.reports.html.plots import (
    confusion_matrix,
    interval_chart,
    learning_curve,
    precision_recall_curve,
    reliability_diagram,
    roc_curve,
)
from embedclf.reports.html.rendering import render_template
from embedclf.reports.runs import run_details
from embedclf.reports.thresholds import (
    THRESHOLD_COLUMNS,
    threshold_caution,
    threshold_cells,
    threshold_heading,
)
from embedclf.reports.verdict import metric_title, scored_rows_text, verdict_text
from embedclf.runs.history import describe_training
from embedclf.system.terminal import display_path, format_score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.audit.check import Audit
    from embedclf.audit.findings import Finding
    from embedclf.evaluation.bootstrap import Interval
    from embedclf.evaluation.error_analysis import Mistake
    from embedclf.evaluation.evaluate import RunEvaluation
    from embedclf.evaluation.run_thresholds import ThresholdTable
    from embedclf.evaluation.scores import LabelScores
    from embedclf.reports.html.report_data import ReportData
    from embedclf.runs.run import Run

_MAX_LABELS = 30
"""Labels in the table at once; more are folded away."""

_MAX_MATRIX_LABELS = 20
"""A larger confusion matrix is hard to read; the page lists the most frequent confusions."""

_MAX_CONFUSIONS = 20

Values = dict[str, Any]
"""What a section of the template shows."""


def render_run_report(data: ReportData) -> str:
    """Render the page; the same run, rows and versions give the same text."""
    run, evaluation = data.run, data.evaluation
    caution = evaluation.scored.source.caution
    return render_template(
        "run_report.html.j2",
        title=f"Report of {run.path.name}",
        created=str(run.record["created"])[:16].replace("T", " "),
        task=run.record["task"],
        rows=scored_rows_text(evaluation),
        verdict=verdict_text(evaluation),
        caution=caution,
        seen=caution.startswith(tuple(SEEN_CAUTIONS.values())),
        scores=_scores(evaluation),
        labels=_labels(evaluation),
        confusion=_confusion(evaluation),
        curves=_curves(evaluation),
        reliability=_reliability(evaluation),
        thresholds=_thresholds(data.thresholds),
        learning=_learning(data),
        slices=_slices(evaluation),
        mistakes=list(map(_mistake, evaluation.mistakes)),
        audit=_audit(data.audit),
        # By line, because the renderer shows control characters, line breaks included, as symbols.
        config=data.config.rstrip("\n").split("\n"),
        run=_run(run),
    )


def _scores(evaluation: RunEvaluation) -> Values:
    scores, baselines = evaluation.scores, evaluation.baselines
    rows = [
        [
            name,
            format_score(value),
            format_interval(evaluation.intervals[name]),
            *(format_score(baseline.metrics[name]) for baseline in baselines),
        ]
        for name, value in scores.metrics.items()
    ]
    notes = evaluation_notes(evaluation)
    if scores.unknown_labels:
        notes.append(("unknown", unknown_labels_text(evaluation.scored.source.name, scores)))
    if skipped := evaluation.scored.labeled.skipped:
        notes.append(("skipped", f"{skipped:,} rows: no valid label"))
    return {"baselines": [baseline.name for baseline in baselines], "rows": rows, "notes": notes}


def _labels(evaluation: RunEvaluation) -> Values:
    """Each label; of very many labels those with the lowest F1 come first."""
    pairs = list(zip(evaluation.scores.labels, evaluation.label_intervals, strict=True))
    if len(pairs) > _MAX_LABELS:
        pairs.sort(key=lambda pair: (pair[0].f1, pair[0].label))
    values = [_label(label, intervals) for label, intervals in pairs]
    return {
        "first": values[:_MAX_LABELS],
        "others": values[_MAX_LABELS:],
        "count": len(values),
    }


def _label(label: LabelScores, intervals: Sequence[Interval | None]) -> Values:
    scores = (label.precision, label.recall, label.f1)
    return {
        "name": label.label,
        "rows": label.rows,
        "scores": [
            (format_score(score), format_short_interval(interval))
            for score, interval in zip(scores, intervals, strict=True)
        ],
    }


def _confusion(evaluation: RunEvaluation) -> Values | None:
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


def _curves(evaluation: RunEvaluation) -> Values | None:
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


def _reliability(evaluation: RunEvaluation) -> Values | None:
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


def _thresholds(table: ThresholdTable | str | None) -> Values | str | None:
    if table is None or isinstance(table, str):
        return table
    return {
        "heading": threshold_heading(table),
        "several": len(table.thresholds) > 1,
        "columns": list(THRESHOLD_COLUMNS),
        "options": [
            {"label": option.label, "cells": threshold_cells(option)} for option in table.options
        ],
        "caution": threshold_caution(table),
    }


def _learning(data: ReportData) -> Values:
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


def _slices(evaluation: RunEvaluation) -> Values:
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


def _mistake(mistake: Mistake) -> Values:
    return {
        "labels": mistake_labels(mistake),
        "location": mistake.location,
        **explanation_values(mistake.explanation),
    }


def _audit(audit: Audit | str) -> Values | str:
    if isinstance(audit, str):
        return audit
    return {
        "summary": summarize_severities(audit.findings),
        "findings": list(map(_finding, audit.findings)),
    }


def _finding(finding: Finding) -> Values:
    return {
        "severity": finding.severity,
        "message": finding.message,
        "kind": finding.kind,
        "reason": finding.reason,
        "fix": finding.fix,
        "examples": [(example_location(example), example.text) for example in finding.examples],
    }


def _run(run: Run) -> Values:
    """Versions, device, seed, times, tables: what it takes to train the same run again."""
    record = run.record
    device = record["device"]
    return {
        "details": [
            ("run", run.path),
            ("created", record["created"]),
            ("device", f"{device['kind']} {device['name']}, {device['cores']} cores"),
            *run_details(record),
            ("parameters", f"{record['parameters']:,}"),
        ],
        "tables": [
            {
                "split": split,
                "path": display_path(Path(table["path"])),
                "rows": table["rows"],
                "sha256": table["sha256"],
            }
            for split, table in record["data"].items()
        ],
    }
