"""Labelled texts: read, checked, split."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from embedclf.columns import join_columns
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
    text_columns, label_columns = config.text_columns, config.label_columns
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


def split(
    keys: pa.ChunkedArray, strata: npt.NDArray[np.int64], *, fraction: float, seed: int
) -> npt.NDArray[np.bool_]:
    """Choose the rows to hold out: stratified, seeded, equal keys on one side.

    Each stratum holds out its share of rows, rounded such that the total fits as near as can be
    (largest remainders), and keeps one at least. Its groups of equal keys are taken in the order of
    chance, as long as they fit into what is left of the share.

    Args:
        keys: (n,) strings; rows with the same one belong together.
        strata: (n,) the stratum of each row; a group belongs to the rarest among its rows.
        fraction: Share of the rows to hold out, between 0 and 1.
        seed: Source of chance.

    Returns:
        (n,) True for the rows held out.
    """
    encoded = keys.dictionary_encode()
    groups = np.concatenate([chunk.indices.to_numpy() for chunk in encoded.chunks])  # (n,)
    sizes = np.bincount(groups)
    _, numbered, rows = np.unique(strata, return_inverse=True, return_counts=True)
    by_rarity = np.lexsort((rows[numbered], groups))
    _, first = np.unique(groups[by_rarity], return_index=True)
    stratum = numbered[by_rarity][first]  # (groups,)
    rng = np.random.default_rng(seed)
    room = _quotas(np.bincount(stratum, sizes, len(rows)), fraction, rng).tolist()
    held_out = np.zeros(len(sizes), np.bool_)
    order = rng.permutation(len(sizes))
    for group, of, size in zip(
        order.tolist(), stratum[order].tolist(), sizes[order].tolist(), strict=True
    ):
        if size <= room[of]:
            held_out[group] = True
            room[of] -= size
    mask: npt.NDArray[np.bool_] = held_out[groups]
    return mask


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


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _drop_invalid(labelled: LabelledTexts, config: DataConfig) -> LabelledTexts:
    several = isinstance(config.label, list)
    masks = [
        _is_flag(column) if several else _is_label(column, config.label_separator)
        for column in labelled.labels
    ]
    keep = np.logical_and.reduce([mask.to_numpy() for mask in masks])
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


def _is_label(column: pa.ChunkedArray, separator: str | None) -> pa.ChunkedArray:
    if separator is not None:
        column = pc.replace_substring(column, separator, "")
    return pc.not_equal(pc.utf8_trim_whitespace(column), "")


def _is_flag(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.is_in(pc.utf8_lower(column), pa.array(["0", "1", "false", "true"]))
