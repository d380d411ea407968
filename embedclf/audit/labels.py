"""Problems with labels: misspelled, unseen, rare or imbalanced."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

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
    format_settings,
)
from embedclf.config.messages import closest_match
from embedclf.data.label_forms import (
    find_null_like,
    find_number,
    group_forms,
    group_truth_values,
    is_surely_null_like,
    match_forms,
)
from embedclf.system.terminal import format_count, join_shortened, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from embedclf.audit.audited_split import AuditedSplit
    from embedclf.config.data_section import DataConfig
    from embedclf.data.dataset import Dataset
    from embedclf.system.arrays import Counts

# Lists of other programs: PostgreSQL's {a,b}, whose items have no quotes; NumPy's array(['a', 'b'],
# dtype=object); and R's c("a", "b").
_LIST_LIKE = re.compile(
    r"\[[^,]*(,[^,]*)+\]|\{[^,]*(,[^,]*)+\}|array\(\[.*\].*\)|c\(\".*\"\)", re.DOTALL
)


def find_label_problems(splits: Sequence[AuditedSplit], dataset: Dataset) -> Iterator[Finding]:
    """Find problems with labels and their frequencies; the first split is training."""
    train, *others = splits
    if isinstance(dataset.config.data.label, str):  # otherwise labels are names of columns
        yield from _find_null_like(splits, dataset.config.data)
        yield from _find_list_like(splits)
        yield from _find_label_forms(splits)
    yield from _find_small_labels(train, dataset)
    for split in others:
        yield from _find_unseen_labels(split)
        yield from _find_unscored_labels(train, split)
    yield from _find_imbalance(train, dataset)


def _find_null_like(splits: Sequence[AuditedSplit], config: DataConfig) -> Iterator[Finding]:
    """Find labels that look like missing ones, such as `nan`."""
    names = _all_names(splits)
    null_like = find_null_like(names)
    if not null_like:
        return
    counts = _count_rows(splits)
    listed = [f"{label!r} ({format_count(counts[label], 'row')})" for label in null_like]
    count, total = sum(counts[label] for label in null_like), sum(map(len, splits))
    fix, settings = "add rows with other labels, or choose another data.label", {}
    if len(set(names).difference(null_like)) > 1:  # otherwise training would refuse the table
        missing = [*config.missing_labels, *null_like]
        settings = {"data.missing_labels": missing, "data.skip_invalid": True}
        fix = f"to skip these rows, set {format_settings(settings)}{_list_possible(null_like)}"
    yield Finding(
        "label-null-like",
        "warning" if any(map(is_surely_null_like, null_like)) else "note",
        f"{format_rate(count, total)} rows have a label that looks like a missing one: "
        f"{join_shortened(listed, MAX_LIST_LENGTH)}",
        count,
        total,
        "the model learns and predicts them like any other label",
        fix,
        tuple(_examples_of(null_like, splits)),
        settings,
    )


def _list_possible(null_like: Sequence[str]) -> str:
    """List the labels that may be real ones."""
    possible = [repr(label) for label in null_like if not is_surely_null_like(label)]
    return f"; leave out {', '.join(possible)} if you use it as a label" if possible else ""


def _find_list_like(splits: Sequence[AuditedSplit]) -> Iterator[Finding]:
    """Find labels that look like lists, but are not written as such: `{a,b}`."""
    names = _all_names(splits)
    list_like = [name for name in names if _LIST_LIKE.fullmatch(name)]
    if list_like:
        yield Finding(
            "label-list-like",
            "warning",
            f"{format_count(len(list_like), 'label')} that may be several: "
            f"{_list_labels(list_like)}",
            len(list_like),
            len(names),
            "each such list is a label of its own, unrelated to the labels in it",
            'write lists with quotes (["a", "b"]), or as a|b with data.label_separator: "|"',
            tuple(_examples_of(list_like, splits)),
        )


def _find_label_forms(splits: Sequence[AuditedSplit]) -> Iterator[Finding]:
    """Find labels that are forms of one label."""
    names = _all_names(splits)
    # The most frequent form in training comes first, and names the label if forms are merged.
    in_training, rows = _count_rows(splits[:1]), _count_rows(splits)
    # Another finding has labels that mean that there is none.
    present = [name for name in names if not is_surely_null_like(name)]
    truth_values = group_truth_values(present)
    groups = [
        sorted(group, key=lambda name: (-in_training[name], -rows[name]))
        for group in truth_values or group_forms(present)
    ]
    if not groups:
        return
    labels = [label for group in groups for label in group]
    listed = [" = ".join(map(repr, group)) for group in groups]
    fix, settings = "check whether they mean different things; if so, rename them", {}
    if len(names) - len(labels) + len(groups) > 1:  # otherwise training would refuse the table
        spellings = [f"{label!r} for {', '.join(map(repr, forms))}" for label, *forms in groups]
        fix = f"write {_join_groups(spellings)}"
        if not truth_values:
            settings = {"data.merge_label_forms": True}
            fix += f"; or set {format_settings(settings)}"
    yield Finding(
        "label-forms",
        "warning",
        f"{len(labels)} labels differ only in "
        f"{'how yes and no are written' if truth_values else _describe_differences(labels)}: "
        f"{_join_groups(listed)}",
        len(labels),
        len(names),
        "the model treats them as different labels, and predicting one for the other is an error",
        fix,
        tuple(_examples_of(labels, splits)),
        settings,
    )


def _describe_differences(labels: Sequence[str]) -> str:
    numbers = sum(find_number(label) is not None for label in labels)
    differences = ["case, white space or Unicode form"] if numbers < len(labels) else []
    differences += ["how a number is written"] if numbers else []
    return ", or in ".join(differences)


def _join_groups(groups: Sequence[str]) -> str:
    return shorten("; ".join(groups), MAX_LIST_LENGTH)


def _all_names(splits: Sequence[AuditedSplit]) -> list[str]:
    """Return the labels of all splits, the training labels first."""
    return list(dict.fromkeys(name for split in splits for name in split.label_names))


def _count_rows(splits: Sequence[AuditedSplit]) -> Counter[str]:
    """Count the rows of each label in all splits."""
    rows: Counter[str] = Counter()
    for split in splits:
        rows.update(dict(zip(split.known_labels, _rows_per_label(split).tolist(), strict=True)))
        rows.update(split.split.unknown_labels)
    return rows


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
    forms = match_forms(unknown, split.known_labels)
    settings = {"data.merge_label_forms": True} if forms else {}
    in_validation = split.name == "validation"
    count = sum(unknown.values())
    message = (
        f"{format_rate(count, len(split))} {split.name} rows have a label that does not occur in "
        f"training: {_list_labels(unknown)}"
    )
    if forms:
        pairs = [f"{label!r} is a form of {known!r}" for label, known in forms.items()]
        message += f"; {join_shortened(pairs, MAX_LIST_LENGTH)}"
    yield Finding(
        "label-unseen",
        "error" if in_validation else "warning",
        message,
        count,
        len(split),
        "they have no validation loss, so training stops"
        if in_validation
        else "the model cannot predict these labels, so the rows always count as errors",
        "; ".join(_unseen_fixes(split, forms, settings)),
        tuple(_examples_of(unknown, [split])),
        settings,
    )


def _unseen_fixes(
    split: AuditedSplit, forms: Mapping[str, str], settings: Mapping[str, Any]
) -> Iterator[str]:
    """Yield what to do about unseen labels: those that are forms of known ones, and the others."""
    others = [label for label in split.split.unknown_labels if label not in forms]
    if settings:
        yield f"set {format_settings(settings)}"
    if others:
        suggestion = closest_match(others[0], split.known_labels)
        hint = f"did you mean {suggestion!r}? If not, " if suggestion else ""
        labels = "other labels" if forms else "these labels"
        yield f"{hint}add training rows with {labels}, or remove the rows from data.{split.name}"


def _find_unscored_labels(train: AuditedSplit, split: AuditedSplit) -> Iterator[Finding]:
    """Find training labels that occur in no row of a split."""
    counts = zip(train.known_labels, _rows_per_label(split), strict=True)
    # Labels that the split has in another form are reported as unseen.
    respelled = match_forms(split.split.unknown_labels, train.known_labels).values()
    missing = [name for name, count in counts if not count and name not in respelled]
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
    settings = {"training.class_weight": "balanced"}
    yield Finding(
        "label-imbalance",
        "warning" if dominated else "note",
        f"{format_rate(most, len(train))} training rows are {most_frequent!r}, "
        f"{least:,} are {rarest!r}",
        most,
        len(train),
        "rare labels barely affect the loss, and accuracy looks good without them",
        f"set {format_settings(settings)}; then compare the scores of each label",
        tuple(_examples_of([rarest], [train])),
        settings,
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
