"""tune, and the files that it leaves in its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from embedclf.cli.console import Display, echo_info, start_tensorflow
from embedclf.cli.options import (
    FILE,
    config_argument,
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
@config_argument
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
def tune_command(
    config_path: Path,
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
    from embedclf.cli.tune_progress import TuneProgress
    from embedclf.config.loading import load_config
    from embedclf.reports.tuning import tuning_json, tuning_text
    from embedclf.tuning.tune import Budget, ConfigSource, tune

    source = ConfigSource(load_config(config_path, overrides), config_path, overrides)
    budget = Budget(trials, minutes)
    start_tensorflow(show_logs=tf_logs)
    with Display(progress, time_prefix="at most") as display:
        show = TuneProgress(source.config, budget.max_trials, display)
        search = tune(
            source,
            output=output,
            budget=budget,
            metric=metric,
            on_event=show,
            # A callback, because an interrupted search also leaves its files and then raises.
            on_result=_save_files,
        )
    click.echo(tuning_json(search) if as_json else tuning_text(search))
    echo_info(f"again: embedclf train {search.config_file}")


def _save_files(search: TuningResult) -> None:
    """Write best.yaml, trials.csv and the page, each whole, over earlier ones.

    Raises:
        DataError: One cannot be written.
    """
    from embedclf.reports.html.tuning import render_search
    from embedclf.reports.tuning import trials_csv
    from embedclf.system.files import write_text
    from embedclf.tuning.best_trial import write_config
    from embedclf.tuning.space import apply_settings, changed_settings

    source, best = search.source, search.best
    write_config(
        search.config_file,
        apply_settings(source.config, best.settings),
        source=source.path,
        overrides=source.overrides,
        settings=changed_settings(source.config, best.settings),
        comment=_config_comment(search),
    )
    write_text(search.folder / "trials.csv", [trials_csv(search)])
    write_text(search.report_file, [render_search(search)])


def _config_comment(search: TuningResult) -> list[str]:
    from embedclf.reports.tuning import OPTIMISTIC, trial_counts
    from embedclf.system.terminal import format_score

    score = f"{search.metric} {format_score(search.best.score)}"
    return [
        f"Found by `embedclf tune {search.source.path}`, trials {trial_counts(search)}.",
        f"Trial {search.best.number}: {score} on validation rows;",
        f"{OPTIMISTIC}.",
        f"  embedclf train {search.config_file}",
    ]
