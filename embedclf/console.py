"""What commands print and say, and the run they use."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from embedclf.run import Run


def open_run(path: Path | None) -> Run:
    """The run that is named, or the newest, which is then told, beside damaged ones."""
    from embedclf.run import Run
    from embedclf.runs import open_newest

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
