"""All that is known of a run, gathered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from embedclf.audit.check import audit
from embedclf.errors import ConfigError, DataError, RunError
from embedclf.evaluation.evaluate import evaluate_run
from embedclf.evaluation.run_thresholds import threshold_table
from embedclf.evaluation.scored_rows import unchanged
from embedclf.runs import run as runs
from embedclf.runs.history import read_epochs
from embedclf.system.terminal import near

if TYPE_CHECKING:
    from embedclf.audit.check import Audit
    from embedclf.config.schema import Config
    from embedclf.evaluation.evaluate import EvaluationRequest, RunEvaluation
    from embedclf.evaluation.run_thresholds import ThresholdTable
    from embedclf.runs.history import Epoch
    from embedclf.runs.run import Run

MISTAKES = 10
"""That are shown: enough to see what they share, few enough to read."""


@dataclass(frozen=True)
class ReportData:
    """All that is known of a run."""

    run: Run
    appraisal: RunEvaluation
    weighed: ThresholdTable | str | None
    """What thresholds come to, or why that is not known; None where none decides."""
    audit: Audit | str
    """What is wrong with the data, or why that is not known."""
    epochs: tuple[Epoch, ...]
    config: str
    """The YAML of the run."""


def gather(run: Run, wanted: EvaluationRequest) -> ReportData:
    """Look at a run from all sides.

    Args:
        run: To look at.
        wanted: Which rows to score, and beside what.

    Raises:
        DataError: The rows to score cannot be read.
        RunError: They are not to be had any more.
    """
    config = run.config()
    return ReportData(
        run,
        evaluate_run(run, wanted),
        _weighed(run),
        _audited(run, config),
        read_epochs(run.read(runs.HISTORY).decode()),
        run.read(runs.CONFIG).decode(),
    )


def _weighed(run: Run) -> ThresholdTable | str | None:
    if run.record["task"] == "multiclass":
        return None
    try:
        return threshold_table(run)
    except (DataError, RunError) as error:
        return str(error)


def _audited(run: Run, config: Config) -> Audit | str:
    """What is wrong with the very tables that the run was made with."""
    data = config.data
    for part, table in (
        ("train", data.train),
        ("validation", data.validation),
        ("test", data.test),
    ):
        if isinstance(table, Path):
            if not table.is_file():
                return f"{near(table)} is not there any more"
            if not unchanged(run, part, table):
                return f"{near(table)} has changed since the run was trained"
    try:
        return audit(config)
    except (ConfigError, DataError) as error:
        return str(error)
