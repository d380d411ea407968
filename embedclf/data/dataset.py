"""Config -> Dataset: all that training reads."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from embedclf.config.loading import named_files
from embedclf.config.messages import nearest
from embedclf.config.schema import SOURCES
from embedclf.data.labeled import read_labeled
from embedclf.data.labels import THRESHOLD, Labels
from embedclf.data.splits import learn, read_tokenized, tokenize_column
from embedclf.data.stratified import stratified_split
from embedclf.errors import ConfigError, DataError
from embedclf.system.files import sha256
from embedclf.system.terminal import near
from embedclf.text.fingerprints import fingerprints
from embedclf.text.pretrained import open_source

if TYPE_CHECKING:
    from embedclf.config.schema import Config
    from embedclf.data.labeled import LabeledRows
    from embedclf.data.splits import Files, Sides, Split, TokenizedTable
    from embedclf.system.arrays import Counts, Mask
    from embedclf.text.fingerprints import Fingerprints
    from embedclf.text.tokenizer import Tokenizer

VECTORS = "vectors"
"""Beside the names of parts, that of the source of the first vectors."""


@dataclass(frozen=True)
class Dataset:
    """Everything a training reads, checked and encoded."""

    config: Config
    labels: Labels
    tokenizer: Tokenizer
    train: Split
    validation: Split
    """Empty where all rows are to train on."""
    test: Split | None

    @cached_property
    def counts(self) -> Counts:
        """(rows,) how often training reads each id; padding counts as none."""
        return self.train.occurrences(self.tokenizer.rows)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What there is to know before training, as plain values."""
        return {
            "task": self.labels.task,
            "labels": list(self.labels.names),
            **self.sizes,
            "data": {name: part.facts(self.labels) for name, part in self.parts.items()},
        }

    @property
    def sizes(self) -> dict[str, int]:
        """How many tokens and phrases are known."""
        phrases = len(self.tokenizer.ngrams)
        return {"vocabulary": self.tokenizer.first_ngram, "phrases": phrases}

    @property
    def parts(self) -> dict[str, Split]:
        """The parts there are, by name."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: part for name, part in parts.items() if part is not None}

    def hashes(self) -> dict[str, str]:
        """SHA-256 of the table of each part, and of the `vectors` that the network starts from."""
        paths: dict[str, tuple[Path, ...]]
        paths = {name: (part.rows.table.path,) for name, part in self.parts.items()}
        source = open_source(self.config.model)
        if source is not None:
            paths[VECTORS] = source.files
        of_paths = {files: sha256(*files) for files in set(paths.values())}
        return {name: of_paths[files] for name, files in paths.items()}


def prepare_dataset(
    config: Config, folder: Path | None = None, *, strict: bool = True, holds_out: bool = True
) -> Dataset:
    """Read, check, split and encode everything that a config names.

    The vocabulary and the labels are learned from training rows alone. No text is kept: tokens and
    ids go to scratch files.

    Args:
        config: The config.
        folder: Where the scratch files are; None is where the system has room for such files.
        strict: Whether `check_validation` follows.
        holds_out: Whether the share of rows to validate on is held out, or trained on too.

    Raises:
        DataError: A table cannot be used, or the split leaves nothing to validate on.
        ConfigError: A file is not there, or `class_weight` names a label that no training row has.
    """
    check_files(config)
    with ExitStack() as stack:
        dataset = _prepare(
            config,
            lambda: stack.enter_context(TemporaryFile(dir=folder)),
            holds_out=holds_out,
        )
    if strict:
        check_validation(dataset)
    pa.default_memory_pool().release_unused()
    return dataset


def check_validation(dataset: Dataset) -> None:
    """Refuse validation rows of unknown labels, which have no loss; raises DataError."""
    unknown = dataset.validation.unknown_labels
    if not unknown:
        return
    name, rows = next(iter(unknown.items()))
    near = nearest(name, dataset.labels.names)
    hint = f"did you mean {near!r}?" if near else "add training rows of it, or take it out"
    raise DataError(
        f"{dataset.validation.rows.table.path}: no training row has label {name!r} "
        f"(rows here: {rows:,}; such labels in all: {len(unknown)}); {hint}"
    )


def read_training(config: Config, file: IO[bytes]) -> tuple[TokenizedTable, Mask]:
    """Read and cut the training table once.

    Args:
        config: The config.
        file: Where the tokens go.

    Returns:
        What was read, and (n,) True for the rows that are held out for validation.

    Raises:
        DataError: As `prepare_dataset`.
    """
    read = read_tokenized(config, file)
    return read, _hold_out(read.rows, read.keys, config)


def held_out(config: Config) -> Mask:
    """(n,) True for the rows of the training table that training holds out.

    Raises as `prepare_dataset` does.
    """
    numbers: list[Fingerprints] = []
    rows = read_labeled(
        config.data.train,
        config.data,
        lambda texts: fingerprints(tokenize_column(config, texts)),
        numbers.append,
    )
    return _hold_out(rows, np.concatenate(numbers), config)


def hold_out(keys: Fingerprints, strata: npt.NDArray[np.int64], config: Config) -> Mask:
    """Choose the rows to validate on; none where a table of its own is for that.

    Args:
        keys: (n,) equal for equal texts.
        strata: (n,) the stratum of each row.
        config: Tells the share and the seed.

    Raises:
        DataError: The texts leave none to validate on.
    """
    if isinstance(config.data.validation, Path):
        return np.zeros(len(keys), np.bool_)
    mask = stratified_split(keys, strata, fraction=config.data.validation, seed=config.seed)
    if not mask.any():
        raise DataError(
            f"{config.data.train}: {len(keys):,} rows of {len(np.unique(keys)):,} "
            "different texts leave none to validate on, as equal texts stay together; add texts, "
            "raise data.validation, or name a file there"
        )
    return mask


def encode_splits(
    config: Config, labels: Labels, read: TokenizedTable, sides: Sides, files: Files
) -> tuple[Dataset, Split | None]:
    """Encode rows that are parted already; the vocabulary is that of the training rows.

    Args:
        config: The config.
        labels: Of the training rows at least.
        read: The training table.
        sides: (n,) 0 to train on, 1 to validate on, 2 for neither.
        files: Where the ids go.

    Returns:
        What a training reads, and the rows of side 2, if there are any.

    Raises:
        DataError: A table cannot be used.
        ConfigError: `class_weight` names a label that is not there.
    """
    _check_class_weight(labels, config)
    _check_threshold(labels, config)
    encoder = learn(read, sides, labels, config, files)
    train, *others = (
        encoder.part(read.rows.take(sides == side), ids)
        for side, ids in enumerate(encoder.encode(read.tokens, sides, least=2))
    )
    train = replace(train, rows=replace(train.rows, skipped=read.rows.skipped))
    validation, test = config.data.validation, config.data.test
    dataset = Dataset(
        config,
        labels,
        encoder.tokenizer,
        train,
        encoder.read(validation) if isinstance(validation, Path) else others[0],
        encoder.read(test) if test else None,
    )
    return dataset, others[1] if len(others) > 1 else None


def with_config(dataset: Dataset, config: Config) -> Dataset:
    """The same rows, to be trained by another config of the same data and texts.

    Raises:
        ConfigError: `class_weight` or `threshold` does not go with the labels.
    """
    _check_class_weight(dataset.labels, config)
    _check_threshold(dataset.labels, config)
    return replace(dataset, config=config)


def check_files(config: Config) -> None:
    """Refuse all files that are not there at once, then word vectors that do not fit.

    Raises:
        ConfigError: One is not there, or the vectors are of another width than the config's.
        DataError: The vectors cannot be read.
    """
    lines = []
    for (section, key), file in named_files(config).items():
        kind = "a table" if section == "data" else "a file of word vectors"
        if file.is_dir():
            lines.append(f"{section}.{key}: {near(file)}: is a folder; name {kind}")
        elif not file.is_file():
            there = [other.name for other in file.parent.iterdir()] if file.parent.is_dir() else []
            close = nearest(file.name, [*there, *(SOURCES if section == "model" else ())])
            hint = f"did you mean {close}?" if close else f"name {kind} that is there"
            lines.append(f"{section}.{key}: {near(file)}: no such file; {hint}")
    if lines:
        raise ConfigError("\n".join(lines))
    open_source(config.model)


def _prepare(config: Config, files: Files, *, holds_out: bool) -> Dataset:
    read, held_out = read_training(config, files())
    held_out &= holds_out
    labels = Labels.fit(read.rows.take(~held_out), config.data)
    return encode_splits(config, labels, read, held_out.astype(np.int8), files)[0]


def _hold_out(rows: LabeledRows, keys: Fingerprints, config: Config) -> Mask:
    """Part training rows from validation rows."""
    labels = Labels.fit(rows, config.data)
    targets, _ = labels.encode(rows, config.data)
    return hold_out(keys, labels.strata(targets), config)


def _check_class_weight(labels: Labels, config: Config) -> None:
    given = config.training.class_weight
    for name in given if isinstance(given, dict) else ():
        if name not in labels.names:
            near = nearest(name, labels.names)
            hint = f"did you mean {near!r}?" if near else f"there are {', '.join(labels.names)}"
            raise ConfigError(f"training.class_weight: no training row has label {name!r}; {hint}")


def _check_threshold(labels: Labels, config: Config) -> None:
    if labels.task == "multiclass" and config.training.threshold != THRESHOLD:
        raise ConfigError(
            f"training.threshold: of {len(labels.names)} labels the likeliest is given, whatever "
            "its probability; leave it out, or say with data.label_separator that a row has several"
        )
