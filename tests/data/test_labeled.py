"""Labeled rows: what is read, and which labels are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from embedclf.config.sections import DataConfig
from embedclf.data.delimited import DelimitedReader
from embedclf.data.labeled import CategoricalColumn, LabeledRows, read_labeled
from embedclf.data.tables import Table
from embedclf.errors import DataError
from embedclf.system.text_files import TextFile
from tests.conftest import write_csv


def config(**values: Any) -> DataConfig:
    return DataConfig.model_validate({"train": "unused.csv", **values})


def column(cells: list[str]) -> CategoricalColumn:
    encoded = pa.array(cells, pa.string()).dictionary_encode()
    return CategoricalColumn(encoded.dictionary, encoded.indices.to_numpy())


def labeled(*columns: list[str]) -> LabeledRows:
    path = Path("memory.csv")
    reader = DelimitedReader(TextFile(path, "memory.csv"), ",", ("text", "label"))
    table = Table(path, "memory.csv", reader, "comma, utf-8")
    return LabeledRows(table, tuple(map(column, columns)), np.arange(len(columns[0])))


def read(path: Path, data: DataConfig) -> tuple[LabeledRows, list[str]]:
    """Read the rows and the texts of a table."""
    texts: list[str] = []
    return read_labeled(path, data, pa.Array.to_pylist, texts.extend), texts


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
    with pytest.raises(DataError, match="'label'"):
        read(path, config())
    with pytest.raises(DataError, match="'label'"):
        read(write_lists(tmp_path / name, [[["nested"]]]), config(label_separator="|"))
    with pytest.raises(DataError, match="empty label"):
        read(write_lists(tmp_path / name, [["joy"], []]), config(label_separator="|"))


def test_a_list_of_labels_needs_a_separator(tmp_path: Path) -> None:
    path = write_lists(tmp_path / "t.jsonl", [["joy"]])
    with pytest.raises(DataError, match=r"t\.jsonl:1: 'label' is a list; .* data.label_separator"):
        read(path, config())


def write_lists(path: Path, labels: list[Any]) -> Path:
    rows = [{"text": "a", "label": cell} for cell in labels]
    if path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path
