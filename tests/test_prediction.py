"""Rows in, rows out: every column kept, in order, whatever stands in it."""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from embedclf.labels import Labels
from embedclf.prediction import ADDED, name_predictions
from embedclf.tables import open_table
from tests.conftest import Invoke, reviews, write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.run import Run

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


def test_a_csv_keeps_its_rows_and_columns(run: Run, table: Path, invoke: Invoke) -> None:
    done = invoke("predict", table, "--run", run.path)
    rows = list(csv.reader(io.StringIO(done.stdout_bytes.decode(), newline="")))
    assert rows[0] == ["id", "text", "note", *ADDED]
    assert [tuple(row[:3]) for row in rows[1:]] == ROWS
    assert rows[1][3] == "pos"
    assert rows[3][3] == "neg"
    assert all(0.5 <= float(row[4]) <= 1 for row in rows[1:])
    assert done.stderr == f"{table}: read as comma, utf-8 (detected)\n"


@pytest.mark.parametrize(
    "name",
    ["out.csv", "out.TSV", "out.tsv.csv", "out.jsonl", "out.parquet", "out.csv.gz", "out.jsonl.gz"],
)
def test_every_kind_of_table_is_written_and_read_back(
    run: Run, table: Path, tmp_path: Path, invoke: Invoke, name: str
) -> None:
    done = invoke("predict", table, "--run", run.path, "-o", tmp_path / name)
    assert done.stderr.endswith(f"{name}: 5 rows written\n")
    written = open_table(tmp_path / name, ["text"])
    assert written.columns == ("id", "text", "note", *ADDED)
    back = written.read(["id", "text", "note"]).to_pylist()
    assert [tuple(row.values()) for row in back] == ROWS
    assert {file.name for file in tmp_path.iterdir()} == {"in.csv", name}


def test_jsonl_and_parquet_are_read(run: Run, table: Path, tmp_path: Path, invoke: Invoke) -> None:
    parquet.write_table(open_table(table, []).read(["id", "text"]), tmp_path / "in.parquet")
    (tmp_path / "in.jsonl").write_text('{"text": "great", "n": 1.50}\n{"text": null, "n": 2}\n')
    for name in ("in.parquet", "in.jsonl"):
        invoke("predict", tmp_path / name, "--run", run.path, "-o", tmp_path / f"{name}.csv")
    lines = (tmp_path / "in.jsonl.csv").read_text().splitlines()
    assert lines[0] == "text,n,prediction,probability"
    assert [line.split(",")[1] for line in lines[1:]] == ["1.50", "2"]


def test_lines_of_standard_input_are_texts(run: Run, invoke: Invoke) -> None:
    text = b'\xef\xbb\xbfgreat hotel\r\n\nawful "x", y\x0b\xe2\x80\xa8z\nlast'
    done = invoke("predict", "-", "--run", run.path, text=text)
    rows = list(csv.reader(io.StringIO(done.stdout_bytes.decode(), newline="")))
    assert rows[0] == ["text", *ADDED]
    texts = ["great hotel", "", 'awful "x", y\x0b\u2028z', "last"]
    assert [row[0] for row in rows[1:]] == texts


def test_undecodable_input_is_named_with_its_line(run: Run, invoke: Invoke) -> None:
    told = invoke("predict", "-", "--run", run.path, text=b"a\n\xff\n", status=1).stderr
    assert told == ("embedclf: standard input:2: not utf-8; name its --encoding\n")
    invoke("predict", "-", "--run", run.path, "--encoding", "latin-1", text=b"a\n\xff\n")
    told = invoke("predict", "-", "--run", run.path, "--encoding", "x", text=b"a", status=1).stderr
    assert "--encoding x: unknown" in told


def test_single_texts_are_shown_to_people_and_programs(run: Run, invoke: Invoke) -> None:
    texts = ("-t", "great hotel, it was great", "-t", "awful film, it was awful")
    shown = invoke("predict", *texts, "--run", run.path).stdout
    assert [line.split()[0] for line in shown.splitlines()[2:]] == ["pos", "neg"]
    told = json.loads(invoke("predict", *texts, "--run", run.path, "--json").stdout)
    assert told["run"] == str(run.path)
    assert [row["prediction"] for row in told["predictions"]] == ["pos", "neg"]
    assert [row["text"] for row in told["predictions"]] == list(texts[1::2])


def test_several_labels_are_joined_and_none_is_empty(runs: dict[str, Run], invoke: Invoke) -> None:
    run = runs["multilabel"].path
    told = json.loads(invoke("predict", "-t", "b c 3", "--run", run, "--json").stdout)
    (row,) = told["predictions"]
    assert row["prediction"] == "b|c"
    assert len(row["probability"].split("|")) == 2


def test_text_columns_are_those_of_the_config(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    path = write_csv(tmp_path / "in.csv", ["body", "title"], [("heat and great 3", "about heat")])
    told = invoke("predict", path, "--run", runs["multiclass"].path).stdout
    assert told.splitlines()[1].startswith("heat and great 3,about heat,heat,")


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        (["txt"], "in.csv:1: no column 'text' (data.text, data.label); there are 'txt'"),
        (["text", "prediction"], "in.csv:1: column 'prediction' is there already; rename it"),
        (["text", "a", "a"], "in.csv:1: two columns are named 'a'; rename one"),
    ],
)
def test_a_table_that_cannot_keep_its_columns_is_refused(
    run: Run, tmp_path: Path, invoke: Invoke, header: list[str], fault: str
) -> None:
    path = write_csv(tmp_path / "in.csv", header, [["x"] * len(header)])
    out = tmp_path / "out.csv"
    assert fault in invoke("predict", path, "--run", run.path, "-o", out, status=1).stderr
    assert not out.exists()


