"""predict --cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from embedclf.cli.console import echo_info, echo_warning
from embedclf.errors import DataError
from embedclf.system.terminal import format_count

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.cluster.predicting import ClusterSummary
    from embedclf.inference.predict import PredictionRequest
    from embedclf.runs.run import Run


def check_cluster_options(
    cluster: str | None, sources: tuple[str, ...], output: Path | None
) -> None:
    """Refuse options that need a cluster, or that a cluster has no use for."""
    context = click.get_current_context()
    if cluster is None:
        if context.get_parameter_source("on_bad_part") is ParameterSource.COMMANDLINE:
            raise click.UsageError("--on-bad-part is for --cluster only")
        return
    if not sources or "-" in sources:
        raise click.UsageError("--cluster needs tables that all workers can read")
    if output is None:
        raise click.UsageError("--cluster needs -o FOLDER, in which each part gets a file")


def predict_parts(
    run: Run, sources: tuple[str, ...], request: PredictionRequest, cluster: str, *, skip_bad: bool
) -> None:
    """Predict on a cluster, and report what was written and what could not be read.

    Raises:
        DataError: A part could not be predicted, unless such parts are skipped.
    """
    from embedclf.cluster.connection import connect
    from embedclf.cluster.predicting import ClusterPrediction

    folder = request.output
    assert folder is not None  # noqa: S101 - checked before
    prediction = ClusterPrediction.plan(run, sources, folder, replace(request, output=None))
    with connect(cluster) as client:
        summary = prediction.execute(client, echo_warning)
    _report(folder, summary)
    if summary.failed and not skip_bad:
        raise DataError(
            f"{folder}: {format_count(summary.failed, 'part')} could not be predicted; the "
            "others are written, and the same command adds what is missing"
        )


def _report(folder: Path, summary: ClusterSummary) -> None:
    from embedclf.reports.inference import no_known_token_text

    before = f" ({summary.finished_before:,} kept)" if summary.finished_before else ""
    echo_info(
        f"{folder}: {format_count(summary.rows, 'row')} in {format_count(summary.written, 'part')} "
        f"written{before}"
    )
    if summary.without_known_token:
        echo_info(no_known_token_text(summary.without_known_token))
    echo_info(
        f"peak memory: a worker {summary.worker_peak / 1e6:,.0f} MB, this process "
        f"{summary.client_peak / 1e6:,.0f} MB",
        only_verbose=True,
    )
