"""A search -> text, JSON, CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from typing import TYPE_CHECKING, Any

from embedclf.system.terminal import (
    NO_VALUE,
    WIDTH,
    escape_controls,
    format_definitions,
    format_percent,
    format_score,
    new_table,
    render,
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

OPTIMISTIC = "the best of several trials is a little too good on the validation rows that chose it"
"""The caution that every score of a search needs."""

_TEST_SCORE = "; the score of the test rows is the one to trust"

_NO_TEST_SCORE = "; `data.test` names a table whose score would be the one to trust"


def study_text(study: StudyOpened, max_trials: int | None) -> str:
    """Name the study's directory and count its trials."""
    limit = "" if max_trials is None else f" of {max_trials:,}"
    finished = study.finished_trials
    trials = f"{finished:,}{limit} trials are there" if finished else "begins"
    return format_definitions([("study", f"{study.folder}: {trials}")])


def trial_header(metric: str) -> str:
    """The line above those of `trial_text`."""
    return f"trial  {metric:>{_score_width(metric)}}    seconds  differs from the config by"


def trial_text(progress: SearchProgress, trial: Trial) -> str:
    """The line of a finished trial, the best so far marked; long settings take more lines."""
    from textwrap import wrap

    is_best = progress.best is not None and progress.best.number == trial.number
    outcome = format_score(trial.score) if trial.score is not None else trial.state
    own = progress.baseline
    settings = {key: value for key, value in trial.settings.items() if value != own[key]}
    pruned = f"after epoch {trial.epochs}" if trial.state == "pruned" and trial.epochs else ""
    notes = [format_settings(settings) or "nothing", trial.reason or pruned]
    line = (
        f"{trial.number:>5}  {outcome:>{_score_width(progress.metric)}} {'*' if is_best else ' '}  "
        f"{trial.seconds:>7.1f}  "
    )
    lines = wrap("; ".join(filter(None, notes)), WIDTH - len(line), break_on_hyphens=False)
    return line + ("\n" + " " * len(line)).join(map(escape_controls, lines))


def tuning_text(search: TuningResult) -> str:
    """Show the best settings and scores next to those of the config."""
    return "\n".join([_setting_table(search), "", _score_table(search), *_notes(search)])


def tuning_json(search: TuningResult) -> str:
    """The search as JSON."""
    counts = _count_states(search)
    own = search.baseline_trial
    values: dict[str, Any] = {
        "study": str(search.folder),
        "metric": search.metric,
        "trials": {"all": sum(counts.values()), **counts},
        "own": own and {"settings": own.settings, "scores": own.scores},
        "best": {
            "trial": search.best.number,
            "settings": search.best.settings,
            "scores": search.best.scores,
        },
        "importance": search.importance,
        "config": str(search.config_file),
        "report": str(search.report_file),
        "run": search.run and str(search.run.path),
        "metrics": search.run and search.run.metrics(),
        "scored_on_test": search.test_runs,
    }
    return to_json(values)


def trials_csv(search: TuningResult) -> str:
    """A CSV table with a row for each trial, in the order in which they began."""
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
    """How many trials there were, and how they ended: `30: 21 complete, 9 pruned`."""
    counts = _count_states(search)
    states = ", ".join(f"{count:,} {state}" for state, count in counts.items() if count)
    return f"{sum(counts.values()):,}: {states}"


def score_caution(search: TuningResult) -> str:
    """Say which scores are optimistic, and which one is not."""
    if search.source.config.data.test is None:
        return OPTIMISTIC + _NO_TEST_SCORE
    runs = search.test_runs
    seen = f", which {runs} runs of this study have seen" if runs > 1 else ""
    return OPTIMISTIC + _TEST_SCORE + seen


def importance_note(search: TuningResult) -> str:
    """Explain the importance of a setting, or why it is unknown."""
    complete = _count_states(search)["complete"]
    if search.importance is None:
        return f"not told: {complete:,} complete trials are too few, or all scored alike"
    return f"share of the variance of the score over {complete:,} complete trials (fANOVA)"


def setting_rows(search: TuningResult) -> Iterator[tuple[str, str, str, str]]:
    """Each setting, its value in the config and in the best trial, and its importance.

    The most important comes first.
    """
    importance = search.importance or {}
    # The sort is stable: without importance the order of the search space remains.
    for key in sorted(search.space, key=lambda key: -importance.get(key, 0.0)):
        before, best = config_value(search.source.config, key), search.best.settings[key]
        percent = format_percent(importance[key]) if key in importance else NO_VALUE
        yield key, format_value(before), "same" if best == before else format_value(best), percent


def score_columns(search: TuningResult) -> dict[str, dict[str, Any]]:
    """Validation scores of the config and of the best trial, and test scores if the run has any."""
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
        others = "other processes are at work; the last of them trains the best config"
        entries.append(("run", others))
    elif not search.reproduced:
        differs = "scores otherwise than its trial: other versions, or another machine"
        entries.append(("run", differs))
    yield format_definitions(entries)
    yield f"config: {search.config_file}"
    yield f"report: {search.report_file}"
    if search.run is not None:
        yield f"run: {search.run.path}"


def _best_note(search: TuningResult) -> str:
    changes = len(changed_settings(search.source.config, search.best.settings))
    if not changes:
        return "nothing better than the config as it is"
    settings = "1 setting" if changes == 1 else f"{changes} settings"
    return f"trial {search.best.number}, {settings} changed"


def _count_states(search: TuningResult) -> dict[str, int]:
    counts = Counter(trial.state for trial in search.trials if trial.is_finished)
    return {state: counts[state] for state in _STATES}  # 0 if there are none


def _score_width(metric: str) -> int:
    # A trial without a score shows its state in this column instead.
    return max(len(metric), len("complete"))
