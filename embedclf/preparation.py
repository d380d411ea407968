"""Config → rows, labels, token ids: all that training reads and `check` tells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from embedclf.config import FILES, near
from embedclf.data import LabelledTexts, read_labelled, sha256, split
from embedclf.errors import ConfigError, DataError
from embedclf.faults import nearest
from embedclf.labels import Labels, Targets
from embedclf.tokenizer import Encoding, Tokenizer, normalize

if TYPE_CHECKING:
    from embedclf.config import Config

SampleWeights = npt.NDArray[np.float32]  # (n,), or (n, labels) for several labels a row


@dataclass(frozen=True)
class Part:
    """The rows of one purpose: training, validation or test."""

    labelled: LabelledTexts
    encoding: Encoding
    targets: Targets
    unknown_labels: dict[str, int]
    """Labels that no training row has, with their number of rows."""

    def __len__(self) -> int:
        return len(self.labelled)

    def facts(self, labels: Labels) -> dict[str, Any]:
        """What there is to know about the rows, as plain values; shares are between 0 and 1."""
        lengths = self.encoding.lengths
        tokens = int(lengths.sum())
        several = labels.task == "multilabel"
        counts = (
            self.targets.sum(axis=0)[: len(labels.names)]
            if several
            else np.bincount(self.targets[self.targets >= 0], minlength=len(labels.names))
        )
        return {
            "path": str(self.labelled.table.path),
            "sha256": sha256(self.labelled.table.path),
            "form": self.labelled.table.form,
            "rows": len(self),
            "rows_skipped": self.labelled.skipped,
            "labels": dict(zip(labels.names, counts.tolist(), strict=True)),
            "unknown_labels": self.unknown_labels,
            "tokens": tokens,
            "share_of_texts_cut": float(np.mean(lengths > self.encoding.ids.shape[1])),
            "share_of_tokens_unknown": int(self.encoding.unknown.sum()) / max(tokens, 1),
        }


@dataclass(frozen=True)
class Prepared:
    """Everything a training reads, checked and encoded."""

    config: Config
    labels: Labels
    tokenizer: Tokenizer
    train: Part
    validation: Part
    test: Part | None

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What there is to know before training, as plain values."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {
            "task": self.labels.task,
            "labels": list(self.labels.names),
            "vocabulary": self.tokenizer.rows,
            "data": {name: part.facts(self.labels) for name, part in parts.items() if part},
        }


def prepare(config: Config) -> Prepared:
    """Read, check, split and encode everything that a config names.

    The vocabulary and the labels are learned from training rows alone.

    Raises:
        DataError: A table cannot be used, or the split leaves nothing to validate on.
        ConfigError: A file is not there, or `class_weight` names a label that no training row has.
    """
    _check_files(config)
    source = read_labelled(config.data.train, config.data)
    train, validation = _hold_out(source, config)
    test = read_labelled(config.data.test, config.data) if config.data.test else None
    labels = Labels.fit(train, config.data)
    _check_class_weight(labels, config)
    tokenizer = Tokenizer.fit(train.texts, config.text)
    if not tokenizer.tokens:
        raise DataError(f"{config.data.train}: no text holds a token; see text.unit and data.text")
    prepared = Prepared(
        config,
        labels,
        tokenizer,
        encode(train, labels, tokenizer, config),
        encode(validation, labels, tokenizer, config),
        encode(test, labels, tokenizer, config) if test else None,
    )
    _check_validation(prepared.validation, labels)
    return prepared


def validation_rows(config: Config) -> LabelledTexts:
    """The rows that training holds out, read anew; raises as `prepare` does."""
    if isinstance(config.data.validation, Path):
        return read_labelled(config.data.validation, config.data)
    return _hold_out(read_labelled(config.data.train, config.data), config)[1]


def encode(labelled: LabelledTexts, labels: Labels, tokenizer: Tokenizer, config: Config) -> Part:
    """Turn labelled texts into ids and targets."""
    targets, unknown = labels.encode(labelled, config.data)
    return Part(labelled, tokenizer.encode(labelled.texts), targets, unknown)


def sample_weights(
    targets: Targets, labels: Labels, class_weight: str | dict[str, float]
) -> SampleWeights | None:
    """The weight of each row in the loss; of each cell where a row has several labels.

    `balanced` gives each class the same total weight, n / (classes · rows of the class) a row
    (King and Zeng, Logistic Regression in Rare Events Data, 2001). With several labels each is a
    binary task of its own: both of its sides get the same total weight, and a weight given for a
    label counts where the label is present.

    Returns:
        (n,), for several labels a row (n, labels), or None when all weights are one.
    """
    if class_weight == "none":
        return None
    several = labels.task == "multilabel"
    if isinstance(class_weight, dict):
        given = np.array([class_weight.get(name, 1.0) for name in labels.names])
        weights = np.where(targets == 1, given, 1.0) if several else given[targets]
    elif several:
        present = targets.sum(axis=0)  # (labels,)
        absent = len(targets) - present
        weights = len(targets) / (2 * np.maximum(np.where(targets == 1, present, absent), 1))
    else:
        rows = np.bincount(targets, minlength=len(labels.names))
        weights = (len(targets) / (len(labels.names) * np.maximum(rows, 1)))[targets]
    return weights.astype(np.float32)


def _check_files(config: Config) -> None:
    """Refuse all files that are not there at once."""
    lines = []
    for key in FILES:
        file = getattr(config.data, key)
        if isinstance(file, Path) and not file.is_file():
            there = file.parent.iterdir() if file.parent.is_dir() else ()
            close = nearest(file.name, [other.name for other in there])
            hint = f"did you mean {close}?" if close else "name a table that is there"
            lines.append(f"data.{key}: {near(file)}: no such file; {hint}")
    if lines:
        raise ConfigError("\n".join(lines))


def _hold_out(source: LabelledTexts, config: Config) -> tuple[LabelledTexts, LabelledTexts]:
    """Part training rows from validation rows."""
    if isinstance(config.data.validation, Path):
        return source, read_labelled(config.data.validation, config.data)
    labels = Labels.fit(source, config.data)
    targets, _ = labels.encode(source, config.data)
    keys = pc.utf8_trim_whitespace(normalize(source.texts, lowercase=True))
    held_out = split(
        keys,
        labels.strata(targets),
        fraction=config.data.validation,
        seed=config.seed,
    )
    if not held_out.any():
        raise DataError(
            f"{config.data.train}: {len(source):,} rows of {pc.count_distinct(keys).as_py():,} "
            "different texts leave none to validate on, as equal texts stay together; add texts, "
            "raise data.validation, or name a file there"
        )
    train = replace(source.take(~held_out), skipped=source.skipped)
    return train, source.take(held_out)


def _check_class_weight(labels: Labels, config: Config) -> None:
    given = config.training.class_weight
    for name in given if isinstance(given, dict) else ():
        if name not in labels.names:
            near = nearest(name, labels.names)
            hint = f"did you mean {near!r}?" if near else f"there are {', '.join(labels.names)}"
            raise ConfigError(f"training.class_weight: no training row has label {name!r}; {hint}")


def _check_validation(validation: Part, labels: Labels) -> None:
    """A validation loss needs labels that the network knows."""
    if not validation.unknown_labels:
        return
    name, rows = next(iter(validation.unknown_labels.items()))
    near = nearest(name, labels.names)
    hint = f"did you mean {near!r}?" if near else "add training rows of it, or take it out"
    raise DataError(
        f"{validation.labelled.table.path}: {rows:,} rows carry label {name!r}, which no training "
        f"row has ({len(validation.unknown_labels)} such labels in all); {hint}"
    )
