"""Labels misspelt, unseen, rare or imbalanced."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from embedclf.audit.findings import (
    COMMONEST,
    LEAST_IN_CLASS,
    SHOWN,
    TIMES,
    Example,
    Finding,
    Severity,
    several,
    share,
)
from embedclf.config.messages import nearest
from embedclf.system.terminal import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from embedclf.audit.audited_split import AuditedSplit
    from embedclf.data.dataset import Dataset
    from embedclf.system.arrays import Counts


_NAMED = 120
"""Letters of a list of labels."""


def label_findings(parts: Sequence[AuditedSplit], dataset: Dataset) -> Iterator[Finding]:
    """Find what is wrong with the labels and how often they are there.

    Args:
        parts: Training first.
        dataset: All of them.
    """
    train, *others = parts
    yield from _forms(parts)
    yield from _small(train, dataset)
    for part in others:
        yield from _unseen(part)
        yield from _unscored(train, part)
    yield from _imbalance(train, dataset)


def plain_form(label: str) -> str:
    """A label without what the eye does not see: case, blanks, and the form in Unicode (NFKC)."""
    return " ".join(unicodedata.normalize("NFKC", label).casefold().split())


def _forms(parts: Sequence[AuditedSplit]) -> Iterator[Finding]:
    """Labels that differ only in case, blanks or Unicode form."""
    forms: dict[str, list[str]] = defaultdict(list)
    for label in dict.fromkeys(name for part in parts for name in part.names):
        forms[plain_form(label)].append(label)
    alike = [labels for labels in forms.values() if len(labels) > 1]
    if not alike:
        return
    labels = [label for group in alike for label in group]
    told = "; ".join(" = ".join(map(repr, group)) for group in alike)
    yield Finding(
        "label-forms",
        "warning",
        f"{len(labels)} labels differ only in case, blanks or Unicode form: "
        f"{shortened(told, _NAMED)}",
        len(labels),
        len(set().union(*(part.names for part in parts))),
        "they are learned as different labels, and to take one for the other counts as wrong",
        f"write them alike, as {max(alike[0], key=lambda label: _rows(parts, label))!r}",
        tuple(_carrying(parts, labels)),
    )


def _rows(parts: Sequence[AuditedSplit], label: str) -> int:
    """Rows that carry a label, in all parts."""
    return sum(int(part.carriers(label).sum()) for part in parts if label in part.names)


def _small(train: AuditedSplit, dataset: Dataset) -> Iterator[Finding]:
    """Labels with too few training rows."""
    counts = zip(dataset.labels.names, dataset.labels.counts, strict=True)
    small = [name for name, count in counts if count < LEAST_IN_CLASS]
    if small:
        yield Finding(
            "label-small",
            "warning",
            f"{several(len(small), 'label')} with less than {LEAST_IN_CLASS} training rows: "
            f"{_named(small)}",
            len(small),
            len(dataset.labels.names),
            "what they mean cannot be told from chance, and no row is left to score them on",
            "add rows of them, join them with a label like them, or take them out",
            tuple(_carrying([train], small)),
        )


def _unseen(part: AuditedSplit) -> Iterator[Finding]:
    """Rows of labels that no training row has."""
    unknown = part.part.unknown_labels
    if not unknown:
        return
    refused = part.name == "validation"
    near = nearest(next(iter(unknown)), part.known)
    meant = f"did you mean {near!r}? else " if near else ""
    severity: Severity = "error" if refused else "warning"
    count = sum(unknown.values())
    yield Finding(
        "label-unseen",
        severity,
        f"{share(count, len(part))} rows of {part.name} carry labels that no training row has: "
        f"{_named(unknown)}",
        count,
        len(part),
        "they have no validation loss, and training refuses them"
        if refused
        else "no prediction finds them, so that they always count as wrong",
        f"{meant}add training rows of them, or take them out of data.{part.name}",
        tuple(_carrying([part], unknown)),
    )


def _unscored(train: AuditedSplit, part: AuditedSplit) -> Iterator[Finding]:
    """Labels of training that a part has no row of."""
    facts = zip(train.known, _rows_of_labels(part), strict=True)
    missing = [name for name, rows in facts if not rows]
    if missing:
        yield Finding(
            "label-unscored",
            "note",
            f"{several(len(missing), 'label')} without a row in {part.name}: {_named(missing)}",
            len(missing),
            len(train.known),
            "how well they are told is not known, and means over labels leave that out",
            f"data.{part.name}: a table that has them"
            if part.has_own_table
            else "raise data.validation, or add rows of them",
            tuple(_carrying([train], missing)),
        )


def _imbalance(train: AuditedSplit, dataset: Dataset) -> Iterator[Finding]:
    """Labels that are much more common than others."""
    rows = _rows_of_labels(train)
    most, least = int(rows.max()), int(rows.min())
    if dataset.config.training.class_weight != "none":
        return
    common = most >= COMMONEST * len(train) and dataset.labels.task != "multilabel"
    if not common and most < TIMES * least:
        return
    names = [train.known[int(at)] for at in (rows.argmax(), rows.argmin())]
    yield Finding(
        "label-imbalance",
        "warning" if common else "note",
        f"{share(most, len(train))} training rows are {names[0]!r}, {least:,} are {names[1]!r}",
        most,
        len(train),
        "the loss hardly counts what is rare, and accuracy looks good without it",
        "training.class_weight: balanced, and look at the scores of each label",
        tuple(_carrying([train], [names[1]])),
    )


def _rows_of_labels(part: AuditedSplit) -> Counts:
    """(known labels,) rows that carry each."""
    targets, known = part.part.targets, len(part.known)
    if targets.ndim == 2:
        carried: Counts = targets[:, :known].sum(axis=0)
        return carried
    return np.bincount(targets[targets >= 0], minlength=known)


def _carrying(parts: Sequence[AuditedSplit], labels: Iterable[str]) -> Iterator[Example]:
    """The first row of each of the first labels; a column of flags may have none."""
    for label in list(labels)[:SHOWN]:
        for part in parts:
            if label in part.names and (carriers := part.carriers(label)).any():
                yield part.example(int(carriers.argmax()))
                break


def _named(labels: Iterable[str]) -> str:
    return shortened(", ".join(map(repr, labels)), _NAMED)
