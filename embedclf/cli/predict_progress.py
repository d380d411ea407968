"""What `predict` prints while it runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from embedclf.inference.predict import PredictionProgress

if TYPE_CHECKING:
    from embedclf.cli.console import Display
    from embedclf.inference.inputs import TextSource

_PLAIN_SECONDS = 5.0


class PredictProgress:
    """Shows how the input is read and how many rows are done."""

    def __init__(self, display: Display, *, plain_seconds: float = _PLAIN_SECONDS) -> None:
        """Start the clock.

        Args:
            display: Where to show it.
            plain_seconds: Time between two plain lines.
        """
        self._display = display
        self._started = time.perf_counter()
        self._plain_seconds = self._next_line = plain_seconds

    def __call__(self, event: TextSource | PredictionProgress) -> None:
        """Show an event of `predict`."""
        if isinstance(event, PredictionProgress):
            self._show_rows(event)
        elif event.description:
            self._display.info(event.description)

    def _show_rows(self, progress: PredictionProgress) -> None:
        seconds, fraction = time.perf_counter() - self._started, progress.fraction_read
        # 1e-9: the clock may not have advanced yet.
        line = f"{progress.rows:,} rows  {progress.rows / max(seconds, 1e-9):,.0f} rows/s"
        # The size of standard input is unknown, so its bar has no end.
        self._display.update(line, fraction or 0.0, None if fraction is None else 1.0)
        if self._display.plain and seconds >= self._next_line:
            self._next_line = seconds + self._plain_seconds
            left = f"  {seconds / fraction - seconds:,.0f} s left" if fraction else ""
            self._display.info(line + left)
