"""Tables of the report: scores, labels, data, config."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from embedclf.audit.findings import counted
from embedclf.reports import runs as runs_report
from embedclf.reports.audit import stands
from embedclf.reports.evaluation import (
    COLUMNS,
    below,
    cells,
    edges,
    flattered,
    heading,
    interval,
    mistaken,
    remarks,
    unknown_labels,
)
from embedclf.reports.html.page import LEGEND, details, entries, marked, name, plain, table
from embedclf.reports.html.plots import interval_chart
from embedclf.reports.verdict import rows_told, titled
from embedclf.system.terminal import near, score

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from embedclf.evaluation.bootstrap import Interval
    from embedclf.evaluation.error_analysis import Mistake
    from embedclf.evaluation.evaluate import RunEvaluation
    from embedclf.evaluation.scores import LabelScores

    LabelRow = tuple[LabelScores, Sequence[Interval | None]]
    from embedclf.audit.check import Audit
    from embedclf.audit.findings import Finding
    from embedclf.evaluation.run_thresholds import ThresholdTable
    from embedclf.reports.html.report_data import ReportData
    from embedclf.runs.run import Run

_LABELS = 30
"""That are shown at once; more are there on demand."""


def scores(told: RunEvaluation) -> str:
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
    if scored.labeled.skipped:
        notes.append(("skipped", f"{scored.labeled.skipped:,} rows: no valid label"))
    columns = ["score", "value", "95 % interval", *names]
    return table(rows_told(told), columns, rows) + entries(notes)


def labels(told: RunEvaluation) -> str:
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


def slices(told: RunEvaluation) -> str:
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


def mistakes(told: RunEvaluation) -> str:
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


def thresholds(told: ThresholdTable | str) -> str:
    """What thresholds come to on the validation rows."""
    if isinstance(told, str):
        return _missing(told)
    rows = [[name(choice.label), *map(plain, cells(choice))] for choice in told.choices]
    columns = ["label", *COLUMNS]
    if len(told.thresholds) == 1:
        rows, columns = [row[1:] for row in rows], columns[1:]
    note = f"<p><small>{plain(flattered(told))}</small></p>\n"
    return table(heading(told), columns, rows) + note


def findings(told: Audit | str) -> str:
    """What is wrong with the data, with rows that show it."""
    if isinstance(told, str):
        return _missing(told)
    return f"<p>{plain(counted(told.findings))}</p>\n" + "".join(map(_finding, told.findings))


def config(told: ReportData) -> str:
    """The config that trains the same again."""
    return f'<pre class="wide" tabindex="0"><code>{_lines(told.config)}</code></pre>\n'


def circumstances(run: Run) -> str:
    """Versions, device, seed, times, tables: what it takes to train the same again."""
    record = run.record
    device = record["device"]
    facts = [
        ("run", str(run.path)),
        ("created", str(record["created"])),
        ("device", f"{device['kind']} {device['name']}, {device['cores']} cores"),
        *runs_report.circumstances(record),
        ("parameters", f"{record['parameters']:,}"),
    ]
    rows = [
        [
            part,
            plain(str(near(Path(of["path"])))),
            f"{of['rows']:,}",
            f"<code>{of['sha256']}</code>",
        ]
        for part, of in record["data"].items()
    ]
    return entries(facts) + table("tables", ["part", "table", "rows", "SHA-256"], rows)


def _lines(text: str) -> str:
    """A text that does nothing, its lines kept."""
    return "\n".join(map(plain, text.rstrip("\n").split("\n")))


def _finding(told: Finding) -> str:
    shown = "".join(
        f"<li><small>{plain(stands(example))}</small> <bdi>{plain(example.text)}</bdi></li>\n"
        for example in told.examples
    )
    examples = f"<ul>\n{shown}</ul>\n" if shown else ""
    return (
        f"<article>\n<h3>{told.severity}: {plain(told.what)} <small>[{told.kind}]</small></h3>\n"
        f"{examples}{entries([('why', told.why), ('mend', told.mend)])}</article>\n"
    )


def _missing(why: str) -> str:
    return f"<p>Not known: {plain(why)}.</p>\n"
