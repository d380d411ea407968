"""A part of the training table: its tokens, labels and counts, read once and kept in files."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from embedclf.cluster.training.counting import SpilledCounts
from embedclf.data.labeled import CategoricalColumn, LabeledRows, NoRowsError, read_labeled
from embedclf.data.labels import Labels
from embedclf.data.scratch import TokensFile
from embedclf.data.split_units import hash_split
from embedclf.data.splits import with_split_ids
from embedclf.system.arrow import number_column, to_numpy
from embedclf.system.memory.mapped_arrays import ArrayFile
from embedclf.system.memory.mapping import map_file
from embedclf.system.storage import size_and_time
from embedclf.tables.files import find_files, hash_files, is_folder
from embedclf.text.fingerprints import fingerprint_texts
from embedclf.text.ngram_counts import count_longer, merge_key_counts
from embedclf.text.ngrams import pad_texts
from embedclf.text.token_rules import TokenRules
from embedclf.text.vocabulary import merge_token_counts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.cluster.training.work_folder import WorkFolder
    from embedclf.config.schema import Config
    from embedclf.system.arrays import Int64s, Mask
    from embedclf.tables.files import TableFile
    from embedclf.tables.tables import Table
    from embedclf.text.fingerprints import Fingerprints
    from embedclf.text.tokenizer import Tokenizer
    from embedclf.text.tokens import Tokens

_MAX_MAPPED = 1 << 10
"""Parts whose files are mapped at the same time."""

_REQUESTS_AT_ONCE = 16
"""Files that a store is asked about at the same time."""


def identify_tables(config: Config) -> dict[str, str]:
    """Return the names, sizes and times of the files of each table.

    A training that resumes is recognized by them. Its tables may be larger than what one machine
    can read, and a file that has changed has another time.

    Raises:
        DataError: A file does not exist.
    """
    tables = {"train": config.data.train, "test": config.data.test}
    if not isinstance(config.data.validation, float):
        tables["validation"] = config.data.validation
    with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as pool:
        return {
            key: json.dumps([*pool.map(_identify, find_files(table))], default=str)
            for key, table in tables.items()
            if table is not None
        }


def _identify(file: TableFile) -> Any:
    # A text folder has no time of its own contents
    known = hash_files([file]) if is_folder(file.location) else size_and_time(file.location)
    return file.location, file.partition, known


@dataclass(frozen=True)
class PartFiles:
    """The files of a part of the training table."""

    folder: WorkFolder
    number: int
    file: TableFile
    config: Config

    @property
    def name(self) -> str:
        """How the names of its files begin."""
        return f"{self.number:06}"

    @property
    def tokens(self) -> TokensFile:
        """The tokens of all rows."""
        return TokensFile.open(self.folder.path / f"{self.name}.tokens")

    def read_rows(
        self, table: Table, list_separator: str | None
    ) -> tuple[LabeledRows, Fingerprints]:
        """Read the labels of all rows, and the fingerprints of their texts.

        Args:
            table: That the rows are in; it is not read.
            list_separator: What `read_part` has returned.
        """
        batch = self._map_rows()
        labels = tuple(
            CategoricalColumn(column.dictionary, to_numpy(column.indices))
            for column in batch.columns[2:]
        )
        rows = LabeledRows(table, labels, to_numpy(batch[0]), list_separator=list_separator)
        return rows, to_numpy(batch[1])

    def read_texts(self) -> Fingerprints:
        """Read the fingerprints of the texts of all rows."""
        texts: Fingerprints = to_numpy(self._map_rows()[1])
        return texts

    def _map_rows(self) -> pa.RecordBatch:
        with (self.folder.path / f"{self.name}.rows.arrow").open("rb") as file:
            return pa.ipc.open_file(map_file(file)).get_batch(0)

    def is_held_out(self, texts: Fingerprints) -> Mask:
        """Return (n,) True for validation rows, by the fingerprints of their texts."""
        fraction = self.config.data.validation
        if not isinstance(fraction, float):
            return np.zeros(len(texts), np.bool_)
        return hash_split(texts, fraction=fraction, seed=self.config.seed)

    def training_chunks(self, texts: Fingerprints) -> Iterator[Tokens]:
        """Yield the tokens of training rows, chunk by chunk."""
        held_out = self.is_held_out(texts)
        for tokens, mask in with_split_ids(self.tokens, held_out.astype(np.int8)):
            yield tokens.filter(mask == 0)


def read_part(part: PartFiles) -> dict[str, Any]:
    """Read a part of the training table, and count its tokens and labels.

    Returns:
        `rows`, `skipped` and `held_out`, `labels` (of training rows, with their counts),
        `list_separator`, `tokens`, and `counts` (files) with their number of `entries`.

    Raises:
        DataError: The part cannot be read, or has invalid labels.
    """
    return part.folder.do(f"{part.name}.read", lambda: _read(part))


def _read(part: PartFiles) -> tuple[dict[str, Any], list[str]]:
    config, folder = part.config, part.folder
    names = [f"{part.name}.tokens", f"{part.name}.rows.arrow"]
    fingerprints, rules = ArrayFile(np.uint64), TokenRules.from_config(config)

    def process(texts: pa.Array) -> tuple[Tokens, Fingerprints]:
        tokenized = rules.tokenize(texts)
        return tokenized, fingerprint_texts(tokenized)

    with folder.writing(names[0]) as file:
        tokens = TokensFile(file)

        def collect(chunk: tuple[Tokens, Fingerprints]) -> None:
            tokens.append(chunk[0])
            fingerprints.append(chunk[1])

        try:
            rows = read_labeled(part.file, config.data, process, collect)
        except NoRowsError:  # as in files that Spark writes for partitions without rows
            tokens.close()
            return {"rows": 0, "skipped": 0, "entries": 0}, []
        tokens.close()
    texts = fingerprints.map()
    _write_rows(folder, names[1], rows, texts)
    held_out = part.is_held_out(texts)
    counts = SpilledCounts(folder, f"{part.name}.counts", merge_token_counts)
    for chunk in part.training_chunks(texts):
        counts.add(chunk.count())
    counts.close()
    labels = Labels.of_rows(rows.filter(~held_out), config.data)
    values = {
        "rows": len(rows),
        "skipped": rows.skipped,
        "held_out": int(held_out.sum()),
        "labels": dict(zip(labels.names, labels.counts, strict=True)),
        "list_separator": rows.list_separator,
        "tokens": tokens.count,
        "counts": counts.files,
        "entries": counts.entries,
    }
    return values, [*names, *counts.files]


def _write_rows(folder: WorkFolder, name: str, rows: LabeledRows, texts: Fingerprints) -> None:
    labels = {
        f"label-{number}": pa.DictionaryArray.from_arrays(
            number_column(column.codes), column.categories
        )
        for number, column in enumerate(rows.labels)
    }
    columns = {"position": number_column(rows.positions), "text": pa.array(texts), **labels}
    batch = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
    with folder.writing(name) as file, pa.ipc.new_file(file, batch.schema) as writer:
        writer.write_batch(batch)


def count_ngrams(part: PartFiles, tokenizer: Tokenizer) -> dict[str, Any]:
    """Count the n-grams of a part that are one token longer than the tokenizer's.

    Returns:
        `counts` (files) with their number of `entries`.
    """
    name = f"{part.name}.{tokenizer.ngrams.max_n + 1}-grams"

    def work() -> tuple[dict[str, Any], list[str]]:
        counts: SpilledCounts[Int64s] = SpilledCounts(part.folder, name, merge_key_counts)
        for tokens, ids in tokenizer.with_token_ids(part.training_chunks(part.read_texts())):
            padded = pad_texts(tokenizer.ngram_ids(tokens, ids), tokens.ends)[0]
            counts.add(count_longer(padded, tokenizer.ngrams, tokenizer.first_ngram_id))
        counts.close()
        return {"counts": counts.files, "entries": counts.entries}, counts.files

    return part.folder.do(name, work)


def read_validation(
    parts: Sequence[tuple[PartFiles, dict[str, Any]]], table: Table, tokens: TokensFile
) -> tuple[LabeledRows, Fingerprints]:
    """Read the rows that the parts hold out, which must fit on the disk of one machine.

    Args:
        parts: With what `read_part` has returned for each.
        table: That all rows are in; it is not read.
        tokens: Gets the tokens of these rows.

    Returns:
        The rows, whose positions are those in the whole table, and the fingerprints of their texts.
    """
    offset = 0
    found: list[tuple[LabeledRows, Fingerprints]] = []
    for part, values in parts:
        if not values["rows"]:
            continue
        rows, texts = part.read_rows(table, values["list_separator"])
        held_out = part.is_held_out(texts)
        rows = rows.filter(held_out)
        found.append((replace(rows, positions=rows.positions + offset), texts[held_out]))
        for chunk, mask in with_split_ids(part.tokens, held_out.astype(np.int8)):
            tokens.append(chunk.filter(mask == 1))
        offset += values["rows"] + values["skipped"]
        if len(found) == _MAX_MAPPED:
            found = [_join(found)]
    tokens.close()
    return _join(found)


def _join(found: Sequence[tuple[LabeledRows, Fingerprints]]) -> tuple[LabeledRows, Fingerprints]:
    """Put rows of several parts, and what goes with them, one after the other."""
    parts = [rows for rows, _ in found]
    labels = []
    for columns in zip(*(part.labels for part in parts), strict=True):
        encoded = [
            pa.DictionaryArray.from_arrays(number_column(each.codes), each.categories)
            for each in columns
        ]
        chunks = pa.chunked_array(encoded).unify_dictionaries().chunks
        codes = np.concatenate([to_numpy(chunk.indices) for chunk in chunks])
        labels.append(CategoricalColumn(chunks[-1].dictionary, codes))
    positions = np.concatenate([part.positions for part in parts])
    separators = (part.list_separator for part in parts)
    rows = LabeledRows(
        parts[0].table,
        tuple(labels),
        positions,
        list_separator=next(filter(None, separators), None),
    )
    return rows, np.concatenate([texts for _, texts in found])
