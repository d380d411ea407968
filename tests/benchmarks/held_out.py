"""Tenths of labeled tables, held out to choose by while test rows stay unseen."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from pathlib import Path

HELD_OUT = "held-out.csv"
_TENTHS = 10


def hold_out(table: Path, number: int, place: Path) -> int:
    """Write nine tenths of a table as `train.csv` and one as `held-out.csv`.

    The held-out rows of a label are neighbors in the table. Related texts, such as reviews of one
    movie, would otherwise be on both sides, and a network that memorized them would look good.

    Args:
        table: CSV of the columns `text` and `label`.
        number: Which tenth.
        place: Folder of the two.

    Returns:
        How many rows are left in `train.csv`.
    """
    rows = pd.read_csv(table, dtype=str, keep_default_na=False)
    rank = rows.groupby("label").cumcount() / rows.groupby("label")["label"].transform("size")
    is_out = (rank * _TENTHS).astype(int) == (2 + 3 * number) % _TENTHS
    for name, mask in (("train.csv", ~is_out), (HELD_OUT, is_out)):
        rows[mask].to_csv(
            place / name, index=False, lineterminator="\n", quoting=csv.QUOTE_ALL
        )  # a text may hold a carriage return, which pandas leaves bare
    return int((~is_out).sum())
