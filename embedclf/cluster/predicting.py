"""Predict a table on a cluster: a task for each part, and a file for each task."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

from embedclf.cluster.output_folder import is_finished, prepare_folder
from embedclf.cluster.parts import find_parts
from embedclf.cluster.tasks import PartProgress, PartResult, RunOnDisk, peak_memory, predict_part
from embedclf.system.progress import activity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from embedclf.cluster.parts import Part
    from embedclf.config.fields import Tables
    from embedclf.inference.predict import PredictionRequest
    from embedclf.runs.run import Run

_TASKS_PER_THREAD = 3
"""Tasks that wait or run for each thread of the workers; millions at once would fill the memory."""


@dataclass
class ClusterSummary:
    """What was predicted."""

    parts: int
    finished_before: int = 0
    """Parts whose outputs an earlier call wrote."""
    written: int = 0
    """Parts whose outputs this call wrote."""
    rows: int = 0
    """Of these."""
    without_known_token: int = 0
    notes: list[str] = field(default_factory=list)
    """What people should know about how parts were read, a sentence each."""
    faults: list[str] = field(default_factory=list)
    """Why parts could not be predicted, a sentence each with their place."""
    worker_peak: int = 0
    """Most bytes of memory of a worker."""
    client_peak: int = 0

    def add(self, result: PartResult) -> None:
        """Add a part that was tried."""
        self.written += result.fault is None
        self.rows += result.rows
        self.without_known_token += result.without_known_token
        self.notes += result.notes
        self.faults += [] if result.fault is None else [result.fault]
        self.worker_peak = max(self.worker_peak, result.peak_bytes)


@dataclass(frozen=True)
class ClusterPrediction:
    """The parts of a table, and those that a folder lacks.

    All machines must see the run, the table and the folder under the same paths.
    """

    run: RunOnDisk
    folder: Path
    request: PredictionRequest
    parts: list[Part]
    missing: list[Part]

    @classmethod
    def plan(
        cls, run: Run, tables: Tables, folder: Path, request: PredictionRequest
    ) -> ClusterPrediction:
        """Find the parts, and create the folder or look at what is in it.

        Args:
            run: Whose classifier to use.
            tables: Files, folders, patterns or URIs.
            folder: Of the outputs.
            request: What to add to the rows; it names no output.

        Raises:
            DataError: A file does not exist, or the folder cannot be written.
            RequestError: The folder holds something else.
        """
        stored, folder = RunOnDisk.of(run), folder.absolute()
        parts = find_parts(tables)
        prepare_folder(folder, stored, request)
        missing = [part for part in parts if not is_finished(part, folder)]
        return cls(stored, folder, request, parts, missing)

    def execute(
        self, client: Any, on_fault: Callable[[str], None] = lambda _fault: None
    ) -> ClusterSummary:
        """Predict the missing parts; each is written whole or not at all.

        When a worker is lost, others do its parts.

        Args:
            client: A `distributed.Client`.
            on_fault: Called with each fault, as soon as it is known.
        """
        summary = ClusterSummary(len(self.parts), len(self.parts) - len(self.missing))
        topic = f"embedclf-{uuid.uuid4().hex}"

        def submit(part: Part) -> Any:
            task = (part, self.run, self.folder / part.name, self.request, topic)
            return client.submit(predict_part, *task, pure=False)

        with _Progress(client, self.missing, topic) as progress:
            for part, result in _run_tasks(client, self.missing, submit):
                progress.finish(part, result)
                summary.add(result)
                if result.fault is not None:
                    on_fault(result.fault)
        summary.client_peak = peak_memory()
        return summary


def _run_tasks(
    client: Any, parts: Sequence[Part], submit: Callable[[Part], Any]
) -> Iterator[tuple[Part, PartResult]]:
    """Yield each part with its result, as they come; only some tasks are submitted at once."""
    from distributed import as_completed

    waiting = iter(parts)
    running: dict[str, Part] = {}
    completed = as_completed()

    def fill() -> None:
        room = _TASKS_PER_THREAD * max(1, sum(client.nthreads().values())) - len(running)
        for part in itertools.islice(waiting, max(0, room)):
            future = submit(part)
            running[future.key] = part
            completed.add(future)

    fill()
    for future in completed:
        part = running.pop(future.key)
        yield part, _result_of(future, part)
        fill()


def _result_of(future: Any, part: Part) -> PartResult:
    """Return the result of a task that has ended."""
    from distributed import KilledWorker

    error = future.exception()
    if error is None:
        result: PartResult = future.result()
        return result
    if isinstance(error, KilledWorker):
        fault = "every worker that predicted it was killed; it may need more memory than they have"
        return PartResult(fault=f"{part.file.name}: {fault}")
    raise error


class _Progress:
    """Adds up what the workers report."""

    def __init__(self, client: Any, parts: Sequence[Part], topic: str) -> None:
        self._client, self._topic = client, topic
        self._sizes = {part.name: part.size for part in parts}
        self._total = max(1, sum(self._sizes.values()))
        self._parts: dict[str, PartProgress] = {}
        self._lock = Lock()
        self._activity = activity("predicting", unit="rows")

    def __enter__(self) -> _Progress:
        self._current = self._activity.__enter__()
        self._client.subscribe_topic(self._topic, self._hear)
        return self

    def __exit__(self, *error: Any) -> None:
        self._client.unsubscribe_topic(self._topic)
        self._activity.__exit__(*error)

    def finish(self, part: Part, result: PartResult) -> None:
        """Count a part as done."""
        self._set(PartProgress(part.name, result.rows, 1.0))

    def _hear(self, event: tuple[float, Any]) -> None:
        progress = PartProgress(*event[1])
        self._set(progress)

    def _set(self, progress: PartProgress) -> None:
        with self._lock:  # reports come in another thread than results
            before = self._parts.get(progress.name) or PartProgress(progress.name, 0, 0.0)
            if before.fraction == 1.0:
                return  # a report can come after the result
            self._parts[progress.name] = progress
            read = (progress.fraction - before.fraction) * self._sizes[progress.name]
            self._current.done += progress.rows - before.rows
            self._current.fraction = (self._current.fraction or 0.0) + read / self._total
