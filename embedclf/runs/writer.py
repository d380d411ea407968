"""Writing a run: a draft first, published as a whole."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedclf.errors import RunError
from embedclf.runs.known_files import METRICS_FILE
from embedclf.runs.locations import RECORD_FILE, RUNS_DIRECTORY
from embedclf.runs.run import FORMAT, Run
from embedclf.runs.sealed_json import compute_checksum, seal_json
from embedclf.system.publishing.drafts import draft_directory, publish_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class RunDraft:
    """A run that is being written."""

    path: Path

    def make_directory(self, name: str) -> RunDraft:
        """Create a directory in the draft."""
        (self.path / name).mkdir()
        return RunDraft(self.path / name)

    def write(self, name: str, content: str) -> None:
        """Write a file of the run as UTF-8, with line feeds on all systems: it will be hashed."""
        (self.path / name).write_text(content, encoding="utf-8", newline="\n")

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a binary file of the run."""
        (self.path / name).write_bytes(content)

    def write_json(self, name: str, values: Any) -> None:
        """Write plain values as JSON, without ASCII escapes."""
        self.write(name, json.dumps(values, ensure_ascii=False, indent=1) + "\n")

    def write_metrics(self, settings: dict[str, Any], metrics: dict[str, Any]) -> None:
        """Write the thresholds and the scores, as `Run` returns them."""
        self.write(METRICS_FILE, seal_json({"decision": settings, **metrics}))

    def write_record(self, record: dict[str, Any]) -> dict[str, Any]:
        """Write `run.json`, with the SHA-256 of every file: last, because it lists all others.

        Args:
            record: Its content; the format is that of trainings unless it names another.

        Returns:
            The content with the format and the files.
        """
        hashes = {
            file.relative_to(self.path).as_posix(): _sha256(file)
            for file in sorted(self.path.rglob("*"))
            if file.is_file() and file.name != METRICS_FILE  # has its own checksum
        }
        record = {"format": FORMAT, **record, "files": hashes}
        self.write_json(RECORD_FILE, {**record, "checksum": compute_checksum(record)})
        return record

    def publish(self, record: dict[str, Any], name: str, output: Path | None) -> Run:
        """Record the SHA-256 of every file, and rename the draft to its final name.

        Args:
            record: Content of `run.json`.
            name: The run becomes `<name>-<number>`, next to the draft.
            output: Path of the run instead.

        Raises:
            RunError: `output` was created meanwhile.
        """
        record = self.write_record(record)
        if output is not None:
            if not publish_directory(self.path, output):
                raise RunError(
                    f"{output}: was created during training, so the run was not saved; "
                    "train again with another -o"
                )
            return Run(output, record)
        runs = self.path.parent
        # Another training may take the number first; then the next one is tried.
        while not publish_directory(self.path, target := runs / _next_name(runs, name)):
            pass
        return Run(target, record)


def require_new_path(output: Path | None) -> None:
    """Check that the path of a new run is free.

    Raises:
        RunError: Something exists there, even if only a broken symbolic link.
    """
    if output is not None and (output.exists() or output.is_symlink()):
        raise RunError(f"{output}: already exists; choose another path with -o")


@contextmanager
def draft_run(output: Path | None) -> Iterator[RunDraft]:
    """Start a run, next to `output` or in `./runs`; unless it is published, it is removed.

    Raises:
        RunError: `output` already exists, or its directory cannot be written to.
    """
    require_new_path(output)
    parent = RUNS_DIRECTORY if output is None else output.parent
    try:
        with draft_directory(parent) as directory:
            yield RunDraft(directory)
    except OSError as error:
        place = error.filename or parent
        raise RunError(f"{place}: cannot be written: {error.strerror or error}") from error


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _next_name(parent: Path, name: str) -> str:
    pattern = re.compile(rf"{re.escape(name)}-(\d+)")
    numbers = [int(m[1]) for entry in parent.iterdir() if (m := pattern.fullmatch(entry.name))]
    # One after the highest: numbers are in the order of creation.
    return f"{name}-{max(numbers, default=0) + 1}"
