"""CSV records: any file is read as Python's strict `csv` reads it, or refused."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedclf.errors import DataError
from embedclf.system.text_files import TextFile
from embedclf.tables.csv_tables.dialects import Dialect
from embedclf.tables.csv_tables.records import Record, read_records
from embedclf.tables.csv_tables.row_streams import RowsStart
from embedclf.tables.delimited import DelimitedReader
from embedclf.tables.read_notes import ReadNotes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEADER = "x,y\n"


def read_strictly(content: str) -> list[tuple[str, ...]] | None:
    """The rows by Python's strict `csv`, without blank lines; None for a malformed file."""
    reader = csv.reader(io.StringIO(content, newline=""), strict=True)
    try:
        rows = [tuple(cells) for cells in reader if cells]
    except csv.Error:
        return None
    return rows[1:] if all(len(cells) == 2 for cells in rows) else None


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("csv") / "t.csv"


@settings(max_examples=300)
@given(
    content=st.text(st.sampled_from('ab",,""\n\n'), max_size=40),
    block_bytes=st.integers(4, 24),
)
def test_any_file_is_read_as_by_strict_csv_or_refused(
    path: Path, content: str, block_bytes: int
) -> None:
    path.write_text(HEADER + content, encoding="utf-8", newline="")
    dialect, start = Dialect(",", ("x", "y")), RowsStart(2, len(HEADER))
    file = TextFile(str(path), "t.csv")
    reader = DelimitedReader(file, dialect, start, ReadNotes("t.csv"), block_bytes)
    expected = read_strictly(HEADER + content)
    if expected is None:
        with pytest.raises(DataError, match=r"t\.csv:\d+: "):
            list(reader.iter_batches(("x", "y")))
        return
    rows = [row for batch, _ in reader.iter_batches(("x", "y")) for row in batch.to_pylist()]
    assert [(row["x"], row["y"]) for row in rows] == expected


def test_readers_that_alternate_both_read_large_cells() -> None:
    limit = csv.field_size_limit()
    large = "a" * (limit + 1)

    def read(rows: int) -> Iterator[Record]:
        return read_records(io.BytesIO(f"{large}\n".encode() * rows), Dialect(",", ("x",)))

    shorter, longer = read(2), read(3)
    assert [next(shorter), next(longer)] == [Record(1, [large], 2)] * 2
    assert csv.field_size_limit() == limit
    assert [*shorter] == [Record(2, [large], 3)]
    assert [*longer] == [Record(2, [large], 3), Record(3, [large], 4)]
    assert csv.field_size_limit() == limit
