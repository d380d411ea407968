"""Options that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from embedclf.system.formats import InputFormat

if TYPE_CHECKING:
    from collections.abc import Callable

Command = TypeVar("Command", bound="Callable[..., Any]")

FILE = click.Path(path_type=Path)


def verbosity_options(command: Command) -> Command:
    """-q and -v, which all commands have; `console` reads them from the context."""
    quiet = click.option(
        "-q",
        "--quiet",
        is_flag=True,
        expose_value=False,
        callback=_store_in_context,
        help="Say nothing but results and errors.",
    )
    verbose = click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=_store_in_context,
        help="Also tell versions and times.",
    )
    # The innermost decorator comes last in the help.
    return quiet(verbose(command))


def table_format_options(command: Command) -> Command:
    """How to read a table whose format differs from the run's config and is not detected."""
    delimiter = click.option(
        "--delimiter", help="What parts the columns; else as in training, or detected."
    )
    encoding = click.option(
        "--encoding", help="The table's encoding; else as in training, or UTF-8."
    )
    return delimiter(encoding(command))


config_argument = click.argument("config_path", type=FILE, metavar="CONFIG")

input_format_option = click.option(
    "--input-format",
    type=click.Choice(get_args(InputFormat)),
    help="What the file is; else its ending tells, and standard input is lines.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")

override_option = click.option(
    "-s",
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key of the config, such as model.embedding_dim=64. Repeatable.",
)

run_option = click.option(
    "--run",
    "path",
    type=FILE,
    help="The run to use; the newest in ./runs when left out.",
)

data_option = click.option(
    "--data",
    type=FILE,
    help="The labelled table; else the config's test or validation rows.",
)

by_option = click.option(
    "--by", multiple=True, metavar="COLUMN", help="Also score by its cells. Repeatable."
)

baseline_option = click.option(
    "--baseline/--no-baseline",
    default=True,
    help="Fit a logistic regression on TF-IDF to compare with; it takes longer than all else.",
)

progress_option = click.option(
    "--progress",
    type=click.Choice(["auto", "plain", "none"]),
    default="auto",
    help="auto is a bar on a terminal and nothing elsewhere.",
)

tf_logs_option = click.option("--tf-logs", is_flag=True, help="Show what TensorFlow writes.")


def _store_in_context(ctx: click.Context, option: click.Parameter, value: bool) -> None:
    ctx.meta[str(option.name)] = value
