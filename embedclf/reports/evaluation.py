"""Evaluations and thresholds -> text."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedclf.evaluation.metrics import SHARES
from embedclf.evaluation.scored_rows import BEFORE_REFIT
from embedclf.evaluation.thresholds import named
from embedclf.system.terminal import (
    NONE,
    WIDTH,
    listing,
    new_table,
    percent,
    rendered,
    score,
    shortened,
    to_json,
    visible,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from embedclf.evaluation.bootstrap import Interval
    from embedclf.evaluation.error_analysis import Mistake, Slice
    from embedclf.evaluation.evaluate import BaselineComparison, RunEvaluation
    from embedclf.evaluation.run_thresholds import ThresholdOption, ThresholdTable
    from embedclf.evaluation.scores import Scores

_TEXT = 300
"""Most letters of a text that are shown."""

_TOKENS = 5
"""Of a mistake: those that added most to it."""


def appraisal(told: RunEvaluation) -> str:
    """All that is known of how good a run is, for people."""
    scored, evaluation = told.scored, told.evaluation
    skipped = scored.labeled.skipped
    more = f", {skipped:,} more skipped: no valid label" if skipped else ""
    lines = [f"{scored.place.name}: {evaluation.rows:,} rows{more}"]
    if evaluation.unknown_labels:
        lines.append(unknown_labels(scored.place.name, evaluation))
    lines += [_scores(told), listing(remarks(told)), "", _labels(told)]
    if confusion := confusion_table(evaluation):
        lines += ["", confusion]
    lines += ["", _slices(told)]
    if told.mistakes:
        lines += ["", "the worst mistakes", *map(_mistake, told.mistakes)]
    return "\n".join(lines)


def appraisal_json(run: Path, told: RunEvaluation) -> str:
    """The same for programs; `rows` is their number."""
    scored, evaluation = told.scored, told.evaluation
    values = {
        "run": str(run),
        "data": scored.place.name,
        "form": scored.labeled.table.form,
        "caution": scored.place.caution,
        "rows_skipped": scored.labeled.skipped,
        **evaluation.to_json(),
        "intervals": told.intervals,
        "draws": told.draws,
        "baselines": {
            rival.name: {**asdict(rival), "verdict": rival.verdict} for rival in told.rivals
        },
        "slices": [asdict(one) for one in told.slices],
        "mistakes": [_mistake_json(one) for one in told.mistakes],
    }
    for label, intervals in zip(values["labels"], told.label_intervals, strict=True):
        label["intervals"] = dict(zip(SHARES, intervals, strict=True))
    return to_json(values)


def interval(told: Interval | None) -> str:
    """From where to where, in three decimals."""
    return f"{told[0]:.3f} to {told[1]:.3f}" if told else NONE


def edges(told: Interval | None) -> str:
    """From-to in two decimals, where there is little room."""
    return f"{told[0]:.2f}-{told[1]:.2f}" if told else NONE


def remarks(told: RunEvaluation) -> list[tuple[str, str]]:
    """What has to be said beside the scores: what they stand beside, and who is better."""
    labels = told.scored.classifier.labels
    entries = [(rival.name, rival.told) for rival in told.rivals]
    if told.missing:
        entries.append(("tf-idf", f"not fitted: {told.missing}"))
    if labels.thresholds and set(labels.thresholds) != {0.5}:
        entries.append(("threshold", thresholds(labels.names, labels.thresholds)))
    entries.append(
        ("intervals", f"bootstrap over rows, {told.draws:,} draws; a mean over labels is 'macro'")
    )
    if told.scored.place.caution:
        entries.append(("rows", told.scored.place.caution))
    first = next(iter(told.evaluation.scores))
    entries += [("verdict", _verdict(rival, first)) for rival in told.rivals]
    return entries


def below(one: Slice, whole: float | None) -> str:
    """Whether a slice lies surely below the whole, in words."""
    return "below all" if whole is not None and one.interval[1] < whole else ""


def mistaken(told: Mistake) -> str:
    """What is true of a row, and what was said of it."""
    true, given = (", ".join(labels) or "no label" for labels in (told.true, told.given))
    return f"true: {true}, given: {given}"


def _scores(told: RunEvaluation) -> str:
    names = [rival.name for rival in told.rivals]
    numbers = tuple(range(1, 3 + len(names)))
    table = new_table("", "score", "95 % interval", *names, numbers=numbers)
    for name, value in told.evaluation.scores.items():
        others = (score(rival.scores[name]) for rival in told.rivals)
        table.add_row(name, score(value), interval(told.intervals[name]), *others)
    return rendered(table)


def _verdict(rival: BaselineComparison, first: str) -> str:
    low, high = sorted(abs(edge) for edge in rival.interval)
    if rival.verdict == "unclear":
        return (
            f"no clear difference from {rival.name}: {first} {rival.lead:+.4f} "
            f"({rival.interval[0]:+.3f} to {rival.interval[1]:+.3f})"
        )
    better = rival.verdict == "run"
    than = f"better than {rival.name}" if better else f"{rival.name} IS BETTER than this run"
    return f"{than}: {first} by {abs(rival.lead):.4f} ({low:.3f} to {high:.3f})"


def _labels(told: RunEvaluation) -> str:
    columns = ("precision", "(95 %)", "recall", "(95 %)", "f1", "(95 %)")
    table = new_table("label", "rows", *columns, numbers=range(1, 8))
    for label, intervals in zip(told.evaluation.labels, told.label_intervals, strict=True):
        shares = (label.precision, label.recall, label.f1)
        cells = [
            cell
            for share, between in zip(shares, intervals, strict=True)
            for cell in (score(share), edges(between))
        ]
        table.add_row(label.label, f"{label.rows:,}", *cells)
    return rendered(table)


def _slices(told: RunEvaluation) -> str:
    """Slices, and whether one lies surely below the whole."""
    first, whole = next(iter(told.evaluation.scores.items()))
    table = new_table("rows by", "", "rows", first, "95 % interval", "", numbers=(2, 3, 4))
    before = ""
    for one in told.slices:
        by = one.by if one.by != before else ""
        rows = f"{one.rows:,}"
        table.add_row(
            by, one.name, rows, score(one.score), interval(one.interval), below(one, whole)
        )
        before = one.by
    return rendered(table)


def _mistake(told: Mistake) -> str:
    explanation = told.explanation
    added = [
        f"{name} {total:+.2f}"
        for name, times, total in explanation.summands(_TOKENS)
        if times is not None and name != "other tokens"
    ]
    entries = [
        ("", shortened(" ".join(explanation.text.split()), _TEXT)),
        ("", f"{explanation.label} {score(explanation.probability)}: {', '.join(added)}"),
    ]
    head = visible(f"{told.place}  {mistaken(told)}")
    return f"{shortened(head, WIDTH)}\n{listing(entries)}"


def _mistake_json(told: Mistake) -> dict[str, Any]:
    explanation = told.explanation
    tokens = [[token.token, token.contribution] for token in explanation.tokens]
    phrases = [[phrase.phrase, phrase.contribution] for phrase in explanation.phrases]
    return {
        "place": told.place,
        "true": told.true,
        "given": told.given,
        "label": explanation.label,
        "probability": explanation.probability,
        "text": explanation.text,
        "tokens": tokens + phrases,
    }


COLUMNS = ("rule", "threshold", "precision", "recall", "f1", "given", "rows", "")
"""Of a table of choices."""


def weighed(told: ThresholdTable) -> str:
    """What thresholds come to, the one that the run decides by marked."""
    several = len(told.thresholds) > 1
    head = ("label", "rule") if several else ("rule",)
    numbers = range(len(head), len(head) + 6)
    table = new_table(*head, *COLUMNS[1:], numbers=numbers)
    for choice in told.choices:
        table.add_row(*([choice.label] if several else []), *cells(choice))
    lines = [
        heading(told),
        rendered(table),
        flattered(told),
    ]
    return "\n".join(lines)


def heading(told: ThresholdTable) -> str:
    """Which rows, and of which label if it is one."""
    of = "" if len(told.thresholds) > 1 else f" of {told.choices[0].label!r}"
    return f"{told.place}: {told.rows:,} rows; what thresholds{of} come to"


def flattered(told: ThresholdTable) -> str:
    """Why other rows would come to less."""
    before = f"; {BEFORE_REFIT}" if told.refitted else ""
    return (
        "measured on the rows that they are chosen on, so a little too good; `embedclf evaluate` "
        f"scores others{before}"
    )


def weighed_json(run: Path, told: ThresholdTable) -> str:
    """The same for programs."""
    return to_json(
        {
            "run": str(run),
            "data": told.place,
            "refitted": told.refitted,
            "rows": told.rows,
            "rule": named(told.rule),
            "thresholds": told.thresholds,
            "choices": [_choice_json(choice) for choice in told.choices],
        }
    )


def cells(choice: ThresholdOption) -> list[str]:
    """A rule and what it comes to, in the order of `COLUMNS`."""
    curve = choice.curve
    shares = (curve.thresholds, curve.precision, curve.recall, curve.f1)
    return [
        named(choice.rule),
        *(score(float(share[0])) for share in shares),
        percent(float(curve.given[0])),
        f"{round(float(curve.given[0]) * curve.rows):,}",
        "the run's" if choice.taken else "",
    ]


def _choice_json(choice: ThresholdOption) -> dict[str, Any]:
    curve = choice.curve
    shares = {
        "threshold": curve.thresholds,
        "precision": curve.precision,
        "recall": curve.recall,
        "f1": curve.f1,
        "share_given": curve.given,
    }
    values = {name: float(share[0]) for name, share in shares.items()}
    return {"label": choice.label, "rule": named(choice.rule), "taken": choice.taken, **values}


def thresholds(labels: Sequence[str], chosen: Sequence[float]) -> str:
    """From which probability on each label is given."""
    if len(chosen) > 1 and len(set(chosen)) == 1:
        return f"each label from {chosen[0]:.4f} on"
    pairs = zip(labels[-len(chosen) :], chosen, strict=True)
    return shortened(", ".join(f"{label!r} from {cut:.4f} on" for label, cut in pairs))


def confusion_table(scored: Scores) -> str | None:
    """What is taken for what, where it fits the page."""
    if scored.confusion is None:
        return None
    names = [label.label for label in scored.labels]
    rows = [[f"{cell:,}" for cell in cells] for cells in scored.confusion]
    corner = "true \\ given"
    first = max(len(corner), *map(len, names))
    columns = zip(names, *rows, strict=True)
    if first + sum(3 + max(map(len, column)) for column in columns) > WIDTH:
        return None
    table = new_table(corner, *names, numbers=tuple(range(1, len(names) + 1)))
    for name, cells in zip(names, rows, strict=True):
        table.add_row(name, *cells)
    return rendered(table)


def unknown_labels(rows: str, scored: Scores) -> str:
    """Labels that training never saw, with their rows."""
    named = ", ".join(f"{name!r} {count:,}" for name, count in scored.unknown_labels.items())
    total = sum(scored.unknown_labels.values())
    return shortened(
        f"{rows}: {total:,} times a label that training never saw, which is always wrong: {named}"
    )
