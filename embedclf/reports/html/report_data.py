"""The contents of a run's report, gathered from the run and its tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedclf.audit.check import audit_data
from embedclf.errors import ConfigError, DataError, RunError
from embedclf.evaluation.evaluate import evaluate_run
from embedclf.evaluation.fold_scores import read_cross_validation
from embedclf.evaluation.run_thresholds import tabulate_thresholds
from embedclf.runs.known_files import CONFIG_FILE
from embedclf.runs.seen_tables import is_missing_or_unchanged
from embedclf.tables.files import display_tables, tables_exist
from embedclf.training.folds.curve_scores import read_learning_curve

if TYPE_CHECKING:
    from embedclf.audit.check import Audit
    from embedclf.config.schema import Config
    from embedclf.evaluation.evaluate import EvaluationRequest, RunEvaluation
    from embedclf.evaluation.fold_scores import CrossValidation
    from embedclf.evaluation.run_thresholds import ThresholdTable
    from embedclf.runs.history import Epoch
    from embedclf.runs.run import Run
    from embedclf.training.folds.curve_scores import LearningCurve

MAX_MISTAKES = 10
"""Mistakes in a report: enough to see what they have in common, few enough to read."""


@dataclass(frozen=True)
class ReportData:
    """What the report of a run shows."""

    run: Run
    evaluation: RunEvaluation
    thresholds: ThresholdTable | str | None
    """Why they cannot be computed, if so; None if the task has no thresholds."""
    audit: Audit | str
    """Why the data cannot be checked, if so."""
    epochs: tuple[Epoch, ...]
    cross_validation: CrossValidation | None
    learning_curve: LearningCurve | None
    config: str
    """The YAML of the run."""


def gather_report_data(run: Run, request: EvaluationRequest) -> ReportData:
    """Evaluate a run, check its data and read its files.

    Args:
        run: The run.
        request: Which rows to score, and what to compare with.

    Raises:
        DataError: The rows to score cannot be read.
        RunError: The run's rows have changed or no longer exist.
    """
    return ReportData(
        run=run,
        evaluation=evaluate_run(run, request),
        thresholds=_tabulate_thresholds(run),
        audit=_audit(run, run.config()),
        epochs=run.epochs(),
        cross_validation=read_cross_validation(run),
        learning_curve=read_learning_curve(run),
        config=run.read(CONFIG_FILE).decode(),
    )


def _tabulate_thresholds(run: Run) -> ThresholdTable | str | None:
    if run.record["task"] == "multiclass":
        return None
    try:
        return tabulate_thresholds(run)
    except (DataError, RunError) as error:
        # A report without this section is better than none.
        return str(error)


def _audit(run: Run, config: Config) -> Audit | str:
    """Check the data only if each table is still the one that the run was trained on."""
    data = config.data
    tables = {"train": data.train, "validation": data.validation, "test": data.test}
    for split, table in tables.items():
        if table is not None and not isinstance(table, float):  # a fraction has no table
            # Checked apart, because `is_missing_or_unchanged` accepts a missing table.
            if not tables_exist(table):
                return f"{display_tables(table)} no longer exists"
            if not is_missing_or_unchanged(run, split, table):
                return f"{display_tables(table)} has changed since the run was trained"
    try:
        return audit_data(config)
    except (ConfigError, DataError) as error:
        return str(error)
