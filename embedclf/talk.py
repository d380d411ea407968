"""What a training says while it runs, on standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from embedclf import report
from embedclf.history import Epoch, Step
from embedclf.preparation import Prepared
from embedclf.progress import new_bar

if TYPE_CHECKING:
    from types import TracebackType

    from embedclf.config import Config
    from embedclf.training import Told


class Talk:
    """Tells a training's facts, and its progress: a bar, plain lines, or none.

    Use it as a context manager, so that the bar goes away whatever happens.
    """

    def __init__(self, config: Config, *, progress: str, quiet: bool) -> None:
        """Choose how to talk.

        Args:
            config: What is trained.
            progress: auto (a bar on a terminal, else none), plain or none.
            quiet: Say nothing at all.
        """
        self._config = config
        self._quiet = quiet
        self._plain = progress == "plain" and not quiet
        self._bar: Any = None
        if progress == "auto" and not quiet and sys.stderr.isatty():
            self._bar = new_bar("at most")
        self._task: Any = None
        self._score_name = "accuracy"
        self._last = ""

    def __enter__(self) -> Talk:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, told: Told) -> None:
        """Tell one thing; where nobody reads any more, say nothing from then on."""
        try:
            if not self._quiet:
                self._tell(told)
        except BrokenPipeError:
            self._quiet = True

    def _tell(self, told: Told) -> None:
        if isinstance(told, Prepared):
            self._score_name = told.labels.score_name
            click.echo(report.prepared(told.facts, self._config), err=True)
        elif isinstance(told, Step):
            self._step(told)
        elif isinstance(told, Epoch):
            self._epoch(told)
        else:
            click.echo(report.device(told), err=True)

    def _step(self, told: Step) -> None:
        if self._bar is None:
            return
        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task("", total=told.epochs * told.of_rows, told="")
        done = (told.epoch - 1) * told.of_rows + told.rows
        speed = told.rows / max(told.seconds, 1e-9)
        text = (
            f"epoch {told.epoch}/{told.epochs}  {speed:,.0f} rows/s  "
            f"loss {told.loss:.4f}{self._last}"
        )
        self._bar.update(self._task, completed=done, told=text)

    def _epoch(self, told: Epoch) -> None:
        line = report.epoch(told, self._config.training.epochs, self._score_name)
        self._last = f"  val_{self._score_name} {told.val_score:.4f}"
        if self._bar is not None:
            self._bar.console.print(line, highlight=False, markup=False)
        elif self._plain:
            click.echo(line, err=True)
