"""What rows belong to, how much they count, and when they were written."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from embedclf.data.times import TimeCellError, rank_times
from embedclf.errors import DataError
from embedclf.system.arrow import pc, text_column, to_numpy
from embedclf.system.terminal import format_count

if TYPE_CHECKING:
    from embedclf.config.data_section import DataConfig
    from embedclf.data.labeled import CategoricalColumn, LabeledRows
    from embedclf.data.labels import Targets
    from embedclf.system.arrays import Doubles, Int64s, Mask


def group_ids(rows: LabeledRows, config: DataConfig) -> Int64s | None:
    """Return the number of each row's group (n,), or None if rows are not grouped.

    White space around a cell does not matter. A row with an empty cell is a group of its own.
    """
    if config.group is None:
        return None
    column = rows.other_columns[config.group]
    column = column.rename(pc.utf8_trim_whitespace(column.categories))
    groups: Int64s = column.codes.astype(np.int64)
    without = _is_empty(column)[groups]
    groups[without] = len(column.categories) + np.arange(np.count_nonzero(without))
    return groups


def count_without_group(rows: LabeledRows, config: DataConfig) -> int:
    """Count the rows with an empty cell in `data.group`; 0 if rows are not grouped."""
    if config.group is None:
        return 0
    column = rows.other_columns[config.group]
    return int(_is_empty(column)[column.codes].sum())


def row_weights(rows: LabeledRows, config: DataConfig) -> Doubles | None:
    """Return the weight of each row (n,), or None if each counts for one.

    Raises:
        DataError: A cell is not a finite number from 0, the message names the row; or no row has a
            weight above 0.
    """
    if config.weight is None:
        return None
    column = rows.other_columns[config.weight]
    weights = np.array([_parse_weight(cell) for cell in column.categories.to_pylist()])
    # Not all categories: those of rows that were left out do not matter.
    invalid = np.flatnonzero(np.isnan(weights[column.codes]))
    if len(invalid):
        cell = column.categories[int(column.codes[invalid[0]])].as_py()
        (location,) = rows.table.locate(rows.positions[invalid[:1]].tolist())
        fault = f"{cell!r} is not a weight" if cell.strip() else "empty weight"
        raise DataError(
            f"{location}: {config.weight!r}: {fault}; write a number from 0, such as 1.5, or "
            "remove data.weight"
        )
    if len(rows) and not weights[column.codes].any():
        raise DataError(
            f"{rows.table.name}: {config.weight!r}: a split of "
            f"{format_count(len(rows), 'row')} has only weights of 0, so nothing counts; "
            "write larger weights, or remove data.weight"
        )
    result: Doubles = weights[column.codes]
    return result


def normalize_weights(weights: Doubles) -> Doubles:
    """Scale weights (n,) to a mean of 1 over the rows that count: those of positive weight."""
    ratios = weights / weights.max()
    normalized: Doubles = ratios * (np.count_nonzero(ratios) / ratios.sum())
    return normalized


def label_weights(targets: Targets, rows: LabeledRows, config: DataConfig) -> tuple[float, ...]:
    """Return the total weight of the rows of each label; empty if rows are not weighted.

    Args:
        targets: (n,) label ids, or sparse (n, labels).
        rows: The rows.
        config: Its column of weights.

    Raises:
        DataError: As `row_weights`.
    """
    weights = row_weights(rows, config)
    if weights is None:
        return ()
    totals = np.bincount(targets, weights) if targets.ndim == 1 else targets.T @ weights
    return tuple(totals.tolist())


def row_times(rows: LabeledRows, config: DataConfig) -> Int64s | None:
    """Return the rank of each row's time (n,), equal for equal times; None without times.

    Raises:
        DataError: A cell is neither a date nor a number; the message names the row.
    """
    if config.time is None:
        return None
    column = rows.other_columns[config.time]
    used = column.count_rows() > 0
    try:
        ranks = np.zeros(len(used), np.int64)
        ranks[used] = rank_times(column.used_categories())
    except TimeCellError as error:
        code = np.flatnonzero(used)[error.cell]
        (location,) = rows.table.locate(rows.positions[column.codes == code][:1].tolist())
        raise DataError(f"{location}: {config.time!r}: {error}, or remove data.time") from error
    times: Int64s = ranks[column.codes]
    return times


def _parse_weight(cell: str) -> float:
    """Return the number of a cell, or NaN if it is not a weight."""
    try:
        weight = float(cell) if "_" not in cell else math.nan
    except ValueError:
        return math.nan
    # Beyond these bounds, sums of squares would overflow.
    return weight if weight == 0.0 or 1e-100 <= weight <= 1e100 else math.nan


def _is_empty(column: CategoricalColumn) -> Mask:
    """(distinct,) True for cells of white space only."""
    trimmed = pc.utf8_trim_whitespace(column.categories)
    return to_numpy(pc.equal(trimmed, text_column([""])[0])).view(np.bool_)
