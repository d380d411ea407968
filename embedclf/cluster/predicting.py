"""Predict a table on a cluster: a task for each part, and a file for each task."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from embedclf.cluster.output_folder import is_finished, prepare_folder
from embedclf.cluster.parts import find_parts
from embedclf.cluster.task_queue import TaskQueue
from embedclf.cluster.tasks import PartProgress, PartResult, RunOnDisk, predict_part
from embedclf.system.memory.peak import peak_memory
from embedclf.system.progress import activity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from embedclf.cluster.parts import Part
    from embedclf.cluster.task_queue import Ended
    from embedclf.config.fields import Tables
    from embedclf.inference.predict import PredictionRequest
    from embedclf.runs.run import Run


@dataclass
class ClusterSummary:
    """What was predicted: totals, as there may be a million parts."""

    parts: int
    finished_before: int = 0
    """Parts whose outputs an earlier call wrote."""
    written: int = 0
    """Parts whose outputs this call wrote."""
    failed: int = 0
    """Parts that could not be predicted."""
    rows: int = 0
    """Of the parts that this call wrote."""
    without_known_token: int = 0
    worker_peak: int = 0
    """Most bytes of memory of a worker."""
    client_peak: int = 0

    def add(self, result: PartResult) -> None:
        """Add a part that was tried."""
        self.written += result.fault is None
        self.failed += result.fault is not None
        self.rows += result.rows
        self.without_known_token += result.without_known_token


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
        self, client: Any, on_message: Callable[[str], None] = lambda _message: None
    ) -> ClusterSummary:
        """Predict the missing parts; each is written whole or not at all.

        When a worker is lost, others do its parts.

        Args:
            client: A `distributed.Client`.
            on_message: Called with the notes and the fault of each part that has ended. They are
                not kept.
        """
        summary = ClusterSummary(len(self.parts), len(self.parts) - len(self.missing))
        topic, tasks = f"embedclf-{uuid.uuid4().hex}", TaskQueue(client)
        with _Progress(client, self.missing, topic) as progress:
            arguments = (
                (part, self.run, self.folder / part.name, self.request, topic)
                for part in progress.start_each(self.missing)
            )
            for ended in tasks.stream(predict_part, arguments):
                part = self.missing[ended.number]
                result = _result_of(ended, part)
                progress.finish(part, result)
                summary.add(result)
                for message in result.messages:
                    on_message(message)
        summary.worker_peak, summary.client_peak = tasks.worker_peak, peak_memory()
        return summary


def _result_of(ended: Ended, part: Part) -> PartResult:
    if ended.killed:
        fault = "every worker that predicted it was killed; it may need more memory than they have"
        return PartResult(fault=f"{part.file.name}: {fault}")
    result: PartResult = ended.value
    return result


class _Progress:
    """Adds up what the workers report about the parts that they have."""

    def __init__(self, client: Any, parts: Sequence[Part], topic: str) -> None:
        self._client, self._topic = client, topic
        self._total = max(1, sum(part.size for part in parts))
        self._running: dict[str, tuple[Part, PartProgress]] = {}
        self._lock = Lock()
        self._activity = activity("predicting", unit="rows")

    def __enter__(self) -> _Progress:
        self._current = self._activity.__enter__()
        self._client.subscribe_topic(self._topic, self._hear)
        return self

    def __exit__(self, *error: Any) -> None:
        self._client.unsubscribe_topic(self._topic)
        self._activity.__exit__(*error)

    def start_each(self, parts: Iterable[Part]) -> Iterator[Part]:
        """Yield parts, and expect reports about each from then on."""
        for part in parts:
            self._running[part.name] = (part, PartProgress(part.name, 0, 0.0))
            yield part

    def finish(self, part: Part, result: PartResult) -> None:
        """Count a part as done."""
        with self._lock:
            self._set(PartProgress(part.name, result.rows, 1.0))
            del self._running[part.name]

    def _hear(self, event: tuple[float, Any]) -> None:
        progress = PartProgress(*event[1])
        with self._lock:  # reports come in another thread than results, and maybe later
            if progress.name in self._running:
                self._set(progress)

    def _set(self, progress: PartProgress) -> None:
        part, before = self._running[progress.name]
        self._running[progress.name] = (part, progress)
        read = (progress.fraction - before.fraction) * part.size
        self._current.done += progress.rows - before.rows
        self._current.fraction = (self._current.fraction or 0.0) + read / self._total
