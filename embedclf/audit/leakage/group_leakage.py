"""Group leakage: rows that belong together, such as those of one user, on both sides of a split.

A classifier that recognizes the user by the text can repeat the user's label, which does not help
with new users.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from embedclf.audit.audited_split import format_split_counts
from embedclf.audit.findings import (
    MAX_EXAMPLES,
    Finding,
    format_rate,
    format_settings,
    severity_by_rate,
)
from embedclf.audit.leakage.grouping_columns import (
    EMPTY,
    MIN_AGREEMENT,
    find_candidates,
    measure_agreement,
    read_columns,
)
from embedclf.data.row_columns import count_without_group
from embedclf.system.arrow import pc
from embedclf.system.terminal import format_count
from embedclf.text.fingerprints import Fingerprints, fingerprint_strings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.audit.audited_split import AuditedSplit
    from embedclf.audit.findings import Example
    from embedclf.audit.leakage.grouping_columns import CandidateColumn
    from embedclf.config.data_section import DataConfig


_MIN_ROWS = 100
"""Training rows that must share their value with others; the agreement of fewer is uncertain."""

_MIN_VALUES_PER_LABEL = 10
"""Values that a column needs for each label: fewer are the labels themselves, or topics."""

_MIN_LEAKED_FRACTION = 0.1
"""Fraction of the held-out rows whose value also occurs in training."""


def find_group_leakage(splits: Sequence[AuditedSplit], config: DataConfig) -> Iterator[Finding]:
    """Find rows that belong together, but are on both sides of a split.

    With `data.group`, compare the groups of all tables. Without it, look for columns that could be
    groups. Rows with the same value must share their label far more often than other rows.
    """
    if config.group is not None:
        yield from _find_divided_groups(splits, config)
        yield from _find_empty_groups(splits, config)
    elif config.time is None:
        yield from _find_grouping_columns(splits, config)


def _find_divided_groups(splits: Sequence[AuditedSplit], config: DataConfig) -> Iterator[Finding]:
    """Report groups of `data.group` that occur in training and in another table."""
    column = str(config.group)
    leaked = _LeakedRows.between([(split, _fingerprint_group(split, column)) for split in splits])
    if not leaked.count:
        return
    yield Finding(
        "leak-group",
        severity_by_rate(leaked.count, leaked.total),
        f"{format_rate(leaked.count, leaked.total)} held-out rows belong to a group of {column!r} "
        f"that also has training rows ({leaked.places})",
        leaked.count,
        leaked.total,
        "a model can recognize the group and repeat its label, so scores are too high",
        "move all rows of a group into one table, or hold out rows of data.train: "
        "data.validation: 0.1",
        leaked.examples,
    )


def _find_empty_groups(splits: Sequence[AuditedSplit], config: DataConfig) -> Iterator[Finding]:
    """Report rows without a group, each of which is a group of its own."""
    counts = [count_without_group(split.split.rows, config) for split in splits]
    if not (count := sum(counts)):
        return
    total = sum(map(len, splits))
    examples = (
        split.examples(_fingerprint_group(split, str(config.group)) == EMPTY)
        for split, number in zip(splits, counts, strict=True)
        if number
    )
    yield Finding(
        "group-empty",
        "note",
        f"{format_rate(count, total)} rows have an empty cell in {config.group!r} "
        f"({format_split_counts(splits, counts)})",
        count,
        total,
        "each of them is a group of its own, so rows that belong together can be divided",
        "write what these rows belong to",
        next(examples),
    )


def _fingerprint_group(split: AuditedSplit, column: str) -> Fingerprints:
    cells = split.split.rows.other_columns[column]
    values = fingerprint_strings(pc.utf8_trim_whitespace(cells.categories))  # (distinct,)
    of_rows: Fingerprints = values[cells.codes]
    return of_rows


def _find_grouping_columns(splits: Sequence[AuditedSplit], config: DataConfig) -> Iterator[Finding]:
    """Report the columns that look like groups and are divided by the splits."""
    candidates = find_candidates(splits[0].split.rows.table, config)
    if not candidates:
        return
    tables = {split.split.rows.table.tables for split in splits}
    contents = {each: read_columns(each, candidates, config) for each in tables}
    for name in candidates:
        columns = [
            (split, contents[split.split.rows.table.tables][name].take(split.split.rows.positions))
            for split in splits
            if name in contents[split.split.rows.table.tables]
        ]
        agreement = _grouping_agreement(columns[0][1], splits[0])
        if agreement is None:
            continue
        leaked = _LeakedRows.between([(split, column.values) for split, column in columns])
        if leaked.count and leaked.count >= _MIN_LEAKED_FRACTION * leaked.total:
            yield _report_column(name, agreement, leaked, splits)


@dataclass(frozen=True)
class _Agreement:
    """How well the labels of rows with the same value agree."""

    values: int
    rows: int
    kappa: float


def _grouping_agreement(column: CandidateColumn, train: AuditedSplit) -> _Agreement | None:
    """The agreement of a column's labels; None if the column is hardly one of groups."""
    filled = np.flatnonzero(column.values != EMPTY)
    column, labels = column.take(filled), train.label_keys_of(filled)
    agreement = _Agreement(*measure_agreement(column.values, labels))
    if agreement.rows < max(_MIN_ROWS, len(train) / 2):
        return None
    if agreement.values < _MIN_VALUES_PER_LABEL * len(train.known_labels):
        return None
    if agreement.kappa < MIN_AGREEMENT or column.is_measure(labels):
        return None
    return agreement


def _report_column(
    column: str, agreement: _Agreement, leaked: _LeakedRows, splits: Sequence[AuditedSplit]
) -> Finding:
    has_own_tables = all(split.has_own_table for split in splits)
    settings = {} if has_own_tables else {"data.group": column}
    fix = (
        f"move all rows with the same {column!r} into one table"
        if has_own_tables
        else format_settings(settings)
    )
    return Finding(
        "group-leakage",
        "warning",
        f"{format_count(agreement.values, 'value')} of column {column!r} reveal the label "
        f"(Fleiss' kappa {agreement.kappa:.2f}), and "
        f"{format_rate(leaked.count, leaked.total)} held-out rows have one that also occurs in "
        f"training ({leaked.places})",
        leaked.count,
        leaked.total,
        "a model that recognizes the value by the text scores well here, but not on new values",
        f"{fix}, unless the texts to predict have the same values",
        leaked.examples,
        settings,
    )


@dataclass(frozen=True)
class _LeakedRows:
    """Held-out rows whose value also occurs in training."""

    count: int
    total: int
    places: str
    """How many are in each split, for people."""
    examples: tuple[Example, ...]

    @classmethod
    def between(cls, values: Sequence[tuple[AuditedSplit, Fingerprints]]) -> _LeakedRows:
        """Compare the values of training, which comes first, with those of the other splits."""
        (_, training), *others = values
        known = np.setdiff1d(training, [EMPTY])
        masks = [np.isin(column, known) for _, column in others]
        splits = [split for split, _ in others]
        counts = [int(mask.sum()) for mask in masks]
        pairs = zip(splits, masks, strict=True)
        examples = [example for split, mask in pairs for example in split.examples(mask)]
        places = format_split_counts(splits, counts)
        return cls(sum(counts), sum(map(len, splits)), places, tuple(examples[:MAX_EXAMPLES]))
