"""A run as bytes: what an estimator holds, and what its pickle contains."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from embedclf.errors import RunError
from embedclf.runs.known_files import KNOWN_COMPACT_FILES, KNOWN_FILES, METRICS_FILE
from embedclf.runs.locations import RECORD_FILE
from embedclf.runs.run import Run
from embedclf.system.publishing.drafts import draft_directory, publish_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

RunFiles = dict[str, bytes]
"""The content of each file of a run, by its name with forward slashes."""


def read_run(path: Path) -> RunFiles:
    """Read the files of a run, after they were checked.

    Raises:
        RunError: There is no run, or it is damaged, not one of embedclf, or of a newer format.
    """
    run = Run.open(path)
    files = {name: run.read(name) for name in run.record["files"]}
    return {name: (path / name).read_bytes() for name in (RECORD_FILE, METRICS_FILE)} | files


def write_run(files: RunFiles, path: Path) -> None:
    """Write the files of a run to a new folder, as a whole.

    Raises:
        RunError: The path already exists or cannot be written, or the files are not those of a run.
    """
    try:
        with draft_directory(path.parent) as draft:
            _write(files, draft)
            Run.open(draft)
            if not publish_directory(draft, path):
                raise RunError(f"{path}: already exists; choose another path")
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror or error}") from error


@contextmanager
def opened(files: RunFiles) -> Iterator[Run]:
    """Open a run in a temporary folder, checked like any other run.

    What maps a file into memory keeps its content after the folder is removed.

    Raises:
        RunError: The files are damaged, or not those of a run.
    """
    # Windows cannot remove mapped files
    with TemporaryDirectory(prefix="embedclf-", ignore_cleanup_errors=True) as folder:
        _write(files, Path(folder))
        yield Run.open(Path(folder))


def _write(files: RunFiles, folder: Path) -> None:
    for name, content in files.items():
        # A name such as ../x would lead out of the folder
        if name not in KNOWN_FILES | KNOWN_COMPACT_FILES | {RECORD_FILE, METRICS_FILE}:
            raise RunError(f"{name}: not a file of a run; train again")
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
