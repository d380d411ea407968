"""Label leakage: tokens, columns and values that reveal the label.

Examples are the name of a newsgroup above a post, the number range of a ticket, and the rating in a
review. A classifier that learns them scores well, but fails on texts without them.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.audit.audited_split import ID_BATCH_ROWS
from embedclf.audit.findings import (
    MAX_EXAMPLES,
    MAX_LIST_LENGTH,
    MIN_CELL_PURITY,
    MIN_PURITY,
    MIN_RECALL,
    MIN_REPEATS,
    MIN_SUPPORT,
    MIN_SUPPORT_FRACTION,
    Example,
    Finding,
    beats_majority,
    format_rate,
    format_settings,
)
from embedclf.data.label_sets import rows_by_label
from embedclf.data.labeled import read_labeled
from embedclf.system.arrow import text_column, to_numpy
from embedclf.system.terminal import format_count, format_percent, join_shortened
from embedclf.system.threads import parallel_map
from embedclf.text.fields import are_fields
from embedclf.text.fingerprints import fingerprint_strings
from embedclf.text.vocabulary import RESERVED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import pyarrow as pa

    from embedclf.audit.audited_split import AuditedSplit
    from embedclf.config.data_section import DataConfig
    from embedclf.config.schema import Config
    from embedclf.data.dataset import Dataset
    from embedclf.system.arrays import Counts, Mask, Rows
    from embedclf.text.fingerprints import Fingerprints

_REASON = "a model that learns only this scores well here, but fails on texts without it"


def find_label_leakage(train: AuditedSplit, dataset: Dataset) -> Iterator[Finding]:
    """Find tokens, columns, ratings and headers that reveal the labels of training rows.

    If rows can have several labels, a token may leak any one of them. A column, rating or header
    must determine the whole set of a row's labels: any content predicts some of them.
    """
    columns = [*_find_leaking_columns(train, dataset)]
    yield from _report_leaking_tokens(train, dataset, {leak.column for leak in columns})
    yield from (_report_leaking_column(leak, train, dataset.config.data) for leak in columns)
    yield from _find_leaking_patterns(train)


def _report_leaking_tokens(
    train: AuditedSplit, dataset: Dataset, columns: Collection[str]
) -> Iterator[Finding]:
    """Report the tokens that nearly all rows of a label have, and almost no other row.

    Args:
        train: The training rows.
        dataset: Its tokenizer has the vocabulary.
        columns: Fields that are reported as a whole.
    """
    tokens = text_column(dataset.tokenizer.tokens)
    is_reported = are_fields(tokens, dataset.config.data.fields) & are_fields(tokens, columns)
    found = list(_find_leaking_tokens(train, dataset))
    leaks = [leak for leak in found if not is_reported[leak.token_id - len(RESERVED)]]
    if not leaks:
        return
    listed = [
        f"{dataset.tokenizer.tokens[leak.token_id - len(RESERVED)]!r} for {leak.label!r}"
        for leak in leaks
    ]
    label_rows = {leak.label: leak.label_rows for leak in leaks}
    # A label with several leaking tokens counts by the first, which most of its rows have.
    rows_with_token = {leak.label: leak.rows for leak in reversed(leaks)}
    count, total = sum(rows_with_token.values()), sum(label_rows.values())
    yield Finding(
        "leakage-token",
        "warning",
        f"{format_rate(count, total)} training texts of {format_count(len(label_rows), 'label')} "
        f"have a token that reveals the label: {join_shortened(listed, MAX_LIST_LENGTH)}",
        count,
        total,
        _REASON,
        "remove these tokens from the texts, unless the texts to predict will have them too",
        _examples_of(leaks, train),
    )


@dataclass(frozen=True)
class _LeakingToken:
    """A token that reveals a label."""

    label: str
    token_id: int
    rows: int
    """Rows of the label that have the token."""
    label_rows: int


def _find_leaking_tokens(train: AuditedSplit, dataset: Dataset) -> Iterator[_LeakingToken]:
    """Find the tokens that leak each label, the most frequent in its rows first."""
    occurrences = train.split.count_ids(dataset.tokenizer.vocabulary_rows)
    occurrences = occurrences[: dataset.tokenizer.first_ngram_id]
    occurrences[: len(RESERVED)] = 0
    frequent = [*_find_frequent_tokens(train, occurrences)]
    tokens = np.unique([token.token_id for token in frequent]).astype(np.int64)
    if not len(tokens):
        return
    is_frequent = np.isin(np.arange(len(occurrences)), tokens)
    totals = _count_rows_with(is_frequent, train, np.arange(len(train)))
    for token in frequent:
        purity = float(token.rows / totals[token.token_id])
        if purity >= MIN_PURITY and beats_majority(purity, token.label_rows, len(train)):
            yield token


def _find_frequent_tokens(train: AuditedSplit, occurrences: Counts) -> Iterator[_LeakingToken]:
    """Find the tokens that nearly all rows of a label have, the most frequent first.

    Args:
        train: The training rows.
        occurrences: (tokens,) of each token in all of them.
    """
    labels = train.known_labels
    by_label = rows_by_label(train.split.targets, len(labels))
    for label, rows in zip(labels, by_label, strict=True):
        # Most labels have no token that is frequent enough, and need no counts of their own.
        is_candidate = occurrences >= MIN_RECALL * len(rows)
        if len(rows) < MIN_SUPPORT or not is_candidate.any():
            continue
        counts = _count_rows_with(is_candidate, train, rows)
        frequent = np.flatnonzero(counts >= MIN_RECALL * len(rows))
        for token_id in frequent[np.argsort(-counts[frequent], kind="stable")].tolist():
            yield _LeakingToken(label, token_id, int(counts[token_id]), len(rows))


def _count_rows_with(is_counted: Mask, train: AuditedSplit, rows: Rows) -> Counts:
    """(tokens,) count how many of the rows have each token under a mask (tokens,)."""
    size = len(is_counted)

    def count(start: int) -> Counts:
        ids = train.split.ids[rows[start : start + ID_BATCH_ROWS]]
        mask = ids.values < size  # ids of n-grams are larger
        mask[mask] = is_counted[ids.values[mask]]
        numbers = np.repeat(np.arange(len(ids)), ids.count(mask))
        # One integer per pair of row and token: a token counts once per row.
        pairs = np.unique(numbers * size + ids.values[mask])
        return np.bincount(pairs % size, minlength=size)

    counts = np.zeros(size, np.int64)
    for batch in parallel_map(count, range(0, len(rows), ID_BATCH_ROWS)):
        counts += batch
    return counts


def _examples_of(leaks: Sequence[_LeakingToken], train: AuditedSplit) -> tuple[Example, ...]:
    """Make examples of different rows that have both a label and its token, from each leak."""
    rows: list[int] = []
    for leak in itertools.islice(itertools.cycle(leaks), MAX_EXAMPLES):
        rows.append(next(row for row in _rows_with_leak(leak, train) if row not in rows))
    return tuple(map(train.example, rows))


def _rows_with_leak(leak: _LeakingToken, train: AuditedSplit) -> list[int]:
    """Return the first rows, `MAX_EXAMPLES` or more, with the label and the token."""
    rows = np.flatnonzero(train.has_label(leak.label))
    # Of that many rows, at most as many as lack the token do not have it.
    rows = rows[: leak.label_rows - leak.rows + MAX_EXAMPLES]
    ids = train.split.ids[rows]
    has_token = ids.count(ids.values == leak.token_id) > 0
    return [int(row) for row in rows[has_token]]


@dataclass(frozen=True)
class _LeakingColumn:
    """A text column, or a field, that reveals the label."""

    column: str
    distinct: int
    """Distinct cells."""
    purity: float
    """Fraction of the rows with the most frequent label of their cell."""


def _find_leaking_columns(train: AuditedSplit, dataset: Dataset) -> Iterator[_LeakingColumn]:
    """Find text columns and fields whose cells determine the label."""
    data = dataset.config.data
    majority = _count_majority(train.label_keys)
    # A single text column cannot be removed.
    columns = data.text_columns if len(data.text_columns) > 1 else []
    for column in [*columns, *data.fields]:
        cells = _fingerprint_column(column, train, dataset.config)
        distinct, purity = _compute_purity(cells, train.label_keys)
        if distinct * MIN_REPEATS > len(cells) or purity < MIN_CELL_PURITY:
            continue
        if not beats_majority(purity, majority, len(cells)):
            continue
        yield _LeakingColumn(column, distinct, purity)


def _report_leaking_column(leak: _LeakingColumn, train: AuditedSplit, data: DataConfig) -> Finding:
    count, column = round(leak.purity * len(train)), leak.column
    settings = _without_column(column, data)
    return Finding(
        "leakage-column",
        "warning",
        f"column {column!r} has {leak.distinct:,} distinct values, which reveal the label of "
        f"{format_rate(count, len(train))} training rows",
        count,
        len(train),
        _REASON,
        f"{format_settings(settings)}, unless {column!r} is known at prediction time",
        train.examples(np.ones(len(train), np.bool_)),
        settings,
    )


def _fingerprint_column(column: str, train: AuditedSplit, config: Config) -> Fingerprints:
    """Read a text column, and return the fingerprints (n,) of its cells."""
    data = config.data.model_copy(update={"text": column, "fields": ()})
    only = np.isin(train.valid_positions, train.split.rows.positions)
    cells: list[Fingerprints] = []
    tables = train.split.rows.table.tables
    read_labeled(tables, data, _fingerprint_cells, cells.append, only=only)
    return np.concatenate(cells)


def _without_column(column: str, data: DataConfig) -> dict[str, Any]:
    """Return the setting that removes a text column or a field."""
    if column in data.fields:
        return {"data.fields": [other for other in data.fields if other != column]}
    others = [other for other in data.text_columns if other != column]
    return {"data.text": others[0] if len(others) == 1 else others}


def _fingerprint_cells(cells: pa.StringArray) -> Fingerprints:
    encoded = cells.dictionary_encode()  # each distinct cell is hashed once
    keys: Fingerprints = fingerprint_strings(encoded.dictionary)[to_numpy(encoded.indices)]
    return keys


def _find_leaking_patterns(train: AuditedSplit) -> Iterator[Finding]:
    """Find ratings and headers whose value determines the label of the texts that have one."""
    patterns = train.texts.patterns
    for name, words in sorted(patterns.descriptions.items(), key=lambda pair: pair[1]):
        mask = patterns.names == np.uint64(name)
        rows, first = np.unique(patterns.rows[mask], return_index=True)  # one match per text
        values = patterns.values[mask][first]
        repeated = _are_repeated(values)
        rows, values = rows[repeated], values[repeated]
        if len(rows) < max(MIN_SUPPORT, MIN_SUPPORT_FRACTION * len(train)):
            continue
        label_keys = train.label_keys_of(rows)
        _, purity = _compute_purity(values, label_keys)
        if purity < MIN_PURITY or not beats_majority(
            purity, _count_majority(label_keys), len(rows)
        ):
            continue
        yield Finding(
            "leakage-value",
            "warning",
            f"{words} occur in {format_rate(len(rows), len(train))} training texts, and reveal the "
            f"label of {format_percent(purity)} of them",
            len(rows),
            len(train),
            _REASON,
            f"remove {words} from the texts, unless the texts to predict will have them too",
            tuple(train.example(int(row)) for row in rows[:MAX_EXAMPLES]),
        )


def _are_repeated(values: Fingerprints) -> Mask:
    """(n,) True for values that at least `MIN_REPEATS` rows share."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    repeated: Mask = counts[inverse] >= MIN_REPEATS
    return repeated


def _compute_purity(values: Fingerprints, label_keys: Fingerprints) -> tuple[int, float]:
    """Count the distinct values, and compute how well they predict the label.

    Returns:
        The distinct values, and the fraction of rows with the most frequent label of their value.
    """
    distinct, value_ids = np.unique(values, return_inverse=True)
    _, label_ids = np.unique(label_keys, return_inverse=True)
    labels = label_ids.max() + 1
    # One integer per pair of value and label.
    pairs, counts = np.unique(value_ids * labels + label_ids, return_counts=True)
    majorities = np.zeros(len(distinct), np.int64)
    np.maximum.at(majorities, pairs // labels, counts)  # a value occurs once per label
    return len(distinct), float(majorities.sum() / len(values))


def _count_majority(label_keys: Fingerprints) -> int:
    """Count the rows with the most frequent label."""
    return int(np.unique(label_keys, return_counts=True)[1].max())
