"""Labelled texts: read, checked, split."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from embedclf.errors import DataError
from embedclf.tables import Table, open_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from embedclf.config import DataConfig

Rows = npt.NDArray[np.int64]  # (n,) positions in a table or a set of rows
SHOWN = 5
"""How many places a fault in many rows names."""


@dataclass(frozen=True)
class LabelledTexts:
    """Texts beside what their label columns hold, in the order of the table."""

    table: Table
    texts: pa.ChunkedArray  # (n,) strings
    labels: tuple[pa.ChunkedArray, ...]  # a column each: (n,) strings
    rows: Rows  # (n,) positions in the table, where invalid rows were dropped
    skipped: int = 0
    """Invalid rows of the table that were dropped."""

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: npt.NDArray[np.bool_] | Rows) -> LabelledTexts:
        """The rows under a mask, or at positions."""
        at = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return LabelledTexts(
            self.table,
            self.texts.take(pa.array(at)),
            tuple(column.take(pa.array(at)) for column in self.labels),
            self.rows[at],
        )

    def places(self, rows: Sequence[int] | Rows) -> str:
        """Name where the first of some rows stand, and how many more there are."""
        shown = [int(self.rows[row]) for row in rows[:SHOWN]]
        first, *others = self.table.places(shown)
        rest = [place.rpartition(":")[2].strip() for place in others]
        more = f" and {len(rows) - SHOWN:,} more" if len(rows) > SHOWN else ""
        return ", ".join([first, *rest]) + more


def read_labelled(path: Path, config: DataConfig) -> LabelledTexts:
    """Read the text and label columns of a table and check each label.

    Args:
        path: The table; `config` says how to read it.
        config: Columns, separator, delimiter, encoding, and whether invalid rows are dropped.

    Raises:
        DataError: The table cannot be read, has no rows, or holds invalid labels (empty, or no 0
            or 1 in a column of them) and `skip_invalid` is off.
    """
    text_columns, label_columns = as_list(config.text), as_list(config.label)
    columns = list(dict.fromkeys([*text_columns, *label_columns]))
    table = open_table(path, columns, delimiter=config.delimiter, encoding=config.encoding)
    cells = table.read(columns)
    if not cells.num_rows:
        raise DataError(f"{path}: a header and no rows; it needs labelled texts")
    labelled = LabelledTexts(
        table,
        join_columns([cells[column] for column in text_columns]),
        tuple(cells[column] for column in label_columns),
        np.arange(cells.num_rows),
    )
    return _drop_invalid(labelled, config)


def as_list(columns: str | list[str]) -> list[str]:
    """One column's name or several, as a list."""
    return [columns] if isinstance(columns, str) else columns


def join_columns(
    columns: Sequence[pa.ChunkedArray | pa.Array],
) -> pa.ChunkedArray | pa.Array:
    """Join the columns of a text by a blank."""
    return columns[0] if len(columns) == 1 else pc.binary_join_element_wise(*columns, " ")


def split(
    labelled: LabelledTexts,
    strata: npt.NDArray[np.int64],
    *,
    fraction: float,
    seed: int,
) -> npt.NDArray[np.bool_]:
    """Choose the rows to hold out: stratified, seeded, equal texts on one side.

    Texts are equal when only case and outer blanks tell them apart. Groups of equal texts are
    ordered by stratum, size and chance, and taken at even steps (systematic sampling; Cochran,
    Sampling Techniques, 1977, ch. 8), so that each stratum, and small and large groups alike, give
    their share. The first group of a stratum always stays in training.

    Args:
        labelled: The rows.
        strata: (n,) the stratum of each row.
        fraction: Share of the rows to hold out, between 0 and 1.
        seed: Source of the shuffle.

    Returns:
        (n,) True for the rows held out.
    """
    keys = pc.utf8_lower(pc.utf8_trim_whitespace(labelled.texts))
    groups = keys.combine_chunks().dictionary_encode().indices.to_numpy()  # (n,)
    _, first, sizes = np.unique(groups, return_index=True, return_counts=True)
    chance = np.random.default_rng(seed).permutation(len(first))
    order = np.lexsort((chance, sizes, strata[first]))
    steps = np.floor(np.arange(len(first) + 1) * fraction + 0.5)
    begins = np.diff(strata[first][order], prepend=-1) != 0
    held_out = np.zeros(len(first), np.bool_)
    held_out[order[(np.diff(steps) > 0) & ~begins]] = True
    mask: npt.NDArray[np.bool_] = held_out[groups]
    return mask


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _drop_invalid(labelled: LabelledTexts, config: DataConfig) -> LabelledTexts:
    several = isinstance(config.label, list)
    valid = [_is_flag(column) if several else _is_label(column) for column in labelled.labels]
    masks = [column.to_numpy() for column in valid]
    keep = np.logical_and.reduce(masks)
    invalid = np.flatnonzero(~keep)
    if not len(invalid):
        return labelled
    if not config.skip_invalid:
        fault = "a label column holds neither 0 nor 1" if several else "empty label"
        raise DataError(
            f"{labelled.places(invalid)}: {fault}; mend the rows, "
            "or drop them with data.skip_invalid: true"
        )
    if not keep.any():
        raise DataError(f"{labelled.table.path}: no row has a valid label")
    return replace(labelled.take(keep), skipped=len(invalid))


def _is_label(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.not_equal(pc.utf8_trim_whitespace(column), "")


def _is_flag(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.is_in(pc.utf8_lower(column), pa.array(["0", "1", "false", "true"]))
