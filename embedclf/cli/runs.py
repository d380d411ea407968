"""train, runs, summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from embedclf.cli.console import flag, open_run, say, show_tensorflow
from embedclf.cli.options import (
    FILE,
    json_option,
    override_option,
    progress_option,
    tf_logs_option,
    verbosity_options,
)
from embedclf.errors import ConfigError
from embedclf.system.terminal import listing

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("config", type=FILE)
@override_option
@click.option("-o", "--output", type=FILE, help="The run's folder; nothing may be there yet.")
@progress_option
@click.option("--resume", is_flag=True, help="Go on with a training that was killed.")
@click.option("--tensorboard", type=FILE, help="Also write TensorBoard's log into this folder.")
@tf_logs_option
@json_option
@verbosity_options
def train(
    config: Path,
    overrides: tuple[str, ...],
    output: Path | None,
    progress: str,
    resume: bool,
    tensorboard: Path | None,
    tf_logs: bool,
    as_json: bool,
) -> None:
    """Train a classifier and leave a run.

    Ctrl-C ends the training early and keeps the best finished epoch, if there is one.
    """
    from embedclf.cli.console import Display
    from embedclf.cli.train_progress import TrainProgress
    from embedclf.config.loading import load_config
    from embedclf.reports import runs as runs_report
    from embedclf.training.train import train as train_run

    settings = load_config(config, overrides)
    show_tensorflow(tf_logs)
    with Display(progress, quiet=flag("quiet"), before_time="at most") as display:
        run = train_run(
            settings,
            name=config.stem,
            output=output,
            on_event=TrainProgress(settings, display),
            tensorboard=tensorboard,
            resume=resume,
        )
    say(listing(runs_report.circumstances(run.record)), only_verbose=True)
    click.echo(runs_report.trained_json(run) if as_json else runs_report.trained(run))


@click.command(short_help="Show a network and what it means.")
@click.argument("target", type=FILE, metavar="[CONFIG|RUN]", required=False)
@override_option
@tf_logs_option
@json_option
@verbosity_options
def summary(target: Path | None, overrides: tuple[str, ...], tf_logs: bool, as_json: bool) -> None:
    """Show layers, shapes and parameters of a config or a run, and what they mean."""
    from embedclf.reports import runs as runs_report
    from embedclf.runs import summary

    show_tensorflow(tf_logs)
    if target is not None and not target.exists():
        raise ConfigError(f"{target}: no such config or run; `embedclf runs` lists the runs here")
    if target is not None and target.is_file():
        told = summary.summarize_config(target, overrides)
    elif overrides:
        raise click.UsageError("-s goes with a config; a run is as it was trained.")
    else:
        told = summary.summarize_run(open_run(target))
    click.echo(runs_report.summary_json(told) if as_json else runs_report.summary(told))


@click.command(short_help="List the runs with their scores.")
@json_option
@verbosity_options
def runs(as_json: bool) -> None:
    """List the runs in ./runs with their scores, oldest first."""
    from embedclf.reports import runs as runs_report
    from embedclf.runs.run import find_runs

    found, faults = find_runs()
    click.echo(runs_report.runs_json(found) if as_json else runs_report.runs(found))
    for fault in faults:
        click.echo(f"embedclf: {fault}", err=True)
