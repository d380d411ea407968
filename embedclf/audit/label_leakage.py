"""Tokens, columns and values that give the label away.

A ticket's number range, the name of a newsgroup above a post, a rating in a review: a classifier
learns it, scores well, and is worth nothing on texts that come without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from embedclf.audit.findings import (
    CARRIED,
    LEAST_ROWS,
    LEAST_SHARE,
    PURE,
    PURE_CELLS,
    REPEATED,
    SHOWN,
    Example,
    Finding,
    clearly_purer,
    several,
    share,
)
from embedclf.system.arrow import numbers_of
from embedclf.system.terminal import percent, shortened
from embedclf.text.fingerprints import Fingerprints, string_numbers
from embedclf.text.vocabulary import RESERVED

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from embedclf.audit.audited_split import AuditedSplit
    from embedclf.data.dataset import Dataset
    from embedclf.system.arrays import Counts, Mask, Rows


_WHY = "a classifier that reads nothing else scores well, and is lost where it is not there"

_NAMED = 120
"""Letters of a list of tokens."""

_AT_ONCE = 1 << 14
"""Rows of ids that are looked at together."""


def find_label_leakage(train: AuditedSplit, dataset: Dataset) -> Iterator[Finding]:
    """Find tokens, columns, ratings and headers that give the label of training rows away.

    Where a row can have several labels, a token is looked at label by label; a column, a rating
    and a header have to tell the whole set of a row's labels, since to tell one of them is what a
    text should do.
    """
    yield from _tokens(train, dataset)
    yield from _columns(train, dataset)
    yield from _signs(train)


def _tokens(train: AuditedSplit, dataset: Dataset) -> Iterator[Finding]:
    """Tokens that nearly all rows of a label have, and hardly another row, as far as is read."""
    found = list(_telling_tokens(train, dataset))
    if not found:
        return
    told = [
        f"{dataset.tokenizer.tokens[telling.token - len(RESERVED)]!r} tells {telling.label!r}"
        for telling in found
    ]
    examples = [_first_with(train, telling) for telling in found[:SHOWN]]
    rows = {telling.label: telling.rows for telling in found}
    carriers = {telling.label: telling.carriers for telling in reversed(found)}
    count, of = sum(carriers.values()), sum(rows.values())
    yield Finding(
        "giveaway-token",
        "warning",
        f"{share(count, of)} training texts of {several(len(rows), 'label')} have a token that "
        f"hardly another text has: {shortened(', '.join(told), _NAMED)}",
        count,
        of,
        _WHY,
        "take such tokens out of the texts, unless predictions will have them too",
        tuple(examples),
    )


@dataclass(frozen=True)
class _Telling:
    """A token that gives a label away."""

    label: str
    token: int
    """Its id."""
    carriers: int
    """Rows of the label that have it."""
    rows: int
    """Rows of the label."""


def _telling_tokens(train: AuditedSplit, dataset: Dataset) -> Iterator[_Telling]:
    """The tokens that tell each label, the one that most of its rows have first."""
    size = dataset.tokenizer.rows
    every = _rows_with(train, np.arange(len(train)), size)
    for label, rows in _rows_of_labels(train):
        if len(rows) < LEAST_ROWS or not (every >= CARRIED * len(rows)).any():
            continue
        carried = _rows_with(train, rows, size)
        of_tokens = carried[: dataset.tokenizer.first_ngram]
        often = np.flatnonzero(of_tokens >= CARRIED * len(rows))
        for token in often[np.argsort(-carried[often], kind="stable")].tolist():
            purity = float(carried[token] / every[token])
            if purity >= PURE and clearly_purer(purity, len(rows) / len(train)):
                yield _Telling(label, token, int(carried[token]), len(rows))


def _rows_of_labels(train: AuditedSplit) -> Iterator[tuple[str, Rows]]:
    """The rows that carry each label."""
    targets = train.part.targets
    if targets.ndim == 2:
        return ((name, np.flatnonzero(train.carriers(name))) for name in train.known)
    ends = np.cumsum(np.bincount(targets, minlength=len(train.known)))
    each = np.split(np.argsort(targets, kind="stable"), ends[:-1])
    return zip(train.known, each, strict=True)


def _first_with(train: AuditedSplit, telling: _Telling) -> Example:
    rows = np.flatnonzero(train.carriers(telling.label))
    has = _has_token(train, rows[: telling.rows - telling.carriers + 1], telling.token)
    return train.example(int(has[0]))


def _rows_with(train: AuditedSplit, rows: Rows, size: int) -> Counts:
    """(size,) how many of the rows have each token among those read; 0 for padding and unknown."""
    counts = np.zeros(size, np.int64)
    for start in range(0, len(rows), _AT_ONCE):
        ids = np.sort(train.part.ids[rows[start : start + _AT_ONCE]], axis=1)
        first = np.ones(ids.shape, np.bool_)
        first[:, 1:] = ids[:, 1:] != ids[:, :-1]
        counts += np.bincount(ids[first], minlength=size)
    counts[: len(RESERVED)] = 0
    return counts


def _has_token(train: AuditedSplit, rows: Rows, token: int) -> Rows:
    has: Mask = (train.part.ids[rows] == token).any(axis=1)
    return rows[has]


def _columns(train: AuditedSplit, dataset: Dataset) -> Iterator[Finding]:
    """Columns of the text whose cells tell the label as they stand."""
    config = dataset.config
    columns = config.data.text_columns
    majority = _majority(train.keys)
    for column in columns if len(columns) > 1 else ():
        alone = config.data.model_copy(update={"text": column})
        cells = np.concatenate(
            train.read(train.traits.rows, config.model_copy(update={"data": alone}), _numbered)
        )
        different, purity = _purity(cells, train.keys)
        if different * REPEATED > len(cells) or purity < PURE_CELLS:
            continue
        if not clearly_purer(purity, majority):
            continue
        count = round(purity * len(cells))
        yield Finding(
            "giveaway-column",
            "warning",
            f"column {column!r} has {different:,} different cells, which tell the label of "
            f"{share(count, len(cells))} training rows",
            count,
            len(cells),
            _WHY,
            f"data.text: without {column!r}, unless it is known before the label is",
            train.examples(np.ones(len(train), np.bool_)),
        )


def _numbered(cells: pa.StringArray) -> Fingerprints:
    encoded = cells.dictionary_encode()
    numbers: Fingerprints = string_numbers(encoded.dictionary)[numbers_of(encoded.indices)]
    return numbers


def _signs(train: AuditedSplit) -> Iterator[Finding]:
    """Ratings and headers whose value tells the label where they are."""
    signs = train.traits.signs
    for number, name in sorted(signs.called.items(), key=lambda called: called[1]):
        mask = signs.names == np.uint64(number)
        rows, first = np.unique(signs.rows[mask], return_index=True)
        values = signs.values[mask][first]
        repeated = _repeated(values)
        rows, values = rows[repeated], values[repeated]
        if len(rows) < max(LEAST_ROWS, LEAST_SHARE * len(train)):
            continue
        keys = train.keys[rows]
        _, purity = _purity(values, keys)
        if purity < PURE or not clearly_purer(purity, _majority(keys)):
            continue
        yield Finding(
            "giveaway-value",
            "warning",
            f"{name} are in {share(len(rows), len(train))} training texts, and tell the label of "
            f"{percent(purity)} of them",
            len(rows),
            len(train),
            _WHY,
            f"take {name} out of the texts, unless predictions will have them too",
            tuple(train.example(int(row)) for row in rows[:SHOWN]),
        )


def _repeated(values: Fingerprints) -> Mask:
    """(n,) True for values that several rows share."""
    _, numbers, counts = np.unique(values, return_inverse=True, return_counts=True)
    shared: Mask = counts[numbers] >= REPEATED
    return shared


def _purity(values: Fingerprints, keys: Fingerprints) -> tuple[int, float]:
    """How many different values there are, and the share of rows of the commonest key of each."""
    different, of = np.unique(values, return_inverse=True)
    _, labels = np.unique(keys, return_inverse=True)
    pairs, counts = np.unique(of * (labels.max() + 1) + labels, return_counts=True)
    best = np.zeros(len(different), np.int64)
    np.maximum.at(best, pairs // (labels.max() + 1), counts)
    return len(different), float(best.sum() / len(values))


def _majority(keys: Fingerprints) -> float:
    """Share of the commonest key."""
    return float(np.unique(keys, return_counts=True)[1].max() / len(keys))
