"""Problems with labels: misspelled, unseen, rare or imbalanced."""

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
)
from embedclf.config.messages import closest_match
from embedclf.system.terminal import format_count, join_shortened, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from embedclf.audit.audited_split import AuditedSplit
    from embedclf.data.dataset import Dataset
    from embedclf.system.arrays import Counts


def find_label_problems(splits: Sequence[AuditedSplit], dataset: Dataset) -> Iterator[Finding]:
    """Find problems with labels and their frequencies; the first split is training."""
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
    # The fix shows the first group, as an example.
    most_frequent = max(groups[0], key=lambda label: _count_rows(splits, label))
    yield Finding(
        "label-forms",
        "warning",
        f"{len(labels)} labels differ only in case, white space or Unicode form: {listed}",
        len(labels),
        len(set().union(*(split.label_names for split in splits))),
        "the model treats them as different labels, and predicting one for the other is an error",
        f"use one spelling, such as {most_frequent!r}",
        tuple(_examples_of(labels, splits)),
    )


def _normalize_label(label: str) -> str:
    """Remove differences that are easy to miss: case, white space and Unicode form (NFKC)."""
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
            f"{format_count(len(small), 'label')} with fewer than {MIN_LABEL_ROWS} training rows: "
            f"{_list_labels(small)}",
            len(small),
            len(dataset.labels.names),
            "too few rows to learn from, and none left to evaluate on",
            "add rows, merge each with a similar label, or remove it",
            tuple(_examples_of(small, [train])),
        )


def _find_unseen_labels(split: AuditedSplit) -> Iterator[Finding]:
    """Find rows whose labels occur in no training row."""
    unknown = split.split.unknown_labels
    if not unknown:
        return
    in_validation = split.name == "validation"
    suggestion = closest_match(next(iter(unknown)), split.known_labels)
    hint = f"did you mean {suggestion!r}? If not, " if suggestion else ""
    count = sum(unknown.values())
    yield Finding(
        "label-unseen",
        "error" if in_validation else "warning",
        f"{format_rate(count, len(split))} {split.name} rows have a label that does not occur in "
        f"training: {_list_labels(unknown)}",
        count,
        len(split),
        "they have no validation loss, so training stops"
        if in_validation
        else "the model cannot predict these labels, so the rows always count as errors",
        f"{hint}add training rows with these labels, or remove the rows from data.{split.name}",
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
            f"{format_count(len(missing), 'label')} without {split.name} rows: "
            f"{_list_labels(missing)}",
            len(missing),
            len(train.known_labels),
            "they cannot be evaluated, and lower the macro averages",
            f"add {split.name} rows with these labels"
            if split.has_own_table
            else "add rows with these labels, or raise data.validation",
            tuple(_examples_of(missing, [train])),
        )


def _find_imbalance(train: AuditedSplit, dataset: Dataset) -> Iterator[Finding]:
    """Find labels that are much more frequent than others."""
    if dataset.config.training.class_weight != "none":
        return
    counts = _rows_per_label(train)
    most, least = int(counts.max()), int(counts.min())
    dominated = most >= MAJORITY_FRACTION * len(train) and dataset.labels.task != "multilabel"
    # Not a ratio: a label with a column of its own may have no row.
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
        "rare labels barely affect the loss, and accuracy looks good without them",
        "training.class_weight: balanced; then compare the scores of each label",
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
    """Use the first row of each label as its example, for the first labels.

    A label with a column of its own may have no row.
    """
    for label in list(labels)[:MAX_EXAMPLES]:
        for split in splits:
            if label in split.label_names and (mask := split.has_label(label)).any():
                yield split.example(int(mask.argmax()))  # the first True
                break


def _list_labels(labels: Iterable[str]) -> str:
    return join_shortened([*map(repr, labels)], MAX_LIST_LENGTH)
