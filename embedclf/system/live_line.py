"""The last line of a terminal, redrawn while nothing else is printed."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

from embedclf.system.control_characters import escape_controls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
"""Shown one after the other in front of the line."""

DONE, TO_DO = "█", "░"
"""The characters of bars."""

_ONE_COLUMN = dict.fromkeys(map(ord, f"{FRAMES}{DONE}{TO_DO}…"))
"""Characters that are not ASCII and take one column, for `str.translate` to remove."""

_DELAY, _REDRAW_SECONDS = 0.25, 0.08
"""Seconds of silence before the line appears, and seconds between redraws."""

_DEFAULT_WIDTH = 80


class LiveLine:
    """The last line of a terminal, redrawn by a thread while nothing else is printed.

    It needs no escape codes, and leaves the cursor as it is. What is printed through `sys.stdout`
    and `sys.stderr` clears it first.
    """

    def __init__(self, render: Callable[[int], str]) -> None:
        """Prepare a line.

        Args:
            render: Returns the text, given the columns there are.
        """
        self._render = render
        # A descriptor of its own, since descriptor 2 points elsewhere while TensorFlow is imported
        self._descriptor = os.dup(sys.stderr.fileno())
        self._lock = threading.RLock()
        self._stopped = threading.Event()
        self._shown = 0  # columns of the line at the terminal
        self._printed = time.monotonic()  # when somebody else printed something
        self._at_line_start = True
        self._frame = 0
        self._thread = threading.Thread(target=self._redraw, name="progress", daemon=True)
        self._streams: list[tuple[str, Any, _ClearingStream]] = []

    def __enter__(self) -> LiveLine:
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream.isatty():
                clearing = _ClearingStream(stream, self)
                self._streams.append((name, stream, clearing))
                setattr(sys, name, clearing)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        for name, stream, clearing in self._streams:
            # Somebody may have put another stream there, and will put this one back.
            if getattr(sys, name) is clearing:
                setattr(sys, name, stream)
        self._thread.join()
        os.close(self._descriptor)

    @contextmanager
    def cleared(self, text: str = "\n") -> Iterator[None]:
        """Remove the line while a text is printed; it returns once the terminal is quiet."""
        with self._lock:  # or the line could be drawn right before the text
            self._write("")
            if text:
                self._at_line_start = text.endswith("\n")
            try:
                yield
            finally:
                self._printed = time.monotonic()

    def stop(self) -> None:
        """Remove the line for good."""
        self._stopped.set()
        with self._lock:
            self._write("")

    def draw(self) -> None:
        """Draw the line at once, unless somebody else has begun a line."""
        with self._lock:
            if not self._at_line_start or self._stopped.is_set():
                return
            # One column less than there are, or some terminals begin a new line
            width = _terminal_width(self._descriptor) - 3
            line = escape_controls(self._render(width))[:width]  # an escape can be longer
            self._write(f"{FRAMES[self._frame % len(FRAMES)]} {line}")
            self._frame += 1

    def _redraw(self) -> None:
        while not self._stopped.wait(_REDRAW_SECONDS):
            with self._lock:
                if time.monotonic() - self._printed >= _DELAY:
                    self.draw()

    def _write(self, text: str) -> None:
        """Replace the line by a text; spaces remove what was longer."""
        if not text and not self._shown:
            return
        columns = count_columns(text)
        blanks = " " * (self._shown - columns)
        end = "" if columns else "\r"
        self._shown = columns
        with suppress(OSError):  # the terminal is gone; the command need not end for that
            os.write(self._descriptor, f"\r{text}{blanks}{end}".encode())


class _ClearingStream:
    """A text stream at a terminal that clears the line before it writes."""

    def __init__(self, stream: TextIO, line: LiveLine) -> None:
        self._stream, self._line = stream, line

    def write(self, text: str) -> int:
        """Write a text where the line was."""
        with self._line.cleared(text):
            return self._stream.write(text)

    @property
    def buffer(self) -> Any:
        """The stream of bytes; what goes there cannot be seen here, so the line ends."""
        self._line.stop()
        return self._stream.buffer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def has_terminal() -> bool:
    """Whether standard error is a terminal that can return to the beginning of a line."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _terminal_width(descriptor: int) -> int:
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(descriptor).columns or _DEFAULT_WIDTH
    except OSError:
        return _DEFAULT_WIDTH


def count_columns(text: str) -> int:
    """Count the columns of a text: most characters take one, East Asian ones take two."""
    if text.translate(_ONE_COLUMN).isascii():
        return len(text)  # without rich, whose import would delay the first line
    from rich.cells import cell_len

    return cell_len(text)
