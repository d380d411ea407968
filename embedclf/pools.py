"""Work on all cores, results in order."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

Given = TypeVar("Given")
Made = TypeVar("Made")


def in_order(work: Callable[[Given], Made], items: Iterable[Given]) -> Iterator[Made]:
    """Do a work on each item, on all cores; at most twice as many as there are are held.

    The items are taken in the thread that asks for results. Threads are enough, since Arrow and
    NumPy release Python's interpreter lock.
    """
    cores = os.cpu_count() or 1
    waiting: deque[Future[Made]] = deque()
    pool = ThreadPoolExecutor(cores)
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= 2 * cores:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
