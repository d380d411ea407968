"""Tables, columns and labels -> settings of `data`, with reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedclf.audit.findings import format_setting
from embedclf.autoconfig.columns.annotation_tools import UNDECIDED
from embedclf.autoconfig.evidence import Setting
from embedclf.data.label_forms import find_null_like, group_forms
from embedclf.system.terminal import format_count, format_percent, join_shortened, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.autoconfig.columns.profiles import ColumnProfile
    from embedclf.autoconfig.columns.roles import ColumnRoles
    from embedclf.autoconfig.evidence import Evidence
    from embedclf.autoconfig.table_statistics import TableStatistics

_VALIDATION_ROWS = 1_000

_MAX_LABELS_SHOWN = 6

_MAX_NAMES = 60
"""Characters of a list of names in a reason."""


def data_settings(evidence: Evidence) -> Iterator[Setting]:
    """Choose the settings of `data`."""
    config, statistics = evidence.config.data, evidence.statistics
    rows = f"{format_count(statistics.rows, 'row')}, {statistics.description}"
    notes = [*evidence.reading_notes, *evidence.notes, *_ignored_columns(evidence.roles)]
    reason = "; ".join([rows, *notes])
    yield Setting("data.train", config.train, reason)
    yield _text(evidence.roles)
    yield _label(evidence.roles, statistics)
    yield _label_separator(evidence)
    yield from _missing_labels(evidence)
    yield _validation(evidence)
    yield _test(evidence)
    yield _skip_invalid(evidence)
    for key, (value, reason) in evidence.detected.items():
        yield Setting(f"data.{key}", value, reason)


def validation_fraction(evidence: Evidence) -> float:
    """Return the fraction of rows to hold out: enough to compare epochs, few of a large table.

    It is 0 if there is a validation table.
    """
    written = evidence.value("data.validation", None)
    if evidence.siblings.validation is not None:
        return 0.0
    if isinstance(written, float):
        return written
    return held_out_fraction(evidence.statistics.rows)


def held_out_fraction(rows: int) -> float:
    """Return the fraction of a table's rows to hold out."""
    if rows < 2_000:
        return 0.2
    # Beyond 200,000 rows the quotient rounds to 0.
    return min(0.1, round(_VALIDATION_ROWS / rows, 2) or 0.01)


def _ignored_columns(roles: ColumnRoles) -> Iterator[str]:
    if roles.repeated:
        names = join_shortened([*map(repr, roles.repeated)], _MAX_NAMES)
        yield f"ignored columns that share a name: {names}"


def _text(roles: ColumnRoles) -> Setting:
    reason = _describe_columns(roles.text, roles)
    # `left_out` mixes further texts with constant flags; the content separates them.
    if others := [column.quoted_name for column in roles.left_out if column.content == "words"]:
        options = "".join(f" --text {name}" for name in [roles.text[0].quoted_name, *others])
        reason += f"; to use more columns:{options}"
    return Setting("data.text", roles.text_names, reason)


def _label(roles: ColumnRoles, statistics: TableStatistics) -> Setting:
    reason = f"{_describe_columns(roles.label, roles)}; {_describe_task(statistics)}"
    if constant := [column.quoted_name for column in roles.left_out if column.content == "flags"]:
        reason += f"; left out, since it never changes: {', '.join(constant)}"
    names = statistics.labels.names if len(roles.label) == 1 else ()
    return Setting("data.label", roles.label_names, "; ".join([reason, *_describe_doubts(names)]))


def _describe_doubts(names: Sequence[str]) -> Iterator[str]:
    """Say which labels look like missing ones, and which like forms of one label."""
    if null_like := find_null_like(names):
        shown = join_shortened([*map(repr, null_like)], _MAX_NAMES)
        setting = format_setting("data.missing_labels", [*null_like])
        yield (
            f"{shown} may mean that there is no label; if so, write {setting} and "
            "data.skip_invalid: true"
        )
    if groups := group_forms(name for name in names if name not in null_like):
        forms = join_shortened([" = ".join(map(repr, group)) for group in groups], _MAX_NAMES)
        yield f"forms of one label: {forms}; to merge them, write data.merge_label_forms: true"


def _missing_labels(evidence: Evidence) -> Iterator[Setting]:
    """Leave out the rows that nobody decided, if the label is whether a person accepted a row."""
    if evidence.roles.label_is_decision:
        reason = f"rows with {UNDECIDED!r} were not decided, so they have no label"
        yield Setting("data.missing_labels", [UNDECIDED], reason)


def _label_separator(evidence: Evidence) -> Setting:
    statistics = evidence.statistics
    reason = "each row has one label"
    if len(evidence.roles.label) > 1:
        reason = "each label has its own column"
    if statistics.separator is not None:
        labels = format_count(len(statistics.labels.names), "label")
        cells = format_count(statistics.distinct_cells, "distinct cell")
        reason = f"separates several labels in a cell: {cells}, {labels}"
    return Setting("data.label_separator", statistics.separator, reason)


def _validation(evidence: Evidence) -> Setting:
    if (table := evidence.siblings.validation) is not None:
        origin = evidence.siblings.origin(table)
        reason = f"{origin}; it chooses the best epoch, so scores on it are slightly optimistic"
        return Setting("data.validation", table, reason)
    fraction = validation_fraction(evidence)
    percentage = format_percent(fraction, places=0)
    reason = f"{percentage} of the rows are held out for validation"
    return Setting("data.validation", fraction, reason)


def _test(evidence: Evidence) -> Setting:
    if (table := evidence.siblings.test) is not None:
        origin = evidence.siblings.origin(table)
        return Setting("data.test", table, f"{origin}; scored once, after training")
    return Setting("data.test", None, "no test table next to the training table")


def _skip_invalid(evidence: Evidence) -> Setting:
    skipped = evidence.statistics.skipped + evidence.siblings.skipped
    if not skipped:
        return Setting("data.skip_invalid", False, "every row has a valid label")
    verb = "has" if skipped == 1 else "have"
    rows = format_count(skipped, "row")
    reason = f"{rows} {verb} no valid label and will be ignored; false refuses the table"
    return Setting("data.skip_invalid", True, reason)


def _describe_columns(columns: tuple[ColumnProfile, ...], roles: ColumnRoles) -> str:
    if len(columns) > 1 and all(column.content == "flags" for column in columns):
        return f"{len(columns)} columns of 0 and 1"
    requested = " (as requested)" if columns[0].name in roles.requested else ""
    return "; ".join(map(str, columns)) + requested


def _describe_task(statistics: TableStatistics) -> str:
    """Describe the task and the rows of its labels, the most frequent label first."""
    labels = statistics.labels
    ranked = sorted(zip(labels.counts, labels.names, strict=True), key=lambda pair: -pair[0])
    shown = [f"{shorten(name, 30)!r} {rows:,}" for rows, name in ranked[:_MAX_LABELS_SHOWN]]
    if len(ranked) > _MAX_LABELS_SHOWN:
        # The rarest label replaces the last one shown, so that both extremes are visible.
        rows, name = ranked[-1]
        shown[-1] = f"…, {shorten(name, 30)!r} {rows:,}"
    return f"{labels.task}, {len(ranked):,} labels: {', '.join(shown)}"
