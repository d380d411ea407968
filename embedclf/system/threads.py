"""Work on all cores, results in order."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from concurrent.futures import Future

Given = TypeVar("Given")

Made = TypeVar("Made")


@contextmanager
def threads_of_one() -> Iterator[None]:
    """Keep BLAS from sharing each small product among all cores.

    Its threads wait for each other by turning round: where others want the cores too, a product of
    25,000 numbers took 15 ms instead of 0.02.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield


def in_order(
    work: Callable[[Given], Made],
    items: Iterable[Given],
    *,
    settles: Callable[[Given], bool] = lambda _item: False,
) -> Generator[Made]:
    """Do a work on each item, on all cores; at most twice as many items as cores are held.

    The items are taken in the thread that asks for results. Threads are enough, since Arrow and
    NumPy release Python's interpreter lock.

    Args:
        work: What to do.
        items: On what.
        settles: Whether all results up to an item's are to be given before the next is taken.
    """
    cores = os.cpu_count() or 1
    waiting: deque[Future[Made]] = deque()
    pool = ThreadPoolExecutor(cores)
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            most = 0 if settles(item) else 2 * cores - 1
            while len(waiting) > most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
