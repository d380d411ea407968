"""Tasks on the workers of a cluster, done again if their worker is lost."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any

from embedclf.cluster.tasks import peak_memory
from embedclf.errors import DataError, RunError
from embedclf.system.progress import activity
from embedclf.system.threads import limited_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_TRIES = 5
"""How often a task is given to workers again after Dask has given it up."""

_TASKS_PER_WORKER = 3


class TaskQueue:
    """Runs a function for each of several arguments, on the workers of a cluster."""

    def __init__(self, client: Any) -> None:
        """Use the workers of a `distributed.Client`."""
        self.worker_peak = 0
        """Most bytes of memory that a worker has had."""
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
        with activity(name, total=len(arguments), unit=unit) as current:
            for number, (value, peak) in self._complete(function, arguments):
                results[number] = value
                self.worker_peak = max(self.worker_peak, peak)
                current.advance()
                on_done(number)
        return results

    def run_everywhere(self, function: Callable[[], None]) -> None:
        """Call a function once on every worker."""
        self._client.run(function, on_error="ignore")  # one may be restarting

    def _complete(
        self, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]
    ) -> Iterator[tuple[int, tuple[Any, int]]]:
        """Yield the number of each task, with its result and the memory of its worker."""
        from distributed import as_completed

        waiting = iter(range(len(arguments)))
        running: dict[str, int] = {}
        tries: Counter[int] = Counter()
        completed = as_completed()

        def submit(numbers: Iterable[int]) -> None:
            for number in numbers:
                future = self._submit(function, number, arguments[number])
                running[future.key] = number
                completed.add(future)

        submit(islice(waiting, _TASKS_PER_WORKER * self.threads))
        for future in completed:
            number = running.pop(future.key)
            if _was_killed(future):
                tries[number] += 1
                if tries[number] > _TRIES:
                    raise RunError(
                        "a task has killed its worker again and again; it may need more memory "
                        "than the workers have"
                    )
                submit([number])
            else:
                yield number, future.result()
                submit(islice(waiting, 1))

    def _submit(self, function: Callable[..., Any], number: int, arguments: tuple[Any, ...]) -> Any:
        workers = sorted(self._client.nthreads())
        home = [workers[number % len(workers)]] if workers else None
        return self._client.submit(
            _measured,
            function,
            arguments,
            pure=False,
            workers=home,
            allow_other_workers=True,
        )


def _was_killed(future: Any) -> bool:
    """Whether Dask has given up a task whose workers were lost; any other error is raised."""
    from distributed import KilledWorker

    error = future.exception()
    if error is not None and not isinstance(error, KilledWorker):
        raise error
    return error is not None


def _measured(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, int]:
    """Call a function on a worker; also return the most memory that the worker has had."""
    from distributed import get_worker

    with limited_threads(get_worker().state.nthreads):
        try:
            value = function(*arguments)
        except DataError as error:
            raise DataError(str(error)) from None  # some have values that do not travel
    return value, peak_memory()
