"""The page of a hyperparameter search."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePath
from typing import TYPE_CHECKING

from embedclf.config.fields import Range
from embedclf.reports.html.figures import to_svg
from embedclf.reports.html.measures import Values, card_values
from embedclf.reports.html.rendering import render_template, to_sentence
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
)
from embedclf.system.progress import activity
from embedclf.system.terminal import NO_VALUE, display_path, format_count, format_score
from embedclf.tables.files import display_location
from embedclf.tuning.space import changed_settings, format_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markupsafe import Markup

    from embedclf.tuning.space import Trial
    from embedclf.tuning.tune import TuningResult

_MAX_SLICES = 6
"""Settings with a figure: the most important ones."""


_TITLES = {
    "settings": "Settings",
    "scores": "Scores",
    "history": "Score by trial",
    "importance": "Importance of settings",
    "slices": "Score by setting",
    "trials": "All trials",
}
"""The sections in the order of the page."""


@activity("drawing the report")
def render_search(search: TuningResult) -> str:
    """Render the page; the same study gives the same text."""
    sections = {
        "settings": _settings(search),
        "scores": _scores(search),
        "history": _history(search),
        "importance": _importance(search),
        "slices": list(_slices(search)),
        "trials": _trials(search),
    }
    return render_template(
        "tuning.html.j2",
        kind="Tuning report",
        title=PurePath(display_location(search.source.location)).name,
        meta=f"metric: {search.metric}, on the validation rows",
        verdict=_verdict(search),
        caution=to_sentence(score_caution(search)),
        cards=[_score_card(search), _gain_card(search), _trials_card(search)],
        titles={name: title for name, title in _TITLES.items() if sections[name]},
        metric=search.metric,
        **sections,
    )


def _verdict(search: TuningResult) -> str:
    best = f"{search.metric} {format_score(search.best.score)}"
    gain, own = search.gain, _own_score(search)
    if gain is None:
        return f"Best trial: {search.best.number}, {best}."
    if gain <= 0.0:
        return f"No better settings found: no trial beats the config's own settings ({best})."
    return (
        f"Trial {search.best.number} is better than the config's own settings: {best} instead of "
        f"{format_score(own)}."
    )


def _own_score(search: TuningResult) -> float | None:
    """The score of the config's own settings; None if their trial has none."""
    own = search.baseline_trial
    return None if own is None else own.score


def _score_card(search: TuningResult) -> Values:
    direction = "lower is better" if search.lower_is_better else ""
    figure = format_score(search.best.score)
    return card_values(
        f"Best {search.metric}", figure, f"trial {search.best.number}", "validation rows", direction
    )


def _gain_card(search: TuningResult) -> Values:
    title, gain = "Gain over the config", search.gain
    if gain is None:
        missing = "the config's own settings have no score"
        return card_values(title, NO_VALUE, missing, state="unclear")
    own = f"config's own settings: {format_score(_own_score(search))}"
    if gain <= 0.0:
        return card_values(title, "none", "no better settings found", own, state="unclear")
    settings = len(changed_settings(search.source.config, search.best.settings))
    changed = f"{format_count(settings, 'setting')} changed"
    return card_values(title, f"{-gain if search.lower_is_better else gain:+.4f}", changed, own)


def _trials_card(search: TuningResult) -> Values:
    states = Counter(trial.state for trial in search.trials if trial.is_finished)
    counts = [f"{count:,} {state}" for state, count in sorted(states.items())]
    return card_values("Trials", f"{states.total():,}", *counts)


def _settings(search: TuningResult) -> Values:
    notes = [("best config", str(search.config_file))]
    if search.run:
        notes.append(("run", str(display_path(search.run.path))))
    if search.importance is None:
        notes.append(("importance", importance_note(search)))
    return {
        "caption": f"Settings of the config and of the best trial ({search.best.number})",
        "rows": list(setting_rows(search)),
        "notes": notes,
    }


def _scores(search: TuningResult) -> Values:
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
    return to_svg(figure, "trials-drawn", f"{search.metric} by trial")


def _importance(search: TuningResult) -> Values | None:
    if search.importance is None:
        return None
    return {
        "svg": to_svg(importance_bars(search.importance), "bars", "Importance of settings"),
        "note": to_sentence(importance_note(search)),
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


def _trials(search: TuningResult) -> Values:
    return {
        "settings": [key.rpartition(".")[2] for key in search.space],
        "rows": [
            {
                "number": trial.number,
                "state": trial.state,
                "score": trial.score,
                "seconds": trial.seconds,
                "settings": [format_value(trial.settings.get(key, "")) for key in search.space],
            }
            for trial in search.trials
            if trial.is_finished
        ],
    }
