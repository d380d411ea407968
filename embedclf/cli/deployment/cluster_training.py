"""train --cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from embedclf.cli.console import echo_info

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from embedclf.autoconfig.proposal import Proposal
    from embedclf.runs.run import Run
    from embedclf.training.train import TrainEvent


def check_training_options(cluster: str | None, unsupported: dict[str, object]) -> None:
    """Refuse options that need all rows on one machine; those that were given are not None."""
    for option, value in unsupported.items():
        if cluster is not None and value is not None:
            raise click.UsageError(f"{option} needs all rows on one machine; leave out --cluster")


def hold_out_by_text(proposal: Proposal) -> Proposal:
    """Return the proposal of a training on a cluster, whose machines must agree on the split."""
    from embedclf.cluster.training.support import cluster_config

    config = cluster_config(proposal.config)
    if config.data.split != proposal.config.data.split:
        echo_info("data.split: hash, since each machine of a cluster reads some of the rows")
    return replace(proposal, config=config)


def train_in_parts(
    proposal: Proposal,
    cluster: str,
    show: Callable[[TrainEvent], None],
    *,
    output: Path | None,
    resume: bool,
) -> Run:
    """Train on a cluster; report what that took."""
    from embedclf.cluster.training.train import train_on_cluster

    trained = train_on_cluster(
        proposal.config,
        cluster,
        name=proposal.name,
        output=output,
        on_event=show,
        resume=resume,
    )
    rounds = trained.rounds
    echo_info(
        f"{rounds['shards']:,} shards, {rounds['rounds']:,} rounds an epoch of "
        f"{rounds['bytes'] / 1e6:,.1f} MB; peak memory: a worker "
        f"{trained.worker_peak / 1e6:,.0f} MB, this process {trained.client_peak / 1e6:,.0f} MB"
    )
    return trained.run
