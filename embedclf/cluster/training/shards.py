"""Shards: training rows as ids, divided among trainings by the hashes of their texts."""

from __future__ import annotations

import json
import zlib
from functools import lru_cache, reduce
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from embedclf.cluster.training.work_folder import damaged
from embedclf.data.dataset import Dataset, temporary_files
from embedclf.data.label_sets import label_sets
from embedclf.data.labeled import LabeledRows
from embedclf.data.scratch import TokensFile
from embedclf.data.splits import Encoder, Split, TokenizedTable
from embedclf.runs.classifier_files import (
    LABELS_FILE,
    ClassifierFiles,
    read_labels,
    read_tokenizer,
    write_tokenizer,
)
from embedclf.runs.writer import RunDraft
from embedclf.system.arrow import number_column, to_numpy
from embedclf.system.memory.mapped_arrays import ArrayFile
from embedclf.system.memory.mapping import map_file
from embedclf.tables.read_options import ReadOptions
from embedclf.tables.tables import open_table
from embedclf.text.encodings import TokenIds
from embedclf.text.fingerprints import mix
from embedclf.training.divergence import count_by_output
from embedclf.training.steps.losses import count_label_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.cluster.training.parts import PartFiles
    from embedclf.cluster.training.work_folder import WorkFolder
    from embedclf.config.schema import Config
    from embedclf.data.labels import Labels
    from embedclf.tables.files import TableFile
    from embedclf.text.tokenizer import Tokenizer

_IDS, _LABELS = "ids", "labels"


class EncoderFiles(NamedTuple):
    """A tokenizer and labels, in a folder that all machines see."""

    path: str

    @classmethod
    def write(cls, folder: WorkFolder, tokenizer: Tokenizer, labels: Labels) -> EncoderFiles:
        """Write them."""
        draft = RunDraft(folder.path)
        write_tokenizer(draft, tokenizer)
        draft.write_json(LABELS_FILE, labels.to_json())
        return cls(str(folder.path))

    def read(self) -> tuple[Tokenizer, Labels]:
        """Read them; a process does so once."""
        return _read_encoder(self.path)


@lru_cache(2)
def _read_encoder(path: str) -> tuple[Tokenizer, Labels]:
    files = ClassifierFiles.of(Path(path))
    return read_tokenizer(files), read_labels(files)


def encode_part(
    part: PartFiles, values: dict[str, Any], encoder: EncoderFiles, shards: int
) -> dict[str, Any]:
    """Encode the training rows of a part: a record batch for each shard, in one Arrow file.

    Args:
        part: The part.
        values: What `read_part` has returned for it.
        encoder: The tokenizer and the labels.
        shards: How many there are.

    Returns:
        `file`, the CRC-32 of each shard's rows in it (`checksums`), and the `tokens`, `unknown` and
        `truncated` of a `Split`.
    """
    name = f"{part.name}.shards"
    return part.folder.do(name, lambda: _encode(part, values, encoder, shards))


def _encode(
    part: PartFiles, values: dict[str, Any], files: EncoderFiles, shards: int
) -> tuple[dict[str, Any], list[str]]:
    tokenizer, labels = files.read()
    table = open_table(part.file, [], ReadOptions.from_config(part.config.data))
    rows, texts = part.read_rows(table, values["list_separator"])
    held_out = part.is_held_out(texts)
    with temporary_files() as new_file:
        encoder = Encoder(tokenizer, labels, part.config.data, new_file)
        ids = encoder.encode(part.tokens, held_out.astype(np.int8), min_splits=2)[0]
        split = encoder.make_split(rows.filter(~held_out), ids)
    shard_of = shards_of_texts(texts[~held_out], part.config.seed, shards)
    name, checksums = f"{part.name}.shards.arrow", []
    dtype = pa.from_numpy_dtype(split.ids.values.dtype)
    schema = pa.schema([(_IDS, pa.large_list(dtype)), (_LABELS, pa.large_list(pa.int32()))])
    with part.folder.writing(name) as file, pa.ipc.new_file(file, schema) as writer:
        for shard in range(shards):
            batch = _to_batch(split, np.flatnonzero(shard_of == shard), schema)
            checksums.append(_checksum(batch))
            writer.write_batch(batch)
    facts = {
        "file": str(part.folder.path / name),
        "checksums": checksums,
        "tokens": split.tokens,
        "unknown": split.unknown,
        "truncated": split.truncated,
    }
    return facts, [name]


def shards_of_texts(texts: Any, seed: int, shards: int) -> Any:
    """Return the shard (n,) of each text, by its fingerprint."""
    # Not the seed of the held-out rows, which are those of the lowest numbers
    return mix(mix(texts, seed), 1) % np.uint64(shards)


