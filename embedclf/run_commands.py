"""Commands that tell of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from embedclf.console import open_run, say, show_tensorflow
from embedclf.errors import ConfigError
from embedclf.options import (
    FILE,
    form_options,
    json_option,
    override_option,
    run_option,
    talk_options,
    tf_logs_option,
)

if TYPE_CHECKING:
    from pathlib import Path


@click.command(short_help="Score a run on labelled rows.")
@run_option
@click.option(
    "--data",
    type=FILE,
    help="The labelled table; else the config's test or validation rows.",
)
@form_options
@json_option
@talk_options
def evaluate(
    path: Path | None,
    data: Path | None,
    delimiter: str | None,
    encoding: str | None,
    as_json: bool,
) -> None:
    """Score a run on labelled rows, beside always guessing the commonest label."""
    from embedclf import report
    from embedclf.evaluation import evaluate_run

    run = open_run(path)
    scored = evaluate_run(run, data, delimiter=delimiter, encoding=encoding)
    say(f"read as {scored.form}")
    shown = report.evaluation_json(run.path, scored) if as_json else report.evaluation(scored)
    click.echo(shown)


@click.command(short_help="Show a network and what it means.")
@click.argument("target", type=FILE, metavar="[CONFIG|RUN]", required=False)
@override_option
@tf_logs_option
@json_option
@talk_options
def summary(target: Path | None, overrides: tuple[str, ...], tf_logs: bool, as_json: bool) -> None:
    """Show layers, shapes and parameters of a config or a run, and what they mean."""
    from embedclf import description, report

    show_tensorflow(tf_logs)
    if target is not None and not target.exists():
        raise ConfigError(f"{target}: no such config or run; `embedclf runs` lists the runs here")
    if target is not None and target.is_file():
        told = description.describe_config(target, overrides)
    elif overrides:
        raise click.UsageError("-s goes with a config; a run is as it was trained.")
    else:
        told = description.describe_run(open_run(target))
    click.echo(report.summary_json(told) if as_json else report.summary(told))


@click.command(short_help="List the runs with their scores.")
@json_option
@talk_options
def runs(as_json: bool) -> None:
    """List the runs in ./runs with their scores, oldest first."""
    from embedclf import report
    from embedclf.run import find_runs

    found, faults = find_runs()
    click.echo(report.runs_json(found) if as_json else report.runs(found))
    for fault in faults:
        click.echo(f"embedclf: {fault}", err=True)
