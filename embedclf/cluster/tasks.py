"""What a worker does with a part."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, NamedTuple

from embedclf.errors import EmbedclfError, RunError
from embedclf.inference.predict import PredictionRequest, predict
from embedclf.runs.locations import RECORD_FILE
from embedclf.runs.run import Run
from embedclf.system.progress import listening

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedclf.cluster.parts import Part
    from embedclf.system.progress import Activity

_REPORT_SECONDS = 0.5


class RunOnDisk(NamedTuple):
    """A run that all machines must see."""

    path: str
    """Absolute."""
    sha256: str
    """Of its record, which has the SHA-256 of all other files."""

    @classmethod
    def of(cls, run: Run) -> RunOnDisk:
        """Describe a run that is open."""
        path = run.path.resolve()
        return cls(str(path), hashlib.sha256((path / RECORD_FILE).read_bytes()).hexdigest())

    def open(self) -> Run:
        """Open the run on another machine.

        Raises:
            RunError: It is missing there, or another one.
        """
        path = Path(self.path)
        record = path / RECORD_FILE
        hint = "put it in a folder that all machines share, under the same path"
        if not record.is_file():
            raise RunError(f"{path}: a worker cannot see this run; {hint}")
        if hashlib.sha256(record.read_bytes()).hexdigest() != self.sha256:
            raise RunError(f"{path}: a worker sees another run there; {hint}")
        return Run.open(path)


class PartResult(NamedTuple):
    """What became of a part."""

    rows: int = 0
    without_known_token: int = 0
    notes: tuple[str, ...] = ()
    """What people should know about how it was read, a sentence each."""
    fault: str | None = None
    """Why it cannot be predicted, for people; None if it was written."""

    @property
    def messages(self) -> tuple[str, ...]:
        """The notes, and the fault if there is one."""
        return self.notes if self.fault is None else (*self.notes, self.fault)


class PartProgress(NamedTuple):
    """How far a part is."""

    name: str
    rows: int
    fraction: float


def predict_part(
    part: Part, run: RunOnDisk, output: Path, request: PredictionRequest, topic: str
) -> PartResult:
    """Predict a part, and write its output, whole or not at all.

    Args:
        part: The part.
        run: Whose classifier to use.
        output: The file to write.
        request: What to add to the rows.
        topic: Of the events that report progress.
    """
    from distributed import get_worker

    worker = get_worker()
    try:
        with (
            _Reporter(part.name, lambda progress: worker.log_event(topic, progress)) as reporter,
            listening(reporter.listen),
        ):
            output.parent.mkdir(parents=True, exist_ok=True)
            summary = predict(_open(run), part.file, replace(request, output=output))
    except EmbedclfError as error:
        return PartResult(fault=str(error))
    except OSError as error:
        return PartResult(fault=f"{output}: {error.strerror}")
    return PartResult(summary.row_count, summary.without_known_token, summary.notes)


@lru_cache(4)
def _open(run: RunOnDisk) -> Run:
    return run.open()


class _Reporter:
    """Reports how far a part is, twice a second, from a thread of its own."""

    def __init__(self, name: str, send: Callable[[PartProgress], Any]) -> None:
        self._name, self._send = name, send
        self._activity: Activity | None = None
        self._ended = Event()

    def __enter__(self) -> _Reporter:
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def listen(self, activity: Activity | None) -> None:
        """Watch an activity if it counts rows."""
        if activity is not None and activity.unit == "rows":
            self._activity = activity

    def _run(self) -> None:
        while not self._ended.wait(_REPORT_SECONDS):
            if (activity := self._activity) is not None:
                done, fraction = int(activity.done), activity.fraction or 0.0
                self._send(PartProgress(self._name, done, fraction))
