"""Work on all cores, with results in order."""

from __future__ import annotations

import os
from collections import deque
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from concurrent.futures import Future

Item = TypeVar("Item")
Result = TypeVar("Result")


_THREADS: ContextVar[int | None] = ContextVar("threads", default=None)


@contextmanager
def limited_threads(count: int) -> Iterator[None]:
    """Let `parallel_map` use some threads, where other processes use the other cores."""
    token = _THREADS.set(count)
    try:
        yield
    finally:
        _THREADS.reset(token)


def available_cores() -> int:
    """Cores that the process may use; in a container, these can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parallel_map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    flush_after: Callable[[Item], bool] = lambda _item: False,
) -> Generator[Result]:
    """Apply a function to each item on all cores, holding at most two items per core.

    Items are taken in the thread that asks for results. Threads suffice because Arrow and NumPy
    release the global interpreter lock.

    Args:
        function: Function of an item.
        items: Its arguments.
        flush_after: Whether to yield all results up to an item before taking the next item.

    Yields:
        The results, in the order of the items.
    """
    from concurrent.futures import ThreadPoolExecutor  # one text needs no threads

    cores = _THREADS.get() or os.cpu_count() or 1
    pending: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(cores)
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            # Two per core keep all cores busy while the caller handles a result.
            max_pending = 0 if flush_after(item) else 2 * cores - 1
            while len(pending) > max_pending:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        # A caller that stops early doesn't wait for items that have not started.
        pool.shutdown(cancel_futures=True)


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Keep BLAS from spreading each small matrix product over all cores.

    BLAS threads wait for each other by spinning. With other threads on the cores, a product of
    25,000 numbers took 15 ms instead of 0.02 ms.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield
