"""Datasets: read, split and encode the data of a config for training."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from embedclf.data.config_files import check_files, check_label_keys, check_validation_labels
from embedclf.data.labels import Labels
from embedclf.data.split_units import (
    describe_hold_out,
    fit_training_labels,
    hold_out_rows,
)
from embedclf.data.splits import fit_encoder, read_tokenized, require_tokens
from embedclf.data.unlabeled.taught import TaughtTexts, teach
from embedclf.data.unlabeled.texts import UnlabeledTexts, with_unlabeled
from embedclf.system.files import sha256
from embedclf.system.memory.release import release_memory
from embedclf.tables.files import hash_files
from embedclf.text.vectors.kept import open_kept_vectors
from embedclf.text.vectors.pretrained import open_vector_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from embedclf.config.schema import Config
    from embedclf.data.splits import ReadTable, Split, SplitIds, TokenizedTable
    from embedclf.data.start import Start
    from embedclf.system.arrays import Counts, Mask
    from embedclf.system.memory.mapped_arrays import NewFile
    from embedclf.text.tokenizer import Tokenizer
    from embedclf.text.vectors.kept import KeptVectors
    from embedclf.text.vectors.pretrained import VectorSource

VECTORS = "vectors"
"""Key of the pretrained vectors, beside the names of the splits."""

KEPT_VECTORS = "kept_vectors"
"""Key of the vectors that are kept beside the trained numbers."""

START = "from"
"""Key of the run that the training continues from."""

UNLABELLED = "unlabelled"
"""Key of the table of unlabeled texts."""


@dataclass(frozen=True)
class Dataset:
    """Checked and encoded data for training."""

    config: Config
    labels: Labels
    tokenizer: Tokenizer
    vectors: VectorSource | None
    """The open source of pretrained vectors; None if the embedding is randomly initialized."""
    train: Split
    validation: Split
    """Empty if no rows are held out."""
    test: Split | None
    table: TokenizedTable
    """The training table, with the rows held out."""
    start: Start | None = None
    """What the training continues from."""
    unlabeled: UnlabeledTexts | None = None
    """The texts of `data.unlabelled`."""
    taught: TaughtTexts | None = None
    """The same texts with the teacher's probabilities; None without a teacher."""
    kept_vectors: KeptVectors | None = None
    """The source of the kept vectors; None without, or if that of a start cannot be read."""

    @cached_property
    def counts(self) -> Counts:
        """(vocabulary_rows,) count of each id in the training texts; 0 for padding."""
        counts = self.train.count_ids(self.tokenizer.vocabulary_rows)
        return counts if self.taught is None else counts + self.taught.count_ids(len(counts))

    @property
    def total_counts(self) -> Counts:
        """(vocabulary_rows,) as `counts`, with those of the run that training continues from."""
        if self.start is None:
            return self.counts
        return self.counts + self.start.counts_in(self.tokenizer)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Plain values that describe the data before training."""
        return {
            "task": self.labels.task,
            "labels": list(self.labels.names),
            **self.vocabulary_sizes,
            "data": {name: split.facts(self.labels) for name, split in self.splits.items()},
            "held_out": describe_hold_out(self.config.data),
            **self.unlabeled_facts,
        }

    @property
    def unlabeled_facts(self) -> dict[str, Any]:
        """Plain values that describe the unlabeled texts and their teacher, under one key."""
        if self.unlabeled is None:
            return {}
        teacher = {} if self.taught is None else {"teacher": self.taught.facts}
        return {UNLABELLED: self.unlabeled.facts() | teacher}

    @property
    def vocabulary_sizes(self) -> dict[str, int]:
        """Number of tokens, including padding and unknown, and number of n-grams.

        `vector_words` are the tokens that are known only by their kept vectors.
        """
        return {
            "vocabulary": self.tokenizer.first_ngram_id,
            "vector_words": self.tokenizer.vector_words,
            "phrases": len(self.tokenizer.ngrams),
        }

    @property
    def splits(self) -> dict[str, Split]:
        """The existing splits, by name."""
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: split for name, split in splits.items() if split is not None}

    def hashes(self) -> dict[str, str]:
        """Return the SHA-256 of each split's table, and of other files, if any."""
        files = {name: split.rows.table.files for name, split in self.splits.items()}
        # Held-out rows share the training table, which the set hashes once.
        digests = {each: hash_files(each) for each in set(files.values())}
        hashes = {name: digests[each] for name, each in files.items()}
        if self.vectors is not None:
            hashes[VECTORS] = sha256(*self.vectors.files)
        if self.unlabeled is not None:
            hashes[UNLABELLED] = hash_files(self.unlabeled.table.files)
        if self.kept_vectors is not None and self.kept_vectors.files:
            hashes[KEPT_VECTORS] = sha256(*self.kept_vectors.files)
        if self.start is not None:
            hashes[START] = self.start.sha256
        return hashes


@dataclass(frozen=True)
class TrainingTable:
    """The tokenized training table with its labels and its rows held out for validation."""

    tokenized: TokenizedTable
    held_out: Mask
    """(n,) True for the validation rows."""
    labels: Labels
    """Learned from the rows that are not held out."""


