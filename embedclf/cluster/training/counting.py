"""Counts of tokens and n-grams: written by part, added up by ranges of their hashes.

An item is in the same range whichever part it comes from. The most frequent items of a range are
therefore known without the other ranges, and no count is ever dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic

import numpy as np
import pyarrow as pa

from embedclf.system.arrow import number_column, to_numpy
from embedclf.system.memory.mapping import map_file
from embedclf.text.fields import are_fields
from embedclf.text.fingerprints import fingerprint_strings, mix
from embedclf.text.ngram_counts import merge_key_counts
from embedclf.text.vocabulary import (
    Items,
    MergeCounts,
    filter_counts,
    merge_token_counts,
    rank_tokens,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from embedclf.cluster.training.work_folder import WorkFolder
    from embedclf.system.arrays import Int64s
    from embedclf.text.fingerprints import Fingerprints
    from embedclf.text.ngram_counts import KeyCounts
    from embedclf.text.tokens import TokenCounts

MAX_ITEMS = 1 << 21
"""Distinct items that a task holds at once, about: 100 MB of words."""

_MAX_CHUNKS = 1 << 14
"""Chunks that are added up at once: each is a mapped file, and Linux allows 65,530 of these."""

_ITEM, _COUNT, _HASH = "item", "count", "hash"


class SpilledCounts(Generic[Items]):
    """Counts that are added up in memory, and written to a file when they are many."""

    def __init__(
        self,
        folder: WorkFolder,
        name: str,
        merge: MergeCounts[Items],
        max_items: int = MAX_ITEMS,
    ) -> None:
        """Start without items; files are `<name>-<number>.arrow`."""
        self.files: list[str] = []
        self.entries = 0
        """Counts in all files; an item can be in several."""
        self._folder, self._name = folder, name
        self._merge: MergeCounts[Items] = merge
        self._max_items, self._size = max_items, 0
        self._chunks: list[tuple[Items, Int64s]] = []

    def add(self, counts: tuple[Items, Int64s]) -> None:
        """Add the counts of a chunk."""
        self._chunks.append(counts)
        self._size += len(counts[1])
        if self._size > self._max_items:
            self._chunks = [self._merge(self._chunks)]
            self._size = len(self._chunks[0][1])
            if self._size > self._max_items // 2:
                self.close()

    def close(self) -> None:
        """Write what is in memory."""
        items, counts = self._merge(self._chunks)
        name = f"{self._name}-{len(self.files)}.arrow"
        _write(self._folder, name, items, counts)
        self.files.append(name)
        self.entries += len(counts)
        self._chunks, self._size = [], 0


def partition_count(entries: int, max_items: int = MAX_ITEMS) -> int:
    """Return into how many ranges to divide the hashes of so many counts."""
    return max(1, -(-entries // max_items))


def reduce_tokens(
    paths: Iterable[Path],
    part: tuple[int, int],
    *,
    size: int,
    min_count: int,
    fields: Sequence[str],
) -> TokenCounts:
    """Add up the counts of the tokens in a range of hashes; return the most frequent ones.

    Args:
        paths: Files of `SpilledCounts`.
        part: The number of the range, and how many there are.
        size: Maximum number of tokens.
        min_count: Minimum number of occurrences.
        fields: Columns whose tokens are all returned.
    """
    counts = _add_up(paths, part, merge_token_counts)
    ranked = rank_tokens(counts, size, min_count)
    if not fields:
        return ranked
    is_field = are_fields(counts[0], fields)
    others = are_fields(ranked[0], fields)
    pairs = (filter_counts(*counts, is_field), filter_counts(*ranked, ~others))
    return pa.concat_arrays([pair[0] for pair in pairs]), np.concatenate([p[1] for p in pairs])


def reduce_keys(
    paths: Iterable[Path], part: tuple[int, int], *, size: int, min_count: int
) -> KeyCounts:
    """Add up the counts of the n-grams in a range of hashes; arguments as for `reduce_tokens`."""
    keys, counts = _add_up(paths, part, merge_key_counts)
    frequent = counts >= min_count
    return rank_keys(keys[frequent], counts[frequent], size)


def rank_keys(keys: Int64s, counts: Int64s, size: int) -> KeyCounts:
    """Return the most frequent n-grams of one length, in the order of their keys.

    A longer n-gram is at most as frequent as the shorter one that it begins with, and loses ties.
    Those that begin with an n-gram outside the first `size` are therefore outside, too.
    """
    kept = np.lexsort((keys, -counts))[:size]
    kept = kept[np.argsort(keys[kept])]
    return keys[kept], counts[kept]


def read_counts(path: Path) -> tuple[Any, Int64s]:
    """Read all counts of a file."""
    batch = _map(path)
    return _items(batch), to_numpy(batch[_COUNT])


def write_counts(folder: WorkFolder, name: str, counts: tuple[Any, Int64s]) -> None:
    """Write counts to a file."""
    _write(folder, name, *counts)


def _write(folder: WorkFolder, name: str, items: Any, counts: Int64s) -> None:
    hashes = _hash(items)
    order = np.argsort(hashes, kind="stable")
    column = items if isinstance(items, pa.Array) else number_column(items)
    columns = [column.take(number_column(order)), number_column(counts[order].astype(np.int64))]
    batch = pa.RecordBatch.from_arrays([*columns, pa.array(hashes[order])], [_ITEM, _COUNT, _HASH])
    with folder.writing(name) as file, pa.ipc.new_file(file, batch.schema) as writer:
        writer.write_batch(batch)


def _hash(items: Any) -> Fingerprints:
    if isinstance(items, np.ndarray):
        return mix(items.view(np.uint64), 0)
    return mix(fingerprint_strings(items), 0)


def _add_up(
    paths: Iterable[Path], part: tuple[int, int], merge: Callable[[list[Any]], Any]
) -> tuple[Any, Int64s]:
    chunks: list[Any] = []
    size = 0
    for counts in _read_range(paths, part):
        chunks.append(counts)
        size += len(counts[1])
        if size > 2 * MAX_ITEMS or len(chunks) > _MAX_CHUNKS:
            chunks = [merge(chunks)]
            size = 0  # what is new since
    items, counts = merge(chunks)
    return items, counts


def _read_range(paths: Iterable[Path], part: tuple[int, int]) -> Iterator[tuple[Any, Int64s]]:
    number, of = part
    edges = [np.uint64(min((each << 64) // of, (1 << 64) - 1)) for each in (number, number + 1)]
    for path in paths:
        batch = _map(path)
        hashes = to_numpy(batch[_HASH])
        start = int(np.searchsorted(hashes, edges[0]))
        end = len(hashes) if number + 1 == of else int(np.searchsorted(hashes, edges[1]))
        batch = batch.slice(start, end - start)
        items = _items(batch)
        if isinstance(items, np.ndarray):  # in ascending order, as the merge expects them
            order = np.argsort(items)
            yield items[order], to_numpy(batch[_COUNT])[order]
        else:
            yield items, to_numpy(batch[_COUNT])


def _items(batch: pa.RecordBatch) -> Any:
    items = batch[_ITEM]
    return items if pa.types.is_string(items.type) else to_numpy(items)


def _map(path: Path) -> pa.RecordBatch:
    with path.open("rb") as file:
        return pa.ipc.open_file(map_file(file)).get_batch(0)
