"""Labeled rows: read them in batches, and check their labels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pyarrow as pa

from embedclf.data.label_cells import FLAGS, LabelCellError, LabelCells
from embedclf.errors import DataError
from embedclf.system.arrow import mask_column, number_column, pc, text_column, to_numpy
from embedclf.system.memory.mapped_arrays import (
    ArrayFile,
    compress,
    count_numbers,
    positions_of,
    take,
)
from embedclf.system.memory.release import release_memory
from embedclf.system.threads import parallel_map
from embedclf.tables.parts import MissingColumnError, suggest_columns
from embedclf.tables.read_options import ReadOptions
from embedclf.tables.tables import Table, open_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from embedclf.config.data_section import DataConfig
    from embedclf.config.fields import Tables
    from embedclf.system.arrays import Counts, Int32s, Mask, Rows
    from embedclf.tables.files import TableFile

    Result = TypeVar("Result")

_MAX_LOCATIONS = 5
"""Rows that an error message locates by file and line."""

_MIN_COMBINED = 1 << 18
"""Cells of a column to number together; fewer would build the index of categories too often."""


class NoRowsError(DataError):
    """A table has no labeled row."""


@dataclass(frozen=True)
class CategoricalColumn:
    """A column as distinct cells, and the index of each row's cell among them."""

    categories: pa.StringArray
    """(distinct,) cells; some may be unused."""
    codes: Int32s
    """(n,); memory-mapped if there are many."""

    def used_categories(self) -> pa.StringArray:
        """Return the categories that occur in at least one row."""
        return self.categories.filter(mask_column(self.count_rows() > 0))

    def count_rows(self) -> Counts:
        """(distinct,) the rows of each category."""
        return count_numbers(self.codes, len(self.categories))

    def filter(self, mask: Mask) -> CategoricalColumn:
        """Keep the rows where a mask (n,) is true."""
        return CategoricalColumn(self.categories, compress(self.codes, mask))

    def rename(self, cells: pa.StringArray) -> CategoricalColumn:
        """Replace the categories by others (distinct,), of which several can be equal."""
        renamed = cells.dictionary_encode()
        codes = take(to_numpy(renamed.indices), self.codes)
        return CategoricalColumn(renamed.dictionary, codes)


@dataclass(frozen=True)
class LabeledRows:
    """Labeled rows without their texts, which are not kept in memory; in the table's order."""

    table: Table
    labels: tuple[CategoricalColumn, ...]
    positions: Rows
    """(n,) positions in the table, from 0; without invalid rows."""
    skipped: int = 0
    """Number of invalid rows that were skipped."""
    other_columns: dict[str, CategoricalColumn] = field(default_factory=dict)
    """Additional columns that were requested."""
    list_separator: str | None = None
    """What joins the labels of cells that were lists of several; None if there were none."""

    def __len__(self) -> int:
        return len(self.positions)

    def filter(self, mask: Mask) -> LabeledRows:
        """Keep the rows where a mask (n,) is true."""
        labels = tuple(column.filter(mask) for column in self.labels)
        others = {name: column.filter(mask) for name, column in self.other_columns.items()}
        return replace(
            self,
            labels=labels,
            positions=compress(self.positions, mask),
            skipped=0,
            other_columns=others,
        )


def read_labeled(
    tables: Tables | TableFile,
    config: DataConfig,
    process: Callable[[pa.Array], Result],
    collect: Callable[[Result], object],
    *,
    only: Mask | None = None,
    other_columns: Sequence[str] = (),
) -> LabeledRows:
    """Read a table in batches: check its labels, and process its texts without keeping them.

    Args:
        tables: The table: its files, folders, patterns or URIs.
        config: Its columns, how to read it, and which rows are invalid.
        process: Applied to the texts (rows,) of each batch, on all cores.
        collect: Called with each result, in order.
        only: (valid rows,) True for the valid rows to return; None returns all.
        other_columns: Additional columns to return.

    Raises:
        DataError: The table cannot be read, lacks a column, has no rows, or has invalid labels
            (empty; in a column per label, not 0 or 1) and `skip_invalid` is off.
    """
    reader = _LabeledReader(tables, config, other_columns)
    texts = reader.texts() if only is None else _filter_batches(only, reader.texts())
    for result in parallel_map(process, texts):
        collect(result)
    release_memory()
    return reader.rows() if only is None else reader.rows().filter(only)


