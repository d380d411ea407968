"""Tasks on the workers of a cluster, done again if their worker is lost."""

from __future__ import annotations

import time
from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from embedclf.errors import DataError, RunError
from embedclf.system.memory.peak import peak_memory
from embedclf.system.progress import activity
from embedclf.system.threads import limited_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_REPEATS = 5
"""How often `TaskQueue.run` repeats a task that Dask has given up."""

_TASKS_PER_THREAD = 3
"""Tasks that wait or run for each thread of the workers; millions at once would fill the memory."""

_LOOK_SECONDS = 3.0
"""After so long without a result, look for tasks that no worker does."""

_RESULT_SECONDS = 1.0
"""After so long without the result of a task that has ended, look if its worker is lost."""


class Ended(NamedTuple):
    """A task that has ended."""

    number: int
    """Its place among all tasks."""
    value: Any
    """What it has returned; None if it was killed."""
    killed: bool
    """Whether it was given up, since it has lost every worker that it ran on."""


class _Task(NamedTuple):
    number: int
    arguments: tuple[Any, ...]
    repeats: int
    """How often it is tried again if Dask gives it up."""
    home: str | None = None
    """The address of the worker that it should go to."""


class _Measured(NamedTuple):
    value: Any
    peak: int = 0
    """Most bytes of memory that the worker has had."""
    cpu_seconds: float = 0.0


class TaskQueue:
    """Runs a function for each of several arguments, on the workers of a cluster."""

    def __init__(self, client: Any) -> None:
        """Use the workers of a `distributed.Client`."""
        self.worker_peak = 0
        """Most bytes of memory that a worker has had."""
        self.cpu_seconds: dict[str, float] = defaultdict(float)
        """CPU seconds of the workers during the tasks of each function, by its name.

        In a worker with several threads, a second counts once for each task that runs.
        """
        self._client = client

    @property
    def threads(self) -> int:
        """How many tasks run at the same time."""
        threads: dict[str, int] = self._client.nthreads()
        return max(1, sum(threads.values()))

    def run(
        self,
        function: Callable[..., Any],
        arguments: Sequence[tuple[Any, ...]],
        name: str = "",
        *,
        unit: str = "parts",
        on_done: Callable[[int], None] = lambda _number: None,
    ) -> list[Any]:
        """Return the results in the order of the arguments.

        A task goes to the same worker each time, as long as that one lives.

        Args:
            function: Importable, and called on a worker.
            arguments: Of each call.
            name: What is done, for people.
            unit: What is counted.
            on_done: Called with the number of each task that has ended, as they come.

        Raises:
            RunError: A task has killed its worker several times.
            EmbedclfError: What a task has raised.
        """
        results: list[Any] = [None] * len(arguments)
        ended = self.stream(function, arguments, repeats=_REPEATS, same_workers=True)
        with activity(name, total=len(arguments), unit=unit) as current:
            for number, value, killed in ended:
                if killed:
                    raise RunError(
                        "a task has killed its worker again and again; it may need more memory "
                        "than the workers have"
                    )
                results[number] = value
                current.advance()
                on_done(number)
        return results

    def run_everywhere(self, function: Callable[[], None]) -> None:
        """Call a function once on every worker."""
        self._client.run(function, on_error="ignore")  # one may be restarting

    def stream(
        self,
        function: Callable[..., Any],
        arguments: Iterable[tuple[Any, ...]],
        *,
        repeats: int = 1,
        same_workers: bool = False,
    ) -> Iterator[Ended]:
        """Yield tasks as they end. Few are submitted at once, and none is kept.

        Dask gives up a task that has lost four workers, even one that only waited on them. So it is
        tried again at the end, when no other task can kill its worker.

        Args:
            function: Importable, and called on a worker.
            arguments: Of each call; taken when the task is submitted.
            repeats: How often to try a task again that Dask has given up.
            same_workers: Whether the task of a number goes to the same worker in each call, as long
                as that one lives.

        Raises:
            EmbedclfError: What a task has raised.
        """
        waiting = (_Task(number, each, repeats) for number, each in enumerate(arguments))
        given_up: list[_Task] = []
        running: dict[Any, _Task] = {}

        def submit(tasks: Iterable[_Task]) -> None:
            for task in tasks:
                home = self._home(task.number) if same_workers else None
                future = self._submit(function, task.arguments, home)
                running[future] = task._replace(home=home)

        submit(islice(waiting, _TASKS_PER_THREAD * self.threads))
        while running or given_up:
            if not running:
                submit([given_up.pop()])
            ended = self._wait(running)
            if not ended:
                submit(self._take_orphans(running))
            for task, result in _take_results(ended, running):
                killed = result is None
                if killed and task.repeats:
                    given_up.append(task._replace(repeats=task.repeats - 1))
                else:
                    measured = result or _Measured(None)
                    self.worker_peak = max(self.worker_peak, measured.peak)
                    self.cpu_seconds[function.__name__.strip("_")] += measured.cpu_seconds
                    yield Ended(task.number, measured.value, killed)
                room = _TASKS_PER_THREAD * self.threads - len(running)
                submit(islice(waiting, max(0, room)))

    def _home(self, number: int) -> str | None:
        """Return the worker of a task, if there is any."""
        workers = sorted(self._client.nthreads())
        return workers[number % len(workers)] if workers else None

    def _submit(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], home: str | None
    ) -> Any:
        return self._client.submit(
            _measure,
            function,
            arguments,
            pure=False,
            workers=None if home is None else [home],
            allow_other_workers=home is not None,
        )

    def _wait(self, running: Iterable[Any]) -> list[Any]:
        """Return tasks that have ended; none if that takes long."""
        from distributed import wait

        try:
            return list(wait([*running], _LOOK_SECONDS, "FIRST_COMPLETED").done)
        except TimeoutError:
            return []

    def _take_orphans(self, running: dict[Any, _Task]) -> list[_Task]:
        """Take away the tasks whose workers are lost, and that no other worker does.

        If all workers were lost at once, Dask does not give these tasks to those that come later.
        """
        alive = set(self._client.nthreads())
        lost = [each for each, task in running.items() if task.home not in {None, *alive}]
        given = {key for keys in self._client.processing().values() for key in keys} if lost else ()
        orphans = []
        for future in lost:
            if future.key not in given:
                orphans.append(running.pop(future))
                future.cancel()
        return orphans


