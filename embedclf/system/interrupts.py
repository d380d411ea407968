"""Ctrl-C and other signals: raised, deferred, ignored."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType

_OTHERS = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
"""Requests to end beside Ctrl-C."""


@contextmanager
def raised() -> Iterator[None]:
    """Let a request to end unwind what is begun, so that no draft stays behind.

    It becomes `SystemExit` with 128 and the signal's number, as Ctrl-C becomes `KeyboardInterrupt`.
    """

    def end(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    if not _is_main():
        yield
        return
    before = {number: signal.signal(number, end) for number in _OTHERS}
    try:
        yield
    finally:
        _restore(before)


@contextmanager
def deferred() -> Iterator[Callable[[], None]]:
    """Let Ctrl-C and other requests to end wait until they are asked for, or for the block's end.

    Python raises what a signal becomes wherever it happens to be. Inside TensorFlow that is lost
    now and then, or becomes a `TypeError`: each was seen in some hundreds of trainings that were
    interrupted at random.
    Whoever presses Ctrl-C a second time does not want to wait, and need not. At the end a request
    goes before any fault: who wants to end does not want what is done about the fault.

    Yields:
        What raises `KeyboardInterrupt` if Ctrl-C was pressed, or what another request becomes; to
        be called where nothing is half done. It does nothing in another thread than the main one.
    """
    asked: list[int] = []

    def note(number: int, _frame: object) -> None:
        asked.append(number)
        if len(asked) > 1:
            heed()

    def heed() -> None:
        if asked:
            last = asked[-1]
            asked.clear()
            before[last](last, None)

    before: dict[int, Callable[[int, FrameType | None], object]] = {}
    for number in (signal.SIGINT, *_OTHERS) if _is_main() else ():
        handler = signal.getsignal(number)
        if callable(handler):
            before[number] = handler
            signal.signal(number, note)
    try:
        yield heed
    finally:
        _restore(before)
        heed()


@contextmanager
def ignored() -> Iterator[None]:
    """Let Ctrl-C do nothing until what was learned is safe, where this is the main thread."""
    if not _is_main():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _is_main() -> bool:
    """Whether this is the thread that handles signals."""
    return threading.current_thread() is threading.main_thread()


def _restore(handlers: Mapping[Any, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
