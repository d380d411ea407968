"""tune, and what it leaves in its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from embedclf.cli.console import flag, say, show_tensorflow
from embedclf.cli.options import (
    FILE,
    json_option,
    override_option,
    progress_option,
    tf_logs_option,
    verbosity_options,
)

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.tuning.tune import TuningResult


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
@verbosity_options
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
    from embedclf.cli.console import Display
    from embedclf.cli.tune_progress import TuneProgress
    from embedclf.config.loading import load_config
    from embedclf.reports import tuning as tuning_report
    from embedclf.tuning import tune

    source = tune.ConfigSource(load_config(config, overrides), config, overrides)
    limits = tune.Budget(trials, minutes)
    show_tensorflow(tf_logs)
    with Display(progress, quiet=flag("quiet"), before_time="at most") as display:
        found = tune.tune(
            source,
            output=output,
            limits=limits,
            metric=metric,
            on_event=TuneProgress(source.config, limits.most, display),
            publish=write_files,
        )
    click.echo(tuning_report.found_json(found) if as_json else tuning_report.found(found))
    say(f"again: embedclf train {found.config}")


def write_files(found: TuningResult) -> None:
    """Write all of them, each whole, over those that are there.

    Raises:
        DataError: One cannot be written.
    """
    from embedclf.reports.html.tuning import page
    from embedclf.reports.tuning import TOO_GOOD, counted, trials_csv
    from embedclf.system.files import write_text
    from embedclf.system.terminal import score
    from embedclf.tuning.best_trial import write_config
    from embedclf.tuning.space import applied, changed

    source, best = found.source, found.best
    write_config(
        found.config,
        applied(source.config, best.settings),
        source=source.path,
        overrides=source.overrides,
        settings=changed(source.config, best.settings),
        comment=[
            f"Found by `embedclf tune {source.path}`, trials {counted(found)}.",
            f"Trial {best.number}: {found.metric} {score(best.score)} on validation rows;",
            f"{TOO_GOOD}.",
            f"  embedclf train {found.config}",
        ],
    )
    write_text(found.folder / "trials.csv", [trials_csv(found)])
    write_text(found.page, [page(found)])
