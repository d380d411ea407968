"""Rows with several labels: the cells that list them, and their sparse targets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.data.label_cells import FLAGS
from embedclf.errors import DataError
from embedclf.system.arrow import mask_column, pc, text_column, to_numpy

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import pyarrow as pa

    from embedclf.config.data_section import DataConfig
    from embedclf.data.labeled import CategoricalColumn, LabeledRows
    from embedclf.data.labels import Targets
    from embedclf.system.arrays import Int64s, Mask, Rows

LabelSets = Any
"""A SciPy CSR array (n, labels) of int32 ones: memory grows with the labels that rows have."""


def label_sets(
    rows: npt.NDArray[np.integer], ids: npt.NDArray[np.integer], shape: tuple[int, int]
) -> LabelSets:
    """Make sparse targets of pairs of a row and a label that it has; pairs may repeat."""
    from scipy.sparse import csr_array

    targets = csr_array((np.ones(len(rows), np.int32), (rows, ids)), shape=shape)
    targets.data[:] = 1  # repeated pairs were added up
    return targets


def sets_from_flags(columns: Sequence[CategoricalColumn]) -> LabelSets:
    """Make the sparse targets (n, labels) of one column of flags per label."""
    true = text_column([cell for cell, is_true in FLAGS.items() if is_true])
    flagged: list[Rows] = []
    for column in columns:
        is_true = to_numpy(pc.is_in(pc.utf8_lower(column.categories), true)).view(np.bool_)
        flagged.append(np.flatnonzero(is_true[column.codes]))
    ids = np.repeat(np.arange(len(columns)), [len(rows) for rows in flagged])
    return label_sets(np.concatenate(flagged), ids, (len(columns[0].codes), len(columns)))


def rows_by_label(targets: Targets, labels: int) -> list[Rows]:
    """Return the rows of each label, ascending.

    Args:
        targets: Of all rows.
        labels: How many labels occur in training.
    """
    if targets.ndim == 2:
        columns = targets.tocsc()
        return np.split(columns.indices, columns.indptr[1 : labels + 1])[:labels]
    order = np.argsort(targets, kind="stable")
    # -1, an unknown label, comes first, and its rows are left out
    ends = np.searchsorted(targets, np.arange(-1, labels), side="right", sorter=order)
    return np.split(order, ends)[1:-1]


def first_labels(targets: LabelSets, ranks: Int64s) -> Int64s:
    """Return the lowest rank (n,) of the labels of each row, or their number without a label.

    Args:
        targets: (n, labels).
        ranks: (labels,) of the labels.
    """
    lowest = np.full(targets.shape[0], len(ranks), np.int64)
    rows = np.repeat(np.arange(len(lowest)), np.diff(targets.indptr))
    np.minimum.at(lowest, rows, ranks[targets.indices])
    return lowest


def split_cells(cells: pa.Array, separator: str) -> tuple[Rows, pa.Array]:
    """Split cells that list several labels.

    Returns:
        (labels,) the cell of each label, and (labels,) their trimmed names, without empty ones.
    """
    # The separator is a literal string, not a regular expression.
    split = pc.split_pattern(cells, separator)
    names = pc.utf8_trim_whitespace(split.flatten())
    cell_of = np.repeat(np.arange(len(cells)), to_numpy(pc.list_value_length(split)))
    kept: Mask = to_numpy(pc.not_equal(names, text_column([""])[0])).view(np.bool_)
    return cell_of[kept], names.filter(mask_column(kept))


def count_names(column: CategoricalColumn, separator: str | None) -> dict[str, int]:
    """Count the rows of each label of a column; labels without rows are left out."""
    rows = column.count_rows()
    cell_of, names = np.arange(len(rows)), column.categories
    if separator is not None:
        cell_of, names = split_cells(names, separator)
    encoded = names.dictionary_encode()
    labels: list[str] = encoded.dictionary.to_pylist()
    counts = np.zeros(len(labels), np.int64)
    np.add.at(counts, to_numpy(encoded.indices), rows[cell_of])
    return {name: count for name, count in zip(labels, counts.tolist(), strict=True) if count}


def refuse_several(labeled: LabeledRows, config: DataConfig) -> None:
    """Raise DataError at the first row with several labels if there is no separator."""
    separator = labeled.list_separator
    if separator is None or config.label_separator is not None:
        return
    column = labeled.labels[0]
    # Only lists of several labels contain this separator.
    is_several = to_numpy(pc.match_substring(column.categories, separator)).view(np.bool_)
    rows = np.flatnonzero(is_several[column.codes])
    if len(rows):
        cell = column.categories[int(column.codes[rows[0]])].as_py()
        (location,) = labeled.table.locate([int(labeled.positions[rows[0]])])
        raise DataError(
            f"{location}: {config.label!r} has {cell.count(separator) + 1} labels "
            f"({', '.join(map(repr, cell.split(separator)))}); for several labels per row, set "
            f"data.label_separator: {json.dumps(separator)}"
        )
