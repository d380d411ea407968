"""Label columns of tables to label: which rows have a label, and which columns are missing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from embedclf.data.label_cells import LabelCells
from embedclf.system.arrow import pc, text_column, to_numpy
from embedclf.tables.nested import find_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.config.data_section import DataConfig
    from embedclf.system.arrays import Mask
    from embedclf.system.arrow import Batch


@dataclass(frozen=True)
class LabelColumns:
    """The columns that labels are written into."""

    names: tuple[str, ...]
    """More than one are columns of 0 and 1."""
    cells: LabelCells

    @classmethod
    def from_config(cls, config: DataConfig) -> LabelColumns:
        """Take the columns and what an empty cell is from the section `data` of a config."""
        return cls(tuple(config.label_columns), LabelCells.from_config(config))

    def are_labeled(self, batch: Batch) -> Mask:
        """(n,) True for rows that need no label: all of their label columns are filled."""
        labeled = np.ones(len(batch.texts), np.bool_)
        for name in self.names:
            labeled &= self._are_filled(batch, name)
        return labeled

    def missing(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Return the label columns that a table with these columns lacks."""
        return tuple(name for name in self.names if name not in columns)

    def missing_in_record(self, record: str) -> tuple[str, ...]:
        """Return the label columns that a JSON record lacks."""
        values = json.loads(record)
        return tuple(
            name for name in self.names if name not in values and find_value(values, name) is None
        )

    def _are_filled(self, batch: Batch, name: str) -> Mask:
        if batch.records is not None:
            return self._are_filled_cells(_cells_of_records(batch.records, name))
        if name not in batch.rows.schema.names:
            return np.zeros(len(batch.texts), np.bool_)
        return self._are_filled_cells(_as_text(batch.rows.column(name)))

    def _are_filled_cells(self, cells: pa.StringArray) -> Mask:
        encoded = cells.dictionary_encode()
        filled: Mask = self.cells.are_labeled(encoded.dictionary)[to_numpy(encoded.indices)]
        return filled


def _cells_of_records(records: pa.StringArray, name: str) -> pa.StringArray:
    """Return the label (n,) of each record as text; null and a missing key are empty."""
    # Parsed only if there is such a key; a nested one is found by the end of its path.
    key = json.dumps(name.rpartition(".")[2], ensure_ascii=False)
    if not pc.any(pc.match_substring(records, key)).as_py():
        return text_column([""] * len(records))
    return text_column([_to_cell(find_value(json.loads(row), name)) for row in records.to_pylist()])


def _to_cell(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


def _as_text(column: pa.Array) -> pa.StringArray:
    """Return the cells (n,) of a column as text; a list as JSON."""
    if pa.types.is_nested(column.type):
        return text_column([_to_cell(value) for value in column.to_pylist()])
    return pc.coalesce(column.cast(pa.string()), text_column([""])[0])
