"""A search -> text, JSON, CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from typing import TYPE_CHECKING, Any

from embedclf.system.control_characters import escape_controls
from embedclf.system.terminal import (
    NO_VALUE,
    format_count,
    format_definitions,
    format_duration,
    format_percent,
    format_score,
    new_table,
    render,
    terminal_width,
    to_json,
)
from embedclf.tuning.space import changed_settings, config_value, format_settings, format_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.tuning.search import SearchProgress, StudyOpened
    from embedclf.tuning.space import Trial
    from embedclf.tuning.tune import TuningResult

_STATES = ("complete", "pruned", "failed")
"""Of finished trials, in the order in which they are counted."""

OPTIMISTIC = "validation scores are optimistic: the same rows chose the best trial"
"""The caution that every score of a search needs."""

_TEST_SCORE = "; trust the test score"

_NO_TEST_SCORE = "; for an unbiased score, name a table in data.test"


def study_text(study: StudyOpened, max_trials: int | None) -> str:
    """Name the study's directory and count its trials."""
    finished = study.finished_trials
    if not finished:
        state = "new"
    elif max_trials is None:
        state = f"resuming after {format_count(finished, 'trial')}"
    else:
        state = f"resuming after {finished:,} of {format_count(max_trials, 'trial')}"
    return format_definitions([("study", f"{study.directory}: {state}")])


def trial_header(metric: str) -> str:
    """The line above those of `trial_text`."""
    return f"trial  {metric:>{_score_width(metric)}}       time  changes to the config"


def trial_text(progress: SearchProgress, trial: Trial) -> str:
    """The line of a finished trial, the best so far marked; long settings take more lines."""
    from textwrap import wrap

    is_best = progress.best is not None and progress.best.number == trial.number
    outcome = format_score(trial.score) if trial.score is not None else trial.state
    own = progress.baseline
    settings = {key: value for key, value in trial.settings.items() if value != own[key]}
    pruned = f"after epoch {trial.epochs}" if trial.state == "pruned" and trial.epochs else ""
    notes = [format_settings(settings) or "none", trial.reason or pruned]
    line = (
        f"{trial.number:>5}  {outcome:>{_score_width(progress.metric)}} {'*' if is_best else ' '}  "
        f"{format_duration(trial.seconds):>7}  "
    )
    room = terminal_width() - len(line)
    lines = wrap("; ".join(filter(None, notes)), room, break_on_hyphens=False)
    return line + ("\n" + " " * len(line)).join(map(escape_controls, lines))


def tuning_text(search: TuningResult) -> str:
    """Show the best settings and scores next to those of the config."""
    return "\n".join([_setting_table(search), "", _score_table(search), *_notes(search)])


def tuning_json(search: TuningResult) -> str:
    """The search as JSON."""
    counts = _count_states(search)
    own = search.baseline_trial
    values: dict[str, Any] = {
        "study": str(search.directory),
        "metric": search.metric,
        "trials": {"all": sum(counts.values()), **counts},
        "own": own and {"settings": own.settings, "scores": own.scores},
        "best": {
            "trial": search.best.number,
            "settings": search.best.settings,
            "scores": search.best.scores,
        },
        "improved": None if search.gain is None else search.gain > 0,
        "importance": search.importance,
        "config": str(search.config_file),
        "report": str(search.report_file),
        "run": search.run and str(search.run.path),
        "metrics": search.run and search.run.metrics(),
        "scored_on_test": search.test_runs,
    }
    return to_json(values)


