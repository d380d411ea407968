"""The group: every command and its module."""

from __future__ import annotations

import click

from embedclf import __version__
from embedclf.cli.boundary import ErrorBoundary
from embedclf.cli.data import check_command, init_command, schema_command, suspects_command
from embedclf.cli.embeddings import embeddings_group
from embedclf.cli.evaluate import (
    compare_command,
    evaluate_command,
    report_command,
    threshold_command,
)
from embedclf.cli.predict import explain_command, predict_command
from embedclf.cli.runs import runs_command, summary_command, train_command
from embedclf.cli.tune import tune_command


@click.group(
    cls=ErrorBoundary,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="embedclf %(version)s")
def main() -> None:
    """A text classifier from a CSV in seconds, in Keras."""


for command in (
    check_command,
    compare_command,
    embeddings_group,
    evaluate_command,
    explain_command,
    init_command,
    predict_command,
    report_command,
    runs_command,
    schema_command,
    summary_command,
    suspects_command,
    threshold_command,
    train_command,
    tune_command,
):
    main.add_command(command)
