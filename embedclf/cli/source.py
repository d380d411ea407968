"""TABLE|CONFIG: the argument of commands that train or check, with its options."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar

import click

from embedclf.cli.console import echo_info, open_run
from embedclf.cli.options import (
    TABLE,
    columns_option,
    input_format_option,
    override_option,
    with_display,
)
from embedclf.errors import ColumnError, DataError
from embedclf.system.formats import CONFIG_SUFFIXES, FORMATS, table_suffix
from embedclf.system.terminal import join_shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from embedclf.autoconfig.columns.roles import UnclearColumnError
    from embedclf.autoconfig.proposal import Proposal
    from embedclf.autoconfig.resolve import Source
    from embedclf.config.schema import Config
    from embedclf.runs.run import Run

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


def summary_target(name: Path | None, overrides: tuple[str, ...]) -> Path | Run:
    """Return the path of the config or table that is named, or the run."""
    # Names with the extension of a config or a table are reported as such if they are missing.
    is_named = name is not None and table_suffix(name) in (*CONFIG_SUFFIXES, *FORMATS)
    if name is not None and (name.is_file() or (is_named and not name.is_dir())):
        return name
    if name is not None and _is_folder_of_tables(name):
        return name
    if overrides:
        raise click.UsageError("-s needs a config; a run keeps the settings of its training")
    return open_run(name)


def _is_folder_of_tables(path: Path) -> bool:
    """Whether a folder holds tables, not runs, whose files include tables, too."""
    from embedclf.tables.files import tables_exist

    has_runs = any(next(path.glob(name), None) for name in ("run.json", "*/run.json"))
    return path.is_dir() and not has_runs and tables_exist(str(path))


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
