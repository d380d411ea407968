"""Labelled texts: read in batches, checked, split."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from embedclf.columns import join_columns, mask_column, numbers_of, text_column
from embedclf.config import near
from embedclf.errors import DataError
from embedclf.pools import in_order
from embedclf.tables import Table, open_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from embedclf.fingerprints import Fingerprints
    from embedclf.schema import DataConfig

    Made = TypeVar("Made")

Rows = npt.NDArray[np.int64]  # (n,) positions in a table or a set of rows
Mask = npt.NDArray[np.bool_]  # (n,)
_AT_ONCE = 1 << 14
SHOWN = 5
"""How many places a fault in many rows names."""


@dataclass(frozen=True)
class CellColumn:
    """What a column holds: each different cell once, and which of them each row has."""

    cells: pa.StringArray
    """(different,) some of which no row may have."""
    codes: npt.NDArray[np.int32]
    """(n,)"""

    def used(self) -> pa.StringArray:
        """The cells that a row has."""
        return self.cells.filter(
            mask_column(np.bincount(self.codes, minlength=len(self.cells)) > 0)
        )

    def take(self, mask: Mask) -> CellColumn:
        """The rows under a mask."""
        return CellColumn(self.cells, self.codes[mask])


@dataclass(frozen=True)
class LabelledRows:
    """What is kept in memory of labelled texts: all but the texts, in the order of the table."""

    table: Table
    labels: tuple[CellColumn, ...]
    rows: Rows
    """(n,) positions in the table, where invalid rows were dropped."""
    skipped: int = 0
    """Invalid rows of the table that were dropped."""
    beside: dict[str, CellColumn] = field(default_factory=dict)
    """Other columns that were asked for."""

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, mask: Mask) -> LabelledRows:
        """The rows under a mask."""
        labels = tuple(column.take(mask) for column in self.labels)
        beside = {name: column.take(mask) for name, column in self.beside.items()}
        return LabelledRows(self.table, labels, self.rows[mask], beside=beside)


def read_labelled(
    path: Path,
    config: DataConfig,
    work: Callable[[pa.Array], Made],
    take: Callable[[Made], object],
    *,
    only: Mask | None = None,
    beside: Sequence[str] = (),
) -> LabelledRows:
    """Read a table in batches, check each label, and pass the texts on.

    Args:
        path: The table; `config` says how to read it.
        config: Columns, separator, delimiter, encoding, and whether invalid rows are dropped.
        work: Done on the texts (rows,) of each batch, on all cores.
        take: Called with what was made of them, in order; no text is kept.
        only: Which of the valid rows to read; None is all.
        beside: Other columns whose cells are wanted.

    Raises:
        DataError: The table cannot be read, lacks a column, has no rows, or holds invalid labels
            (empty, or no 0 or 1 in a column of them) and `skip_invalid` is off.
    """
    reader = _Reader(path, config, beside)
    texts = reader.texts() if only is None else _under(only, reader.texts())
    for made in in_order(work, texts):
        take(made)
    return reader.rows() if only is None else reader.rows().take(only)


def read_labels(path: Path, config: DataConfig) -> LabelledRows:
    """Read a table for its labels alone; raises as `read_labelled` does."""
    return read_labelled(path, config, len, lambda _length: None)


class _Reader:
    """Reads a table once: gives its texts away and keeps the rest."""

    def __init__(self, path: Path, config: DataConfig, beside: Sequence[str]) -> None:
        self._config = config
        needed = list(dict.fromkeys([*config.text_columns, *config.label_columns]))
        self._table = open_table(path, needed, delimiter=config.delimiter, encoding=config.encoding)
        self._columns = list(dict.fromkeys([*needed, *beside]))
        for column in beside:
            if self._table.columns.count(column) != 1:
                there = ", ".join(map(repr, self._table.columns))
                raise DataError(f"{path}:1: not one column {column!r}; there are {there}")
        self._labels: list[list[pa.DictionaryArray]] = [[] for _ in config.label_columns]
        self._beside: dict[str, list[pa.DictionaryArray]] = {column: [] for column in beside}
        self._valid: list[Mask] = []

    def texts(self) -> Iterator[pa.Array]:
        """The texts of valid rows, batch by batch."""
        for batch, _ in self._table.parts(self._columns):
            valid = np.ones(len(batch), np.bool_)
            for held, name in zip(self._labels, self._config.label_columns, strict=True):
                encoded = batch[name].dictionary_encode()
                held.append(encoded)
                valid &= self._are_valid(encoded.dictionary)[numbers_of(encoded.indices)]
            self._valid.append(valid)
            for name, cells in self._beside.items():
                cells.append(batch[name].dictionary_encode())
            texts = join_columns([batch[name] for name in self._config.text_columns])
            yield texts if valid.all() else texts.filter(mask_column(valid))

    def rows(self) -> LabelledRows:
        """What was kept, once all texts are read."""
        path = self._table.path
        valid = np.concatenate(self._valid) if self._valid else np.zeros(0, np.bool_)
        if not len(valid):
            raise DataError(f"{path}: a header and no rows; it needs labelled texts")
        invalid = np.flatnonzero(~valid)
        if len(invalid) and not self._config.skip_invalid:
            several = isinstance(self._config.label, list)
            fault = "a label column holds neither 0 nor 1" if several else "empty label"
            raise DataError(
                f"{places(self._table, invalid)}: {fault}; mend the rows, "
                "or drop them with data.skip_invalid: true"
            )
        if not valid.any():
            raise DataError(f"{path}: no row has a valid label")
        return LabelledRows(
            self._table,
            tuple(_whole(parts).take(valid) for parts in self._labels),
            np.flatnonzero(valid),
            len(invalid),
            {name: _whole(parts).take(valid) for name, parts in self._beside.items()},
        )

    def _are_valid(self, cells: pa.StringArray) -> Mask:
        if isinstance(self._config.label, list):
            flags = text_column(["0", "1", "false", "true"])
            mask = pc.is_in(pc.utf8_lower(cells), flags)
        else:
            if (separator := self._config.label_separator) is not None:
                cells = pc.replace_substring(cells, separator, "")
            mask = pc.not_equal(pc.utf8_trim_whitespace(cells), text_column([""])[0])
        return numbers_of(mask).view(np.bool_)


def _whole(parts: list[pa.DictionaryArray]) -> CellColumn:
    """A column out of its batches."""
    whole = pa.chunked_array(parts).unify_dictionaries().combine_chunks()
    return CellColumn(whole.dictionary, numbers_of(whole.indices))


def _under(mask: Mask, batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
    start = 0
    for texts in batches:
        kept = mask[start : start + len(texts)]
        start += len(texts)
        if kept.any():
            yield texts.filter(mask_column(kept))


def places(table: Table, rows: Sequence[int] | Rows) -> str:
    """Name where the first of some rows of a table stand, and how many more there are."""
    first, *others = table.places([int(row) for row in rows[:SHOWN]])
    rest = [place.rpartition(":")[2].strip() for place in others]
    more = f" and {len(rows) - SHOWN:,} more" if len(rows) > SHOWN else ""
    return ", ".join([first, *rest]) + more


def near_places(table: Table, rows: Rows) -> list[str]:
    """Where rows of a table stand, ascending, as one would type it: `file:line`."""
    shown = str(near(table.path))
    return [place.replace(table.name, shown, 1) for place in table.places(rows.tolist())]


def split(
    keys: Fingerprints, strata: npt.NDArray[np.int64], *, fraction: float, seed: int
) -> npt.NDArray[np.bool_]:
    """Choose the rows to hold out: stratified, seeded, equal keys on one side.

    Each stratum holds out its share of rows, rounded such that the total fits as near as can be
    (largest remainders), and keeps one at least. Its groups of equal keys are taken in the order of
    chance, as long as they fit into what is left of the share.

    Args:
        keys: (n,) numbers; rows with the same one belong together.
        strata: (n,) the stratum of each row; a group belongs to the rarest among its rows.
        fraction: Share of the rows to hold out, between 0 and 1.
        seed: Source of chance.

    Returns:
        (n,) True for the rows held out.
    """
    _, groups, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    _, numbered, rows = np.unique(strata, return_inverse=True, return_counts=True)
    by_rarity = np.lexsort((rows[numbered], groups))
    _, first = np.unique(groups[by_rarity], return_index=True)
    stratum = numbered[by_rarity][first]  # (groups,)
    rng = np.random.default_rng(seed)
    room = _quotas(np.bincount(stratum, sizes, len(rows)), fraction, rng).tolist()
    left = sum(room)
    held_out = np.zeros(len(sizes), np.bool_)
    for group, of, size in _one_by_one(rng.permutation(len(sizes)), stratum, sizes):
        if size <= room[of]:
            held_out[group] = True
            room[of] -= size
            left -= size
            if not left:
                break
    mask: npt.NDArray[np.bool_] = held_out[groups]
    return mask


def folds(
    keys: Fingerprints, strata: npt.NDArray[np.int64], *, count: int, seed: int
) -> npt.NDArray[np.int64]:
    """Part rows into folds of equal size: stratified, seeded, equal keys in one.

    Each fold is split off what the ones before it left. A group of equal keys that is larger than a
    fold goes to the last one.

    Args:
        keys: (n,) numbers; rows with the same one belong together.
        strata: (n,) the stratum of each row.
        count: How many folds.
        seed: Source of chance.

    Returns:
        (n,) the number of each row's fold, from 0; where keys are few, a fold may have no row.
    """
    numbers = np.full(len(keys), count - 1, np.int64)
    left = np.arange(len(keys))
    for number in range(count - 1):
        fraction = 1 / (count - number)
        chosen = split(keys[left], strata[left], fraction=fraction, seed=seed)
        numbers[left[chosen]] = number
        left = left[~chosen]
    return numbers


def _one_by_one(order: Rows, *columns: npt.NDArray[Any]) -> Iterator[tuple[int, ...]]:
    """Each position of an order with what columns hold there, as Python's numbers: some at once."""
    for start in range(0, len(order), _AT_ONCE):
        part = order[start : start + _AT_ONCE]
        yield from zip(part.tolist(), *(column[part].tolist() for column in columns), strict=True)


def _quotas(
    rows: npt.NDArray[Any], fraction: float, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """How many rows of each stratum make up a fraction of all; never all of a stratum."""
    shares = rows * fraction
    most = np.maximum(rows - 1, 0).astype(np.int64)
    quotas: npt.NDArray[np.int64] = np.minimum(np.floor(shares).astype(np.int64), most)
    missing = round(float(shares.sum())) - int(quotas.sum())
    for stratum in np.lexsort((rng.permutation(len(rows)), quotas - shares)):
        if missing > 0 and quotas[stratum] < most[stratum]:
            quotas[stratum] += 1
            missing -= 1
    return quotas


def sha256(*paths: Path) -> str:
    """SHA-256 of a file, or of several one behind the other, in hexadecimal."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            hashlib.file_digest(file, lambda: digest)
    return digest.hexdigest()
