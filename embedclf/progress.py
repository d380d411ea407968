"""How far a prediction is, on standard error."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from embedclf.prediction import Progress

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from embedclf.sources import Source

_PLAIN_SECONDS = 5.0
"""Between two plain lines."""


class Counter:
    """Tells how many rows have been scored: a bar, plain lines, or nothing.

    Use it as a context manager, so that the bar goes away whatever happens.
    """

    def __init__(self, output: Path | None, *, progress: str, quiet: bool) -> None:
        """Choose how to talk.

        Args:
            output: Where the rows go: a bar and rows are not shown on one terminal.
            progress: auto (a bar on a terminal, else none), plain or none.
            quiet: Say nothing at all.
        """
        self._quiet = quiet
        self._plain = progress == "plain" and not quiet
        rows_shown = (output is None or str(output) == "-") and sys.stdout.isatty()
        self._bar: Any = None
        if progress == "auto" and not quiet and sys.stderr.isatty() and not rows_shown:
            self._bar = new_bar()
        self._task: Any = None
        self._began = time.perf_counter()
        self._next = _PLAIN_SECONDS

    def __enter__(self) -> Counter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, told: Source | Progress) -> None:
        """Tell how the rows are read, or how many are done."""
        if isinstance(told, Progress):
            self._count(told)
        elif told.form and not self._quiet:
            click.echo(told.form, err=True)

    def _count(self, done: Progress) -> None:
        seconds = time.perf_counter() - self._began
        line = f"{done.rows:,} rows  {done.rows / max(seconds, 1e-9):,.0f} rows/s"
        if self._bar is not None:
            if self._task is None:
                self._bar.start()
                self._task = self._bar.add_task("", total=1.0 if done.share else None, told="")
            self._bar.update(self._task, completed=done.share or 0.0, told=line)
        elif self._plain and seconds >= self._next:
            self._next = seconds + _PLAIN_SECONDS
            left = f"  {seconds / done.share - seconds:,.0f} s left" if done.share else ""
            click.echo(line + left, err=True)


def new_bar(before_time: str = "") -> Any:
    """A bar on standard error: what is told beside it, and the time that is left."""
    from rich import progress
    from rich.console import Console

    return progress.Progress(
        progress.BarColumn(bar_width=24),
        progress.TextColumn("{task.fields[told]}", markup=False),
        progress.TextColumn(before_time),
        progress.TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
    )
