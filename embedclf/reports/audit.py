"""Findings and likely label errors -> text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.audit.findings import summarize_severities
from embedclf.reports.training import coverage_entries, dataset_text
from embedclf.system.control_characters import escape_controls
from embedclf.system.terminal import (
    NO_VALUE,
    format_count,
    format_definitions,
    format_duration,
    format_score,
    join_shortened,
    new_table,
    quote_number,
    render,
    shorten,
    terminal_width,
    to_json,
    wrap_result,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.audit.check import Audit
    from embedclf.audit.findings import Example, Finding
    from embedclf.audit.suspects import LabelErrors, LabelNoise
    from embedclf.config.schema import Config
    from embedclf.training.folds.cross_fitting import FoldFitted, Folds

_MARGIN = 16
"""Columns to the left of the text in a listing."""

_MIN_TEXT_CHARACTERS = 24
"""Minimum shown of an example's text, however long its location is."""

_MAX_LABEL_CHARACTERS = 24
_MAX_FILE_CHARACTERS = 24

_MAX_LABEL_PAIRS = 8
"""Pairs of labels listed; one line sums up the others."""

_COLUMN_GAP = 3
"""Spaces between two columns of a table."""


def audit_text(audit: Audit, config: Config) -> str:
    """Describe the data of a config, then list all findings."""
    lines = [dataset_text(audit.facts, config)] if audit.facts else []
    if coverage := coverage_entries(audit.facts or {}):
        lines.append(format_definitions(coverage))
    lines += [""] if lines else []
    for finding in audit.findings:
        lines += [_finding_text(finding), ""]
    if not audit.facts:
        lines += ["the other checks were skipped: fix these first"]
    return "\n".join([*lines, summarize_severities(audit.findings)])


def audit_json(audit: Audit) -> str:
    """The facts and findings as JSON."""
    return to_json(audit.to_json())


def example_location(example: Example) -> str:
    """A row's location and label; for a pair, both locations, and both labels if they differ."""
    location, label = example.location, example.label
    if example.twin is not None:
        # From the right, as paths may contain colons; in Parquet, ` row 5` follows the last one.
        file, colon, line = example.twin.location.rpartition(":")
        same_file = location.startswith(file + colon)
        location = f"{location} = {line.strip() if same_file else example.twin.location}"
        if example.twin.label != label:
            label = f"{label} / {example.twin.label}"
    return f"{location} {shorten(label, _MAX_LABEL_CHARACTERS)}".strip()


def folds_text(folds: Folds) -> str:
    """Describe the rows to cross-validate."""
    rows = folds.tokenized.rows
    skipped = f" · {rows.skipped:,} skipped without a valid label" if rows.skipped else ""
    names, counts = folds.labels.names, folds.labels.counts
    labels = [f"{quote_number(name)} {count:,}" for name, count in zip(names, counts, strict=True)]
    return format_definitions(
        [
            ("data", rows.table.name),
            ("format", rows.table.description),
            ("rows", f"{len(rows):,} in {format_count(folds.count, 'fold')}{skipped}"),
            ("labels", f"{len(names)} ({folds.labels.task}): {join_shortened(labels)}"),
        ]
    )


def fold_text(event: FoldFitted) -> str:
    """How long a fold took, and its best epoch."""
    history = event.history
    best = history.epochs[history.best_epoch - 1]  # counts from 1
    return (
        f"{format_duration(event.seconds)}  "
        f"best epoch {best.epoch} of {len(history.epochs)}  val_loss {best.val_loss:.4f}  "
        f"val_{history.score_name} {best.val_score:.4f}"
    )


def suspects_text(label_errors: LabelErrors) -> str:
    """List the most likely label errors, and estimate how many there are."""
    table = [_suspects_table(label_errors)] if label_errors.first else []
    return "\n".join([*table, *_label_error_lines(label_errors)])


