"""A run being written: draft, then published whole."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedclf.errors import RunError
from embedclf.runs.run import FORMAT, METRICS, RECORD, ROOT, Run, _checksum, _seal
from embedclf.system.files import draft_folder, publish_folder

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class RunDraft:
    """A run that is being written."""

    path: Path

    def make_folder(self, name: str) -> RunDraft:
        """Make a folder in it, to write to alike."""
        (self.path / name).mkdir()
        return RunDraft(self.path / name)

    def write(self, name: str, content: str) -> None:
        """Write a file of the run as UTF-8."""
        (self.path / name).write_text(content, encoding="utf-8", newline="\n")

    def write_json(self, name: str, values: Any, *, indent: int | None = 1) -> None:
        """Write plain values as JSON, every code point as itself; without indent it is quick."""
        self.write(name, json.dumps(values, ensure_ascii=False, indent=indent) + "\n")

    def write_metrics(self, decision: dict[str, Any], metrics: dict[str, Any]) -> None:
        """Write how the run decides, and what was measured, by part."""
        self.write(METRICS, _seal({"decision": decision, **metrics}))

    def publish(self, record: dict[str, Any], name: str, output: Path | None) -> Run:
        """Record every file's SHA-256 and give the run its place.

        Args:
            record: What `run.json` is to hold.
            name: Of the config; the run becomes `<name>-<number>` beside the draft.
            output: Where the run is wanted instead.

        Raises:
            RunError: `output` has come into being meanwhile.
        """
        hashes = {
            file.relative_to(self.path).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(self.path.rglob("*"))
            if file.is_file() and file.name != METRICS
        }
        record = {"format": FORMAT, **record, "files": hashes}
        self.write_json(RECORD, {**record, "checksum": _checksum(record)})
        if output is not None:
            if not publish_folder(self.path, output):
                raise RunError(f"{output}: exists by now; the run was not written")
            return Run(output, record)
        while not publish_folder(
            self.path, target := self.path.parent / _next_name(self.path.parent, name)
        ):
            pass
        return Run(target, record)


def require_free(output: Path | None) -> None:
    """Refuse a place where something is.

    Raises:
        RunError: Something is there.
    """
    if output is not None and (output.exists() or output.is_symlink()):
        raise RunError(f"{output}: exists; a run never overwrites, choose another place")


@contextmanager
def draft_run(output: Path | None) -> Iterator[RunDraft]:
    """Begin a run: beside `output`, or in `./runs`. It is gone unless it was published.

    Raises:
        RunError: `output` is there already, or its folder cannot be written to, now or later.
    """
    require_free(output)
    parent = ROOT if output is None else output.parent
    try:
        with draft_folder(parent) as folder:
            yield RunDraft(folder)
    except OSError as error:
        place = error.filename or parent
        raise RunError(f"{place}: cannot be written: {error.strerror or error}") from error


def _next_name(parent: Path, name: str) -> str:
    pattern = re.compile(rf"{re.escape(name)}-(\d+)")
    numbers = [int(m[1]) for entry in parent.iterdir() if (m := pattern.fullmatch(entry.name))]
    return f"{name}-{max(numbers, default=0) + 1}"
