"""The page of a hyperparameter search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.config.fields import Range
from embedclf.reports.html.figures import to_svg
from embedclf.reports.html.rendering import render_template
from embedclf.reports.html.tuning_plots import (
    importance_bars,
    optimization_history,
    setting_slice,
)
from embedclf.reports.tuning import (
    importance_note,
    score_caution,
    score_columns,
    setting_rows,
    trial_counts,
)
from embedclf.system.terminal import format_score
from embedclf.tuning.space import format_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markupsafe import Markup

    from embedclf.tuning.space import Trial
    from embedclf.tuning.tune import TuningResult

_MAX_SLICES = 6
"""Settings that have a figure, the most important ones."""


def render_search(search: TuningResult) -> str:
    """Render the page; the same study gives the same text."""
    return render_template(
        "tuning.html.j2",
        title=f"Search around {search.source.path.name}",
        trial_counts=trial_counts(search),
        metric=search.metric,
        best_score=search.best.score,
        best_trial=search.best.number,
        baseline=search.baseline_trial,
        caution=_sentence(score_caution(search)),
        settings=list(setting_rows(search)),
        files=[("config", search.config_file), *([("run", search.run.path)] if search.run else [])],
        scores=_scores(search),
        history=_history(search),
        importance=_importance(search),
        slices=list(_slices(search)),
        trials=_trials(search),
    )


def _scores(search: TuningResult) -> dict[str, Any]:
    columns = score_columns(search)
    return {
        "columns": list(columns),
        "rows": [
            [name, *(format_score(scores.get(name)) for scores in columns.values())]
            for name in search.best.scores or {}
        ],
    }


def _history(search: TuningResult) -> Markup:
    points = [(trial.number, trial.score) for trial in search.trials if trial.is_finished]
    figure = optimization_history(points, search.metric, lower_is_better=search.lower_is_better)
    return to_svg(figure, "trials-drawn", f"{search.metric} trial by trial")


def _importance(search: TuningResult) -> dict[str, Any] | None:
    if search.importance is None:
        return None
    return {
        "svg": to_svg(importance_bars(search.importance), "bars", "importance of settings"),
        "note": _sentence(importance_note(search)),
    }


def _slices(search: TuningResult) -> Iterator[Markup]:
    scored = [trial for trial in search.trials if trial.score is not None]
    others = [trial for trial in scored if trial.number != search.best.number]
    # `importance` begins with the largest; without it the order of the search space decides.
    for key in list(search.importance or search.space)[:_MAX_SLICES]:
        # The best trial comes first, as `setting_slice` expects, whatever its number.
        yield _slice(search, key, [search.best, *others])


def _slice(search: TuningResult, key: str, trials: list[Trial]) -> Markup:
    choices = search.space[key]
    points = [(trial.settings[key], trial.score or 0.0) for trial in trials]
    if isinstance(choices, Range):
        figure = setting_slice(points, key, search.metric, values=None, log=choices.log)
    else:
        points = [(choices.index(value), score) for value, score in points]
        names = list(map(format_value, choices))
        figure = setting_slice(points, key, search.metric, values=names, log=False)
    return to_svg(figure, f"by-{key.replace('.', '-')}", f"{search.metric} by {key}")


def _trials(search: TuningResult) -> dict[str, Any]:
    return {
        "settings": [key.rpartition(".")[2] for key in search.space],
        "rows": [
            [
                f"{trial.number:,}",
                trial.state,
                format_score(trial.score),
                f"{trial.seconds:.1f}",
                *(format_value(trial.settings.get(key, "")) for key in search.space),
            ]
            for trial in search.trials
            if trial.is_finished
        ],
    }


def _sentence(text: str) -> str:
    # Not `capitalize`, which would lower all other letters.
    return f"{text[:1].upper()}{text[1:]}."
