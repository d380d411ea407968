"""The group: every command and its module."""

from __future__ import annotations

import click

from embedclf import __version__
from embedclf.cli.boundary import ErrorBoundary
from embedclf.cli.data import check, init, schema, suspects
from embedclf.cli.embeddings import embeddings
from embedclf.cli.evaluate import compare, evaluate, make_report, threshold
from embedclf.cli.predict import explain, predict
from embedclf.cli.runs import runs, summary, train
from embedclf.cli.tune import tune


@click.group(
    cls=ErrorBoundary,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="embedclf %(version)s")
def main() -> None:
    """A text classifier from a CSV in seconds, in Keras."""


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
    schema,
    summary,
    suspects,
    threshold,
    train,
    tune,
):
    main.add_command(command)
