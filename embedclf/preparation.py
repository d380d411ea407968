"""Config → rows, labels, token ids: all that training reads and `check` tells."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from embedclf.config import near
from embedclf.data import LabelledRows, read_labelled, sha256, split
from embedclf.errors import ConfigError, DataError
from embedclf.faults import nearest
from embedclf.fingerprints import Fingerprints, fingerprints
from embedclf.labels import THRESHOLD, Labels, Targets
from embedclf.pools import in_order
from embedclf.schema import FILES
from embedclf.scratch import IdsFile, TokensFile
from embedclf.tokenizer import TokenIds, Tokenizer
from embedclf.tokens import Tokens, cut, normalize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from embedclf.data import Mask
    from embedclf.schema import Config, DataConfig

_LOOKED_UP = 64
"""Parts whose tokens are looked up together."""


@dataclass(frozen=True)
class Part:
    """The rows of one purpose: training, validation or test."""

    rows: LabelledRows
    ids: TokenIds
    """(n, sequence_length), on disk."""
    targets: Targets
    unknown_labels: dict[str, int]
    """Labels that no training row has, with their number of rows."""
    tokens: int
    """Of all texts, before they were cut."""
    unknown: int
    """Tokens that are not in the vocabulary."""
    cut: int
    """Texts that have more tokens than ids."""

    def __len__(self) -> int:
        return len(self.rows)

    def facts(self, labels: Labels) -> dict[str, Any]:
        """What there is to know about the rows, as plain values; shares are between 0 and 1."""
        several = labels.task == "multilabel"
        counts = (
            self.targets.sum(axis=0)[: len(labels.names)]
            if several
            else np.bincount(self.targets[self.targets >= 0], minlength=len(labels.names))
        )
        return {
            "path": str(self.rows.table.path),
            "form": self.rows.table.form,
            "rows": len(self),
            "rows_skipped": self.rows.skipped,
            "labels": dict(zip(labels.names, counts.tolist(), strict=True)),
            "unknown_labels": self.unknown_labels,
            "tokens": self.tokens,
            "share_of_texts_cut": self.cut / len(self),
            "share_of_tokens_unknown": self.unknown / max(self.tokens, 1),
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
        return {
            "task": self.labels.task,
            "labels": list(self.labels.names),
            "vocabulary": self.tokenizer.rows,
            "data": {name: part.facts(self.labels) for name, part in self.parts.items()},
        }

    @property
    def parts(self) -> dict[str, Part]:
        """The parts there are, by name."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: part for name, part in parts.items() if part is not None}

    def hashes(self) -> dict[str, str]:
        """SHA-256 of the table of each part."""
        paths = {name: part.rows.table.path for name, part in self.parts.items()}
        of_paths = {path: sha256(path) for path in set(paths.values())}
        return {name: of_paths[path] for name, path in paths.items()}


def prepare(config: Config, folder: Path | None = None, *, strict: bool = True) -> Prepared:
    """Read, check, split and encode everything that a config names.

    The vocabulary and the labels are learned from training rows alone. No text is kept: tokens and
    ids go to scratch files.

    Args:
        config: The config.
        folder: Where the scratch files are; None is where the system has room for such files.
        strict: Whether `check_validation` follows.

    Raises:
        DataError: A table cannot be used, or the split leaves nothing to validate on.
        ConfigError: A file is not there, or `class_weight` names a label that no training row has.
    """
    _check_files(config)
    with ExitStack() as stack:
        prepared = _prepare(config, lambda: stack.enter_context(TemporaryFile(dir=folder)))
    if strict:
        check_validation(prepared)
    pa.default_memory_pool().release_unused()
    return prepared


def check_validation(prepared: Prepared) -> None:
    """Refuse validation rows of unknown labels, which have no loss; raises DataError."""
    unknown = prepared.validation.unknown_labels
    if not unknown:
        return
    name, rows = next(iter(unknown.items()))
    near = nearest(name, prepared.labels.names)
    hint = f"did you mean {near!r}?" if near else "add training rows of it, or take it out"
    raise DataError(
        f"{prepared.validation.rows.table.path}: {rows:,} rows carry label {name!r}, which no "
        f"training row has ({len(unknown)} such labels in all); {hint}"
    )


def held_out(config: Config) -> Mask:
    """(n,) True for the rows of the training table that training holds out; raises as `prepare`."""
    numbers: list[Fingerprints] = []
    rows = read_labelled(
        config.data.train,
        config.data,
        lambda texts: fingerprints(_cut(texts, config)),
        numbers.append,
    )
    return _hold_out(rows, np.concatenate(numbers), config)


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


