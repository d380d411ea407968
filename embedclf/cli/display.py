"""Progress on standard error: a line at a terminal, or plain lines."""

from __future__ import annotations

import time
from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING, NamedTuple

from embedclf.cli.console import echo
from embedclf.system.live_line import DONE, TO_DO, LiveLine, count_columns, has_terminal
from embedclf.system.progress import listening
from embedclf.system.terminal import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from embedclf.system.progress import Activity

_BAR_WIDTH = 20

_MEGABYTE = 1e6


class Status(NamedTuple):  # a dataclass takes longer to import
    """What the line says."""

    name: str
    details: tuple[str, ...] = ()
    """Kept longer than the other parts; the first is kept longest."""
    fraction: float | None = None
    """How much is done, from 0 to 1; None if nobody knows."""
    rate: str = ""
    remaining: str = ""

    def fit(self, width: int) -> str:
        """Return one line of at most `width` columns; what matters least is left out first."""
        return next(
            (line for line in self._candidates() if count_columns(line) <= width),
            _shorten_words(self.name, width),
        )

    def _candidates(self) -> Iterator[str]:
        """Yield lines from the longest to the shortest."""
        percent = () if self.fraction is None else (f"{100 * self.fraction:.0f}%",)
        bar = () if self.fraction is None else (_format_bar(self.fraction),)
        details = (*percent, *self.details)
        yield _join(self.name, *bar, *details, self.rate, self.remaining)
        yield _join(self.name, *details, self.rate, self.remaining)
        yield _join(self.name, *details, self.remaining)
        for count in range(len(details), -1, -1):
            yield _join(self.name, *details[:count])


class Display:
    """Shows what a command does, while it does it.

    Use it as a context manager, so that its line disappears even if the command fails.
    """

    def __init__(self, progress: str = "auto", *, quiet: bool = False) -> None:
        """Choose how to show progress.

        Args:
            progress: auto (a line at a terminal, else nothing), plain (a line for each step) or
                none.
            quiet: Whether to print nothing at all.
        """
        self._quiet = quiet
        self.plain = progress == "plain" and not quiet
        shows_line = progress == "auto" and not quiet and has_terminal()
        self._line = LiveLine(self._render) if shows_line else None
        self._status = Status("starting")
        self._activity: Activity | None = None
        self._began, self._done_before = 0.0, 0.0
        self._named: set[str] = set()
        self._stack = ExitStack()

    def __enter__(self) -> Display:
        if self._line is not None or self.plain:
            self._stack.enter_context(listening(self._show_activity))
        if self._line is not None:
            self._stack.enter_context(self._line)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def info(self, line: str) -> None:
        """Print a line; once nobody reads standard error any more, print nothing else."""
        if self._quiet:
            return
        # Not left to the stream: while TensorFlow is imported, `sys.stderr` is another one.
        try:
            with nullcontext() if self._line is None else self._line.cleared():
                echo(line, err=True)
        except BrokenPipeError:
            # A training continues even if nobody reads its messages.
            self._quiet, self.plain = True, False

    def step(self, line: str) -> None:
        """Report a finished step where progress is shown."""
        if self._line is not None or self.plain:
            self.info(line)

    def update(self, status: Status) -> None:
        """Change what the line says, until the next activity begins or ends."""
        self._activity, self._status = None, status

    def draw(self) -> None:
        """Draw the line without waiting, before work during which Python can't draw it."""
        if self._line is not None:
            self._line.draw()

    def stop(self) -> None:
        """Show no line any more, because results or a user's input need the terminal."""
        if self._line is not None:
            self._line.stop()

    def _show_activity(self, activity: Activity | None) -> None:
        if activity is None:
            self.update(Status("working"))
            return
        self._began, self._done_before = time.perf_counter(), activity.done
        self._activity = activity
        if self.plain and activity.name not in self._named:
            self._named.add(activity.name)
            self.info(activity.name)

    def _render(self, width: int) -> str:
        activity = self._activity  # once, since another thread may change it
        if activity is None:
            return self._status.fit(width)
        seconds = time.perf_counter() - self._began
        return activity_status(activity, activity.done - self._done_before, seconds).fit(width)


def activity_status(activity: Activity, done: float, seconds: float) -> Status:
    """Describe an activity: what is done, how fast, and the time that the rest will take.

    Args:
        activity: What is done.
        done: Units done in these seconds.
        seconds: How long it has been watched.
    """
    rate = done / max(seconds, 1e-9)  # the clock may not have advanced yet
    if not rate:
        return Status(activity.name)
    speed = _format_rate(rate, activity.unit)
    amount, fraction = _format_amount(activity.done, activity.unit), activity.fraction
    if not fraction:
        return Status(activity.name, (amount,), rate=speed)
    # As much time for the same amount as until now
    left = (1.0 - fraction) / fraction * activity.done / rate
    return Status(activity.name, (amount,), fraction, speed, f"{format_duration(left)} left")


def _join(*parts: str) -> str:
    return "  ".join(filter(None, parts))


def _format_bar(fraction: float) -> str:
    done = round(_BAR_WIDTH * fraction)
    return DONE * done + TO_DO * (_BAR_WIDTH - done)


def _format_amount(count: float, unit: str) -> str:
    return f"{count / _MEGABYTE:,.1f} MB" if unit == "bytes" else f"{count:,.0f} {unit}"


def _format_rate(rate: float, unit: str) -> str:
    if unit == "bytes" or rate >= 10:
        return f"{_format_amount(rate, unit)}/s"
    return f"{rate:.1f} {unit}/s"


def _shorten_words(text: str, width: int) -> str:
    """Drop words from the end until a text has at most `width` columns with an ellipsis."""
    from rich.cells import set_cell_size

    words = text.split(" ")
    while len(words) > 1:
        words.pop()
        line = " ".join(words) + " …"
        if count_columns(line) <= width:
            return line
    return set_cell_size(words[0], max(width - 1, 0)).rstrip() + "…"
