"""Findings and suspects -> text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.audit.findings import counted
from embedclf.reports import training as training_report
from embedclf.reports.training import entries
from embedclf.system import terminal
from embedclf.system.terminal import (
    NONE,
    WIDTH,
    listing,
    near,
    new_table,
    rendered,
    score,
    shortened,
    visible,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.audit.check import Audit
    from embedclf.audit.findings import Example, Finding
    from embedclf.audit.suspects import LabelErrors, LabelNoise
    from embedclf.config.schema import Config
    from embedclf.training.cross_fitting import FoldFitted, Folds

_BESIDE = 16
"""Columns in front of the text of a listing."""

_LEAST_LETTERS = 24
"""Of a text that is shown, however long its place is."""


def audited(told: Audit, config: Config) -> str:
    """What training is about to read, what is wrong with it, and how much that is."""
    lines = [training_report.dataset(told.facts, config)] if told.facts else []
    lines += [listing(found)] if (found := entries(told.facts or {})) else []
    lines += [""] if lines else []
    for finding in told.findings:
        lines += [_finding(finding), ""]
    if not told.facts:
        lines += ["nothing else can be examined until these rows can be read"]
    return "\n".join([*lines, counted(told.findings)])


def audited_json(told: Audit) -> str:
    """The same for programs."""
    return terminal.to_json(told.to_json())


def stands(example: Example) -> str:
    """Where a row stands, its twin, and its labels."""
    place, label = example.place, example.label
    if example.like is not None:
        file, colon, line = example.like.place.rpartition(":")
        place = (
            f"{place} = {line.strip() if place.startswith(file + colon) else example.like.place}"
        )
        if example.like.label != label:
            label = f"{label} / {example.like.label}"
    return f"{place} {shortened(label, _LEAST_LETTERS)}".strip()


def _finding(finding: Finding) -> str:
    return listing(
        [
            (finding.severity, f"{finding.what} [{finding.kind}]"),
            *(("", _example(example)) for example in finding.examples),
            ("why", finding.why),
            ("mend", finding.mend),
        ]
    )


def _example(example: Example) -> str:
    """A row on a line: where it stands, its twin, its labels, and the beginning of its text."""
    told = stands(example)
    text = " ".join(example.text.split())
    room = max(WIDTH - _BESIDE - len(told) - 2, _LEAST_LETTERS)
    return f"{told}: {shortened(text, room)}" if text else told


_PAIRS = 8
"""Pairs of labels that are listed; the others are one line."""

_LABEL_LETTERS = 24
"""Of a label that are shown."""

_GAP = 3
"""Blanks between two columns."""


def folds(told: Folds) -> str:
    """What is about to be examined."""
    rows = told.tokenized.rows
    skipped = f" · {rows.skipped:,} skipped: no valid label" if rows.skipped else ""
    labels, count = told.labels, f"{len(told.labels.names)} ({told.labels.task}): "
    each = zip(labels.names, labels.counts, strict=True)
    return listing(
        [
            ("data", str(near(rows.table.path))),
            ("read as", rows.table.form),
            ("rows", f"{len(rows):,} in {told.count} folds{skipped}"),
            ("labels", shortened(count + ", ".join(f"{name} {of:,}" for name, of in each))),
        ]
    )


def fitted(told: FoldFitted) -> str:
    """One line a fold."""
    best = told.history.epochs[told.history.best_epoch - 1]
    return (
        f"fold {told.fold.number}/{told.fold.of}  {told.seconds:.1f} s  epoch {best.epoch} of "
        f"{len(told.history.epochs)} kept  val_loss {best.val_loss:.4f}  "
        f"val_{told.history.score_name} {best.val_score:.4f}"
    )


def suspects(told: LabelErrors) -> str:
    """The most suspect rows, and how many there may be."""
    return "\n".join([*([_table(told)] if told.first else []), *_summary(told)])


def _table(told: LabelErrors) -> str:
    from rich.cells import cell_len

    titles = ("rank", "line", "given", "likely", "P(given)", "P(likely)", "text")
    rows = [_cells(rank, row) for rank, row in enumerate(told.first, start=1)]
    widths = [max(map(cell_len, column)) for column in zip(titles, *rows, strict=True)]
    room = WIDTH - sum(widths[:-1]) - _GAP * len(widths[:-1])  # for a text, so that a row is a line
    table = new_table(*titles, numbers=(0, 1, 4, 5))
    for *cells, text in rows:
        table.add_row(*cells, _fitting(text, room))
    return rendered(table)


def _fitting(text: str, room: int) -> str:
    """A text in so many columns of a terminal; wide characters take two."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= room:
        return text
    return set_cell_size(text, room - 1).rstrip() + "…"


def _cells(rank: int, row: dict[str, Any]) -> list[str]:
    labels = (visible(shortened(row[side], _LABEL_LETTERS)) for side in ("given", "likely"))
    shares = (score(row[f"probability_{side}"]) for side in ("given", "likely"))
    text = visible(shortened(row["text"], WIDTH))
    return [f"{rank:,}", f"{row['line']:,}", *(label or NONE for label in labels), *shares, text]


def _summary(told: LabelErrors) -> Iterator[str]:
    what = "labels" if told.task == "multilabel" else "rows"
    yield (
        f"{told.suspects:,} of {told.rows:,} rows have a likelier label than their own; about "
        f"{told.mislabelled:,} {what} are estimated to be mislabelled"
    )
    for pair in told.noise[:_PAIRS]:
        yield f"  {_pair(pair)}: {pair.rows:,}"
    others = told.noise[_PAIRS:]
    if others:
        yield f"  {len(others):,} more pairs: {sum(pair.rows for pair in others):,}"


def _pair(pair: LabelNoise) -> str:
    return f"{visible(pair.likely)} given as {visible(pair.given)}"
