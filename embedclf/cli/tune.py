"""tune, and the files that it writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from embedclf.cli.console import current_display, echo, echo_info, start_tensorflow
from embedclf.cli.options import (
    FILE,
    json_option,
    progress_option,
    tf_logs_option,
    verbosity_options,
)
from embedclf.cli.source import resolve, source_options

if TYPE_CHECKING:
    from embedclf.autoconfig.resolve import Source
    from embedclf.tuning.tune import TuningResult


@click.command(short_help="Search for better settings.")
@source_options
@click.option(
    "--trials",
    type=click.IntRange(1),
    metavar="N",
    help="Total trials, including earlier ones. Default: 30, or no limit with --minutes.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    metavar="M",
    help="Stop after M minutes. The next call repeats the unfinished trial.",
)
@click.option(
    "--metric",
    metavar="SCORE",
    help="Metric to optimize: any metric of `evaluate`. Default: the first one that `train` shows.",
)
@click.option("-o", "--output", type=FILE, help="Folder of the study. Default: tunings/NAME.")
@progress_option
@tf_logs_option
@json_option
@verbosity_options
def tune_command(
    source: Source,
    trials: int | None,
    minutes: float | None,
    metric: str | None,
    output: Path | None,
    tf_logs: bool,
    as_json: bool,
) -> None:
    """Search for the settings that score best on the validation rows.

    \b
      embedclf tune reviews.yaml --minutes 10

    Run the same command again to resume a search, or several times at once to share the work. The
    best config is written to best.yaml and trained as a run. Only that run is scored on the test
    table.
    """
    from embedclf.cli.tune_progress import TuneProgress
    from embedclf.reports.tuning import tuning_json, tuning_text
    from embedclf.tuning.tune import Budget, ConfigSource, tune

    source.load()
    start_tensorflow(show_logs=tf_logs)
    budget, proposal = Budget(trials, minutes), resolve(source)
    search = tune(
        ConfigSource(proposal.config, str(source.location), source.overrides, proposal.name),
        output=output,
        budget=budget,
        metric=metric,
        on_event=TuneProgress(proposal.config, budget.max_trials, current_display()),
        # A callback, because an interrupted search also leaves its files and then raises.
        on_result=_save_files,
    )
    echo(tuning_json(search) if as_json else tuning_text(search))
    echo_info(f"train it again: embedclf train {search.config_file}")


def _save_files(search: TuningResult) -> None:
    """Write best.yaml, trials.csv and the report, and replace earlier ones.

    Raises:
        DataError: A file cannot be written.
    """
    from embedclf.autoconfig.resolve import Source
    from embedclf.reports.html.tuning import render_search
    from embedclf.reports.tuning import trials_csv
    from embedclf.runs.selection import is_run_config
    from embedclf.system.publishing.drafts import write_text
    from embedclf.tuning.best_trial import write_config
    from embedclf.tuning.space import apply_settings, changed_settings, config_value

    source, best = search.source, search.best
    # The config of an old run lacks keys, whose values from then hold in a run only.
    file = Path(source.location)
    is_edited = not (Source(source.location).is_table or is_run_config(file))
    # A search for what the config leaves out depends on these values, so they are written.
    chosen = {key: config_value(source.config, key) for key in source.config.reasons}
    write_config(
        search.config_file,
        apply_settings(source.config, best.settings),
        source=file if is_edited else None,
        overrides=source.overrides,
        settings=chosen | changed_settings(source.config, best.settings),
        comment=_config_comment(search),
    )
    write_text(search.directory / "trials.csv", [trials_csv(search)])
    write_text(search.report_file, [render_search(search)])


def _config_comment(search: TuningResult) -> list[str]:
    from embedclf.reports.tuning import OPTIMISTIC, trial_counts
    from embedclf.system.terminal import format_score
    from embedclf.tables.files import display_location

    score = f"{search.metric} {format_score(search.best.score)}"
    return [
        f"Found by `embedclf tune {display_location(search.source.location)}`, trials "
        f"{trial_counts(search)}.",
        f"Trial {search.best.number}: {score} on validation rows;",
        f"{OPTIMISTIC}.",
        f"  embedclf train {search.config_file}",
    ]
