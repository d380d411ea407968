"""train, runs, summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from embedclf.cli.console import Display, echo_info, open_run, start_tensorflow
from embedclf.cli.options import (
    FILE,
    config_argument,
    json_option,
    override_option,
    progress_option,
    tf_logs_option,
    verbosity_options,
)
from embedclf.errors import ConfigError
from embedclf.system.terminal import format_definitions

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.runs.summary import NetworkSummary


@click.command()
@config_argument
@override_option
@click.option("-o", "--output", type=FILE, help="The run's folder; nothing may be there yet.")
@progress_option
@click.option("--resume", is_flag=True, help="Go on with a training that was killed.")
@click.option("--tensorboard", type=FILE, help="Also write TensorBoard's log into this folder.")
@tf_logs_option
@json_option
@verbosity_options
def train_command(
    config_path: Path,
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
    from embedclf.cli.train_progress import TrainProgress
    from embedclf.config.loading import load_config
    from embedclf.reports.runs import run_details, run_json, run_text
    from embedclf.training.train import train

    # First the config: a mistake in it is reported without waiting for TensorFlow.
    config, name = load_config(config_path, overrides), config_path.stem
    start_tensorflow(show_logs=tf_logs)
    with Display(progress, time_prefix="at most") as display:
        show = TrainProgress(config, display)
        run = train(
            config, name=name, output=output, on_event=show, tensorboard=tensorboard, resume=resume
        )
    echo_info(format_definitions(run_details(run.record)), only_verbose=True)
    click.echo(run_json(run) if as_json else run_text(run))


@click.command(short_help="Show a network and what it means.")
@click.argument("target", type=FILE, metavar="[CONFIG|RUN]", required=False)
@override_option
@tf_logs_option
@json_option
@verbosity_options
def summary_command(
    target: Path | None, overrides: tuple[str, ...], tf_logs: bool, as_json: bool
) -> None:
    """Show layers, shapes and parameters of a config or a run, and what they mean."""
    from embedclf.reports.runs import summary_json, summary_text

    _check_summary_target(target, overrides)
    start_tensorflow(show_logs=tf_logs)
    summary = _summarize(target, overrides)
    click.echo(summary_json(summary) if as_json else summary_text(summary))


@click.command(short_help="List the runs with their scores.")
@json_option
@verbosity_options
def runs_command(as_json: bool) -> None:
    """List the runs in ./runs with their scores, oldest first."""
    from embedclf.reports.runs import runs_json, runs_text
    from embedclf.runs.run import find_runs

    runs, faults = find_runs()
    click.echo(runs_json(runs) if as_json else runs_text(runs))
    for fault in faults:
        # Not `echo_info`: -q must not hide a damaged run.
        click.echo(f"embedclf: {fault}", err=True)


def _check_summary_target(target: Path | None, overrides: tuple[str, ...]) -> None:
    if target is not None and not target.exists():
        raise ConfigError(f"{target}: no such config or run; `embedclf runs` lists the runs here")
    if overrides and (target is None or not target.is_file()):
        raise click.UsageError("-s goes with a config; a run is as it was trained.")


def _summarize(target: Path | None, overrides: tuple[str, ...]) -> NetworkSummary:
    """Summarize a config or a run; without a target the newest run."""
    from embedclf.runs.summary import summarize_config, summarize_run

    if target is not None and target.is_file():  # a run is a directory
        return summarize_config(target, overrides)
    return summarize_run(open_run(target))