def prepare_dataset(
    config: Config,
    directory: Path | None = None,
    *,
    strict: bool = True,
    start: Start | None = None,
    read: ReadTable | None = None,
) -> Dataset:
    """Read, check, split and encode the data of a config.

    The vocabulary and the labels are learned from training rows only. Texts are not kept; tokens
    and ids go to temporary files.

    Args:
        config: The config.
        directory: For temporary files; None uses the system's directory.
        strict: Whether to call `check_validation_labels`.
        start: What the training continues from; its tokens, n-grams and labels are kept.
        read: Reads the tables; None for `read_tokenized` and `read_tokens`.

    Raises:
        DataError: A table cannot be used, or no rows are left for validation.
        ConfigError: A file is missing, or `class_weight` names a label that no training row has.
    """
    check_files(config)
    vectors = open_vector_source(config.model)
    if start is None:
        open_kept_vectors(config.model)  # raises before the tables are read
    with temporary_files(directory) as new_file:
        table = read_training(config, new_file(), start=start, read=read)
        tokenized = with_unlabeled(table.tokenized, config, new_file())
        split_ids = table.held_out.astype(np.int8)  # 0 for training, 1 for validation
        dataset, _ = encode_splits(
            config, table.labels, tokenized, split_ids, new_file, vectors=vectors
        )
    if strict:
        check_validation_labels(dataset)
    return dataset


def prepare_refit(dataset: Dataset, directory: Path | None = None) -> Dataset:
    """Prepare all rows for training: the vocabulary and labels are learned from all of them.

    The training table is not read again: its tokens are still in a temporary file.

    Args:
        dataset: As `prepare_dataset` returns it.
        directory: For temporary files; None uses the system's directory.

    Raises:
        DataError: The test table cannot be used.
        ConfigError: A file is missing.
    """
    config, table = dataset.config, dataset.table
    check_files(config)
    known = None if table.start is None else table.start.labels
    labels = Labels.fit(table.rows, config.data, start=known)
    split_ids = np.zeros(len(table.rows), np.int8)
    with temporary_files(directory) as new_file:
        refitted, _ = encode_splits(
            config, labels, table, split_ids, new_file, vectors=dataset.vectors
        )
    return refitted


def read_training(
    config: Config, file: IO[bytes], *, start: Start | None = None, read: ReadTable | None = None
) -> TrainingTable:
    """Read and tokenize the training table once, choose validation rows, and fit the labels.

    Args:
        config: The config.
        file: An empty file for the tokens.
        start: What the training continues from.
        read: As for `prepare_dataset`.

    Raises:
        DataError: As `prepare_dataset`.
    """
    tokenized = (read or read_tokenized)(config.data.train, config, file)
    require_tokens(tokenized.tokens.count, config)
    tokenized = replace(tokenized, start=start, read_other=read)
    known = None if start is None else start.labels
    labels = Labels.fit(tokenized.rows, config.data, start=known)
    held_out = hold_out_rows(tokenized.rows, tokenized.fingerprints, config)
    if held_out.any():  # a label can occur in held-out rows only
        labels = fit_training_labels(tokenized.rows, held_out, config.data, start=known)
    return TrainingTable(tokenized, held_out, labels)


def encode_splits(
    config: Config,
    labels: Labels,
    table: TokenizedTable,
    split_ids: SplitIds,
    new_file: NewFile,
    *,
    vectors: VectorSource | None,
) -> tuple[Dataset, Split | None]:
    """Encode rows that are already split; the vocabulary is learned from the training rows.

    Args:
        config: The config.
        labels: At least those of the training rows.
        table: The training table.
        split_ids: (n,) 0 for training, 1 for validation, 2 for neither.
        new_file: Creates the files of ids.
        vectors: The open source that `config` names.

    Returns:
        The dataset, and the rows of split 2, if any.

    Raises:
        DataError: A table cannot be used.
        ConfigError: `class_weight` names a label that does not exist.
    """
    check_label_keys(config, labels)
    encoder = fit_encoder(table, split_ids, labels, config, new_file)
    # min_splits: without held-out rows, split 1 is the empty validation split.
    train, *others = (
        encoder.make_split(table.rows.filter(split_ids == split_id), ids)
        for split_id, ids in enumerate(encoder.encode(table.tokens, split_ids, min_splits=2))
    )
    # Filtering drops the number of skipped rows, which belongs to the training split.
    train = replace(train, rows=replace(train.rows, skipped=table.rows.skipped))
    validation, test = config.data.validation, config.data.test
    read_split = partial(encoder.read_split, config=config, read=table.read_other)
    dataset = Dataset(
        config,
        labels,
        encoder.tokenizer,
        vectors,
        train,
        read_split(validation) if not isinstance(validation, float) else others[0],
        read_split(test) if test else None,
        table,
        table.start,
        unlabeled=table.unlabeled,
        taught=teach(table, encoder, train, split_ids, config),
        kept_vectors=encoder.kept_vectors,
    )
    return dataset, others[1] if len(others) > 1 else None


def with_config(dataset: Dataset, config: Config) -> Dataset:
    """Return the same rows for another config with the same data and text sections.

    Raises:
        ConfigError: `class_weight` or `threshold` does not fit the labels, or the pretrained
            vectors do not fit `embedding_dim`.
        DataError: The vectors cannot be read.
    """
    check_label_keys(config, dataset.labels)
    return replace(dataset, config=config, vectors=open_vector_source(config.model))


@contextmanager
def temporary_files(directory: Path | None = None) -> Iterator[NewFile]:
    """Yield what creates temporary files; mapped rows stay readable after they are closed."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(TemporaryFile(dir=directory))
    release_memory()  # before training needs it