def test_a_broken_row_far_down_leaves_no_output(run: Run, tmp_path: Path, invoke: Invoke) -> None:
    path = tmp_path / "in.csv"
    path.write_text("text,a\n" + "x,1\n" * 20_000 + "x\n")
    out = tmp_path / "out.csv"
    out.write_text("before")
    told = invoke("predict", path, "--run", run.path, "-o", out, status=1).stderr
    assert "in.csv:20002: 1 columns where the header has 2" in told
    assert out.read_text() == "before"
    assert {file.name for file in tmp_path.iterdir()} == {"in.csv", "out.csv"}


@pytest.mark.parametrize(
    ("out", "fault"),
    [
        ("out.txt", "unknown kind of table"),
        ("out.parquet.gz", "unknown kind of table"),
        ("no/out.csv", "cannot be written: No such file or directory"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_first(
    run: Run, table: Path, tmp_path: Path, invoke: Invoke, out: str, fault: str
) -> None:
    told = invoke("predict", table, "--run", run.path, "-o", tmp_path / out, status=1).stderr
    assert fault in told


@pytest.mark.parametrize("args", [[], ["-", "-t", "x"], ["-t", "x", "--json", "-o", "x.csv"]])
def test_one_kind_of_input_is_wanted(run: Run, invoke: Invoke, args: list[str]) -> None:
    told = invoke("predict", *args, "--run", run.path, status=2).stderr
    assert told.startswith("embedclf: Give one of INPUT, - for standard input, and -t TEXT")
    assert told.count("\n") == 1


CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(CELLS, CELLS), max_size=12), kind=st.sampled_from(["csv", "jsonl"]))
def test_rows_in_are_rows_out(
    run: Run, tmp_path: Path, invoke: Invoke, rows: list[tuple[str, str]], kind: str
) -> None:
    path = write_csv(tmp_path / "in.csv", ["text", "x"], rows)
    out = tmp_path / f"out.{kind}"
    invoke("predict", path, "--run", run.path, "-o", out)
    if kind == "jsonl":
        lines = out.read_text(encoding="utf-8").split("\n")[:-1]
        assert [(r["text"], r["x"]) for r in map(json.loads, lines)] == rows
    else:
        back = open_table(out, ["text"]).read(["text", "x"]).to_pylist()
        assert [(row["text"], row["x"]) for row in back] == rows


def test_probabilities_are_those_of_the_prediction() -> None:
    def named(task: Any, row: list[float]) -> tuple[str, float | str]:
        labels = Labels(task, ("a", "b", "c"), (1, 1, 1))
        names, shares = name_predictions(labels, np.array([row], np.float32), "|")
        return names[0], shares[0]

    assert named("binary", [0.25]) == ("a", 0.75)
    assert named("binary", [0.75]) == ("b", 0.75)
    assert named("multiclass", [0.2, 0.5, 0.3]) == ("b", 0.5)
    assert named("multilabel", [0.5, 0.1, 0.9]) == ("a|c", "0.5000|0.9000")
    assert named("multilabel", [0.1, 0.1, 0.1]) == ("", "")


def test_probabilities_are_numbers_where_a_table_has_numbers(
    run: Run, table: Path, tmp_path: Path, invoke: Invoke
) -> None:
    for name in ("out.jsonl", "out.parquet"):
        invoke("predict", table, "--run", run.path, "-o", tmp_path / name)
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    shares = [json.loads(line)["probability"] for line in lines]
    assert all(isinstance(share, float) for share in shares)
    assert parquet.read_table(tmp_path / "out.parquet")["probability"].to_pylist() == shares
    empty = write_csv(tmp_path / "empty.csv", ["text"], [])
    invoke("predict", empty, "--run", run.path, "-o", tmp_path / "empty.parquet")
    assert parquet.read_table(tmp_path / "empty.parquet").num_rows == 0


def test_tables_are_read_as_in_training_unless_told_otherwise(
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


def test_utf16_lines_of_standard_input_are_read(run: Run, invoke: Invoke) -> None:
    done = invoke(
        "predict", "-", "--run", run.path, "--encoding", "utf-16", text="é\nb\n".encode("utf-16")
    )
    assert [line.split(",")[0] for line in done.stdout.splitlines()] == ["text", "é", "b"]


def test_prediction_needs_no_tensorflow(run: Run, tmp_path: Path) -> None:
    import subprocess
    import sys

    shutil.copytree(run.path, tmp_path / "run")
    code = (
        "import sys, embedclf; embedclf.load('run').predict_proba(['great']); "
        "assert not {'tensorflow', 'keras', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


def test_a_packed_output_is_the_same_twice(
    run: Run, table: Path, tmp_path: Path, invoke: Invoke
) -> None:
    for name in ("a.csv.gz", "b.csv.gz"):
        invoke("predict", table, "--run", run.path, "-o", tmp_path / name)
    first, second = ((tmp_path / name).read_bytes() for name in ("a.csv.gz", "b.csv.gz"))
    assert first == second
    assert gzip.decompress(first).startswith(b"id,text,note,prediction")
