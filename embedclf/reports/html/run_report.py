"""The page of a run: scores, figures, mistakes, data, config."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedclf.audit.findings import summarize_severities
from embedclf.reports.audit import example_location
from embedclf.reports.evaluation import (
    evaluation_notes,
    format_interval,
    mistake_labels,
    unknown_labels_text,
)
from embedclf.reports.html.explanations import CONTRIBUTION_SCALE, explanation_values
from embedclf.reports.html.figure_sections import (
    calibration_values,
    confusion_values,
    curve_values,
    fold_values,
    size_values,
    slice_values,
    training_values,
)
from embedclf.reports.html.measures import Values, measure_values, run_cards
from embedclf.reports.html.rendering import render_template, to_sentence
from embedclf.reports.runs import run_details
from embedclf.reports.thresholds import (
    THRESHOLD_COLUMNS,
    threshold_caution,
    threshold_cells,
    threshold_heading,
)
from embedclf.reports.verdict import scored_rows_text, verdict_text
from embedclf.runs.seen_tables import SEEN_CAUTIONS
from embedclf.system.progress import activity
from embedclf.system.terminal import format_count, format_score
from embedclf.tables.files import display_tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.audit.check import Audit
    from embedclf.audit.findings import Finding
    from embedclf.evaluation.bootstrap import Interval
    from embedclf.evaluation.error_analysis import Mistake
    from embedclf.evaluation.evaluate import RunEvaluation
    from embedclf.evaluation.run_thresholds import ThresholdTable
    from embedclf.evaluation.scores import LabelScores
    from embedclf.reports.html.report_data import ReportData

_TITLES = {
    "labels": "Labels",
    "confusion": "Confusion",
    "mistakes": "Worst mistakes",
    "scores": "Scores and baselines",
    "slices": "Slices",
    "thresholds": "Thresholds",
    "curves": "ROC and precision-recall",
    "calibration": "Calibration",
    "folds": "Cross-validation",
    "sizes": "Learning curve",
    "training": "Training",
    "audit": "Data",
    "config": "Config",
    "details": "Run details",
}
"""The sections in the order of the page."""


@activity("drawing the report")
def render_run_report(data: ReportData) -> str:
    """Render the page; the same run, rows and versions give the same text."""
    run, evaluation = data.run, data.evaluation
    created = str(run.record["created"])[:16].replace("T", " ")  # ISO 8601, to the minute
    rows, task = scored_rows_text(evaluation), run.record["task"]
    sections: Values = {
        "labels": _labels(evaluation),
        "confusion": confusion_values(evaluation),
        "mistakes": list(map(_mistake, evaluation.mistakes)),
        "scores": _scores(data),
        "slices": slice_values(evaluation),
        "thresholds": _thresholds(data.thresholds),
        "curves": curve_values(evaluation),
        "calibration": calibration_values(evaluation),
        "folds": fold_values(data),
        "sizes": size_values(data),
        "training": training_values(data),
        "audit": _audit(data.audit),
        # By line, because the renderer shows control characters, line breaks included, as symbols.
        "config": data.config.rstrip("\n").split("\n"),
        "details": _details(data),
    }
    return render_template(
        "run_report.html.j2",
        kind="Run report",
        title=run.path.name,
        meta=f"{task} · trained {created} UTC · scored on {rows}",
        verdict=to_sentence(verdict_text(evaluation)),
        caution=_caution(evaluation),
        cards=run_cards(evaluation),
        titles={name: title for name, title in _TITLES.items() if sections[name]},
        task=task,
        rows=rows,
        contribution_scale=CONTRIBUTION_SCALE,
        **sections,
    )


def _caution(evaluation: RunEvaluation) -> str:
    """Why the scores are not those of unseen rows; empty if they are."""
    caution = evaluation.scored.source.caution
    if not caution:
        return ""
    is_seen = caution.startswith(tuple(SEEN_CAUTIONS.values()))
    way_out = " For scores on unseen rows, set data.test in the config, or pass --data TABLE."
    return to_sentence(caution) + (way_out if is_seen else "")


def _scores(data: ReportData) -> Values:
    evaluation = data.evaluation
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
    # The caution is on top of the page.
    caution = evaluation.scored.source.caution
    notes = [note for note in evaluation_notes(evaluation) if note[1] != caution]
    notes += _missing_sections(data)
    if scores.unknown_labels:
        notes.append(("unknown labels", unknown_labels_text(evaluation.scored.source.name, scores)))
    if skipped := evaluation.scored.labeled.skipped:
        notes.append(("skipped", f"{format_count(skipped, 'row')} without a valid label"))
    return {"baselines": [baseline.name for baseline in baselines], "rows": rows, "notes": notes}


def _missing_sections(data: ReportData) -> Iterator[tuple[str, str]]:
    """Why sections that the task could have are left out."""
    predictions = data.evaluation.predictions
    if not predictions.is_known.any():
        yield "calibration", "not measured: no row has a label that the run knows"
    elif data.run.record["task"] == "multiclass":
        yield "curves", "none: the most probable label is predicted, without a threshold"
    elif not predictions.has_both_outcomes:
        yield "curves", "none: ROC and precision-recall need rows with the label and without it"
    if isinstance(data.thresholds, str):
        yield "thresholds", f"not compared: {data.thresholds}"


def _labels(evaluation: RunEvaluation) -> Values:
    """Each label; those of lowest F1 come first, and those without rows last."""
    pairs = list(zip(evaluation.scores.labels, evaluation.label_intervals, strict=True))
    pairs.sort(key=lambda pair: (pair[0].rows == 0, pair[0].f1, pair[0].label))
    caption = f"{format_count(len(pairs), 'label')} with 95% intervals, lowest F1 first"
    return {"rows": [_label(label, intervals) for label, intervals in pairs], "caption": caption}


def _label(label: LabelScores, intervals: Sequence[Interval | None]) -> Values:
    scores = (label.precision, label.recall, label.f1)
    return {
        "name": label.label,
        "rows": label.rows,
        "measures": [
            measure_values(score, interval)
            for score, interval in zip(scores, intervals, strict=True)
        ],
    }


def _thresholds(table: ThresholdTable | str | None) -> Values | None:
    if table is None or isinstance(table, str):
        return None
    return {
        "heading": threshold_heading(table),
        "several": len(table.thresholds) > 1,
        "columns": list(THRESHOLD_COLUMNS),
        "options": [
            {"label": option.label, "cells": threshold_cells(option)} for option in table.options
        ],
        "caution": to_sentence(threshold_caution(table)),
    }


def _mistake(mistake: Mistake) -> Values:
    return {
        "labels": mistake_labels(mistake),
        "location": mistake.location,
        **explanation_values(mistake.explanation),
    }


def _audit(audit: Audit | str) -> Values | None:
    if isinstance(audit, str) or not audit.findings:
        return None
    return {
        "summary": summarize_severities(audit.findings),
        "findings": list(map(_finding, audit.findings)),
    }


def _data_check(audit: Audit | str) -> str:
    if isinstance(audit, str):
        return f"not checked: {audit}"
    return f"checked: {summarize_severities(audit.findings)}"


def _finding(finding: Finding) -> Values:
    return {
        "severity": finding.severity,
        "message": finding.message,
        "kind": finding.kind,
        "reason": finding.reason,
        "fix": finding.fix,
        "examples": [(example_location(example), example.text) for example in finding.examples],
    }


def _details(data: ReportData) -> Values:
    """Versions, device, seed, times, tables: all that you need to train the same run again."""
    run, record = data.run, data.run.record
    device = record["device"]
    cores = format_count(device["cores"], "core")
    return {
        "details": [
            ("run", run.path),
            ("created", record["created"]),
            ("device", f"{device['kind']} {device['name']}, {cores}"),
            *run_details(record),
            ("parameters", f"{record['parameters']:,}"),
            ("data", _data_check(data.audit)),
        ],
        "tables": [
            {
                "split": split,
                "path": display_tables(table["path"]),
                "rows": table["rows"],
                "sha256": table["sha256"],
            }
            for split, table in record["data"].items()
        ],
    }
