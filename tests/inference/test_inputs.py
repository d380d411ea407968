"""Tables to score: files, standard input, pipes."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from embedclf.tables.tables import open_table
from tests.conftest import Invoke, reviews, write_csv
from tests.inference.conftest import ROWS

if TYPE_CHECKING:
    from embedclf.runs.run import Run


def test_jsonl_and_parquet_are_read(run: Run, table: Path, tmp_path: Path, invoke: Invoke) -> None:
    parquet.write_table(open_table(str(table), []).read(["id", "text"]), tmp_path / "in.parquet")
    (tmp_path / "in.jsonl").write_text('{"text": "great", "n": 1.50}\n{"text": null, "n": 2}\n')
    for name in ("in.parquet", "in.jsonl"):
        invoke("predict", tmp_path / name, "--run", run.path, "-o", tmp_path / f"{name}.csv")
    lines = (tmp_path / "in.jsonl.csv").read_text().splitlines()
    assert lines[0] == "text,n,prediction,probability,truncated,unknown_share,no_known_token"
    assert [line.split(",")[1] for line in lines[1:]] == ["1.50", "2"]


@pytest.mark.parametrize("file_format", ["csv", "tsv", "jsonl", "parquet"])
def test_a_table_is_read_from_standard_input(
    run: Run, tmp_path: Path, invoke: Invoke, file_format: str
) -> None:
    table = write_csv(tmp_path / "in.csv", ["id", "text", "note"], ROWS)
    invoke("predict", table, "--run", run.path, "-o", tmp_path / f"t.{file_format}", "-q")
    table_rows = open_table(str(tmp_path / f"t.{file_format}"), ["text"]).read(
        ["id", "text", "note"]
    )
    path = tmp_path / f"given.{file_format}"
    if file_format == "parquet":
        parquet.write_table(table_rows, path)
    elif file_format == "jsonl":
        lines = [json.dumps(row) + "\n" for row in table_rows.to_pylist()]
        path.write_text("".join(lines), encoding="utf-8")
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter="\t" if file_format == "tsv" else ",")
            writer.writerows([["id", "text", "note"], *ROWS])
    args = ("predict", "-", "--input-format", file_format, "--run", run.path)
    stderr = invoke(*args, "-o", tmp_path / "out.csv", text=path.read_bytes()).stderr
    assert stderr.startswith("standard input: read as ")
    restored = (
        open_table(str(tmp_path / "out.csv"), ["text"]).read(["id", "text", "note"]).to_pylist()
    )
    assert [tuple(row.values()) for row in restored] == ROWS


def test_errors_on_standard_input_name_the_line(run: Run, invoke: Invoke) -> None:
    args = ("predict", "-", "--run", run.path, "--input-format")
    for file_format, content, fault in (
        ("csv", b"text,a\nx\n", "standard input:2: 1 cell, but the header has 2 columns"),
        ("csv", b"", "standard input: the file is empty; it needs a header and rows"),
        ("csv", b"txt\nx\n", "standard input:1: no column 'text'"),
        ("csv", b"text,prediction\nx,1\n", "standard input:1: column 'prediction' already exists"),
        ("csv", b"text\n\xff\n", "standard input:2: byte 0xff is not utf-8"),
        ("jsonl", b'{"text": "a"}\n[]\n', "standard input:2: not a JSON object"),
        ("parquet", b"text\na\n", "standard input: not a Parquet file"),
    ):
        assert fault in invoke(*args, file_format, text=content, status=1).stderr


@pytest.mark.skipif(not Path("/dev/stdin").exists(), reason="no /dev/stdin")
def test_a_table_is_read_from_a_pipe(run: Run) -> None:
    def ask(*form: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "embedclf", "predict", "/dev/stdin", *form, "-q"]
        return subprocess.run(
            [*command, "--run", str(run.path)],
            input="id,text\n1,great\n",
            capture_output=True,
            text=True,
            check=False,
        )

    for form in (("--input-format", "csv"), ()):
        assert ask(*form).stdout.splitlines()[1].startswith("1,great,pos,")
    assert ask("--input-format", "lines").stdout.splitlines()[1].startswith('"id,text",')


def test_text_columns_come_from_the_config(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    path = write_csv(tmp_path / "in.csv", ["body", "title"], [("heat and great 3", "about heat")])
    stdout = invoke("predict", path, "--run", runs["multiclass"].path).stdout
    assert stdout.splitlines()[1].startswith("heat and great 3,about heat,heat,")


def test_tables_are_read_as_in_training_unless_options_differ(
    workplace: Path, invoke: Invoke
) -> None:
    content = "text#label\n" + "".join(f"{text} é#{label}\n" for text, label in reviews(60))
    (workplace / "odd.csv").write_bytes(content.encode("cp1252"))
    flags = ["data.train=odd.csv", "data.test=null", "data.delimiter='#'", "data.encoding=cp1252"]
    overrides = [flag for one in flags for flag in ("-s", one)]
    invoke("train", "binary.yaml", "-q", "-s", "training.epochs=1", *overrides)
    assert invoke("evaluate", "--data", "odd.csv").stderr.endswith("read as '#', cp1252\n")
    done = invoke("predict", "odd.csv")
    assert done.stderr.endswith("read as '#', cp1252\n")
    assert len(done.stdout.splitlines()) == 61
    (workplace / "plain.csv").write_text(content.replace("#", "|"), encoding="utf-8")
    form = ("--delimiter", "|", "--encoding", "utf-8")
    assert invoke("predict", "plain.csv", *form).stdout
    assert invoke("evaluate", "--data", "plain.csv", *form).stdout


def test_reading_options_are_refused_for_texts_and_lines(run: Run, invoke: Invoke) -> None:
    for command in (("predict", "-t", "x"), ("explain", "x")):
        for option in (("--delimiter", ";"), ("--encoding", "utf-8"), ("--input-format", "csv")):
            stderr = invoke(*command, *option, "--run", run.path, status=2).stderr
            assert "need a table" in stderr
    args = ("predict", "-", "--input-format", "csv", "--delimiter", "", "--run", run.path)
    assert "data.delimiter: must have at least 1" in invoke(*args, text="text\n", status=2).stderr
    stderr = invoke(
        "predict", "-", "--delimiter", ";", "--run", run.path, text="a", status=2
    ).stderr
    assert stderr == ("embedclf: lines have no columns; name a format, as in --input-format csv\n")


def test_a_column_that_is_named_twice_is_refused(run: Run, invoke: Invoke) -> None:
    twice = ("--text-column", "text", "--text-column", "text")
    error = invoke("predict", "t.csv", *twice, "--run", run.path, status=2).stderr
    assert "--text-column: column 'text' is named twice; name it once" in error


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        (
            ["txt"],
            "in.csv:1: no column 'text', which the run reads as text; did you mean 'txt'? "
            "--text-column txt\n",
        ),
        (
            ["text", "prediction"],
            "in.csv:1: column 'prediction' already exists; name the new columns otherwise: "
            "--prefix new_\n",
        ),
        (["text", "a", "text"], "in.csv:1: two columns are named 'text'; rename one"),
    ],
)
def test_a_table_whose_columns_cannot_be_kept_is_refused(
    run: Run, tmp_path: Path, invoke: Invoke, header: list[str], fault: str
) -> None:
    path = write_csv(tmp_path / "in.csv", header, [["x"] * len(header)])
    out = tmp_path / "out.csv"
    assert fault in invoke("predict", path, "--run", run.path, "-o", out, status=1).stderr
    assert not out.exists()


def test_a_json_record_with_an_added_column_is_refused(
    run: Run, tmp_path: Path, invoke: Invoke
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "a"}\n{"text": "b", "truncated": 1}\n', encoding="utf-8")
    stderr = invoke("predict", path, "--run", run.path, "-o", tmp_path / "o.jsonl", status=1).stderr
    assert f"{path}:2: column 'truncated' already exists; name the new columns" in stderr
    assert not (tmp_path / "o.jsonl").exists()


def test_parquet_with_invalid_text_or_duplicate_columns_is_refused(
    run: Run, tmp_path: Path, invoke: Invoke
) -> None:
    path = tmp_path / "in.parquet"
    bad = pa.StringArray.from_buffers(
        1, pa.py_buffer(np.array([0, 1], np.int32)), pa.py_buffer(b"\xff")
    )
    good = pa.array(["a"])
    for arrays, names, fault in (
        ([bad], ["text"], "damaged Parquet file: In column 0: Invalid: Invalid UTF8 sequence"),
        ([good, bad], ["text", "x"], "damaged Parquet file: In column 1: Invalid: Invalid UTF8"),
        ([good, good, good], ["text", "x", "x"], "two columns are named 'x'; rename one"),
    ):
        parquet.write_table(pa.Table.from_arrays(arrays, names), path)
        for out in ("o.csv", "o.jsonl", "o.parquet"):
            args = ("predict", path, "--run", run.path, "-o", tmp_path / out)
            assert fault in invoke(*args, status=1).stderr
            assert not (tmp_path / out).exists()


def test_a_broken_row_late_in_the_table_leaves_the_old_output(
    run: Run, tmp_path: Path, invoke: Invoke
) -> None:
    path = tmp_path / "in.csv"
    path.write_text("text,a\n" + "x,1\n" * 20_000 + "x\n")
    out = tmp_path / "out.csv"
    out.write_text("before")
    stderr = invoke("predict", path, "--run", run.path, "-o", out, status=1).stderr
    assert "in.csv:20002: 1 cell, but the header has 2 columns" in stderr
    assert out.read_text() == "before"
    assert {file.name for file in tmp_path.iterdir()} == {"in.csv", "out.csv"}
