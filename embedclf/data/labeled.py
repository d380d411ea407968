"""Labelled rows: read in batches, checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from embedclf.data.tables import Table, open_table
from embedclf.errors import DataError
from embedclf.system.arrow import join_columns, mask_column, numbers_of, text_column
from embedclf.system.terminal import near
from embedclf.system.threads import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from embedclf.config.schema import DataConfig
    from embedclf.system.arrays import Mask, Rows

    Made = TypeVar("Made")


SHOWN = 5
"""How many places a fault in many rows names."""


@dataclass(frozen=True)
class CategoricalColumn:
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

    def take(self, mask: Mask) -> CategoricalColumn:
        """The rows under a mask."""
        return CategoricalColumn(self.cells, self.codes[mask])


@dataclass(frozen=True)
class LabeledRows:
    """What is kept in memory of labelled texts: all but the texts, in the order of the table."""

    table: Table
    labels: tuple[CategoricalColumn, ...]
    rows: Rows
    """(n,) positions in the table, where invalid rows were dropped."""
    skipped: int = 0
    """Invalid rows of the table that were dropped."""
    beside: dict[str, CategoricalColumn] = field(default_factory=dict)
    """Other columns that were asked for."""

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, mask: Mask) -> LabeledRows:
        """The rows under a mask."""
        labels = tuple(column.take(mask) for column in self.labels)
        beside = {name: column.take(mask) for name, column in self.beside.items()}
        return LabeledRows(self.table, labels, self.rows[mask], beside=beside)


def read_labeled(
    path: Path,
    config: DataConfig,
    work: Callable[[pa.Array], Made],
    take: Callable[[Made], object],
    *,
    only: Mask | None = None,
    beside: Sequence[str] = (),
) -> LabeledRows:
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


def read_labels(path: Path, config: DataConfig) -> LabeledRows:
    """Read a table for its labels alone; raises as `read_labeled` does."""
    return read_labeled(path, config, len, lambda _length: None)


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

    def rows(self) -> LabeledRows:
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
        return LabeledRows(
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


def _whole(parts: list[pa.DictionaryArray]) -> CategoricalColumn:
    """A column out of its batches."""
    whole = pa.chunked_array(parts).unify_dictionaries().combine_chunks()
    return CategoricalColumn(whole.dictionary, numbers_of(whole.indices))


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
