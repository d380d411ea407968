"""Tables and runs that the tests of inference share."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest

from tests.conftest import write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.runs.run import Run


ADDED = ("prediction", "probability", "truncated", "unknown_share", "no_known_token")
"""Columns that `predict` adds."""

ROWS = [
    ("1", "great hotel, it was great", "é"),
    ("2", "", ""),
    ("3", 'awful "soup",\r\nit was awful', "\u2028"),
    ("4", "lone\rreturn \x00 nul", "=1+1"),
    ("5", "😀 שלום", "NA"),
]


@pytest.fixture
def run(runs: dict[str, Run]) -> Run:
    return runs["binary"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "in.csv", ["id", "text", "note"], ROWS)


def read_csv(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))
