"""The dataset of a training on a cluster: rows are in shards, and only totals of them here."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.cluster.parts import find_parts
from embedclf.cluster.training.parts import PartFiles, read_part, read_validation
from embedclf.cluster.training.shards import (
    EncoderFiles,
    ShardSource,
    encode_part,
    measure_shard,
    without_tokens,
)
from embedclf.cluster.training.vocabulary import fit_tokenizer
from embedclf.data.config_files import check_files, check_label_keys, check_validation_labels
from embedclf.data.dataset import Dataset, temporary_files
from embedclf.data.label_forms import sort_labels
from embedclf.data.labeled import LabeledRows
from embedclf.data.labels import Labels
from embedclf.data.scratch import TokensFile
from embedclf.data.splits import Encoder, Split, TokenizedTable, require_tokens
from embedclf.errors import DataError
from embedclf.system.storage import is_uri
from embedclf.tables.files import display_tables
from embedclf.tables.read_options import ReadOptions
from embedclf.tables.tables import open_table
from embedclf.text.encodings import TokenIds
from embedclf.text.vectors.pretrained import open_vector_source
from embedclf.training.divergence import divergence_of_counts
from embedclf.training.initialization import TrainingStatistics
from embedclf.training.steps.losses import LabelRows, weigh_label_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.cluster.task_queue import TaskQueue
    from embedclf.cluster.training.work_folder import WorkFolder
    from embedclf.config.schema import Config
    from embedclf.data.labels import Task
    from embedclf.system.arrays import Counts, Doubles, Int64s, Mask
    from embedclf.tables.files import TableFile
    from embedclf.tables.tables import Table

    _Parts = list[tuple[PartFiles, dict[str, Any]]]


@dataclass(frozen=True)
class ShardedSplit(Split):
    """The training rows of all shards. Their ids are not here, only totals of them."""

    row_count: int = 0
    id_counts: Counts | None = None

    def __len__(self) -> int:
        return self.row_count

    def count_ids(self, vocabulary_rows: int, mask: Mask | None = None) -> Counts:
        """Return how often each id (vocabulary_rows,) occurs in all rows."""
        del mask  # these are totals of all rows
        return np.zeros(vocabulary_rows, np.int64) if self.id_counts is None else self.id_counts

    def count_labels(self, labels: Labels) -> Counts:
        """Return how many rows have each label (labels,)."""
        return np.array(labels.counts)


@dataclass(frozen=True)
class ShardedDataset:
    """A dataset, and where its training rows are."""

    dataset: Dataset
    """Its training rows are a `ShardedSplit`."""
    shards: tuple[ShardSource, ...]
    label_rows: LabelRows
    statistics: TrainingStatistics


def prepare_sharded(
    tasks: TaskQueue, folder: WorkFolder, config: Config, shard_count: int
) -> ShardedDataset:
    """Read, count and encode the training table in parts, on the workers of a cluster.

    Validation and test rows are read here.

    Args:
        tasks: Runs tasks on the workers.
        folder: Of all files.
        config: The config.
        shard_count: How many shards to divide the training rows into.

    Raises:
        DataError: A table cannot be used, or no rows are left for validation.
        ConfigError: A file is missing, or `class_weight` names a label that no training row has.
    """
    check_files(config)
    vectors = open_vector_source(config.model)
    inner = folder.folder("parts")
    files = [
        PartFiles(inner, number, _absolute(part.file), config)
        for number, part in enumerate(find_parts(config.data.train))
    ]
    read = tasks.run(read_part, [(part,) for part in files], "reading the training table")
    parts = [(part, values) for part, values in zip(files, read, strict=True) if values["rows"]]
    require_tokens(sum(values["tokens"] for _, values in parts), config)
    labels = _merge_labels([values["labels"] for _, values in parts], config)
    check_label_keys(config, labels)
    tokenizer = fit_tokenizer(tasks, folder, config, parts, labels)
    require_tokens(len(tokenizer.tokens), config)
    encoder_files = EncoderFiles.write(folder.folder("encoder"), tokenizer, labels)
    arguments = [(part, values, encoder_files, shard_count) for part, values in parts]
    encoded = tasks.run(encode_part, arguments, "encoding texts")
    shards_folder, first_file = folder.folder("shards"), parts[0][0].file
    sources = tuple(
        ShardSource.write(shards_folder, number, encoded, encoder_files, first_file)
        for number in range(shard_count)
    )
    statistics_folder = folder.folder("statistics")
    measured = tasks.run(
        measure_shard,
        [(statistics_folder, source, config) for source in sources],
        "counting ids",
        unit="shards",
    )
    totals = _Totals(statistics_folder, measured, config)
    table = open_table(
        config.data.train, config.data.label_columns, ReadOptions.from_config(config.data)
    )
    train = _sharded_split(table, read, encoded, totals)
    with temporary_files() as new_file:
        encoder = Encoder(tokenizer, labels, config.data, new_file)
        validation = _validation(encoder, config, parts, table)
        test = config.data.test
        dataset = Dataset(
            config,
            labels,
            tokenizer,
            vectors,
            train,
            validation,
            encoder.read_split(test, config=config, read=None) if test else None,
            validation.tokenized or without_tokens(train.rows),
        )
    check_validation_labels(dataset)
    return ShardedDataset(dataset, sources, totals.label_rows, totals.statistics(dataset))


def _absolute(file: TableFile) -> TableFile:
    """Return a file by a path that does not depend on the folder a worker was started in."""
    if is_uri(file.location):
        return file
    return replace(file, location=os.path.abspath(file.location))


class _Totals:
    """The sums of what was counted in each shard."""

    def __init__(
        self, folder: WorkFolder, measured: Sequence[dict[str, Any]], config: Config
    ) -> None:
        self._folder, self._config = folder, config
        self._names = [f"statistics-{number:06}" for number in range(len(measured))]
        self.counts: Counts = np.array(folder.map_array(f"{self._names[0]}-counts"))
        for name in self._names[1:]:
            self.counts += folder.map_array(f"{name}-counts")
        total = float(sum(each["rows"] for each in measured))
        present: Doubles = np.sum([each["present"] for each in measured], axis=0)
        self.label_rows = LabelRows(total, present, total - present)

    def statistics(self, dataset: Dataset) -> TrainingStatistics:
        """Return what initial weights depend on."""
        class_weight, labels = self._config.training.class_weight, dataset.labels
        present, absent = weigh_label_rows(self.label_rows, labels, class_weight)
        counts = self.counts.astype(np.float64)
        return TrainingStatistics(
            present, absent, lambda: divergence_of_counts(counts, self._by_output(labels.outputs))
        )

    def _by_output(self, outputs: int) -> Iterator[tuple[Int64s, Doubles]]:
        """Yield the ids of each output and their occurrences, added up over shards."""
        shards = [
            [self._folder.map_array(f"{name}-{key}") for key in ("ids", "occurrences", "ends")]
            for name in self._names
        ]
        for output in range(outputs):
            total = np.zeros(len(self.counts))
            for ids, occurrences, ends in shards:
                of_output = slice(int(ends[output - 1]) if output else 0, int(ends[output]))
                total[ids[of_output]] += occurrences[of_output]
            found = np.flatnonzero(total)
            yield found, total[found]


def _merge_labels(parts: Sequence[dict[str, int]], config: Config) -> Labels:
    """Return the labels of all training rows, in the order of `Labels.fit`."""
    counts: dict[str, int] = {}
    for part in parts:
        for name, rows in part.items():
            counts[name] = counts.get(name, 0) + rows
    several = isinstance(config.data.label, list) or config.data.label_separator is not None
    names = tuple(counts if isinstance(config.data.label, list) else sort_labels(counts))
    if len(names) < 2 and not isinstance(config.data.label, list):
        found = f"the only label is {names[0]!r}" if names else "no training row has a label"
        raise DataError(
            f"{display_tables(config.data.train)}: {found}; a classifier needs at least two; "
            "check data.label"
        )
    task: Task = "multilabel" if several else "binary" if len(names) == 2 else "multiclass"
    return Labels(task, names, tuple(counts[name] for name in names))


def _sharded_split(
    table: Table, read: Sequence[dict[str, Any]], encoded: Sequence[dict[str, Any]], totals: _Totals
) -> ShardedSplit:
    skipped = sum(values["skipped"] for values in read)
    none = np.zeros(0, np.int64)
    tokens, unknown, truncated = (
        sum(each[key] for each in encoded) for key in ("tokens", "unknown", "truncated")
    )
    return ShardedSplit(
        LabeledRows(table, (), none, skipped),
        TokenIds(none, none),
        none,
        {},
        tokens,
        unknown,
        truncated,
        row_count=int(totals.label_rows.total),
        id_counts=totals.counts,
    )


def _validation(encoder: Encoder, config: Config, parts: _Parts, table: Table) -> Split:
    """Encode the validation rows: those of a table, or those that the parts hold out."""
    if not isinstance(config.data.validation, float):
        return encoder.read_split(config.data.validation, config=config, read=None)
    tokens = TokensFile(encoder.new_file())
    rows, texts = read_validation(parts, table, tokens)
    if not len(rows):
        raise DataError(
            f"{display_tables(config.data.train)}: no text was held out for validation; add rows, "
            "raise data.validation, or set it to a file"
        )
    (ids,) = encoder.encode(tokens, np.zeros(len(rows), np.int8))
    split = encoder.make_split(rows, ids)
    return replace(split, tokenized=TokenizedTable(rows, tokens, texts))