def read_training(config: Config, file: IO[bytes]) -> tuple[LabelledRows, TokensFile, Mask]:
    """Read and cut the training table once.

    Args:
        config: The config.
        file: Where the tokens go.

    Returns:
        Its rows, their tokens, and (n,) True for the rows that are held out for validation.

    Raises:
        DataError: As `prepare`.
    """
    tokens, numbers = TokensFile(file), list[Fingerprints]()

    def work(texts: pa.Array) -> tuple[Tokens, Fingerprints]:
        cut_texts = _cut(texts, config)
        return cut_texts, fingerprints(cut_texts)

    def take(made: tuple[Tokens, Fingerprints]) -> None:
        tokens.append(made[0])
        numbers.append(made[1])

    rows = read_labelled(config.data.train, config.data, work, take)
    _check_tokens(tokens.count, config)
    return rows, tokens, _hold_out(rows, np.concatenate(numbers), config)


def beside(parts: Iterable[Tokens], mask: Mask) -> Iterator[tuple[Tokens, Mask]]:
    """Parts of the texts, each with its share of a mask over all."""
    start = 0
    for part in parts:
        end = start + len(part.ends)
        yield part, mask[start:end]
        start = end


def _prepare(config: Config, new_file: Callable[[], IO[bytes]]) -> Prepared:
    rows, tokens, held_out = read_training(config, new_file())
    train = replace(rows.take(~held_out), skipped=rows.skipped)
    labels = Labels.fit(train, config.data)
    _check_class_weight(labels, config)
    _check_threshold(labels, config)
    counted = in_order(lambda part: part[0].count(~part[1]), beside(tokens.parts(), held_out))
    tokenizer = Tokenizer.fit(counted, config.text)
    _check_tokens(len(tokenizer.tokens), config)
    encoder = _Encoder(tokenizer, labels, config.data, new_file)
    ids, held_out_ids = encoder.encode(beside(tokens.parts(), held_out))
    validation, test = config.data.validation, config.data.test
    return Prepared(
        config,
        labels,
        tokenizer,
        encoder.part(train, ids),
        encoder.read(validation)
        if isinstance(validation, Path)
        else encoder.part(rows.take(held_out), held_out_ids),
        encoder.read(test) if test else None,
    )


def _cut(texts: pa.Array, config: Config) -> Tokens:
    return cut(normalize(texts, lowercase=config.text.lowercase), config.text.unit)


def _hold_out(rows: LabelledRows, keys: Fingerprints, config: Config) -> Mask:
    """Part training rows from validation rows."""
    if isinstance(config.data.validation, Path):
        return np.zeros(len(rows), np.bool_)
    labels = Labels.fit(rows, config.data)
    targets, _ = labels.encode(rows, config.data)
    mask = split(keys, labels.strata(targets), fraction=config.data.validation, seed=config.seed)
    if not mask.any():
        raise DataError(
            f"{config.data.train}: {len(rows):,} rows of {len(np.unique(keys)):,} "
            "different texts leave none to validate on, as equal texts stay together; add texts, "
            "raise data.validation, or name a file there"
        )
    return mask


@dataclass(frozen=True)
class _Encoder:
    """Turns texts into the ids, and rows into the targets, of parts."""

    tokenizer: Tokenizer
    labels: Labels
    config: DataConfig
    new_file: Callable[[], IO[bytes]]

    def new(self) -> IdsFile:
        return IdsFile(self.new_file(), self.tokenizer.rows, self.tokenizer.sequence_length)

    def encode(self, parts: Iterator[tuple[Tokens, Mask]]) -> tuple[IdsFile, IdsFile]:
        """Write the ids of texts outside a mask, and of those under it."""
        outside, under = self.new(), self.new()
        while group := list(islice(parts, _LOOKED_UP)):
            ids = self.tokenizer.look_up([tokens.dictionary for tokens, _ in group])
            pairs = ((tokens, of) for (tokens, _), of in zip(group, ids, strict=True))
            laid = in_order(lambda pair: self.tokenizer.lay_out(*pair), pairs)
            for (_, mask), encoding in zip(group, laid, strict=True):
                outside.append(encoding.take(~mask))
                under.append(encoding.take(mask))
        return outside, under

    def read(self, path: Path) -> Part:
        """The part that a table of its own holds."""
        tokens = TokensFile(self.new_file())
        rows = read_labelled(path, self.config, self.tokenizer.cut, tokens.append)
        ids, _ = self.encode(beside(tokens.parts(), np.zeros(len(rows), np.bool_)))
        return self.part(rows, ids)

    def part(self, rows: LabelledRows, file: IdsFile) -> Part:
        targets, unknown = self.labels.encode(rows, self.config)
        lost = (file.tokens, file.unknown, file.cut)
        return Part(rows, file.mapped(), targets, unknown, *lost)


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


def _check_tokens(count: int, config: Config) -> None:
    if not count:
        raise DataError(f"{config.data.train}: no text holds a token; see text.unit and data.text")