def suspects_json(label_errors: LabelErrors) -> str:
    """The most likely label errors and the estimates as JSON."""
    return to_json(label_errors.to_json())


def _finding_text(finding: Finding) -> str:
    return format_definitions(
        [
            (finding.severity, f"{finding.message} [{finding.kind}]"),
            *(("", _example_text(example)) for example in finding.examples),
            ("why", finding.reason),
            ("fix", finding.fix),
        ]
    )


def _example_text(example: Example) -> str:
    """A row's location and the beginning of its text, on one line if there is room."""
    location = example_location(example)
    text = " ".join(example.text.split())
    if not example.row:  # the text is a fault, which is shown in full
        return f"{location}: {text}" if text else location
    room = max(terminal_width() - _MARGIN - len(location) - 2, _MIN_TEXT_CHARACTERS)
    return f"{location}: {shorten(text, room)}" if text else location


def _suspects_table(label_errors: LabelErrors) -> str:
    """A table with one line per row: the last column takes the remaining width."""
    from rich.cells import cell_len

    place = "file:line" if any("file" in row for row in label_errors.first) else "line"
    titles = ("rank", place, "label", "predicted", "P(label)", "P(predicted)", "text")
    rows = [_suspect_cells(rank, row) for rank, row in enumerate(label_errors.first, start=1)]
    widths = [max(map(cell_len, column)) for column in zip(titles, *rows, strict=True)]
    room = terminal_width() - sum(widths[:-1]) - _COLUMN_GAP * len(widths[:-1])
    table = new_table(*titles, numbers=(0, 1, 4, 5))
    for *cells, text in rows:
        table.add_row(*cells, _shorten_to_columns(text, room))
    return render(table)


def _shorten_to_columns(text: str, width: int) -> str:
    """Shorten a text to columns of a terminal, where a wide character takes two."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= width:
        return text
    # `set_cell_size` puts a space where it would halve a wide character.
    return set_cell_size(text, width - 1).rstrip() + "…"


def _suspect_cells(rank: int, row: dict[str, Any]) -> list[str]:
    labels = (
        escape_controls(shorten(_labels_text(row[key]), _MAX_LABEL_CHARACTERS)) or NO_VALUE
        for key in ("given", "likely")
    )
    probabilities = (format_score(row[f"probability_{key}"]) for key in ("given", "likely"))
    text = escape_controls(shorten(row["text"], terminal_width()))
    return [f"{rank:,}", _place_text(row), *labels, *probabilities, text]


def _place_text(row: dict[str, Any]) -> str:
    """The line of a row; in a table of several files, also the end of the file's name."""
    if "file" not in row:
        return f"{row['line']:,}"
    file = escape_controls(row["file"])
    shown = file if len(file) <= _MAX_FILE_CHARACTERS else f"…{file[-_MAX_FILE_CHARACTERS:]}"
    return f"{shown}:{row['line']}"


def _labels_text(labels: str | list[str]) -> str:
    return labels if isinstance(labels, str) else ", ".join(labels)


def _label_error_lines(label_errors: LabelErrors) -> Iterator[str]:
    unit = "label" if label_errors.task == "multilabel" else "row"
    rows = f"{label_errors.suspects:,} of {format_count(label_errors.rows, 'row')}"
    yield wrap_result(
        f"likely label errors: {rows} (another label is more probable than their own)"
    )
    yield f"estimated wrong labels: about {format_count(label_errors.mislabeled, unit)}"
    for pair in label_errors.noise[:_MAX_LABEL_PAIRS]:
        yield wrap_result(f"  {_label_pair(pair)}: {pair.rows:,}")
    others = label_errors.noise[_MAX_LABEL_PAIRS:]
    if others:
        hidden = sum(pair.rows for pair in others)
        yield f"  {format_count(len(others), 'other pair')}: {hidden:,}"


def _label_pair(pair: LabelNoise) -> str:
    return f"labeled {escape_controls(pair.label)}, probably {escape_controls(pair.predicted)}"
