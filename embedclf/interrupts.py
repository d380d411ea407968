"""Ctrl-C where it must not cut anything in half: deferred, or ignored."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


@contextmanager
def deferred() -> Iterator[Callable[[], None]]:
    """Let Ctrl-C wait until it is asked for, or for the end at the latest.

    Python raises `KeyboardInterrupt` wherever it happens to be. Inside TensorFlow it is lost now
    and then, or becomes a `TypeError`: once each in some 300 trainings interrupted at random.
    Whoever presses Ctrl-C a second time does not want to wait, and need not.

    Yields:
        What raises `KeyboardInterrupt` if Ctrl-C was pressed; to be called where nothing is half
        done. Where Ctrl-C means nothing, or in another thread than the main one, it never does.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield lambda: None
        return
    pressed: list[tuple[int, FrameType | None]] = []

    def note(number: int, frame: FrameType | None) -> None:
        pressed.append((number, frame))
        if len(pressed) > 1:
            heed()

    def heed() -> None:
        if pressed:
            first = pressed[0]
            pressed.clear()
            before(*first)

    signal.signal(signal.SIGINT, note)
    try:
        yield heed
    finally:
        signal.signal(signal.SIGINT, before)
    heed()


@contextmanager
def ignored() -> Iterator[None]:
    """Let Ctrl-C do nothing until what was learned is safe, where this is the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
