"""Ctrl-C and termination signals: handled, deferred, ignored.

Signal handlers belong to the process, so only the command line installs them, with `handled`.
Inside it, `deferred` and `ignored` control when a request to end takes effect. Both do nothing in
programs that use embedclf as a library, and in threads other than the main one.
"""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SIGNALS = [
    signal.SIGINT,
    signal.SIGTERM,
    *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []),  # Windows has none
]
"""Signals that ask the process to end."""


@contextmanager
def handled() -> Iterator[None]:
    """Turn signals that ask to end into exceptions, so that unfinished drafts are cleaned up.

    Ctrl-C raises `KeyboardInterrupt`; others raise `SystemExit` with 128 plus the signal's number.
    Signals that the process ignores from its start, as under nohup, stay ignored.
    """
    if _REQUESTS.handled or threading.current_thread() is not threading.main_thread():
        yield  # Python refuses `signal.signal` outside the main thread
        return
    before: dict[signal.Signals, Any] = {}
    try:
        for number in _SIGNALS:
            if signal.getsignal(number) not in {
                signal.SIG_IGN,
                None,
            }:  # None: not set by Python
                before[number] = signal.signal(number, _REQUESTS.receive)
        _REQUESTS.handled = True
        yield
    finally:
        _REQUESTS.handled = False
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def deferred() -> Iterator[Callable[[], None]]:
    """Defer requests to end until the caller asks for them, or until the outermost block ends.

    Python raises the exception of a signal at any point. Inside TensorFlow, the exception is
    sometimes lost or becomes a `TypeError`; both happened in a few hundred trainings that were
    interrupted at random moments.
    A second request takes effect at once. At the end of the block, a pending request takes
    precedence over an exception: a user who wants to stop doesn't need to read about it.

    Yields:
        A function that raises the exception of a pending request; call it where nothing is half
        done.
    """
    if not _REQUESTS.active:
        yield lambda: None
        return
    _REQUESTS.deferring += 1
    try:
        yield _REQUESTS.raise_pending
    finally:
        _REQUESTS.deferring -= 1
        if not _REQUESTS.deferring:
            _REQUESTS.raise_pending()


@contextmanager
def ignored() -> Iterator[None]:
    """Ignore Ctrl-C while results are saved."""
    if not _REQUESTS.active:
        yield
        return
    _REQUESTS.ignoring += 1
    try:
        yield
    finally:
        _REQUESTS.ignoring -= 1


class _Requests:
    """Requests to end that this process has received, and how to handle the next one."""

    def __init__(self) -> None:
        self.handled = False
        self.deferring = self.ignoring = 0  # nested blocks
        self._pending: list[int] = []

    def receive(self, number: int, _frame: object) -> None:
        """Handle a signal; a second request takes effect even where requests are deferred."""
        if number == signal.SIGINT and self.ignoring:
            return
        self._pending.append(number)
        if not self.deferring or len(self._pending) > 1:
            self.raise_pending()

    def raise_pending(self) -> None:
        """Raise the latest request, if there is one."""
        if not self._pending:
            return
        latest = self._pending[-1]
        # First: otherwise the end of the deferring block would raise the same request again.
        self._pending.clear()
        if latest == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(128 + latest)

    @property
    def active(self) -> bool:
        """Whether signals are handled, and this is the thread in which Python handles them."""
        return self.handled and threading.current_thread() is threading.main_thread()


_REQUESTS = _Requests()
