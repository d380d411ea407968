"""What commands print."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from embedclf.errors import RunError
from embedclf.system.control_characters import escape_output
from embedclf.system.terminal import wrap_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from embedclf.cli.display import Display
    from embedclf.runs.run import Run
    from embedclf.tables.tables import Table

_MAX_RUNS_SHOWN = 3


def open_run(name: Path | None, *, always_named: bool = False) -> Run:
    """Open the run of that name, or the newest; a run that was not typed is named on stderr.

    -q silences the name, except where the newest run was chosen among runs of several tables.

    Args:
        name: From the command line or EMBEDCLF_RUN; None for the newest run in ./runs.
        always_named: Whether -q leaves the name.
    """
    # Commands import what they need when they run, so --help loads neither NumPy nor Arrow.
    from embedclf.runs.run import Run
    from embedclf.runs.selection import locate_run

    if name is None:
        return _open_newest(always_named=always_named)
    if not _is_from_environment(name):
        return Run.open(locate_run(name))
    try:
        run = Run.open(locate_run(name))
    except RunError as error:
        raise RunError(f"EMBEDCLF_RUN: {error}") from error
    _echo_run(f"{run.path} (EMBEDCLF_RUN)", always=always_named)
    return run


def echo(text: str = "", *, err: bool = False, nl: bool = True) -> None:
    """Print a text. Everything goes through here or `echo_chunks`: what a file says has no effect.

    Args:
        text: Lines; control characters other than tabs are replaced by symbols.
        err: Whether to print on standard error.
        nl: Whether to end the line.
    """
    click.echo(escape_output(text), err=err, nl=nl)


def echo_chunks(chunks: Iterable[str]) -> None:
    """Print chunks as they come, with colors if standard output has them."""
    for chunk in chunks:
        click.echo(escape_output(chunk, colors=True), nl=False, color=has_colors())


def has_colors() -> bool:
    """Return whether standard output is a terminal with colors, and NO_COLOR is not set."""
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return not is_plain and sys.stdout.isatty()


def echo_info(text: str, *, only_verbose: bool = False) -> None:
    """Print a message on standard error, unless -q asks for silence."""
    if not _is_quiet() and (_is_verbose() or not only_verbose):
        _echo_message(text)


def echo_warning(text: str) -> None:
    """Print a message on standard error, even with -q."""
    _echo_message(f"embedclf: {text}")


def echo_notes(tables: Iterable[Table]) -> None:
    """Show what people should know about how tables were read, even with -q."""
    # A table can have the rows of several splits.
    for note in dict.fromkeys(note for table in tables for note in table.notes()):
        echo_warning(note)


def check_page_name(option: str, file: Path | None) -> None:
    """Check the name of a page to write; `-` prints it.

    Raises:
        click.UsageError: The extension is not .html or .htm.
    """
    if file is not None and str(file) != "-" and file.suffix.lower() not in {".html", ".htm"}:
        raise click.UsageError(f"{option} {file}: must end in .html")


def current_display() -> Display:
    """Return the display of the command that runs."""
    display: Display = click.get_current_context().meta["display"]
    return display


def start_tensorflow(*, show_logs: bool) -> None:
    """Import TensorFlow in a thread until the command ends, and show its logs if asked to."""
    from embedclf.cli.process import tensorflow_ahead

    # Now, since Python threads stand still while its libraries are loaded.
    current_display().draw()
    click.get_current_context().with_resource(tensorflow_ahead(show_logs=show_logs))


def _open_newest(*, always_named: bool) -> Run:
    from embedclf.runs.selection import open_newest

    newest = open_newest()
    for fault in newest.faults:
        echo_info(f"ignored: {fault}")
    others = _list_names(newest.other_tables)
    hint = f" (newest; also here: {others}; choose with --run)" if others else ""
    _echo_run(f"{newest.run.path}{hint}", always=always_named or bool(others))
    return newest.run


def _echo_run(description: str, *, always: bool) -> None:
    """Say which run is used: on standard error, as standard output has results only."""
    if always or not _is_quiet():
        _echo_message(f"run: {description}")


def _echo_message(text: str) -> None:
    """Print a message on standard error, above the line that shows progress."""
    display = click.get_current_context().meta.get("display")
    if display is None or _is_quiet():
        echo(wrap_message(text), err=True)
    else:
        display.info(wrap_message(text))


def _is_from_environment(name: Path) -> bool:
    """Whether EMBEDCLF_RUN, and not the command line, gave the name of a run."""
    context = click.get_current_context()
    is_read = context.get_parameter_source("run_name") is ParameterSource.ENVIRONMENT
    return is_read and context.params.get("run_name") == name


def _list_names(runs: Sequence[Run]) -> str:
    """List the names of up to three runs."""
    names = [run.path.name for run in runs[:_MAX_RUNS_SHOWN]]
    more = len(runs) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def _is_quiet() -> bool:
    """Whether -q was given."""
    return bool(click.get_current_context().meta.get("quiet"))


def _is_verbose() -> bool:
    """Whether -v was given."""
    return bool(click.get_current_context().meta.get("verbose"))
