"""What commands print, say, and show while they run."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

    from embedclf.runs.run import Run


def open_run(path: Path | None) -> Run:
    """The run that is named, or the newest, which is then told, beside damaged ones."""
    from embedclf.runs.run import Run, open_newest

    if path is not None:
        return Run.open(path)
    run, faults = open_newest()
    for fault in faults:
        say(f"passed over: {fault}")
    say(f"run: {run.path}")
    return run


def print_parts(parts: Iterable[str]) -> None:
    """Print as it comes, in colours where the terminal has them and NO_COLOR is not set."""
    color = False if os.environ.get("NO_COLOR") else None
    for part in parts:
        click.echo(part, nl=False, color=color)


def say(text: str, *, only_verbose: bool = False) -> None:
    """Tell something on standard error, where that is not unwanted."""
    if not flag("quiet") and (flag("verbose") or not only_verbose):
        click.echo(text, err=True)


def check_page(option: str, file: Path | None) -> bool:
    """Whether a page goes to standard output (`-`).

    Raises:
        click.UsageError: Its name is not that of a page, so that it may be another file's.
    """
    if file is not None and str(file) != "-" and file.suffix.lower() not in {".html", ".htm"}:
        raise click.UsageError(f"{option} {file}: a page has a name in .html.")
    return str(file) == "-"


def flag(name: str) -> bool:
    """Whether -q (quiet) or -v (verbose) was given."""
    return bool(click.get_current_context().meta.get(name))


def show_tensorflow(show: bool) -> None:
    """Ask for TensorFlow's log before it is imported."""
    if show:
        os.environ["EMBEDCLF_TF_LOGS"] = "1"


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
