"""The command that searches settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from embedclf.console import flag, say, show_tensorflow
from embedclf.options import (
    FILE,
    json_option,
    override_option,
    progress_option,
    talk_options,
    tf_logs_option,
)

if TYPE_CHECKING:
    from pathlib import Path


@click.command(short_help="Search the settings that score best.")
@click.argument("config", type=FILE)
@override_option
@click.option(
    "--trials",
    type=click.IntRange(1),
    metavar="N",
    help="Trials in all, those there already included; 30 without --trials and --minutes.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    metavar="M",
    help="Time for this call; the trial under way then is tried again by the next.",
)
@click.option(
    "--metric",
    metavar="SCORE",
    help="What to judge by, any score of `evaluate`; else the one that `train` shows first.",
)
@click.option(
    "-o", "--output", type=FILE, help="The study's folder; tunings/<config name> when left out."
)
@progress_option
@tf_logs_option
@json_option
@talk_options
def tune(
    config: Path,
    overrides: tuple[str, ...],
    trials: int | None,
    minutes: float | None,
    metric: str | None,
    output: Path | None,
    progress: str,
    tf_logs: bool,
    as_json: bool,
) -> None:
    """Search the settings of a config that score best on the validation rows.

    The same command goes on where it was ended or killed, and several may run at once. The best
    config is written as best.yaml and trained as a run, which alone is scored on the test table.
    """
    from embedclf import tune_report, tuning
    from embedclf.config import load_config
    from embedclf.progress import Display
    from embedclf.tune_files import write_files
    from embedclf.tune_talk import TuneTalk

    source = tuning.Source(load_config(config, overrides), config, overrides)
    limits = tuning.Limits(trials, minutes)
    show_tensorflow(tf_logs)
    with Display(progress, quiet=flag("quiet"), before_time="at most") as display:
        found = tuning.tune(
            source,
            output=output,
            limits=limits,
            metric=metric,
            tell=TuneTalk(source.config, limits.most, display),
            publish=write_files,
        )
    click.echo(tune_report.found_json(found) if as_json else tune_report.found(found))
    say(f"again: embedclf train {found.config}")