def read_labels(tables: Tables, config: DataConfig) -> LabeledRows:
    """Read only the labels of a table; raises as `read_labeled` does."""
    return read_labeled(tables, config, len, lambda _length: None)


class _LabeledReader:
    """Reads a table once: first yields the texts, then returns the rest."""

    def __init__(
        self, tables: Tables | TableFile, config: DataConfig, other_columns: Sequence[str]
    ) -> None:
        self._config = config
        required = list(dict.fromkeys([*config.input_columns.names, *config.label_columns]))
        self._table = _open_table(tables, required, config)
        self._cells = LabelCells.from_config(config)
        row_columns = config.row_columns(tables)
        other_columns = list(dict.fromkeys([*row_columns.values(), *other_columns]))
        self._columns = list(dict.fromkeys([*required, *other_columns]))
        for column in other_columns:
            if (count := self._table.count_columns(column)) != 1:
                fault = f"{count} columns are named" if count else "no column"
                keys = [f"data.{key}" for key, name in row_columns.items() if name == column]
                role = f" for {keys[0]}" if keys else ""
                hint = suggest_columns(column, self._table.leaves)
                hint = f"{hint}; add it, or set {keys[0]}: null" if keys else hint
                raise DataError(f"{self._table.name}:1: {fault} {column!r}{role}; {hint}")
        # One for all columns, which can be hundreds: each file in use takes a descriptor.
        self._codes = ArrayFile(np.int32)
        self._labels = [_ColumnFile(self._codes) for _ in config.label_columns]
        self._others = {name: _ColumnFile(self._codes) for name in other_columns}
        self._valid = ArrayFile(np.bool_)

    def texts(self) -> Iterator[pa.Array]:
        """Yield the texts of valid rows, batch by batch."""
        labels = self._config.label_columns
        for batch, _ in self._table.iter_batches(self._columns, as_json=[*labels, *self._others]):
            valid = np.ones(len(batch), np.bool_)
            for cells, name in zip(self._labels, labels, strict=True):
                encoded = batch[name].dictionary_encode()
                cells.append(encoded)
                # Checks each distinct cell once: (distinct,) -> (rows,).
                valid &= self._are_valid(encoded.dictionary)[to_numpy(encoded.indices)]
            self._valid.append(valid)
            for name, cells in self._others.items():
                cells.append(batch[name].dictionary_encode())
            columns = self._config.input_columns
            texts = columns.join([batch[name] for name in columns.names])
            yield texts if valid.all() else texts.filter(mask_column(valid))

    def rows(self) -> LabeledRows:
        """Return everything but the texts, after these have been read."""
        name = self._table.name
        valid: Mask = self._valid.map()
        if not len(valid):
            raise NoRowsError(f"{name}: no rows after the header; add labeled texts")
        invalid = np.flatnonzero(~valid)
        if len(invalid) and not self._config.skip_invalid:
            has_flags = isinstance(self._config.label, list)
            fault = "a label column is neither 0 nor 1" if has_flags else "empty label"
            raise DataError(
                f"{_format_locations(self._table, invalid)}: {fault}; fix these rows, "
                "or skip them with data.skip_invalid: true"
            )
        if not valid.any():
            raise NoRowsError(f"{name}: no row has a valid label; check data.label")
        for cells in [*self._labels, *self._others.values()]:
            cells.close()
        codes: Int32s = self._codes.map()
        rows = LabeledRows(
            self._table,
            tuple(cells.column(codes, valid) for cells in self._labels),
            positions_of(valid),
            len(invalid),
            {name: cells.column(codes, valid) for name, cells in self._others.items()},
        )
        return rows if isinstance(self._config.label, list) else self._with_plain_labels(rows)

    def _are_valid(self, cells: pa.StringArray) -> Mask:
        if not isinstance(self._config.label, list):
            return self._cells.are_labeled(cells)
        mask = pc.is_in(pc.utf8_lower(cells), text_column(list(FLAGS)))
        # A view: to_numpy returns bytes of 0 and 1, like NumPy's bool.
        return to_numpy(mask).view(np.bool_)

    def _with_plain_labels(self, rows: LabeledRows) -> LabeledRows:
        """Turn label cells that are lists into plain ones; raises DataError with the first row."""
        (column,) = rows.labels
        try:
            cells, list_separator = self._cells.read(column.categories)
        except LabelCellError as error:
            first = rows.positions[np.flatnonzero(column.codes == error.cell)[:1]]
            place = _format_locations(self._table, first)
            raise DataError(f"{place}: {self._config.label!r}: {error}") from error
        if cells is not column.categories:
            column = column.rename(cells)
        return replace(rows, labels=(column,), list_separator=list_separator)


