"""Sections of a report that tell scores: by rival, label and slice, and the worst mistakes."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from embedclf.evaluation_report import below, edges, interval, mistaken, remarks
from embedclf.layout import score
from embedclf.markup import LEGEND, details, entries, marked, name, plain, table
from embedclf.plots import interval_chart
from embedclf.report import unknown_labels
from embedclf.verdicts import rows_told, titled

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from embedclf.appraisal import Appraisal
    from embedclf.evaluation import LabelScores
    from embedclf.mistakes import Mistake
    from embedclf.resampling import Interval

    LabelRow = tuple[LabelScores, Sequence[Interval | None]]

_LABELS = 30
"""That are shown at once; more are there on demand."""


def scores(told: Appraisal) -> str:
    """Every score with its interval, beside the baselines."""
    scored, evaluation = told.scored, told.evaluation
    names = [rival.name for rival in told.rivals]
    rows = [
        [
            plain(measure),
            score(value),
            interval(told.intervals[measure]),
            *(score(rival.scores[measure]) for rival in told.rivals),
        ]
        for measure, value in evaluation.scores.items()
    ]
    notes = remarks(told)
    if evaluation.unknown_labels:
        notes.append(("unknown", unknown_labels(scored.place.name, evaluation)))
    if scored.labelled.skipped:
        notes.append(("skipped", f"{scored.labelled.skipped:,} rows: no valid label"))
    columns = ["score", "value", "95 % interval", *names]
    return table(rows_told(told), columns, rows) + entries(notes)


def labels(told: Appraisal) -> str:
    """Precision, recall and F1 of each label; of very many the hardest come first."""
    found: list[LabelRow] = list(zip(told.evaluation.labels, told.label_intervals, strict=True))
    if len(found) <= _LABELS:
        return _label_table("each label, with 95 % intervals", found)
    found.sort(key=lambda pair: (pair[0].f1, pair[0].label))
    caption = f"the {_LABELS} of {len(found)} labels of lowest F1, with 95 % intervals"
    others = _label_table("by F1, with 95 % intervals", found[_LABELS:])
    return _label_table(caption, found[:_LABELS]) + details(
        f"the other {len(found) - _LABELS} labels", others
    )


def slices(told: Appraisal) -> str:
    """The first score of rows that have something in common, drawn and in numbers."""
    first, whole = next(iter(told.evaluation.scores.items()))
    rows = [
        [
            name(f"{one.by}: {one.name}"),
            f"{one.rows:,}",
            score(one.score),
            interval(one.interval),
            below(one, whole),
        ]
        for one in told.slices
    ]
    chart = interval_chart(
        "slices",
        f"{titled(first)} of slices, with 95 % intervals",
        [
            (by, [(one.name, one.score, *one.interval) for one in group])
            for by, group in groupby(told.slices, lambda one: one.by)
        ],
        whole or 0.0,
    )
    caption = "The dotted line is the score of all rows; what lies surely below it is square."
    shown = f"<figure>{chart}<figcaption>{caption}</figcaption></figure>\n"
    columns = ["rows by", "rows", first, "95 % interval", ""]
    return shown + table("the same in numbers", columns, rows)


def mistakes(told: Appraisal) -> str:
    """The mistakes that were made with most confidence, their tokens coloured."""
    if not told.mistakes:
        return "<p>There is none.</p>\n"
    return LEGEND + "".join(map(_mistake, told.mistakes))


def _mistake(told: Mistake) -> str:
    explanation = told.explanation
    said = f"{plain(explanation.label)} {score(explanation.probability)} ({explanation.standing})"
    return (
        f"<article>\n<h3><bdi>{plain(mistaken(told))}</bdi></h3>\n"
        f"<p><small>{plain(told.place)} · <bdi>{said}</bdi></small></p>\n"
        f'<div class="long" tabindex="0">{marked(explanation)}</div>\n</article>\n'
    )


def _label_table(caption: str, found: Iterable[LabelRow]) -> str:
    rows = [
        [
            name(label.label),
            f"{label.rows:,}",
            *(
                f"{score(share)} <small>{edges(between)}</small>"
                for share, between in zip(
                    (label.precision, label.recall, label.f1), intervals, strict=True
                )
            ),
        ]
        for label, intervals in found
    ]
    return table(caption, ["label", "rows", "precision", "recall", "F1"], rows)
