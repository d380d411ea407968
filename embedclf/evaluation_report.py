"""Appraisals → text and JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from embedclf.layout import (
    NONE,
    WIDTH,
    listing,
    new_table,
    rendered,
    score,
    shortened,
    visible,
)
from embedclf.measures import SHARES
from embedclf.report import confusion_table, thresholds, to_json, unknown_labels

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.appraisal import Appraisal, Rival
    from embedclf.mistakes import Mistake
    from embedclf.resampling import Interval
    from embedclf.slices import Slice

_TEXT = 300
"""Most letters of a text that are shown."""
_TOKENS = 5
"""Of a mistake: those that added most to it."""


def appraisal(told: Appraisal) -> str:
    """All that is known of how good a run is, for people."""
    scored, evaluation = told.scored, told.evaluation
    skipped = scored.labelled.skipped
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


def appraisal_json(run: Path, told: Appraisal) -> str:
    """The same for programs; `rows` is their number."""
    scored, evaluation = told.scored, told.evaluation
    values = {
        "run": str(run),
        "data": scored.place.name,
        "form": scored.labelled.table.form,
        "caution": scored.place.caution,
        "rows_skipped": scored.labelled.skipped,
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


def remarks(told: Appraisal) -> list[tuple[str, str]]:
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


def _scores(told: Appraisal) -> str:
    names = [rival.name for rival in told.rivals]
    numbers = tuple(range(1, 3 + len(names)))
    table = new_table("", "score", "95 % interval", *names, numbers=numbers)
    for name, value in told.evaluation.scores.items():
        others = (score(rival.scores[name]) for rival in told.rivals)
        table.add_row(name, score(value), interval(told.intervals[name]), *others)
    return rendered(table)


def _verdict(rival: Rival, first: str) -> str:
    low, high = sorted(abs(edge) for edge in rival.interval)
    if rival.verdict == "unclear":
        return (
            f"no clear difference from {rival.name}: {first} {rival.lead:+.4f} "
            f"({rival.interval[0]:+.3f} to {rival.interval[1]:+.3f})"
        )
    better = rival.verdict == "run"
    than = f"better than {rival.name}" if better else f"{rival.name} IS BETTER than this run"
    return f"{than}: {first} by {abs(rival.lead):.4f} ({low:.3f} to {high:.3f})"


def _labels(told: Appraisal) -> str:
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


def _slices(told: Appraisal) -> str:
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
