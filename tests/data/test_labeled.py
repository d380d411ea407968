"""Labeled rows: what is read, and which labels are refused."""

from __future__ import annotations

import json
import os
import resource
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from embedclf.config.data_section import DataConfig
from embedclf.data.labeled import CategoricalColumn, LabeledRows, read_labeled
from embedclf.data.labels import Labels
from embedclf.errors import DataError
from embedclf.system.text_files import TextFile
from embedclf.tables.csv_tables.dialects import Dialect
from embedclf.tables.csv_tables.row_streams import RowsStart
from embedclf.tables.delimited import DelimitedReader
from embedclf.tables.files import TableFile
from embedclf.tables.parts import TablePart
from embedclf.tables.read_notes import ReadNotes
from embedclf.tables.tables import Table
from tests.conftest import write_csv

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def config(**values: Any) -> DataConfig:
    return DataConfig.model_validate({"train": "unused.csv", **values})


def column(cells: list[str]) -> CategoricalColumn:
    encoded = pa.array(cells, pa.string()).dictionary_encode()
    return CategoricalColumn(encoded.dictionary, encoded.indices.to_numpy())


def labeled(*columns: list[str]) -> LabeledRows:
    file = TableFile("memory.csv", "memory.csv")
    dialect, notes = Dialect(",", ("text", "label")), ReadNotes("memory.csv")
    reader = DelimitedReader(TextFile("memory.csv", "memory.csv"), dialect, RowsStart(), notes)
    table = Table("memory.csv", "memory.csv", (TablePart(file, reader),))
    return LabeledRows(table, tuple(map(column, columns)), np.arange(len(columns[0])))


def read(path: Path, data: DataConfig) -> tuple[LabeledRows, list[str]]:
    """Read the rows and the texts of a table."""
    texts: list[str] = []
    return read_labeled(str(path), data, pa.Array.to_pylist, texts.extend), texts