def _take_results(
    ended: list[Any], running: dict[Any, _Task]
) -> Iterator[tuple[_Task, _Measured | None]]:
    """Move tasks that have ended out of those that run; with no result, they were given up."""
    while ended:  # a list would keep what was handled
        future = ended.pop()
        try:
            result = _result(future)
        except TimeoutError:
            if future.status == "error":  # raised by the task itself
                raise
            continue  # lost with its worker, so the task runs again, or no worker does it
        yield running.pop(future), result


def _result(future: Any) -> _Measured | None:
    """Return what a task has returned; None if Dask has given it up, as its workers were lost.

    A result stays on its worker until it is asked for. If that worker is lost first, Dask plans the
    task again. A call without a time limit would wait for that, even if no worker does the task.

    Raises:
        TimeoutError: The result was lost with its worker, or the task has raised this.
        EmbedclfError: What the task has raised.
    """
    from distributed import KilledWorker

    seconds = _RESULT_SECONDS
    while True:
        try:
            measured: _Measured = future.result(timeout=seconds)
        except KilledWorker:
            return None
        except TimeoutError:
            if future.status != "finished":
                raise
            seconds *= 2  # it is large, or the network is slow
        else:
            return measured


def _measure(function: Callable[..., Any], arguments: tuple[Any, ...]) -> _Measured:
    """Call a function on a worker."""
    from distributed import get_worker

    began = time.process_time()
    with limited_threads(get_worker().state.nthreads):
        try:
            value = function(*arguments)
        except DataError as error:
            raise DataError(str(error)) from None  # some have values that do not travel
    return _Measured(value, peak_memory(), time.process_time() - began)
