"""The page of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.config.fields import Range
from embedclf.reports.html.page import TAIL, entries, head, plain, table
from embedclf.reports.html.run_report import STYLE
from embedclf.reports.html.tuning_plots import history, importance_bars, scores_by_value
from embedclf.reports.tuning import counted, settings, sides, warning, weighed
from embedclf.system.terminal import score
from embedclf.tuning.space import word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.tuning.space import Trial
    from embedclf.tuning.tune import TuningResult

_SLICES = 6
"""Settings that are drawn, those that matter most first."""


def page(told: TuningResult) -> str:
    """The page; the same study gives the same text."""
    title = f"Search around {told.source.path.name}"
    sections = [
        f'<section id="{name}">\n<h2>{heading}</h2>\n{content}</section>\n'
        for name, heading, content in _sections(told)
    ]
    return "".join([head(title, STYLE), _verdict(told), *sections, TAIL])


def _sections(told: TuningResult) -> Iterator[tuple[str, str, str]]:
    yield "settings", "Settings", _settings(told)
    yield "scores", "Scores", _scores(told)
    yield "history", "Trial by trial", _history(told)
    if told.importance is not None:
        drawn = importance_bars("bars", "importance of settings", told.importance)
        yield "importance", "What mattered", _figure(drawn, _sentence(weighed(told)))
    yield "values", "Score by setting", _slices(told)
    yield "trials", "All trials", _trials(told)


def _verdict(told: TuningResult) -> str:
    first, best = told.own_trial, score(told.best.score)
    before = f", {score(first.score)} with the config as it is" if first else ""
    return (
        f"<p><small>{plain(counted(told))} trials</small></p>\n"
        f'<p class="verdict">{plain(told.metric)} {best} on validation rows{before}</p>\n'
        f"<p>{plain(_sentence(warning(told)))}</p>\n"
    )


def _settings(told: TuningResult) -> str:
    rows = [list(map(plain, row)) for row in settings(told)]
    caption = f"the best, trial {told.best.number}, beside the config"
    kept = [("config", str(told.config)), *([("run", str(told.run.path))] if told.run else [])]
    return table(caption, ["setting", "config", "best", "importance"], rows) + entries(kept)


def _scores(told: TuningResult) -> str:
    compared = sides(told)
    rows = [
        [plain(name), *(score(scores.get(name)) for scores in compared.values())]
        for name in told.best.scores or {}
    ]
    return table("what both come to", ["score", *compared], rows)


def _history(told: TuningResult) -> str:
    points = [(one.number, one.score) for one in told.trials if one.counts]
    facts: dict[str, Any] = {"metric": told.metric, "lower": told.lower_is_better}
    drawn = history("trials-drawn", f"{told.metric} trial by trial", points, **facts)
    return _figure(drawn, "Trials in the order of beginning; pruned and failed ones at the foot.")


def _slices(told: TuningResult) -> str:
    trials = _best_first(told)
    keys = list(told.importance or told.space)[:_SLICES]
    drawn = [_slice(told, key, trials) for key in keys]
    figures = "".join(f"<figure>\n{one}</figure>\n" for one in drawn)
    return f'<p>The best trial is circled.</p>\n<div class="side">\n{figures}</div>\n'


def _slice(told: TuningResult, key: str, trials: list[Trial]) -> str:
    choices, name = told.space[key], f"by-{key.replace('.', '-')}"
    scored = [(one.settings[key], one.score or 0.0) for one in trials]
    facts: dict[str, Any] = {"metric": told.metric}
    if isinstance(choices, Range):
        return scores_by_value(name, key, scored, values=None, log=choices.log, **facts)
    places = [(choices.index(value), height) for value, height in scored]
    values = [word(choice) for choice in choices]
    return scores_by_value(name, key, places, values=values, log=False, **facts)


def _trials(told: TuningResult) -> str:
    keys = list(told.space)
    rows = [
        [
            f"{one.number:,}",
            one.state,
            score(one.score),
            f"{one.seconds:.1f}",
            *(plain(word(one.settings.get(key, ""))) for key in keys),
        ]
        for one in told.trials
        if one.counts
    ]
    names = [key.rpartition(".")[2] for key in keys]
    return table(
        "in the order of beginning", ["trial", "ended", told.metric, "seconds", *names], rows
    )


def _best_first(told: TuningResult) -> list[Trial]:
    complete = [one for one in told.trials if one.score is not None]
    return [told.best, *(one for one in complete if one.number != told.best.number)]


def _figure(drawn: str, caption: str) -> str:
    return f"<figure>\n{drawn}<figcaption>{plain(caption)}</figcaption>\n</figure>\n"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
