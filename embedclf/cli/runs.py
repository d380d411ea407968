"""train, runs, summary."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from embedclf.cli.console import (
    current_display,
    echo,
    echo_info,
    echo_warning,
    open_run,
    start_tensorflow,
)
from embedclf.cli.deployment.cluster_training import (
    check_training_options,
    hold_out_by_text,
    train_in_parts,
)
from embedclf.cli.options import (
    FILE,
    baseline_option,
    json_option,
    override_option,
    progress_option,
    run_argument,
    tf_logs_option,
    verbosity_options,
)
from embedclf.cli.source import resolve, source_options, summary_target
from embedclf.errors import DataError, EmbedclfError
from embedclf.system.terminal import format_definitions, wrap_result

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from embedclf.autoconfig.proposal import Proposal
    from embedclf.autoconfig.resolve import Source
    from embedclf.cli.train_progress import TrainProgress
    from embedclf.config.schema import Config
    from embedclf.evaluation.evaluate import RunEvaluation
    from embedclf.runs.labeled_sources import ReadTables
    from embedclf.runs.run import Run
    from embedclf.runs.summary import NetworkSummary
    from embedclf.training.folds.cross_fitting import Folds
    from embedclf.training.train import TrainEvent


@click.command(short_help="Train a classifier from a table or a config.")
@source_options
@click.option("-o", "--output", type=FILE, help="Folder of the run; must not exist.")
@baseline_option
@click.option(
    "--cross-validate",
    "fold_count",
    type=click.IntRange(2, 1000),
    metavar="K",
    help="Also train K times on all rows but a fold, to measure mean and spread of the scores.",
)
@progress_option
@click.option(
    "--from",
    "start",
    type=FILE,
    metavar="RUN",
    help="Continue from a run: its settings, vocabulary, labels and weights, with new rows.",
)
@click.option("--resume", is_flag=True, help="Resume a training that was killed.")
@click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Train in parallel: local:N processes, or a Dask scheduler.",
)
@click.option("--tensorboard", type=FILE, help="Also write a TensorBoard log to this folder.")
@tf_logs_option
@json_option
@verbosity_options
def train_command(
    source: Source,
    output: Path | None,
    baseline: bool,
    fold_count: int | None,
    start: Path | None,
    resume: bool,
    cluster: str | None,
    tensorboard: Path | None,
    tf_logs: bool,
    as_json: bool,
) -> None:
    """Train a classifier and save it as a run.

    \b
      embedclf train reviews.csv
      embedclf train tickets.csv --text message --label topic
      embedclf train reviews.yaml -s training.epochs=5
      embedclf train reviews.csv --cross-validate 5
      embedclf train new-reviews.csv --from reviews-1

    With a table, columns and settings are chosen from the data; the config is saved next to the
    run. With a config, the same goes for what it leaves out.

    Ctrl-C stops the training early and keeps the best epoch so far.
    """
    from embedclf.cli.train_progress import TrainProgress
    from embedclf.training.train import train
    from embedclf.training.warm_start import Continuation

    # First the config: a mistake in it is reported without waiting for TensorFlow.
    check_training_options(
        cluster, {"--from": start, "--cross-validate": fold_count, "--tensorboard": tensorboard}
    )
    source = _continue_from(source, start, fold_count)
    source.load()
    start_tensorflow(show_logs=tf_logs)
    proposal = resolve(source)
    proposal = proposal if cluster is None else hold_out_by_text(proposal)
    config, show = proposal.config, TrainProgress(proposal.config, current_display())
    folds = _open_folds(config, fold_count)
    plan = config if source.start is None else Continuation(config, source.start)

    def train_with(on_event: Callable[[TrainEvent], None]) -> Run:
        if cluster is not None:
            return train_in_parts(proposal, cluster, on_event, output=output, resume=resume)
        return train(
            plan,
            name=proposal.name,
            output=output,
            on_event=on_event,
            tensorboard=tensorboard,
            resume=resume,
        )

    run, read = _collect_tables(train_with, show)
    file = _save_config(proposal, run) if source.is_table else None
    # A baseline would need the training rows of all machines
    _show_run(run, file, read, baseline=baseline and cluster is None, folds=folds, as_json=as_json)


@click.command(short_help="Explain the network of a run or a config, layer by layer.")
@run_argument("[RUN|CONFIG|TABLE]")
@override_option
@tf_logs_option
@json_option
@verbosity_options
def summary_command(
    run_name: Path | None, overrides: tuple[str, ...], tf_logs: bool, as_json: bool
) -> None:
    """Show the layers, shapes and parameters of a run or a config, and what they mean.

    \b
      embedclf summary reviews-1
      embedclf summary reviews.yaml -s model.embedding_dim=64
    """
    from embedclf.reports.runs import summary_json, summary_text

    target = summary_target(run_name, overrides)
    start_tensorflow(show_logs=tf_logs)
    summary = _summarize(target, overrides)
    echo(summary_json(summary) if as_json else summary_text(summary))


@click.command(short_help="List the runs with their scores.")
@json_option
@verbosity_options
def runs_command(as_json: bool) -> None:
    """List the runs in ./runs with their scores, oldest first."""
    from embedclf.reports.runs import runs_json, runs_text
    from embedclf.runs.selection import find_runs

    runs, faults = find_runs()
    echo(runs_json(runs) if as_json else runs_text(runs))
    for fault in faults:
        # Not `echo_info`: -q must not hide a damaged run.
        echo(f"embedclf: {fault}", err=True)


def _continue_from(source: Source, start: Path | None, fold_count: int | None) -> Source:
    """Return the source of a training that continues from a run, if one is named."""
    if start is None:
        return source
    if fold_count is not None:
        raise click.UsageError(
            "--cross-validate trains from scratch, without a run to continue from; leave out --from"
        )
    return replace(source, start=open_run(start))


def _collect_tables(
    train_with: Callable[[Callable[[TrainEvent], None]], Run], show: TrainProgress
) -> tuple[Run, ReadTables]:
    """Train; return the run, and its tables, which need not be read again."""
    from embedclf.data.dataset import Dataset
    from embedclf.runs.labeled_sources import ReadTables

    read = []

    def on_event(event: TrainEvent) -> None:
        if isinstance(event, Dataset):
            read.append(ReadTables.of(event))
        show(event)

    return train_with(on_event), read[0]


def _save_config(proposal: Proposal, run: Run) -> Path | None:
    """Write the config of a table next to its run; return None if that is not possible."""
    from embedclf.system.publishing.drafts import create_text

    file = run.path.with_name(f"{run.path.name}.yaml")
    if os.path.lexists(file):
        echo_info(f"{file}: already exists; the config is in {run.path}")
        return None
    try:
        create_text(file, proposal.to_yaml(file.parent))
    except DataError as error:  # no reason to hide the scores of a complete run
        echo_info(f"{error}; the config is in {run.path}")
        return None
    return file


def _open_folds(config: Config, count: int | None) -> Folds | None:
    """Divide the training table into folds, so that a wrong number is reported before training."""
    from embedclf.training.folds.cross_validation import open_folds

    if count is None:
        return None
    # The tokens stay open until the command ends.
    return click.get_current_context().with_resource(open_folds(config, count))


def _show_run(
    run: Run,
    config_file: Path | None,
    read: ReadTables,
    *,
    baseline: bool,
    folds: Folds | None,
    as_json: bool,
) -> None:
    """Print how good a run is, next to baselines, cross-validate it, and print what to do next."""
    from embedclf.reports.runs import next_steps, run_details, trained_json, trained_text

    echo_info(format_definitions(run_details(run.record)), only_verbose=True)
    evaluation = _evaluate(run, read, baseline=baseline)
    if not as_json:
        echo(trained_text(run, evaluation) if evaluation else f"run: {run.path}")
    try:
        if folds is not None:
            _cross_validate(run, folds, baseline=baseline, as_json=as_json)
    finally:  # the run is complete whatever happens
        if as_json:
            echo(trained_json(run, evaluation))
    echo_info(next_steps(run, config_file))


def _evaluate(run: Run, read: ReadTables, *, baseline: bool) -> RunEvaluation | None:
    """Evaluate a run that was just trained; None with a warning if that is not possible."""
    from embedclf.evaluation.evaluate import evaluate_training

    try:
        return evaluate_training(run, read, baseline=baseline)
    except KeyboardInterrupt:
        message = f"{run.path} is complete; `embedclf evaluate {run.path}` shows its scores"
        raise KeyboardInterrupt(message) from None
    except EmbedclfError as error:  # such as a validation table that was edited just now
        echo_warning(f"{run.path} is complete, but not scored: {error}")
        return None


def _cross_validate(run: Run, folds: Folds, *, baseline: bool, as_json: bool) -> None:
    """Score the training of a run on folds, store the scores in the run, and print them."""
    from embedclf.cli.train_progress import FoldProgress
    from embedclf.reports.cross_validation import cross_validation_lines, plan_text
    from embedclf.runs.known_files import CROSS_VALIDATION_FILE
    from embedclf.training.folds.cross_validation import cross_validate

    if run.interrupted:
        echo_warning(f"{run.path} is not cross-validated: its training was interrupted")
        return
    echo_info(plan_text(run, folds))
    show = FoldProgress(current_display(), fits=2 if folds.config.training.refit else 1)
    try:
        validation = cross_validate(folds, baseline=baseline, on_event=show)
        run.write_addition(CROSS_VALIDATION_FILE, validation.to_json())
    except KeyboardInterrupt:
        message = f"{run.path} is complete, but not cross-validated"
        raise KeyboardInterrupt(message) from None
    except EmbedclfError as error:  # such as a loss that is not finite
        echo_warning(f"{run.path} is complete, but not cross-validated: {error}")
        return
    if not as_json:
        echo("\n".join(map(wrap_result, cross_validation_lines(validation))))


def _summarize(target: Path | Run, overrides: tuple[str, ...]) -> NetworkSummary:
    """Summarize a config, a table or a run."""
    from embedclf.autoconfig.resolve import Source
    from embedclf.runs.run import Run
    from embedclf.runs.summary import summarize_config, summarize_run

    if isinstance(target, Run):
        return summarize_run(target)
    return summarize_config(resolve(Source(target, overrides)).config)
