"""What the program is doing, for whoever wants to show it.

Code that may take long names its work with `activity`. Whoever calls it may listen with
`listening`, as the command line does. Without a listener both cost next to nothing.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Listener = Callable[["Activity | None"], None]

    Item = TypeVar("Item")


class Activity:
    """Work in progress: what is done, and how much of it."""

    def __init__(self, name: str, total: float | None = None, unit: str = "") -> None:
        """Describe work that has not begun.

        Args:
            name: What is done, such as `reading reviews.csv`.
            total: How many units there are; None if nobody knows.
            unit: The plural of what is counted: `rows`, `draws`, `bytes`.
        """
        self.name, self.unit = name, unit
        self.done = 0.0
        self.fraction: float | None = None if total is None else 0.0
        """How much is done, from 0 to 1; None if nobody knows."""
        self._total = total

    def advance(self, units: float = 1) -> None:
        """Count some more units as done; listeners look at `done` when they like."""
        self.done += units
        if self._total is not None:
            self.fraction = min(self.done / max(self._total, 1), 1.0)


@contextmanager
def activity(name: str, *, total: float | None = None, unit: str = "") -> Iterator[Activity]:
    """Name the work of a block; also a decorator for functions.

    Args:
        name: What is done, such as `reading reviews.csv`.
        total: How many units there are, if they are counted with `advance`.
        unit: The plural of what is counted.
    """
    current = Activity(name, total, unit)
    # Kept for the end, since a generator may be closed where another listener listens
    stack = _STACK.get()
    if stack is None:
        yield current
        return
    stack.begin(current)
    try:
        yield current
    finally:
        stack.end(current)


def counted(items: Iterable[Item], name: str, *, total: int, unit: str) -> Iterator[Item]:
    """Yield items, and count each as done when the next one is asked for."""
    with activity(name, total=total, unit=unit) as current:
        for item in items:
            yield item
            current.advance()


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Report the activities of a block, in this thread, to a listener.

    Args:
        listener: Called with the innermost activity whenever that changes, and with None when there
            is none.
    """
    token = _STACK.set(_Stack(listener))
    try:
        yield
    finally:
        _STACK.reset(token)


class _Stack:
    """Activities that contain each other, the innermost last."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._activities: list[Activity] = []

    def begin(self, current: Activity) -> None:
        self._activities.append(current)
        self._listener(current)

    def end(self, current: Activity) -> None:
        # Not always the last: a generator may end after what it was interrupted by
        self._activities.remove(current)
        self._listener(self._activities[-1] if self._activities else None)


_STACK: ContextVar[_Stack | None] = ContextVar("activities", default=None)