def test_several_text_columns_are_joined_by_a_space(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", ["a", "b", "label"], [("x", "y", "1"), ("", "z", "2")])
    _, texts = read(path, config(text=["b", "a"]))
    assert texts == ["y x", "z "]


def test_rows_with_an_empty_label_are_refused_with_their_lines(tmp_path: Path) -> None:
    rows = [("a\nb", "1"), *[("c", " ")] * 7, ("d", "2")]
    path = write_csv(tmp_path / "t.csv", ["text", "label"], rows)
    with pytest.raises(DataError) as caught:
        read(path, config())
    assert str(caught.value) == (
        f"{path}:4, 5, 6, 7, 8 and 2 more: empty label; fix these rows, "
        "or skip them with data.skip_invalid: true"
    )


def test_rows_with_an_empty_label_are_skipped_on_request(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", ["text", "label"], [("a", ""), ("b", "1"), ("c", "")])
    rows, texts = read(path, config(skip_invalid=True))
    assert texts == ["b"]
    assert rows.skipped == 2
    assert rows.positions.tolist() == [1]
    path = write_csv(tmp_path / "u.csv", ["text", "label"], [("a", "")])
    with pytest.raises(DataError, match="no row has a valid label"):
        read(path, config(skip_invalid=True))


def test_columns_of_flags_hold_only_0_and_1(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", ["text", "p", "q"], [("a", "0", "1"), ("b", "yes", "1")])
    with pytest.raises(DataError, match=r"t\.csv:3: a label column is neither 0 nor 1"):
        read(path, config(label=["p", "q"]))


def test_a_header_without_rows_is_refused(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", ["text", "label"], [])
    with pytest.raises(DataError, match="no rows after the header"):
        read(path, config())


def test_a_cell_of_nothing_but_separators_is_an_empty_label(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", ["text", "label"], [("a", "x|y"), ("b", " | ")])
    with pytest.raises(DataError, match=r"t\.csv:3: empty label"):
        read(path, config(label_separator="|"))


@pytest.mark.parametrize("name", ["t.jsonl", "t.parquet"])
def test_lists_of_labels_are_read_as_joined_labels(tmp_path: Path, name: str) -> None:
    labels = [["joy", "love"], ["joy"], ["love", "a b"]]
    path = write_lists(tmp_path / name, labels)
    rows, _ = read(path, config(label_separator="|"))
    column = rows.labels[0]
    assert [column.categories[code].as_py() for code in column.codes.tolist()] == [
        "joy|love",
        "joy",
        "love|a b",
    ]
    with pytest.raises(DataError, match=r"'a b' contains data\.label_separator ' '"):
        read(path, config(label_separator=" "))
    with pytest.raises(DataError, match=r"1: 'label': .* is a list of lists, not of labels"):
        read(write_lists(tmp_path / name, [[["nested"]]]), config(label_separator="|"))
    with pytest.raises(DataError, match="empty label"):
        read(write_lists(tmp_path / name, [["joy"], []]), config(label_separator="|"))


@pytest.mark.parametrize("name", ["t.jsonl", "t.parquet", "t.csv"])
def test_lists_of_one_label_are_ordinary_labels(tmp_path: Path, name: str) -> None:
    path = write_lists(tmp_path / name, [["joy"], ["love"], ["joy"], []])
    rows, texts = read(path, config(skip_invalid=True))
    assert Labels.fit(rows, config()).task == "binary"
    assert (rows.labels[0].categories.to_pylist()[:2], texts) == (["joy", "love"], ["a"] * 3)
    assert (rows.list_separator, rows.skipped) == (None, 1)


@pytest.mark.parametrize("name", ["t.jsonl", "t.parquet", "t.csv"])
def test_lists_of_several_labels_need_a_separator(tmp_path: Path, name: str) -> None:
    path = write_lists(tmp_path / name, [["joy"], ["love", "a|b"]])
    rows, _ = read(path, config())
    assert rows.list_separator == ";"
    with pytest.raises(DataError) as caught:
        Labels.fit(rows, config())
    place = {"t.jsonl": ":2", "t.parquet": ": row 2", "t.csv": ":3"}[name]
    assert str(caught.value) == (
        f"{path}{place}: 'label' has 2 labels ('love', 'a|b'); for several labels per row, set "
        'data.label_separator: ";"'
    )


def test_a_cell_that_holds_no_label_is_refused_with_its_line(tmp_path: Path) -> None:
    rows = [("a", "x"), ("b", '{"rating": 4}')]
    path = write_csv(tmp_path / "t.csv", ["text", "label"], rows)
    with pytest.raises(DataError, match=r't\.csv:3: \'label\': {"rating": 4} is an object, not'):
        read(path, config())


def test_missing_labels_are_empty_labels(tmp_path: Path) -> None:
    rows = [("a", "x"), ("b", "nan"), ("c", "y"), ("d", "NaN")]
    path = write_csv(tmp_path / "t.csv", ["text", "label"], rows)
    with pytest.raises(DataError, match=r"t\.csv:3: empty label"):
        read(path, config(missing_labels=["nan"]))
    labeled_rows, texts = read(path, config(missing_labels=["nan"], skip_invalid=True))
    assert (texts, labeled_rows.skipped) == (["a", "c", "d"], 1)
    assert Labels.fit(labeled_rows, config()).names == ("NaN", "x", "y")


def test_columns_of_flags_can_be_decimals(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", ["text", "p", "q"], [("a", "0.0", "1.0")])
    data = config(label=["p", "q"])
    rows, _ = read(path, data)
    assert Labels.fit(rows, data).encode(rows, data)[0].toarray().tolist() == [[0, 1]]


def write_lists(path: Path, labels: list[Any]) -> Path:
    rows = [{"text": "a", "label": cell} for cell in labels]
    if path.suffix == ".csv":
        return write_csv(path, ["text", "label"], [("a", json.dumps(cell)) for cell in labels])
    if path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    """Let this process open only a few files more than are open now."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = len(os.listdir("/dev/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened + 6, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.usefixtures("few_descriptors")
def test_many_label_columns_of_many_rows_take_few_descriptors(tmp_path: Path) -> None:
    names, path = [f"label {number}" for number in range(12)], tmp_path / "train.csv"
    flags = [[int((row + label) % 3 == 0) for label in range(12)] for row in range(3)]
    lines = ["a," + ",".join(map(str, row)) + "\n" for row in flags]
    # From 2**18 rows on, a column is a mapped file
    path.write_text(",".join(["text", *names]) + "\n" + "".join(lines) * 88_000)
    data = config(train=str(path), text="text", label=names)
    rows = read_labeled(str(path), data, len, lambda _length: None)
    kept = rows.filter(np.arange(264_000) > 0)  # such as those that are not held out
    for cells, expected in zip(kept.labels, zip(*flags, strict=True), strict=True):
        values = np.array(cells.categories.to_pylist())[cells.codes]
        assert (values == np.tile(expected, 88_000)[1:].astype(str)).all()
