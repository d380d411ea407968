"""suggest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from embedclf.cli.console import echo_info, echo_warning, open_run
from embedclf.cli.options import (
    FILE,
    TABLE,
    progress_option,
    reading_options,
    run_option,
    verbosity_options,
)
from embedclf.cli.predict import check_no_run

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.inference.inputs import TextSource
    from embedclf.inference.suggesting.selection import Measure


@click.command(short_help="Choose the rows to label next.")
@click.argument("sources", type=TABLE, metavar="UNLABELED|-...", nargs=-1, required=True)
@click.option(
    "-n",
    "--rows",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="How many rows to choose.",
)
@click.option("-o", "--output", type=FILE, help="Table to write; its extension decides the format.")
@run_option
@click.option(
    "--uncertainty",
    type=click.Choice(["margin", "entropy"]),
    default="margin",
    show_default=True,
    help="margin: how near the two most probable labels are; entropy: of all labels.",
)
@click.option("--prefix", default="", help="Prefix for the names of added columns.")
@reading_options(labels=True)
@progress_option
@verbosity_options
def suggest_command(
    sources: tuple[str, ...],
    rows: int,
    output: Path | None,
    run_name: Path | None,
    uncertainty: Measure,
    prefix: str,
    reading: dict[str, Any],
) -> None:
    """Choose the rows of a table whose labels a run would learn most from.

    \b
      embedclf suggest unlabeled.csv -n 50 -o to-label.csv

    Fill in the label column of the new table, then train on it. The rows are those that the run is
    unsure of, and differ from each other. Rows with a label are not chosen, and neither are texts
    in the run's own tables.

    Rows keep their columns, and gain an empty one for the label if they have none. `prediction` and
    `probability` are what the run would predict, `uncertainty` is from 0 to 1. With
    `no_known_token`, the run knows no token of the text.

    UNLABELED is a file, a folder of tables, a pattern such as 'data/*.csv', or a URI.
    """
    from embedclf.inference.suggesting.suggest import SuggestionRequest, suggest
    from embedclf.reports.inference import suggestion_lines

    check_no_run(sources)
    if "-" in sources and len(sources) > 1:
        raise click.UsageError("pass - alone; standard input cannot be read with other tables")
    target = None if str(output) == "-" else output
    request = SuggestionRequest(rows, uncertainty, reading, target, prefix)
    run = open_run(run_name, always_named=True)
    tables = sources[0] if len(sources) == 1 else sources
    suggestions = suggest(run, tables, request, _echo_source)
    for note in suggestions.notes:
        echo_warning(note)
    for line in suggestion_lines(suggestions, request):
        echo_info(line)


def _echo_source(source: TextSource) -> None:
    if source.description:
        echo_info(source.description)
