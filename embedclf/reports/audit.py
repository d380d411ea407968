"""Findings and suspects -> text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.audit.findings import summarize_severities
from embedclf.reports.training import coverage_entries, dataset_text
from embedclf.system.terminal import (
    NO_VALUE,
    WIDTH,
    display_path,
    escape_controls,
    format_definitions,
    format_score,
    new_table,
    render,
    shorten,
    to_json,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.audit.check import Audit
    from embedclf.audit.findings import Example, Finding
    from embedclf.audit.suspects import LabelErrors, LabelNoise
    from embedclf.config.schema import Config
    from embedclf.training.cross_fitting import FoldFitted, Folds

_MARGIN = 16
"""Columns left of the text in a listing."""

_MIN_TEXT_CHARACTERS = 24
"""Shown of an example's text, however long its location is."""

_MAX_LABEL_CHARACTERS = 24

_MAX_LABEL_PAIRS = 8
"""Pairs of labels that are listed; one line sums up the others."""

_COLUMN_GAP = 3
"""Blanks between two columns of a table."""


def audit_text(audit: Audit, config: Config) -> str:
    """Describe the data that training is about to read, and everything that is wrong with it."""
    lines = [dataset_text(audit.facts, config)] if audit.facts else []
    if coverage := coverage_entries(audit.facts or {}):
        lines.append(format_definitions(coverage))
    lines += [""] if lines else []
    for finding in audit.findings:
        lines += [_finding_text(finding), ""]
    if not audit.facts:
        lines += ["nothing else can be examined until these rows can be read"]
    return "\n".join([*lines, summarize_severities(audit.findings)])


def audit_json(audit: Audit) -> str:
    """The facts and findings as JSON."""
    return to_json(audit.to_json())


def example_location(example: Example) -> str:
    """Where a row is, and its label; of a pair both locations, and both labels if they differ."""
    location, label = example.location, example.label
    if example.twin is not None:
        # From the right, since paths may contain colons; in Parquet ` row 5` follows the last one.
        file, colon, line = example.twin.location.rpartition(":")
        same_file = location.startswith(file + colon)
        location = f"{location} = {line.strip() if same_file else example.twin.location}"
        if example.twin.label != label:
            label = f"{label} / {example.twin.label}"
    return f"{location} {shorten(label, _MAX_LABEL_CHARACTERS)}".strip()


def folds_text(folds: Folds) -> str:
    """Describe the rows that are about to be cross-validated."""
    rows = folds.tokenized.rows
    skipped = f" · {rows.skipped:,} skipped: no valid label" if rows.skipped else ""
    names, counts = folds.labels.names, folds.labels.counts
    labels = ", ".join(f"{name} {count:,}" for name, count in zip(names, counts, strict=True))
    return format_definitions(
        [
            ("data", str(display_path(rows.table.path))),
            ("read as", rows.table.description),
            ("rows", f"{len(rows):,} in {folds.count} folds{skipped}"),
            ("labels", shorten(f"{len(names)} ({folds.labels.task}): {labels}")),
        ]
    )


def fold_text(event: FoldFitted) -> str:
    """The line of a finished fold."""
    history = event.history
    best = history.epochs[history.best_epoch - 1]  # counts from 1
    return (
        f"fold {event.fold.number}/{event.fold.count}  {event.seconds:.1f} s  "
        f"epoch {best.epoch} of {len(history.epochs)} kept  val_loss {best.val_loss:.4f}  "
        f"val_{history.score_name} {best.val_score:.4f}"
    )


def suspects_text(label_errors: LabelErrors) -> str:
    """List the most suspect rows, and estimate how many labels are wrong."""
    table = [_suspects_table(label_errors)] if label_errors.first else []
    return "\n".join([*table, *_label_error_lines(label_errors)])


def suspects_json(label_errors: LabelErrors) -> str:
    """The most suspect rows and the estimates as JSON."""
    return to_json(label_errors.to_json())


def _finding_text(finding: Finding) -> str:
    return format_definitions(
        [
            (finding.severity, f"{finding.message} [{finding.kind}]"),
            *(("", _example_text(example)) for example in finding.examples),
            ("why", finding.reason),
            ("mend", finding.fix),
        ]
    )


def _example_text(example: Example) -> str:
    """The location of a row and the beginning of its text, on one line if there is room."""
    location = example_location(example)
    text = " ".join(example.text.split())
    room = max(WIDTH - _MARGIN - len(location) - 2, _MIN_TEXT_CHARACTERS)
    return f"{location}: {shorten(text, room)}" if text else location


def _suspects_table(label_errors: LabelErrors) -> str:
    """A table whose last column takes the remaining width, so that each row is one line."""
    from rich.cells import cell_len

    titles = ("rank", "line", "given", "likely", "P(given)", "P(likely)", "text")
    rows = [_suspect_cells(rank, row) for rank, row in enumerate(label_errors.first, start=1)]
    widths = [max(map(cell_len, column)) for column in zip(titles, *rows, strict=True)]
    room = WIDTH - sum(widths[:-1]) - _COLUMN_GAP * len(widths[:-1])
    table = new_table(*titles, numbers=(0, 1, 4, 5))
    for *cells, text in rows:
        table.add_row(*cells, _shorten_to_columns(text, room))
    return render(table)


def _shorten_to_columns(text: str, width: int) -> str:
    """Shorten a text to columns of a terminal, where a wide character takes two."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= width:
        return text
    # `set_cell_size` puts a blank where it would halve a wide character.
    return set_cell_size(text, width - 1).rstrip() + "…"


def _suspect_cells(rank: int, row: dict[str, Any]) -> list[str]:
    labels = (
        escape_controls(shorten(row[key], _MAX_LABEL_CHARACTERS)) or NO_VALUE
        for key in ("given", "likely")
    )
    probabilities = (format_score(row[f"probability_{key}"]) for key in ("given", "likely"))
    text = escape_controls(shorten(row["text"], WIDTH))
    return [f"{rank:,}", f"{row['line']:,}", *labels, *probabilities, text]


def _label_error_lines(label_errors: LabelErrors) -> Iterator[str]:
    unit = "labels" if label_errors.task == "multilabel" else "rows"
    yield (
        f"{label_errors.suspects:,} of {label_errors.rows:,} rows have a likelier label than their "
        f"own; about {label_errors.mislabeled:,} {unit} are estimated to be mislabelled"
    )
    for pair in label_errors.noise[:_MAX_LABEL_PAIRS]:
        yield f"  {_label_pair(pair)}: {pair.rows:,}"
    others = label_errors.noise[_MAX_LABEL_PAIRS:]
    if others:
        yield f"  {len(others):,} more pairs: {sum(pair.rows for pair in others):,}"


def _label_pair(pair: LabelNoise) -> str:
    return f"{escape_controls(pair.predicted)} given as {escape_controls(pair.label)}"
