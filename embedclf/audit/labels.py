"""Labels misspelled, unseen, rare or imbalanced."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from embedclf.audit.findings import (
    IMBALANCE_RATIO,
    MAJORITY_FRACTION,
    MAX_EXAMPLES,
    MAX_LIST_LENGTH,
    MIN_LABEL_ROWS,
    Example,
    Finding,
    format_rate,
    pluralize,
)
from embedclf.config.messages import closest_match
from embedclf.system.terminal import shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from embedclf.audit.audited_split import AuditedSplit
    from embedclf.data.dataset import Dataset
    from embedclf.system.arrays import Counts


def find_label_problems(splits: Sequence[AuditedSplit], dataset: Dataset) -> Iterator[Finding]:
    """Find problems with the labels and their frequencies; the first split is training."""
    train, *others = splits
    yield from _find_spelling_variants(splits)
    yield from _find_small_labels(train, dataset)
    for split in others:
        yield from _find_unseen_labels(split)
        yield from _find_unscored_labels(train, split)
    yield from _find_imbalance(train, dataset)


def _find_spelling_variants(splits: Sequence[AuditedSplit]) -> Iterator[Finding]:
    """Find labels that differ only in case, white space or Unicode form."""
    spellings: dict[str, list[str]] = defaultdict(list)
    for label in dict.fromkeys(name for split in splits for name in split.label_names):
        spellings[_normalize_label(label)].append(label)
    groups = [labels for labels in spellings.values() if len(labels) > 1]
    if not groups:
        return
    labels = [label for group in groups for label in group]
    listed = shorten("; ".join(" = ".join(map(repr, group)) for group in groups), MAX_LIST_LENGTH)
    # The fix shows only the first group, as an example.
    most_frequent = max(groups[0], key=lambda label: _count_rows(splits, label))
    yield Finding(
        "label-forms",
        "warning",
        f"{len(labels)} labels differ only in case, blanks or Unicode form: {listed}",
        len(labels),
        len(set().union(*(split.label_names for split in splits))),
        "they are learned as different labels, and to take one for the other counts as wrong",
        f"write them alike, as {most_frequent!r}",
        tuple(_examples_of(labels, splits)),
    )


def _normalize_label(label: str) -> str:
    """Remove differences that the eye may miss: case, white space and Unicode form (NFKC)."""
    return " ".join(unicodedata.normalize("NFKC", label).casefold().split())


def _count_rows(splits: Sequence[AuditedSplit], label: str) -> int:
    """Count the rows with a label in all splits."""
    return sum(int(split.has_label(label).sum()) for split in splits if label in split.label_names)


def _find_small_labels(train: AuditedSplit, dataset: Dataset) -> Iterator[Finding]:
    """Find labels with too few training rows."""
    counts = zip(dataset.labels.names, dataset.labels.counts, strict=True)
    small = [name for name, count in counts if count < MIN_LABEL_ROWS]
    if small:
        yield Finding(
            "label-small",
            "warning",
            f"{pluralize(len(small), 'label')} with less than {MIN_LABEL_ROWS} training rows: "
            f"{_list_labels(small)}",
            len(small),
            len(dataset.labels.names),
            "what they mean cannot be told from chance, and no row is left to score them on",
            "add rows of them, join them with a label like them, or take them out",
            tuple(_examples_of(small, [train])),
        )


def _find_unseen_labels(split: AuditedSplit) -> Iterator[Finding]:
    """Find rows whose labels occur in no training row."""
    unknown = split.split.unknown_labels
    if not unknown:
        return
    in_validation = split.name == "validation"
    suggestion = closest_match(next(iter(unknown)), split.known_labels)
    hint = f"did you mean {suggestion!r}? else " if suggestion else ""
    count = sum(unknown.values())
    yield Finding(
        "label-unseen",
        "error" if in_validation else "warning",
        f"{format_rate(count, len(split))} rows of {split.name} carry labels that no training row "
        f"has: {_list_labels(unknown)}",
        count,
        len(split),
        "they have no validation loss, and training refuses them"
        if in_validation
        else "no prediction finds them, so that they always count as wrong",
        f"{hint}add training rows of them, or take them out of data.{split.name}",
        tuple(_examples_of(unknown, [split])),
    )


def _find_unscored_labels(train: AuditedSplit, split: AuditedSplit) -> Iterator[Finding]:
    """Find training labels that occur in no row of a split."""
    counts = zip(train.known_labels, _rows_per_label(split), strict=True)
    missing = [name for name, count in counts if not count]
    if missing:
        yield Finding(
            "label-unscored",
            "note",
            f"{pluralize(len(missing), 'label')} without a row in {split.name}: "
            f"{_list_labels(missing)}",
            len(missing),
            len(train.known_labels),
            "how well they are told is not known, and means over labels leave that out",
            f"data.{split.name}: a table that has them"
            if split.has_own_table
            else "raise data.validation, or add rows of them",
            tuple(_examples_of(missing, [train])),
        )


def _find_imbalance(train: AuditedSplit, dataset: Dataset) -> Iterator[Finding]:
    """Find labels that are much more frequent than others."""
    if dataset.config.training.class_weight != "none":
        return
    counts = _rows_per_label(train)
    most, least = int(counts.max()), int(counts.min())
    dominated = most >= MAJORITY_FRACTION * len(train) and dataset.labels.task != "multilabel"
    # Not a quotient: a label that is a column of flags may have no row.
    if not dominated and most < IMBALANCE_RATIO * least:
        return
    most_frequent = train.known_labels[int(counts.argmax())]
    rarest = train.known_labels[int(counts.argmin())]
    yield Finding(
        "label-imbalance",
        "warning" if dominated else "note",
        f"{format_rate(most, len(train))} training rows are {most_frequent!r}, "
        f"{least:,} are {rarest!r}",
        most,
        len(train),
        "the loss hardly counts what is rare, and accuracy looks good without it",
        "training.class_weight: balanced, and look at the scores of each label",
        tuple(_examples_of([rarest], [train])),
    )


def _rows_per_label(split: AuditedSplit) -> Counts:
    """(known labels,) how many rows carry each label."""
    targets, size = split.split.targets, len(split.known_labels)
    if targets.ndim == 2:
        counts: Counts = targets[:, :size].sum(axis=0)
        return counts
    return np.bincount(targets[targets >= 0], minlength=size)  # refuses the -1 of unknown labels


def _examples_of(labels: Iterable[str], splits: Sequence[AuditedSplit]) -> Iterator[Example]:
    """Make an example of the first row of each of the first labels.

    A label that is a column of flags may occur in no row.
    """
    for label in list(labels)[:MAX_EXAMPLES]:
        for split in splits:
            if label in split.label_names and (mask := split.has_label(label)).any():
                yield split.example(int(mask.argmax()))  # the first True
                break


def _list_labels(labels: Iterable[str]) -> str:
    return shorten(", ".join(map(repr, labels)), MAX_LIST_LENGTH)
