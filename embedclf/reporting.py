"""All that is known of a run, gathered for its report: scores, thresholds, data, history."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from embedclf import run as runs
from embedclf.appraisal import appraise
from embedclf.auditing import audit
from embedclf.config import near
from embedclf.decisions import weigh
from embedclf.errors import ConfigError, DataError, RunError
from embedclf.history import read_epochs
from embedclf.scoring import unchanged

if TYPE_CHECKING:
    from embedclf.appraisal import Appraisal, Wanted
    from embedclf.auditing import Audit
    from embedclf.decisions import Weighed
    from embedclf.history import Epoch
    from embedclf.run import Run
    from embedclf.schema import Config

MISTAKES = 10
"""That are shown: enough to see what they share, few enough to read."""


@dataclass(frozen=True)
class Reported:
    """All that is known of a run."""

    run: Run
    appraisal: Appraisal
    weighed: Weighed | str | None
    """What thresholds come to, or why that is not known; None where none decides."""
    audit: Audit | str
    """What is wrong with the data, or why that is not known."""
    epochs: tuple[Epoch, ...]
    config: str
    """The YAML of the run."""


def gather(run: Run, wanted: Wanted) -> Reported:
    """Look at a run from all sides.

    Args:
        run: To look at.
        wanted: Which rows to score, and beside what.

    Raises:
        DataError: The rows to score cannot be read.
        RunError: They are not to be had any more.
    """
    config = run.config()
    return Reported(
        run,
        appraise(run, wanted),
        _weighed(run),
        _audited(run, config),
        read_epochs(run.read(runs.HISTORY).decode()),
        run.read(runs.CONFIG).decode(),
    )


def _weighed(run: Run) -> Weighed | str | None:
    if run.record["task"] == "multiclass":
        return None
    try:
        return weigh(run)
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
