"""The page of a run: scores, figures, mistakes, data, config."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from embedclf.audit.findings import summarize_severities
from embedclf.evaluation.scored_rows import SEEN_CAUTIONS
from embedclf.reports.audit import example_location
from embedclf.reports.evaluation import (
    evaluation_notes,
    format_interval,
    format_short_interval,
    mistake_labels,
    unknown_labels_text,
)
from embedclf.reports.html.explanations import explanation_values
from embedclf.reports.html.figure_sections import (
    Values,
    confusion_values,
    curve_values,
    learning_values,
    reliability_values,
    slice_values,
)
from embedclf.reports.html.rendering import render_template
from embedclf.reports.runs import run_details
from embedclf.reports.thresholds import (
    THRESHOLD_COLUMNS,
    threshold_caution,
    threshold_cells,
    threshold_heading,
)
from embedclf.reports.verdict import scored_rows_text, verdict_text
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
        confusion=confusion_values(evaluation),
        curves=curve_values(evaluation),
        reliability=reliability_values(evaluation),
        thresholds=_thresholds(data.thresholds),
        learning=learning_values(data),
        slices=slice_values(evaluation),
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
