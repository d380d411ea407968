"""TABLE|CONFIG: the argument of commands that train or check, with its options."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar

import click

from embedclf.cli.console import echo_info
from embedclf.cli.options import (
    TABLE,
    columns_option,
    input_format_option,
    override_option,
    with_display,
)
from embedclf.errors import ColumnError, DataError
from embedclf.system.terminal import join_shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from embedclf.autoconfig.columns.roles import UnclearColumnError
    from embedclf.autoconfig.proposal import Proposal
    from embedclf.autoconfig.resolve import Source
    from embedclf.config.schema import Config

    Command = TypeVar("Command", bound=Callable[..., Any])

_TABLE_KEYS = ("text", "label", "delimiter", "encoding", "format", "columns")
"""Keys of `data` that options set, for a table."""


def column_options(command: Command) -> Command:
    """Columns of a table, and how to read it."""
    options = (
        click.option(
            "--text",
            multiple=True,
            metavar="COLUMN",
            help="Column of the text. Repeatable. Default: found by its cells and name.",
        ),
        click.option(
            "--label",
            multiple=True,
            metavar="COLUMN",
            help="Column of the label; repeated: 0/1 columns, one per label. Default: found.",
        ),
        click.option("--delimiter", help="Column delimiter of the table. Default: detected."),
        click.option("--encoding", help="Encoding of the table. Default: UTF-8."),
        input_format_option,
        columns_option,
    )
    # The last decorator applied comes first in the help.
    for option in reversed(options):
        command = option(command)
    return command


def source_options(command: Command) -> Command:
    """The argument TABLE|CONFIG with its options, as one value `source`."""

    @functools.wraps(command)
    def with_source(*, target: str, overrides: tuple[str, ...], **options: Any) -> Any:
        from embedclf.autoconfig.resolve import Source, TableOptions
        from embedclf.config.reading import option_name

        known = {key: options.pop(key) for key in _TABLE_KEYS}
        source = Source(target, overrides, TableOptions(**known))
        if used := [key for key in _TABLE_KEYS if known[key] and not source.is_table]:
            raise click.UsageError(
                f"{option_name(used[0])} needs a table; with a config, write "
                f"-s data.{used[0]}=VALUE"
            )
        return command(source=source, **options)

    argument = click.argument("target", type=TABLE, metavar="TABLE|CONFIG")
    # The display shows the imports above, too.
    wrapped: Any = argument(column_options(override_option(with_display(with_source))))
    return wrapped  # type: ignore[no-any-return]


def resolve(source: Source, *, show: bool = True) -> Proposal:
    """Choose what a table or config leaves open, and show the choices on standard error.

    Raises:
        DataError: A table cannot be used. If columns are unclear, the message lists the candidates
            and the command to run.
    """
    from embedclf.autoconfig.columns.roles import UnclearColumnError

    try:
        proposal = source.resolve()
    except UnclearColumnError as error:
        raise ColumnError(_describe_unclear(error, source)) from error
    if show and (source.is_table or source.start is not None):
        echo_info(proposal.settings_text())
    elif show and proposal.chosen:
        echo_info(f"chosen from the data: {join_shortened(proposal.chosen, 150)}")
        for note in proposal.notes:
            echo_info(f"note: {note}")
    return proposal


def resolve_for_audit(source: Source) -> Config:
    """Return the config with all choices, or as it was written if its data cannot be read.

    An audit then reports every row that is at fault, not only the first.

    Raises:
        DataError: As `resolve`, if the columns are not known.
    """
    try:
        return resolve(source).config
    except DataError:
        config = source.load()
        if not {"data.text", "data.label"} <= config.written():
            raise
        return config


def _describe_unclear(error: UnclearColumnError, source: Source) -> str:
    if not error.candidates:
        return str(error)
    if error.example is None:
        return f"{error}\n{error.candidate_table()}"
    import shlex

    # Not the whole path, which begins with whatever the program was started as.
    command = ["embedclf", *click.get_current_context().command_path.split()[1:]]
    best, known = error.example.name, source.options.data()
    if source.is_table:
        options = [option for key, value in known.items() for option in _as_options(key, value)]
        options += [f"--{error.key}", best]
    else:
        options = ["-s", f"data.{error.key}={best}"]
    options += [option for override in source.overrides for option in ("-s", override)]
    line = shlex.join([*command, str(source.location), *options])
    return f"{error}\n{error.candidate_table()}\nfor example:\n  {line}"


def _as_options(key: str, value: Any) -> Iterator[str]:
    """Yield the options that set a key of `data`."""
    from embedclf.config.reading import option_name

    if key == "columns":
        value = ",".join(value)
    for each in [value] if isinstance(value, str) else value:
        yield from (option_name(key), each)
