"""Rows in, rows out: every column kept, in order, in every format."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from embedclf.data.labeled import read_labels
from embedclf.inference.outputs import write_all
from embedclf.tables.tables import open_table
from tests.conftest import Invoke, write_csv
from tests.inference.conftest import ADDED, ROWS, read_csv

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.runs.run import Run


def test_a_csv_keeps_its_rows_and_columns(run: Run, table: Path, invoke: Invoke) -> None:
    done = invoke("predict", table, "--run", run.path)
    rows = list(csv.reader(io.StringIO(done.stdout_bytes.decode(), newline="")))
    assert rows[0] == ["id", "text", "note", *ADDED]
    assert [tuple(row[:3]) for row in rows[1:]] == ROWS
    assert rows[1][3] == "pos"
    assert rows[3][3] == "neg"
    assert all(0.5 <= float(row[4]) <= 1 for row in rows[1:])
    assert done.stderr.splitlines()[0] == f"{table}: read as comma, utf-8 (detected)"


@pytest.mark.parametrize(
    "name",
    ["out.csv", "out.TSV", "out.tsv.csv", "out.jsonl", "out.parquet", "out.csv.gz", "out.jsonl.gz"],
)
def test_every_table_format_is_written_and_read_back(
    run: Run, table: Path, tmp_path: Path, invoke: Invoke, name: str
) -> None:
    done = invoke("predict", table, "--run", run.path, "-o", tmp_path / name)
    assert f"{name}: 5 rows written\n" in done.stderr
    written = open_table(str(tmp_path / name), ["text"])
    assert written.columns == ("id", "text", "note", *ADDED)
    restored = written.read(["id", "text", "note"]).to_pylist()
    assert [tuple(row.values()) for row in restored] == ROWS
    assert {file.name for file in tmp_path.iterdir()} == {"in.csv", name}


CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(CELLS, CELLS), max_size=12),
    file_format=st.sampled_from(["csv", "jsonl"]),
)
def test_any_row_comes_out_as_it_went_in(
    run: Run, tmp_path: Path, invoke: Invoke, rows: list[tuple[str, str]], file_format: str
) -> None:
    path = write_csv(tmp_path / "in.csv", ["text", "x"], rows)
    out = tmp_path / f"out.{file_format}"
    invoke("predict", path, "--run", run.path, "-o", out)
    if file_format == "jsonl":
        lines = out.read_text(encoding="utf-8").split("\n")[:-1]
        assert [(r["text"], r["x"]) for r in map(json.loads, lines)] == rows
    else:
        restored = open_table(str(out), ["text"]).read(["text", "x"]).to_pylist()
        assert [(row["text"], row["x"]) for row in restored] == rows


def test_parquet_columns_keep_their_types(run: Run, tmp_path: Path, invoke: Invoke) -> None:
    columns = {"text": ["great", None], "n": [1, None], "deep": [[1], []], "at": [None, None]}
    table = pa.table(columns).cast(
        pa.schema(
            [
                ("text", pa.large_string()),
                ("n", pa.int16()),
                ("deep", pa.list_(pa.field("element", pa.int64()))),
                ("at", pa.timestamp("ms")),
            ]
        )
    )
    for name, rows in (("two", table), ("none", table.slice(0, 0))):
        parquet.write_table(rows, tmp_path / f"{name}.parquet")
        out = tmp_path / f"{name}-out.parquet"
        invoke("predict", tmp_path / f"{name}.parquet", "--run", run.path, "-o", out)
        restored = parquet.read_table(out)
        assert restored.select(["text", "n", "deep", "at"]).equals(rows)
        assert restored.schema.field("probability").type == pa.float64()
        assert restored.schema.field("truncated").type == pa.bool_()
    stdout = invoke("predict", tmp_path / "two.parquet", "--run", run.path, "-o", "-").stdout
    assert stdout.splitlines()[1].startswith("great,1,[1],,pos,")


def test_parquet_keeps_its_schema_and_one_row_group(
    run: Run, tmp_path: Path, invoke: Invoke
) -> None:
    path, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    field = pa.field("text", pa.string(), nullable=False, metadata={"is": "a text"})
    schema = pa.schema([field], metadata={"made": "here"})
    parquet.write_table(pa.table({"text": ["a"] * 20_000}, schema=schema), path)
    invoke("predict", path, "--run", run.path, "-o", out)
    restored = parquet.ParquetFile(out)
    assert restored.schema_arrow.metadata[b"made"] == b"here"
    assert not restored.schema_arrow.field("text").nullable
    assert restored.schema_arrow.field("text").metadata[b"is"] == b"a text"
    assert restored.num_row_groups == 1


def test_duplicate_columns_are_kept_in_csv_and_refused_elsewhere(
    run: Run, tmp_path: Path, invoke: Invoke
) -> None:
    path = write_csv(tmp_path / "in.csv", ["a", "text", "a"], [("1", "great", "2")])
    stdout = invoke("predict", path, "--run", run.path).stdout
    assert stdout.splitlines()[0].startswith("a,text,a,prediction,")
    assert stdout.splitlines()[1].startswith("1,great,2,pos,")
    for name in ("out.jsonl", "out.parquet"):
        stderr = invoke("predict", path, "--run", run.path, "-o", tmp_path / name, status=1).stderr
        assert f"{name}: two columns would be named 'a'; rename one, or write CSV" in stderr
    stderr = invoke("predict", path, "--run", run.path, "--json", status=1).stderr
    assert "standard output: two columns would be named 'a'" in stderr


def test_parquet_takes_a_last_batch_that_fills_a_row_group(
    run: Run, tmp_path: Path, invoke: Invoke
) -> None:
    table = write_csv(tmp_path / "large.csv", ["text"], [["good hotel " * 300_000]] * 3)
    out = tmp_path / "out.parquet"
    invoke("predict", table, "--run", run.path, "-o", out)
    assert parquet.read_metadata(out).num_rows == 3


def test_probabilities_are_numbers_in_json_lines_and_parquet(
    run: Run, table: Path, tmp_path: Path, invoke: Invoke
) -> None:
    for name in ("out.jsonl", "out.parquet"):
        invoke("predict", table, "--run", run.path, "-o", tmp_path / name)
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    probabilities = [json.loads(line)["probability"] for line in lines]
    assert all(isinstance(probability, float) for probability in probabilities)
    assert parquet.read_table(tmp_path / "out.parquet")["probability"].to_pylist() == probabilities
    empty = write_csv(tmp_path / "empty.csv", ["text"], [])
    invoke("predict", empty, "--run", run.path, "-o", tmp_path / "empty.parquet")
    assert parquet.read_table(tmp_path / "empty.parquet").num_rows == 0


def test_several_labels_are_lists_except_in_text_tables(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke
) -> None:
    texts = [("b c 3",), ("a 7",), ("7",)]
    path, run = write_csv(tmp_path / "in.csv", ["text"], texts), runs["multilabel"]
    for name in ("out.csv", "out.tsv", "out.jsonl", "out.parquet"):
        invoke("predict", path, "--run", run.path, "-o", tmp_path / name, "--best", 1)
    header, *rows = read_csv(tmp_path / "out.csv")
    assert header[1:3] == ["prediction", "probability"]
    joined = [row[1] for row in rows]
    assert joined == ["b|c", "a", ""]
    assert re.fullmatch(r"0\.\d{6}\|0\.\d{6}", rows[0][2])
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    listed = [json.loads(line) for line in lines]
    assert [row["prediction"] for row in listed] == [["b", "c"], ["a"], []]
    assert [f"{number:.6f}" for number in listed[0]["probability"]] == rows[0][2].split("|")
    table = parquet.read_table(tmp_path / "out.parquet")
    assert table["prediction"].type == pa.list_(pa.string())
    assert table["prediction"].to_pylist() == [row["prediction"] for row in listed]
    assert table["probability"].to_pylist() == [row["probability"] for row in listed]


@pytest.mark.parametrize("name", ["out.csv", "out.tsv", "out.jsonl", "out.parquet"])
def test_predicted_labels_can_be_read_as_labels(
    runs: dict[str, Run], tmp_path: Path, invoke: Invoke, name: str
) -> None:
    path, out = write_csv(tmp_path / "in.csv", ["text"], [("b c 3",), ("a 7",)]), tmp_path / name
    run = runs["multilabel"]
    invoke("predict", path, "--run", run.path, "-o", out)
    config = run.config().data.model_copy(update={"label": "prediction"})
    targets, unknown = run.classifier().labels.encode(read_labels(str(out), config), config)
    assert targets.toarray().tolist() == [[0, 1, 1], [1, 0, 0]]
    assert unknown == {}


def test_compressed_output_is_reproducible(
    run: Run, table: Path, tmp_path: Path, invoke: Invoke
) -> None:
    for name in ("a.csv.gz", "b.csv.gz"):
        invoke("predict", table, "--run", run.path, "-o", tmp_path / name)
    first, second = ((tmp_path / name).read_bytes() for name in ("a.csv.gz", "b.csv.gz"))
    assert first == second
    assert gzip.decompress(first).startswith(b"id,text,note,prediction")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_named_pipe_as_output_receives_the_rows(run: Run, table: Path, invoke: Invoke) -> None:
    pipe = table.parent / "out.csv"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    invoke("predict", table, "--run", run.path, "-o", pipe)
    reader.join()
    assert got[0].startswith(b"id,text,note,prediction,")
    assert not pipe.is_file()


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_to_stop_leaves_no_draft(run: Run, tmp_path: Path, number: str) -> None:
    wanted = getattr(signal, number)
    command = [sys.executable, "-m", "embedclf", "predict", "-", "--run", str(run.path)]
    with subprocess.Popen(
        [*command, "-o", "out.csv"],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(wanted, signal.SIG_DFL),  # noqa: PLW1509 - not ignored
    ) as process:
        assert process.stdin is not None
        process.stdin.write(b"great hotel\n" * 100_000)  # more than a pipe holds: rows are read
        process.stdin.flush()
        assert list(tmp_path.iterdir())
        process.send_signal(wanted)
        assert process.wait() == 128 + wanted
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("out", "fault"),
    [
        ("out.txt", "cannot be written in this format; the name must"),
        ("out.parquet.gz", "cannot be written in this format; the name must"),
        ("no/out.csv", "cannot be written: No such file or directory"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused(
    run: Run, table: Path, tmp_path: Path, invoke: Invoke, out: str, fault: str
) -> None:
    stderr = invoke("predict", table, "--run", run.path, "-o", tmp_path / out, status=1).stderr
    assert fault in stderr


def test_everything_is_written_to_a_file_that_accepts_few_bytes_at_once() -> None:
    class Narrow(io.BytesIO):
        def write(self, content: Any) -> int:
            return super().write(bytes(content[:3]))

    file = Narrow()
    write_all(file, b"ten bytes!")
    assert file.getvalue() == b"ten bytes!"
