"""What commands print, and how they show progress."""

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
    """Open the run at a path, or the newest, which is then named; damaged runs are skipped."""
    # Commands import what they need when they run, so --help loads neither NumPy nor Arrow.
    from embedclf.runs.run import Run, open_newest

    if path is not None:
        return Run.open(path)
    run, faults = open_newest()
    for fault in faults:
        echo_info(f"passed over: {fault}")
    echo_info(f"run: {run.path}")
    return run


def echo_chunks(chunks: Iterable[str]) -> None:
    """Print chunks as they come, in colors if the terminal has them and NO_COLOR is not set."""
    color = False if os.environ.get("NO_COLOR") else None  # None: click looks for a terminal
    for chunk in chunks:
        click.echo(chunk, nl=False, color=color)


def echo_info(text: str, *, only_verbose: bool = False) -> None:
    """Print a message on standard error, unless -q asks for silence."""
    if not _is_quiet() and (_is_verbose() or not only_verbose):
        click.echo(text, err=True)


def check_page_name(option: str, file: Path | None) -> None:
    """Refuse to write a page into a file whose suffix is another format's; `-` prints it.

    Raises:
        click.UsageError: The suffix is not .html or .htm.
    """
    if file is not None and str(file) != "-" and file.suffix.lower() not in {".html", ".htm"}:
        raise click.UsageError(f"{option} {file}: a page has a name in .html.")


def start_tensorflow(*, show_logs: bool) -> None:
    """Import TensorFlow in a thread until the command ends, and show its logs if asked to."""
    from embedclf.cli.process import tensorflow_ahead

    click.get_current_context().with_resource(tensorflow_ahead(show_logs=show_logs))


class Display:
    """Progress on standard error.

    Use it as a context manager, so that the bar disappears even if the command fails.
    """

    def __init__(self, progress: str, *, shared: bool = False, time_prefix: str = "") -> None:
        """Choose how to show progress.

        Args:
            progress: auto (a bar on a terminal, else nothing), plain or none.
            shared: Whether results go to the same terminal, which leaves no room for a bar.
            time_prefix: Printed before the remaining time.
        """
        self._quiet = _is_quiet()
        self.plain = progress == "plain" and not self._quiet
        self._bar: Any = None
        if progress == "auto" and not self._quiet and sys.stderr.isatty() and not shared:
            self._bar = _new_bar(time_prefix)
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

    def info(self, line: str) -> None:
        """Print a line; once nobody reads standard error any more, print nothing else."""
        if self._quiet:
            return
        try:
            click.echo(line, err=True)
        except BrokenPipeError:
            # A training continues even if nobody reads its messages.
            self._quiet, self.plain = True, False

    def step(self, line: str) -> None:
        """Report a finished step: above the bar, as a plain line, or not at all."""
        if self._bar is not None:
            # The bar's own console keeps the bar below the line; brackets in a label are no markup.
            self._bar.console.print(line, highlight=False, markup=False)
        elif self.plain:
            self.info(line)

    def update(self, description: str, done: float, total: float | None) -> None:
        """Advance the bar, if there is one; without a total it pulses."""
        if self._bar is None:
            return
        if self._task is None:
            # Starts with the first update, after the lines that `info` writes past the bar.
            self._bar.start()
            self._task = self._bar.add_task("", total=None)
        self._bar.update(self._task, completed=done, total=total, description=description)


def _is_quiet() -> bool:
    """Whether -q was given."""
    return bool(click.get_current_context().meta.get("quiet"))


def _is_verbose() -> bool:
    """Whether -v was given."""
    return bool(click.get_current_context().meta.get("verbose"))


def _new_bar(time_prefix: str) -> Any:
    from rich import progress
    from rich.console import Console

    return progress.Progress(
        progress.BarColumn(bar_width=24),
        progress.TextColumn("{task.description}", markup=False),
        progress.TextColumn(time_prefix),
        progress.TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
    )
