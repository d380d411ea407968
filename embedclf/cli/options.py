"""Options that commands share."""

from __future__ import annotations

import sys
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args

import click
from click.core import ParameterSource

from embedclf.system.formats import InputFormat

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

Command = TypeVar("Command", bound="Callable[..., Any]")

FILE = click.Path(path_type=Path)

TABLE = click.Path(path_type=str)
"""A file, a folder, a pattern or a URI, as it was typed."""


class RunName(click.Path):
    """A run: its path, or its bare name in ./runs, which shells complete."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete the names of runs; where none fits, paths."""
        from click.shell_completion import CompletionItem

        from embedclf.runs.selection import run_names

        names = [CompletionItem(name) for name in run_names() if name.startswith(incomplete)]
        # Not both: click's script for bash drops the names as soon as paths are asked for.
        return names or super().shell_complete(ctx, param, incomplete)


def _store_in_context(ctx: click.Context, option: click.Parameter, value: object) -> None:
    ctx.meta[str(option.name)] = value


def with_display(command: Command) -> Command:
    """Show what a command does while it runs; a display that was started before stays."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        from embedclf.cli.display import Display

        context = click.get_current_context()
        meta = context.meta
        if "display" in meta:
            return command(*args, **kwargs)
        with Display(meta.get("progress", "auto"), quiet=bool(meta.get("quiet"))) as display:
            meta["display"] = display
            if _reads_terminal(context.params):
                display.stop()  # somebody types there
            return command(*args, **kwargs)

    return cast("Command", run)


def _reads_terminal(params: dict[str, Any]) -> bool:
    """Whether a command takes its texts from standard input, and that is a terminal."""
    reads = "-" in (*params.get("sources", ()), params.get("file"))
    return reads and sys.stdin is not None and sys.stdin.isatty()


def verbosity_options(command: Command) -> Command:
    """-q and -v, which all commands have, and a display; `console` reads them from the context."""
    quiet = click.option(
        "-q",
        "--quiet",
        is_flag=True,
        expose_value=False,
        callback=_store_in_context,
        help="Print only results and errors.",
    )
    verbose = click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=_store_in_context,
        help="Also print versions and times.",
    )
    # The innermost decorator comes last in the help.
    return quiet(verbose(with_display(command)))


def run_option(command: Command) -> Command:
    """--run, for commands whose positional arguments are something else."""
    option = click.option(
        "--run",
        "run_name",
        type=RunName(),
        metavar="RUN",
        envvar="EMBEDCLF_RUN",
        help="Run: its name in ./runs or its path. Default: EMBEDCLF_RUN, else the newest.",
    )
    return option(command)


def run_argument(metavar: str = "[RUN]") -> Callable[[Command], Command]:
    """A run as a positional argument or as --run; the command gets either as `run_name`."""

    def add_run(command: Command) -> Command:
        @wraps(command)
        def with_run(positional: Path | None, run_name: Path | None, **options: Any) -> Any:
            context = click.get_current_context()
            from_option = context.get_parameter_source("run_name") is ParameterSource.COMMANDLINE
            if positional is not None and from_option:
                raise click.UsageError(f"the run is named twice: {positional} and --run {run_name}")
            return command(run_name=positional or run_name, **options)

        argument = click.argument("positional", type=RunName(), metavar=metavar, required=False)
        return cast("Command", argument(run_option(with_run)))

    return add_run


class _Names(click.ParamType[tuple[str, ...]]):
    """Names separated by commas."""

    name = "names"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Split the names."""
        del param, ctx
        return tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else value


input_format_option = click.option(
    "--input-format",
    "format",
    type=click.Choice(get_args(InputFormat)),
    metavar="FORMAT",
    help=f"{', '.join(get_args(InputFormat)[:-1])} or {get_args(InputFormat)[-1]}. Default: by the "
    "content, else by the extension.",
)

columns_option = click.option(
    "--columns",
    type=_Names(),
    metavar="NAME,NAME,...",
    help="Names of all columns of a table without a header.",
)

_reading_options = (
    input_format_option,
    click.option("--delimiter", help="Column delimiter. Default: as in training, or detected."),
    click.option("--encoding", help="Encoding. Default: as in training, or UTF-8."),
    columns_option,
    click.option(
        "-s",
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="Any key of `data` that says how to read a table: -s data.quote=none. Repeatable.",
    ),
    click.option(
        "--text-column",
        "text_columns",
        multiple=True,
        metavar="NAME",
        help="Column of the text, if it differs from the run's. Repeatable.",
    ),
)

_label_column_option = click.option(
    "--label-column",
    "label_columns",
    multiple=True,
    metavar="NAME",
    help="Column of the label, if it differs from the run's. Repeatable.",
)


def reading_options(*, labels: bool = False) -> Callable[[Command], Command]:
    """How to read a table that differs from the run's, as one value `reading`: keys of `data`.

    Args:
        labels: Whether the table needs labels.
    """
    options = (*_reading_options, _label_column_option) if labels else _reading_options

    def add_options(command: Command) -> Command:
        @wraps(command)
        def with_reading(**values: Any) -> Any:
            return command(reading=_take_reading(values, labels=labels), **values)

        wrapped: Any = with_reading
        # The last decorator applied comes first in the help.
        for option in reversed(options):
            wrapped = option(wrapped)
        return cast("Command", wrapped)

    return add_options


def _take_reading(values: dict[str, Any], *, labels: bool) -> dict[str, Any]:
    """Remove the options that say how to read a table, and return the keys of `data` they set."""
    from embedclf.config.reading import parse_reading

    known = {key: values.pop(key) for key in ("format", "delimiter", "encoding", "columns")}
    reading = parse_reading(known, values.pop("settings"), labels=labels)
    for role in ("text", "label"):
        if names := values.pop(f"{role}_columns", ()):
            _check_distinct(f"--{role}-column", names)
            reading[role] = names[0] if len(names) == 1 else [*names]
    return reading


def _check_distinct(option: str, names: tuple[str, ...]) -> None:
    """Refuse a name that an option has twice.

    Raises:
        click.UsageError: There is one.
    """
    for name in names:
        if names.count(name) > 1:
            raise click.UsageError(f"{option}: column {name!r} is named twice; name it once")


json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")

override_option = click.option(
    "-s",
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a config key: -s training.epochs=5. Repeatable.",
)

data_option = click.option(
    "--data",
    type=TABLE,
    metavar="TABLE",
    help="Labeled table to score: a file, a folder, a pattern or a URI. Default: the run's test "
    "table, else its validation rows.",
)

by_option = click.option(
    "--by",
    multiple=True,
    metavar="COLUMN",
    help="Also score each value of it. Repeatable.",
)

baseline_option = click.option(
    "--baseline/--no-baseline",
    default=True,
    help="Compare with TF-IDF + logistic regression (slow on large tables). Default: on.",
)

progress_option = click.option(
    "--progress",
    type=click.Choice(["auto", "plain", "none"]),
    metavar="MODE",
    default="auto",
    expose_value=False,
    callback=_store_in_context,
    help="auto (at a terminal), plain (lines, for logs) or none.",
)

tf_logs_option = click.option("--tf-logs", is_flag=True, help="Show TensorFlow's own messages.")