class _ColumnFile:
    """A column that is read batch by batch, each with a dictionary of its own."""

    def __init__(self, codes: ArrayFile) -> None:
        """Start without cells; `codes` are those of all columns of the table."""
        self._chunks: list[pa.DictionaryArray] = []
        self._categories = text_column([])
        self._codes, self._places = codes, list[slice]()

    def append(self, cells: pa.DictionaryArray) -> None:
        """Add the cells of the next batch."""
        self._chunks.append(cells)
        # As many as there are categories, or numbering them would take quadratic time.
        if sum(map(len, self._chunks)) >= max(_MIN_COMBINED, len(self._categories)):
            self.close()

    def close(self) -> None:
        """Number the cells by one dictionary, in which known categories keep their place."""
        none = number_column(np.zeros(0, np.int32))
        known = pa.DictionaryArray.from_arrays(none, self._categories)
        _, *chunks = pa.chunked_array([known, *self._chunks]).unify_dictionaries().chunks
        start = len(self._codes)
        for chunk in chunks:
            self._codes.append(to_numpy(chunk.indices))
            self._categories = chunk.dictionary  # all chunks share it
        self._places.append(slice(start, len(self._codes)))
        self._chunks = []

    def column(self, codes: Int32s, valid: Mask) -> CategoricalColumn:
        """Return the cells of the rows where a mask (n,) is true.

        Args:
            codes: Of all columns of the table.
            valid: The mask.
        """
        own = ArrayFile(np.int32)
        for place in self._places:
            own.append(codes[place])
        column = CategoricalColumn(self._categories, own.map())
        return column if valid.all() else column.filter(valid)


def _open_table(tables: Tables | TableFile, required: Sequence[str], config: DataConfig) -> Table:
    try:
        return open_table(tables, required, ReadOptions.from_config(config))
    except MissingColumnError as error:
        if error.column not in config.fields:
            raise
        hint = error.hint or suggest_columns(error.column, error.columns)
        raise DataError(
            f"{error.name}:1: no column {error.column!r} (data.fields); {hint}"
        ) from error


def _filter_batches(mask: Mask, batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
    start = 0
    for texts in batches:
        kept = mask[start : start + len(texts)]
        start += len(texts)
        if kept.any():
            yield texts.filter(mask_column(kept))


def _format_locations(table: Table, positions: Rows) -> str:
    """Return `file:line, line, ... and 3 more`."""
    first, *others = table.locate(positions[:_MAX_LOCATIONS].tolist())
    lines = [location.rpartition(":")[2].strip() for location in others]
    rest = len(positions) - _MAX_LOCATIONS
    return ", ".join([first, *lines]) + (f" and {rest:,} more" if rest > 0 else "")
