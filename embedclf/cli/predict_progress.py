"""What a prediction says while it runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from embedclf.inference.predict import PredictionProgress

if TYPE_CHECKING:
    from embedclf.cli.console import Display
    from embedclf.inference.inputs import TextSource

_PLAIN_SECONDS = 5.0
"""Between two plain lines."""


class PredictProgress:
    """Tells how rows are read and how many have been scored."""

    def __init__(self, display: Display) -> None:
        """Begin to count.

        Args:
            display: Where to tell.
        """
        self._display = display
        self._began = time.perf_counter()
        self._next = _PLAIN_SECONDS

    def __call__(self, told: TextSource | PredictionProgress) -> None:
        """Tell one thing."""
        if isinstance(told, PredictionProgress):
            self._count(told)
        elif told.form:
            self._display.say(told.form)

    def _count(self, done: PredictionProgress) -> None:
        seconds = time.perf_counter() - self._began
        line = f"{done.rows:,} rows  {done.rows / max(seconds, 1e-9):,.0f} rows/s"
        self._display.move(line, done.share or 0.0, None if done.share is None else 1.0)
        if self._display.plain and seconds >= self._next:
            self._next = seconds + _PLAIN_SECONDS
            left = f"  {seconds / done.share - seconds:,.0f} s left" if done.share else ""
            self._display.say(line + left)