def _to_batch(split: Split, rows: Any, schema: pa.Schema) -> pa.RecordBatch:
    ids, targets = split.ids[rows], split.targets[rows]
    if targets.ndim == 2:
        values, edges = targets.indices, targets.indptr
    else:
        values, edges = targets, np.arange(len(rows) + 1)
    columns = [
        _lists(np.concatenate([[0], ids.ends]), ids.values),
        _lists(edges, values.astype(np.int32)),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _lists(edges: Any, values: Any) -> pa.LargeListArray:
    return pa.LargeListArray.from_arrays(
        number_column(edges.astype(np.int64)), number_column(np.ascontiguousarray(values))
    )


def _checksum(batch: pa.RecordBatch) -> int:
    """Return the CRC-32 of a batch that is no slice of another."""
    arrays = [array for column in batch.columns for array in (column.offsets, column.values)]
    return reduce(lambda crc, array: zlib.crc32(to_numpy(array).data, crc), arrays, 0)


class ShardSource(NamedTuple):
    """Where the rows of a shard are; it stays small however many parts there are."""

    number: int
    parts: str
    """A list of the file of each part, with the checksum of the shard's rows in it."""
    encoder: EncoderFiles
    first_file: TableFile
    """Of the training table."""

    @classmethod
    def write(
        cls,
        folder: WorkFolder,
        number: int,
        encoded: Sequence[dict[str, Any]],
        encoder: EncoderFiles,
        first_file: TableFile,
    ) -> ShardSource:
        """Write the list of a shard's files, by what `encode_part` has returned for each part."""
        name = f"shard-{number:06}.json"
        files = [(each["file"], each["checksums"][number]) for each in encoded]
        with folder.writing(name) as file:
            file.write(json.dumps(files).encode())
        return cls(number, str(folder.path / name), encoder, first_file)

    def read(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows of each part.

        Raises:
            RunError: A file is not as it was written.
        """
        for file, checksum in json.loads(Path(self.parts).read_bytes()):
            try:
                with open(file, "rb") as stored:
                    batch = pa.ipc.open_file(map_file(stored)).get_batch(self.number)
            except (OSError, pa.ArrowException):
                batch = None
            if batch is None or _checksum(batch) != checksum:
                raise damaged(Path(file))
            yield batch


def read_shard(source: ShardSource, config: Config) -> Dataset:
    """Copy the rows of a shard to temporary files of this machine.

    Returns:
        A dataset without validation rows, whose training rows have ids and targets alone.

    Raises:
        RunError: A file is not as it was written.
    """
    tokenizer, labels = source.encoder.read()
    values, ends = ArrayFile(_id_type(tokenizer)), ArrayFile(np.int64)
    rows_of_labels, label_ids = ArrayFile(np.int64), ArrayFile(np.int32)
    for batch in source.read():
        lists, of_rows = batch[_IDS], batch[_LABELS]
        lengths = to_numpy(of_rows.value_lengths())
        rows_of_labels.append(np.repeat(np.arange(len(batch)) + len(ends), lengths))
        label_ids.append(to_numpy(of_rows.flatten()))
        ends.append(to_numpy(lists.offsets)[1:] - to_numpy(lists.offsets)[0] + len(values))
        values.append(to_numpy(lists.flatten()))
    ids, targets = TokenIds(values.map(), ends.map()), label_ids.map()
    if labels.task == "multilabel":
        targets = label_sets(rows_of_labels.map(), targets, (len(ids), len(labels.names)))
    table = open_table(source.first_file, [], ReadOptions.from_config(config.data))
    rows = LabeledRows(table, (), np.arange(len(ids)))
    tokenized = without_tokens(rows)
    train = Split(rows, ids, targets, {}, 0, 0, 0)
    none = LabeledRows(table, (), np.zeros(0, np.int64))
    validation = Split(none, ids[:0], targets[:0], {}, 0, 0, 0)
    return Dataset(config, labels, tokenizer, None, train, validation, None, tokenized)


def without_tokens(rows: LabeledRows) -> TokenizedTable:
    """Return rows whose tokens are elsewhere as a table without any."""
    return TokenizedTable(rows, TokensFile(BytesIO()), np.zeros(0, np.uint64))


def _id_type(tokenizer: Tokenizer) -> Any:
    return np.uint16 if tokenizer.vocabulary_rows <= 1 << 16 else np.int32


def measure_shard(folder: WorkFolder, source: ShardSource, config: Config) -> dict[str, Any]:
    """Count the ids and labels of a shard.

    Returns:
        `rows`, the rows that have each label (`present`), and the names of arrays: `counts`
        (vocabulary_rows,), and for each output the ids that its texts have, and how often.
    """
    name = f"statistics-{source.number:06}"

    def work() -> tuple[dict[str, Any], list[str]]:
        dataset = read_shard(source, config)
        rows = count_label_rows(dataset.train.targets, dataset.labels)
        arrays = {f"{name}-counts": dataset.counts}
        if config.model.initialization == "naive_bayes":
            by_output = list(count_by_output(dataset))
            arrays[f"{name}-ids"] = np.concatenate([ids for ids, _ in by_output])
            arrays[f"{name}-occurrences"] = np.concatenate([found for _, found in by_output])
            arrays[f"{name}-ends"] = np.cumsum([len(ids) for ids, _ in by_output])
        files = [folder.write_array(each, values) for each, values in arrays.items()]
        return {"rows": len(dataset.train), "present": rows.present.tolist()}, files

    return folder.do(name, work)