def trials_csv(search: TuningResult) -> str:
    """Return a CSV table with a row for each trial, in the order in which they started."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")  # csv's default is CRLF
    keys = list(search.space)
    columns = ["trial", "state", search.metric, "val_loss", "seconds", "epochs", "reason"]
    writer.writerow([*columns, *keys])
    for trial in search.trials:
        settings = trial.settings
        # csv writes None as an empty cell.
        values = [format_value(settings[key]) if key in settings else None for key in keys]
        outcome = [trial.score, trial.loss, trial.seconds, trial.epochs, trial.reason]
        writer.writerow([trial.number, trial.state, *outcome, *values])
    return text.getvalue()


def trial_counts(search: TuningResult) -> str:
    """Count the trials, and how they ended: `30: 21 complete, 9 pruned`."""
    counts = _count_states(search)
    states = ", ".join(f"{count:,} {state}" for state, count in counts.items() if count)
    return f"{sum(counts.values()):,}: {states}"


def score_caution(search: TuningResult) -> str:
    """Explain which scores are optimistic, and which one is not."""
    if search.source.config.data.test is None:
        return OPTIMISTIC + _NO_TEST_SCORE
    runs = search.test_runs
    seen = f", although {runs} runs of this study were scored on it" if runs > 1 else ""
    return OPTIMISTIC + _TEST_SCORE + seen


def importance_note(search: TuningResult) -> str:
    """Explain the importance of a setting, or why it is unknown."""
    complete = _count_states(search)["complete"]
    if search.importance is None:
        return f"unknown: too few complete trials ({complete:,}), or all with the same score"
    return f"fraction of the score's variance over {complete:,} complete trials (fANOVA)"


def setting_rows(search: TuningResult) -> Iterator[tuple[str, str, str, str]]:
    """Yield each setting, its value in the config and in the best trial, and its importance.

    The most important comes first.
    """
    importance = search.importance or {}
    # The sort is stable: without importance the order of the search space remains.
    for key in sorted(search.space, key=lambda key: -importance.get(key, 0.0)):
        before, best = config_value(search.source.config, key), search.best.settings[key]
        percent = format_percent(importance[key]) if key in importance else NO_VALUE
        yield key, format_value(before), "same" if best == before else format_value(best), percent


def score_columns(search: TuningResult) -> dict[str, dict[str, Any]]:
    """Return validation scores of the config and the best trial, and the run's test scores."""
    own = search.baseline_trial
    # The trial of the config itself may have failed, and then has no scores.
    columns: dict[str, dict[str, Any]] = {"config (validation)": (own and own.scores) or {}}
    columns["best (validation)"] = search.best.scores or {}
    if search.run is not None and "test" in (metrics := search.run.metrics()):
        columns["best (test)"] = metrics["test"]["scores"]
    return columns


def _setting_table(search: TuningResult) -> str:
    table = new_table("setting", "config", "best", "importance", numbers=(3,))
    for row in setting_rows(search):
        table.add_row(*row)
    return render(table)


def _score_table(search: TuningResult) -> str:
    columns = score_columns(search)
    table = new_table("", *columns, numbers=tuple(range(1, len(columns) + 1)))
    for name in search.best.scores or {}:
        table.add_row(name, *(format_score(scores.get(name)) for scores in columns.values()))
    return render(table)


def _notes(search: TuningResult) -> Iterator[str]:
    entries = [
        ("trials", trial_counts(search)),
        ("best", _best_note(search)),
        ("importance", importance_note(search)),
        ("scores", score_caution(search)),
    ]
    if search.run is None:
        others = "not trained yet: the last process that works on this study trains it"
        entries.append(("run", others))
    elif not search.reproduced:
        differs = "its scores differ from those of its trial (other versions or another machine)"
        entries.append(("run", differs))
    yield format_definitions(entries)
    yield f"config: {search.config_file}"
    yield f"report: {search.report_file}"
    if search.run is not None:
        yield f"run: {search.run.path}"


def _best_note(search: TuningResult) -> str:
    if search.gain is not None and search.gain <= 0:
        return "no better settings found: no trial beats the config's own settings"
    changes = len(changed_settings(search.source.config, search.best.settings))
    return f"trial {search.best.number}, {format_count(changes, 'setting')} changed"


def _count_states(search: TuningResult) -> dict[str, int]:
    counts = Counter(trial.state for trial in search.trials if trial.is_finished)
    return {state: counts[state] for state in _STATES}  # 0 if there are none


def _score_width(metric: str) -> int:
    # A trial without a score shows its state in this column instead.
    return max(len(metric), len("complete"))
