"""Progress on standard error: a bar, plain lines, or nothing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from types import TracebackType


class Display:
    """Where progress is shown.

    Use it as a context manager, so that the bar goes away whatever happens.
    """

    def __init__(
        self, progress: str, *, quiet: bool, shared: bool = False, before_time: str = ""
    ) -> None:
        """Choose how to show it.

        Args:
            progress: auto (a bar on a terminal, else none), plain or none.
            quiet: Say nothing at all.
            shared: Whether results go to the same terminal, which leaves no room for a bar.
            before_time: What stands before the time that is left.
        """
        self._quiet = quiet
        self.plain = progress == "plain" and not quiet
        self._bar: Any = None
        if progress == "auto" and not quiet and sys.stderr.isatty() and not shared:
            self._bar = _new_bar(before_time)
        self._task: Any = None

    def __enter__(self) -> Display:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, line: str) -> None:
        """Tell a fact; where nobody reads any more, say nothing from then on."""
        if self._quiet:
            return
        try:
            click.echo(line, err=True)
        except BrokenPipeError:
            self._quiet, self.plain = True, False

    def step(self, line: str) -> None:
        """Tell a step that is done: above the bar, as a plain line, or not at all."""
        if self._bar is not None:
            self._bar.console.print(line, highlight=False, markup=False)
        elif self.plain:
            self.say(line)

    def move(self, told: str, done: float, total: float | None) -> None:
        """Move the bar, if there is one; without a total it runs to and fro."""
        if self._bar is None:
            return
        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task("", total=None, told="")
        self._bar.update(self._task, completed=done, total=total, told=told)


def _new_bar(before_time: str) -> Any:
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
