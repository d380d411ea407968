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
    reads = Path("-") in (params.get("source"), params.get("file"))
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


def table_format_options(command: Command) -> Command:
    """How to read a table whose format differs from the run's config and is not detected."""
    delimiter = click.option(
        "--delimiter", help="Column delimiter. Default: as in training, or detected."
    )
    encoding = click.option("--encoding", help="Encoding. Default: as in training, or UTF-8.")
    return delimiter(encoding(command))


input_format_option = click.option(
    "--input-format",
    type=click.Choice(get_args(InputFormat)),
    metavar="FORMAT",
    help="lines, csv, tsv, jsonl or parquet. Default: by extension; lines for standard input.",
)

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
    type=FILE,
    help="Labeled table to score. Default: the run's test table, else its validation rows.",
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
