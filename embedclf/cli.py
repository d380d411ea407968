"""The command line: all commands in one group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from embedclf import __version__
from embedclf.boundary import Boundary
from embedclf.console import flag, say, show_tensorflow
from embedclf.data_commands import check, init, suspects
from embedclf.embedding_commands import embeddings
from embedclf.layout import listing
from embedclf.options import (
    FILE,
    json_option,
    override_option,
    progress_option,
    talk_options,
    tf_logs_option,
)
from embedclf.run_commands import compare, evaluate, make_report, runs, summary, threshold
from embedclf.text_commands import explain, predict
from embedclf.tune_commands import tune

if TYPE_CHECKING:
    from pathlib import Path


@click.group(
    cls=Boundary,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="embedclf %(version)s")
def main() -> None:
    """A text classifier from a CSV in seconds, in Keras."""


@main.command()
@click.argument("config", type=FILE)
@override_option
@click.option("-o", "--output", type=FILE, help="The run's folder; nothing may be there yet.")
@progress_option
@click.option("--resume", is_flag=True, help="Go on with a training that was killed.")
@click.option("--tensorboard", type=FILE, help="Also write TensorBoard's log into this folder.")
@tf_logs_option
@json_option
@talk_options
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
    from embedclf import report, training
    from embedclf.config import load_config
    from embedclf.progress import Display
    from embedclf.talk import Talk

    settings = load_config(config, overrides)
    show_tensorflow(tf_logs)
    with Display(progress, quiet=flag("quiet"), before_time="at most") as display:
        run = training.train(
            settings,
            name=config.stem,
            output=output,
            tell=Talk(settings, display),
            tensorboard=tensorboard,
            resume=resume,
        )
    say(listing(report.circumstances(run.record)), only_verbose=True)
    click.echo(report.trained_json(run) if as_json else report.trained(run))


@main.command(short_help="Print the config's JSON schema.")
@talk_options
def schema() -> None:
    """Print the JSON schema of the config, for editors that complete and check YAML."""
    from embedclf import report
    from embedclf.schema import json_schema

    click.echo(report.to_json(json_schema()))


for command in (
    check,
    compare,
    embeddings,
    evaluate,
    explain,
    init,
    make_report,
    predict,
    runs,
    summary,
    suspects,
    threshold,
    tune,
):
    main.add_command(command)
