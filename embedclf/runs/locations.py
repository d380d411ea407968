"""Where runs are, and what is wrong with a path that leads to none."""

from __future__ import annotations

from pathlib import Path

from embedclf.config.messages import closest_match
from embedclf.errors import RunError
from embedclf.system.formats import CONFIG_SUFFIXES, FORMATS, table_suffix

RUNS_DIRECTORY = Path("runs")

RECORD_FILE = "run.json"


def require_run(path: Path) -> None:
    """Check that a path is a directory with a record.

    Raises:
        RunError: It is not.
    """
    if path.is_file():
        raise RunError(_describe_file(path))
    if not path.is_dir():
        names = [file.parent.name for file in RUNS_DIRECTORY.glob(f"*/{RECORD_FILE}")]
        close = closest_match(path.name, names)
        hint = f"did you mean {close}? " if close else ""
        raise RunError(f"{path}: no such run; {hint}`embedclf runs` lists them")
    if not (path / RECORD_FILE).is_file():
        runs = sorted(path.glob(f"*/{RECORD_FILE}"))
        if runs:
            raise RunError(f"{path}: a folder of runs; name one of them: {runs[-1].parent}")
        raise RunError(f"{path}: not a run: it has no {RECORD_FILE}")


def _describe_file(path: Path) -> str:
    """Return the message for a file where a run is expected."""
    if (path.parent / RECORD_FILE).is_file():
        return f"{path}: a file of a run; name its folder: {path.parent}"
    if table_suffix(path) in FORMATS:
        return f"{path}: a table, not a run; to score a run on it, write --data {path}"
    if path.suffix.lower() in CONFIG_SUFFIXES:
        return f"{path}: a config, not a run; train it with `embedclf train {path}`"
    return f"{path}: a file, not a run; `embedclf runs` lists the runs"
