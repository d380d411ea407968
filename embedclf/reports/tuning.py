"""A search -> text, JSON, CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from typing import TYPE_CHECKING, Any

from embedclf.system.terminal import (
    NONE,
    WIDTH,
    listing,
    new_table,
    percent,
    rendered,
    score,
    to_json,
    visible,
)
from embedclf.tuning.space import changed, in_words, own, word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.tuning.search import SearchProgress
    from embedclf.tuning.space import Trial
    from embedclf.tuning.tune import StudyOpened, TuningResult

_STATES = ("complete", "pruned", "failed")
"""Of finished trials, in the order in which they are counted."""

TOO_GOOD = "the best of several trials is a little too good on the validation rows that chose it"
"""What must be said of every score that a search ends with."""

_BETTER_TEST = "; the score of the test rows is the one to trust"

_NO_TEST = "; `data.test` names a table whose score would be the one to trust"


def begun(opened: StudyOpened, most: int | None) -> str:
    """Which study it is, and how far it has come."""
    bound = "" if most is None else f" of {most:,}"
    what = f"{opened.trials:,}{bound} trials are there" if opened.trials else "begins"
    return listing([("study", f"{opened.folder}: {what}")])


def columns(metric: str) -> str:
    """The line above those of trials."""
    return f"trial  {metric:>{_room(metric)}}    seconds  differs from the config by"


def trial(stood: SearchProgress, ended: Trial) -> str:
    """One trial, the best so far marked; a line of settings that is full goes on below."""
    from textwrap import wrap

    best = stood.best is not None and stood.best.number == ended.number
    result = score(ended.score) if ended.score is not None else ended.state
    differs = {key: value for key, value in ended.settings.items() if value != stood.own[key]}
    after = f"after epoch {ended.epochs}" if ended.state == "pruned" and ended.epochs else ""
    told = [in_words(differs) or "nothing", ended.reason or after]
    line = (
        f"{ended.number:>5}  {result:>{_room(stood.metric)}} {'*' if best else ' '}  "
        f"{ended.seconds:>7.1f}  "
    )
    parts = wrap("; ".join(filter(None, told)), WIDTH - len(line), break_on_hyphens=False)
    return line + ("\n" + " " * len(line)).join(map(visible, parts))


def found(told: TuningResult) -> str:
    """The best settings beside the config's own, and what they came to."""
    return "\n".join([_settings(told), "", _scores(told), *_remarks(told)])


def found_json(told: TuningResult) -> str:
    """The same for programs."""
    counts = _counts(told)
    first = told.own_trial
    values: dict[str, Any] = {
        "study": str(told.folder),
        "metric": told.metric,
        "trials": {"all": sum(counts.values()), **counts},
        "own": first and {"settings": first.settings, "scores": first.scores},
        "best": {
            "trial": told.best.number,
            "settings": told.best.settings,
            "scores": told.best.scores,
        },
        "importance": told.importance,
        "config": str(told.config),
        "report": str(told.page),
        "run": told.run and str(told.run.path),
        "metrics": told.run and told.run.metrics(),
        "scored_on_test": told.tested,
    }
    return to_json(values)


def trials_csv(told: TuningResult) -> str:
    """A row a trial, in the order of beginning."""
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    keys = list(told.space)
    rows.writerow(["trial", "state", told.metric, "val_loss", "seconds", "epochs", "reason", *keys])
    for one in told.trials:
        facts = [one.score, one.loss, one.seconds, one.epochs, one.reason]
        settings = [word(one.settings[key]) if key in one.settings else None for key in keys]
        rows.writerow([one.number, one.state, *facts, *settings])
    return written.getvalue()


def counted(told: TuningResult) -> str:
    """How many trials there were, and how they ended."""
    counts = _counts(told)
    how = ", ".join(f"{count:,} {state}" for state, count in counts.items() if count)
    return f"{sum(counts.values()):,}: {how}"


def warning(told: TuningResult) -> str:
    """How far the scores are to be trusted."""
    if told.source.config.data.test is None:
        return TOO_GOOD + _NO_TEST
    looks = f", which {told.tested} runs of this study have seen" if told.tested > 1 else ""
    return TOO_GOOD + _BETTER_TEST + looks


def weighed(told: TuningResult) -> str:
    """What importance is, or why there is none."""
    complete = _counts(told)["complete"]
    if told.importance is None:
        return f"not told: {complete:,} complete trials are too few, or all scored alike"
    return f"share of the variance of the score over {complete:,} complete trials (fANOVA)"


def settings(told: TuningResult) -> Iterator[tuple[str, str, str, str]]:
    """Each setting, the most important first: what config and best have, and its importance."""
    shares = told.importance or {}
    for key in sorted(told.space, key=lambda key: -shares.get(key, 0.0)):
        before, best = own(told.source.config, key), told.best.settings[key]
        share = percent(shares[key]) if key in shares else NONE
        yield key, word(before), "same" if best == before else word(best), share


def sides(told: TuningResult) -> dict[str, dict[str, Any]]:
    """Scores of the validation rows before and after and, where the run has them, of the test."""
    first = told.own_trial
    found: dict[str, dict[str, Any]] = {"config (validation)": (first and first.scores) or {}}
    found["best (validation)"] = told.best.scores or {}
    if told.run is not None and "test" in (metrics := told.run.metrics()):
        found["best (test)"] = metrics["test"]["scores"]
    return found


def _settings(told: TuningResult) -> str:
    table = new_table("setting", "config", "best", "importance", numbers=(3,))
    for row in settings(told):
        table.add_row(*row)
    return rendered(table)


def _scores(told: TuningResult) -> str:
    compared = sides(told)
    table = new_table("", *compared, numbers=tuple(range(1, len(compared) + 1)))
    for name in told.best.scores or {}:
        table.add_row(name, *(score(scores.get(name)) for scores in compared.values()))
    return rendered(table)


def _remarks(told: TuningResult) -> Iterator[str]:
    changes = len(changed(told.source.config, told.best.settings))
    what = "1 setting" if changes == 1 else f"{changes} settings"
    best = f"trial {told.best.number}, {what} changed" if changes else "nothing better"
    pairs = [
        ("trials", counted(told)),
        ("best", best if changes else f"{best} than the config as it is"),
        ("importance", weighed(told)),
        ("scores", warning(told)),
    ]
    if told.run is None:
        pairs.append(
            ("run", "other processes are at work; the last of them trains the best config")
        )
    elif not told.reproduced:
        pairs.append(("run", "scores otherwise than its trial: other versions, or another machine"))
    yield listing(pairs)
    yield f"config: {told.config}"
    yield f"report: {told.page}"
    if told.run is not None:
        yield f"run: {told.run.path}"


def _counts(told: TuningResult) -> dict[str, int]:
    counts = Counter(one.state for one in told.trials if one.counts)
    return {state: counts[state] for state in _STATES}


def _room(metric: str) -> int:
    return max(len(metric), len("complete"))
