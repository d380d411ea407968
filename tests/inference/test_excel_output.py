from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.errors import DataError
from embedclf.inference.excel_output import ExcelWriter
from embedclf.tables.tables import open_table
from tests.inference.conftest import ADDED, ROWS

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.runs.run import Run
    from tests.conftest import Invoke


def read_cells(path: Path) -> list[tuple[str, ...]]:
    table = open_table(str(path), ["text"])
    return [tuple(row.values()) for row in table.read(table.columns).to_pylist()]


# Excel has no way to store two characters that Unicode reserves.
TEXTS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\ufffe\uffff")))


@given(texts=TEXTS)
def test_a_text_that_was_written_is_read_unchanged(
    texts: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("excel") / "t.xlsx"
    write_scored(path, ["text", "label"], [texts, ["=1+1"] * len(texts)])
    assert read_cells(path) == [(text, "=1+1") for text in texts]


def write_scored(path: Path, names: list[str], columns: list[list[Any]]) -> None:
    with path.open("wb") as file, ExcelWriter(file, path, names, list_separator="|") as writer:
        rows = pa.RecordBatch.from_arrays([pa.array(column) for column in columns], names)
        writer.write(writer.render(rows, None))


KILLED = """
import os, signal, sys
from pathlib import Path
from embedclf.inference.excel_output import ExcelWriter
path = Path(sys.argv[1])
with path.open("wb") as file, ExcelWriter(file, path, ["text"], list_separator="|") as writer:
    if sys.argv[2] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs locks of directories")
def test_the_next_workbook_removes_what_a_killed_process_left(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    left = []
    for how in ("killed", "whole"):
        command = [sys.executable, "-c", KILLED, str(tmp_path / "t.xlsx"), how]
        subprocess.run(command, env=os.environ | {"TMPDIR": str(temporary)}, check=False)
        left.append(len([*temporary.iterdir()]))
    assert left == [1, 0]


def test_numbers_and_lists_are_written_as_csv_has_them(tmp_path: Path) -> None:
    columns: list[list[Any]] = [
        ["a", "b"],
        [0.12345678, None],
        [["x", "y"], []],
        [[0.5, 0.25], []],
        [True, False],
    ]
    names = ["text", "probability", "prediction", "probabilities", "truncated"]
    write_scored(tmp_path / "t.xlsx", names, columns)
    assert read_cells(tmp_path / "t.xlsx") == [
        ("a", "0.123457", "x|y", "0.500000|0.250000", "TRUE"),
        ("b", "", "", "", "FALSE"),
    ]


def test_what_excel_cannot_hold_is_refused(tmp_path: Path) -> None:
    write_scored(tmp_path / "t.xlsx", ["text"], [["a" * 32_767]])
    for text in ("a" * 32_768, "\U0001f600" * 16_384):
        with pytest.raises(DataError, match=r"t.xlsx: row 2 has a cell of 32,768 characters"):
            write_scored(tmp_path / "t.xlsx", ["text"], [[text]])
    with pytest.raises(DataError, match="Excel allows 1,048,575 rows below the header"):
        write_scored(tmp_path / "t.xlsx", ["text"], [[None] * 1_048_576])
    with pytest.raises(DataError, match="16,385 columns; Excel allows 16,384"):
        write_scored(tmp_path / "t.xlsx", ["c"] * 16_385, [])


def test_a_workbook_of_predictions_is_read_back_and_predicted_again(
    run: Run, table: Path, tmp_path: Path, invoke: Invoke
) -> None:
    book = tmp_path / "out.xlsx"
    invoke("predict", table, "--run", run.path, "-o", book)
    written = open_table(str(book), ["text"])
    assert written.columns == ("id", "text", "note", *ADDED)
    restored = written.read(["id", "text", "note"]).to_pylist()
    assert [tuple(row.values()) for row in restored] == ROWS
    again = invoke("predict", book, "--run", run.path, "--prefix", "new_").stdout_bytes.decode()
    rows = [*csv.DictReader(io.StringIO(again, newline=""))]
    assert [row["new_prediction"] for row in rows] == written.read(["prediction"]).column(
        0
    ).to_pylist()


def test_a_workbook_that_cannot_be_written_leaves_no_file(
    run: Run, tmp_path: Path, invoke: Invoke
) -> None:
    (tmp_path / "in.csv").write_text(f"text\n{'long ' * 7000}\n", encoding="utf-8")
    book = tmp_path / "out.xlsx"
    error = invoke("predict", tmp_path / "in.csv", "--run", run.path, "-o", book, status=1).stderr
    assert "out.xlsx: row 2 has a cell of 35,000 characters" in error
    assert {file.name for file in tmp_path.iterdir()} == {"in.csv"}


def test_without_the_extra_the_message_says_what_to_install(
    run: Run, table: Path, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)  # as if it were not installed
    book = tmp_path / "out.xlsx"
    error = invoke("predict", table, "--run", run.path, "-o", book, status=1).stderr
    assert (
        f"{book}: writing Excel needs xlsxwriter, which is not installed: "
        "pip install 'embedclf[excel]'" in error
    )
    assert not book.exists()
