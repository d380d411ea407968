"""Runs in a folder: all that can be read, and the newest that can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedclf.atomic import DRAFT
from embedclf.errors import RunError
from embedclf.run import RECORD, ROOT, Run

if TYPE_CHECKING:
    from pathlib import Path


def find_runs(root: Path = ROOT) -> tuple[list[Run], list[RunError]]:
    """The runs in a folder, oldest first, and what is wrong with those that cannot be read."""
    runs, faults = [], []
    for file in sorted(root.glob(f"*/{RECORD}")):
        if file.parent.name.startswith(DRAFT):
            continue
        try:
            run = Run.glance(file.parent)
            run.metrics()
        except RunError as error:
            faults.append(error)
        else:
            runs.append(run)
    return sorted(runs, key=lambda run: str(run.record["created"])), faults


def open_newest() -> tuple[Run, list[RunError]]:
    """Open the newest run in `./runs`, and tell what is wrong with others there.

    Raises:
        RunError: There is none that can be used.
    """
    runs, faults = find_runs()
    for run in reversed(runs):
        try:
            return Run.open(run.path), faults
        except RunError as error:
            faults.append(error)
    if faults:
        raise faults[-1]
    raise RunError(f"{ROOT}: no runs here; `embedclf train` makes one, --run names another")
