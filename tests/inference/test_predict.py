"""Rows in, rows out: every column kept, in order, whatever stands in it."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from embedclf.data.labels import Labels
from embedclf.data.tables import open_table
from embedclf.inference.inputs import _line_batches
from embedclf.inference.outputs import write_all
from embedclf.inference.predict import Predictor
from embedclf.model.classifier import Classifier
from embedclf.model.weights import Weights
from embedclf.system.arrow import Batch, text_column
from embedclf.text.tokenizer import Tokenizer
from tests.conftest import Invoke, reviews, write_csv

if TYPE_CHECKING:
    from embedclf.runs.run import Run

ADDED = ("prediction", "probability", "truncated", "unknown_share")
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


def csv_rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


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
    assert lines[0] == "text,n,prediction,probability,truncated,unknown_share"
    assert [line.split(",")[1] for line in lines[1:]] == ["1.50", "2"]


def test_json_records_stand_as_they_were(run: Run, tmp_path: Path, invoke: Invoke) -> None:
    records = [
        '{"n": 1.50, "text": "great", "deep": {"a": [1, null]}, "é": "\\u00e9"}',
        '{ "text" : null }',
        '{"text": "awful film, it was awful", "new": 1e400, "n": null}',
    ]
    (tmp_path / "in.jsonl").write_text("\n\n".join(records) + "\r\n", encoding="utf-8")
    invoke("predict", tmp_path / "in.jsonl", "--run", run.path, "-o", tmp_path / "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    for record, line in zip(records, lines, strict=True):
        assert line.startswith(record.removesuffix("}").rstrip() + ', "prediction": "')
        assert set(ADDED) < set(json.loads(line))
    streamed = invoke("predict", tmp_path / "in.jsonl", "--run", run.path, "-o", "-").stdout
    assert streamed.splitlines() == lines
    told = invoke("predict", tmp_path / "in.jsonl", "--run", run.path, "--json").stdout
    assert json.loads(told)["predictions"] == [json.loads(line) for line in lines]


def test_a_json_record_with_a_column_that_is_to_be_added_is_refused(
    run: Run, tmp_path: Path, invoke: Invoke
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "a"}\n{"text": "b", "truncated": 1}\n', encoding="utf-8")
    told = invoke("predict", path, "--run", run.path, "-o", tmp_path / "o.jsonl", status=1).stderr
    assert f"{path}:2: column 'truncated' is there already; rename it" in told
    assert not (tmp_path / "o.jsonl").exists()


def test_nested_json_goes_into_csv_as_json(run: Run, tmp_path: Path, invoke: Invoke) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "great", "deep": {"a": [1, "é"]}}\n', encoding="utf-8")
    invoke("predict", path, "--run", run.path, "-o", tmp_path / "out.csv")
    ((_, deep, *_),) = csv_rows(tmp_path / "out.csv")[1:]
    assert json.loads(deep) == {"a": [1, "é"]}


def test_parquet_columns_keep_their_types(run: Run, tmp_path: Path, invoke: Invoke) -> None:
    columns = {"text": ["great", None], "n": [1, None], "deep": [[1], []], "at": [None, None]}
    given = pa.table(columns).cast(
        pa.schema(
            [
                ("text", pa.large_string()),
                ("n", pa.int16()),
                ("deep", pa.list_(pa.field("element", pa.int64()))),
                ("at", pa.timestamp("ms")),
            ]
        )
    )
    for name, rows in (("two", given), ("none", given.slice(0, 0))):
        parquet.write_table(rows, tmp_path / f"{name}.parquet")
        out = tmp_path / f"{name}-out.parquet"
        invoke("predict", tmp_path / f"{name}.parquet", "--run", run.path, "-o", out)
        back = parquet.read_table(out)
        assert back.select(["text", "n", "deep", "at"]).equals(rows)
        assert back.schema.field("probability").type == pa.float64()
        assert back.schema.field("truncated").type == pa.bool_()
    told = invoke("predict", tmp_path / "two.parquet", "--run", run.path, "-o", "-").stdout
    assert told.splitlines()[1].startswith("great,1,[1],,pos,")


def test_duplicate_columns_are_kept_where_they_can_be(
    run: Run, tmp_path: Path, invoke: Invoke
) -> None:
    path = write_csv(tmp_path / "in.csv", ["a", "text", "a"], [("1", "great", "2")])
    told = invoke("predict", path, "--run", run.path).stdout
    assert told.splitlines()[0].startswith("a,text,a,prediction,")
    assert told.splitlines()[1].startswith("1,great,2,pos,")
    for name in ("out.jsonl", "out.parquet"):
        told = invoke("predict", path, "--run", run.path, "-o", tmp_path / name, status=1).stderr
        assert f"{name}: two columns would be named 'a'; rename one, or write CSV" in told
    told = invoke("predict", path, "--run", run.path, "--json", status=1).stderr
    assert "standard output: two columns would be named 'a'" in told


FORMULAS = ["=1+1", "+cmd|'/c calc'!A0", "-1+2", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1"]
PLAIN = ["-5", "+1.50", "-1e5", "-1,234.5", "a=b", "", " =1", "it's"]


def test_formulas_are_neutralised_on_wish(run: Run, tmp_path: Path, invoke: Invoke) -> None:
    path = write_csv(tmp_path / "in.csv", ["text", "=id"], [("a", c) for c in [*FORMULAS, *PLAIN]])
    out = tmp_path / "out.csv"
    invoke("predict", path, "--run", run.path, "-o", out, "--safe-csv")
    rows = csv_rows(out)
    assert rows[0][:2] == ["text", "'=id"]
    assert [row[1] for row in rows[1:]] == [f"'{cell}" for cell in FORMULAS] + PLAIN
    assert out.read_bytes().count(b'\n"a",') == len(FORMULAS) + len(PLAIN)
    invoke("predict", path, "--run", run.path, "-o", out)
    assert [row[1] for row in csv_rows(out)[1:]] == [*FORMULAS, *PLAIN]
    json_out = tmp_path / "out.jsonl"
    told = invoke("predict", path, "--run", run.path, "-o", json_out, "--safe-csv", status=2).stderr
    assert "--safe-csv goes with CSV and TSV" in told


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_a_table_is_read_from_standard_input(
    run: Run, tmp_path: Path, invoke: Invoke, kind: str
) -> None:
    table = write_csv(tmp_path / "in.csv", ["id", "text", "note"], ROWS)
    invoke("predict", table, "--run", run.path, "-o", tmp_path / f"t.{kind}", "-q")
    given = open_table(tmp_path / f"t.{kind}", ["text"]).read(["id", "text", "note"])
    path = tmp_path / f"given.{kind}"
    if kind == "parquet":
        parquet.write_table(given, path)
    elif kind == "jsonl":
        lines = [json.dumps(row) + "\n" for row in given.to_pylist()]
        path.write_text("".join(lines), encoding="utf-8")
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter="\t" if kind == "tsv" else ",")
            writer.writerows([["id", "text", "note"], *ROWS])
    args = ("predict", "-", "--input-format", kind, "--run", run.path)
    told = invoke(*args, "-o", tmp_path / "out.csv", text=path.read_bytes()).stderr
    assert told.startswith("standard input: read as ")
    back = open_table(tmp_path / "out.csv", ["text"]).read(["id", "text", "note"]).to_pylist()
    assert [tuple(row.values()) for row in back] == ROWS


def test_what_is_wrong_on_standard_input_is_named(run: Run, invoke: Invoke) -> None:
    args = ("predict", "-", "--run", run.path, "--input-format")
    for kind, content, fault in (
        ("csv", b"text,a\nx\n", "standard input:2: 1 columns where the header has 2"),
        ("csv", b"", "standard input: empty; it needs a header and rows"),
        ("csv", b"txt\nx\n", "standard input:1: no column 'text'"),
        ("csv", b"text,prediction\nx,1\n", "standard input:1: column 'prediction' is there"),
        ("csv", b"text\n\xff\n", "standard input:2: byte 0xff is not utf-8"),
        ("jsonl", b'{"text": "a"}\n[]\n', "standard input:2: not a JSON object"),
        ("parquet", b"text\na\n", "standard input: not Parquet"),
    ):
        assert fault in invoke(*args, kind, text=content, status=1).stderr


def test_a_file_of_lines_is_read(run: Run, tmp_path: Path, invoke: Invoke) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("great hotel\n\nawful, film", encoding="utf-8")
    done = invoke("predict", path, "--run", run.path, "--input-format", "lines")
    rows = list(csv.reader(io.StringIO(done.stdout)))
    assert [row[0] for row in rows] == ["text", "great hotel", "", "awful, film"]
    invoke("predict", tmp_path, "--run", run.path, "--input-format", "lines", status=1)


@pytest.mark.skipif(not Path("/dev/stdin").exists(), reason="no /dev/stdin")
def test_a_pipe_is_a_table_too(run: Run) -> None:
    def ask(*form: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "embedclf", "predict", "/dev/stdin", *form, "-q"]
        return subprocess.run(
            [*command, "--run", str(run.path)],
            input="id,text\n1,great\n",
            capture_output=True,
            text=True,
            check=False,
        )

    assert ask("--input-format", "csv").stdout.splitlines()[1].startswith("1,great,pos,")
    told = ask().stderr
    assert told.startswith("embedclf: /dev/stdin: its ending tells no kind of table")


def test_lines_are_answered_as_they_come(run: Run) -> None:
    command = [sys.executable, "-m", "embedclf", "predict", "-", "--run", str(run.path), "-q"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in (b"great hotel\n", b"awful film\n"):
            process.stdin.write(line)
            process.stdin.flush()
            if line.startswith(b"great"):
                assert process.stdout.readline().startswith(b"text,prediction")
            assert process.stdout.readline().startswith(line.rstrip())
        process.stdin.close()
        assert process.stdout.read() == b""


def test_progress_is_told_in_plain_lines(
    run: Run, table: Path, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("embedclf.cli.predict_progress._PLAIN_SECONDS", 0.0)
    done = invoke("predict", table, "--run", run.path, "-o", tmp_path / "o.csv", "--progress=plain")
    assert re.search(r"^5 rows  [\d,]+ rows/s  0 s left$", done.stderr, re.MULTILINE)


def test_a_bar_is_shown_on_a_terminal(run: Run, table: Path) -> None:
    pty = pytest.importorskip("pty")
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "embedclf", "predict", str(table), "--run", str(run.path)]
    subprocess.run(
        [*command, "-o", str(table.parent / "o.csv")],
        stderr=follower,
        check=True,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(follower)
    shown = os.read(leader, 1 << 16).decode()
    os.close(leader)
    assert re.search(r"5 rows {2}[\d,]+ rows/s", shown)
    assert shown.splitlines()[-1].endswith("o.csv: 5 rows written")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_as_output_gets_the_rows(run: Run, table: Path, invoke: Invoke) -> None:
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
def test_a_request_to_end_leaves_no_draft(run: Run, tmp_path: Path, number: str) -> None:
    wanted = getattr(signal, number)
    command = [sys.executable, "-m", "embedclf", "predict", "-", "--run", str(run.path)]
    with subprocess.Popen(
        [*command, "-o", "out.csv"],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    ) as process:
        while not list(tmp_path.iterdir()) and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(wanted)
        assert process.wait() == 128 + wanted
    assert not list(tmp_path.iterdir())


def test_no_lines_are_an_empty_table(run: Run, tmp_path: Path, invoke: Invoke) -> None:
    for name in ("e.parquet", "e.csv", "e.csv.gz", "e.jsonl"):
        invoke("predict", "-", "--run", run.path, "-o", tmp_path / name, text="")
    assert parquet.read_table(tmp_path / "e.parquet").schema.names == ["text", *ADDED]
    assert open_table(tmp_path / "e.csv.gz", ["text", *ADDED]).read(["text"]).num_rows == 0
    assert (tmp_path / "e.jsonl").read_bytes() == b""
    told = json.loads(invoke("predict", "-", "--run", run.path, "--json", text="").stdout)
    assert told == {"run": str(run.path), "predictions": []}


def test_packed_lines_are_unpacked(run: Run, tmp_path: Path, invoke: Invoke) -> None:
    path = tmp_path / "lines.txt.gz"
    args = ("predict", path, "--run", run.path, "--input-format", "lines")
    path.write_bytes(gzip.compress(b"great hotel\nawful film\n"))
    assert len(invoke(*args).stdout.splitlines()) == 3
    path.write_bytes(gzip.compress(b"great hotel\n" * 99)[:-12])
    assert f"embedclf: {path}: cannot be read" in invoke(*args, status=1).stderr


def test_how_a_file_is_read_says_nothing_of_texts_and_lines(run: Run, invoke: Invoke) -> None:
    for command in (("predict", "-t", "x"), ("explain", "x")):
        for option in (("--delimiter", ";"), ("--encoding", "utf-8"), ("--input-format", "csv")):
            told = invoke(*command, *option, "--run", run.path, status=2).stderr
            assert "tell how a file is read; texts are none" in told
    args = ("predict", "-", "--input-format", "csv", "--delimiter", "", "--run", run.path)
    assert "must be one ASCII character" in invoke(*args, text="text\n", status=1).stderr
    told = invoke("predict", "-", "--delimiter", ";", "--run", run.path, text="a", status=2).stderr
    assert told == "embedclf: lines have no --delimiter; name a table by --input-format\n"


def test_numbers_of_json_stay_as_they_are_written(run: Run, tmp_path: Path, invoke: Invoke) -> None:
    long = "9" * 5000
    path = tmp_path / "in.jsonl"
    path.write_text(f'{{"text": "a", "n": {long}, "deep": [1.50, 1e400, {{"a": 1E2}}]}}\n')
    told = invoke("predict", path, "--run", run.path, "--json").stdout
    assert f'"n": {long}, "deep": [1.50, 1e400, {{"a": 1E2}}], "prediction"' in told
    invoke("predict", path, "--run", run.path, "-o", tmp_path / "out.csv")
    assert csv_rows(tmp_path / "out.csv")[1][1:3] == [long, '[1.50, 1e400, {"a": 1E2}]']


def test_what_json_lacks_is_null_or_text(run: Run, tmp_path: Path, invoke: Invoke) -> None:
    path, out = tmp_path / "in.parquet", tmp_path / "out.jsonl"
    far = pa.array([3 * 10**17], pa.int64()).cast(pa.timestamp("us"))
    columns = {"text": ["a"], "x": [float("nan")], "deep": [[1.0, float("inf")]], "at": far}
    parquet.write_table(pa.table(columns), path)
    invoke("predict", path, "--run", run.path, "-o", out)
    (row,) = map(json.loads, out.read_text(encoding="utf-8").splitlines())
    parquet.write_table(pa.table({"text": ["a"], "raw": [b"\xff"]}), tmp_path / "raw.parquet")
    told = invoke(
        "predict", tmp_path / "raw.parquet", "--run", run.path, "-o", tmp_path / "o.jsonl", status=1
    ).stderr
    assert "column 'raw' holds bytes, which JSON cannot; write Parquet" in told
    assert (row["x"], row["deep"]) == (None, [1.0, None])
    assert isinstance(row["at"], str)


def test_parquet_that_is_no_table_of_text_is_refused(
    run: Run, tmp_path: Path, invoke: Invoke
) -> None:
    path = tmp_path / "in.parquet"
    bad = pa.StringArray.from_buffers(
        1, pa.py_buffer(np.array([0, 1], np.int32)), pa.py_buffer(b"\xff")
    )
    good = pa.array(["a"])
    for arrays, names, fault in (
        ([bad], ["text"], "unreadable Parquet: In column 0: Invalid: Invalid UTF8 sequence"),
        ([good, bad], ["text", "x"], "unreadable Parquet: In column 1: Invalid: Invalid UTF8"),
        ([good, good, good], ["text", "x", "x"], "two columns are named 'x'; rename one"),
    ):
        parquet.write_table(pa.Table.from_arrays(arrays, names), path)
        for out in ("o.csv", "o.jsonl", "o.parquet"):
            args = ("predict", path, "--run", run.path, "-o", tmp_path / out)
            assert fault in invoke(*args, status=1).stderr
            assert not (tmp_path / out).exists()


def test_parquet_keeps_what_its_schema_says(run: Run, tmp_path: Path, invoke: Invoke) -> None:
    path, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    field = pa.field("text", pa.string(), nullable=False, metadata={"is": "a text"})
    schema = pa.schema([field], metadata={"made": "here"})
    parquet.write_table(pa.table({"text": ["a"] * 20_000}, schema=schema), path)
    invoke("predict", path, "--run", run.path, "-o", out)
    back = parquet.ParquetFile(out)
    assert back.schema_arrow.metadata[b"made"] == b"here"
    assert not back.schema_arrow.field("text").nullable
    assert back.schema_arrow.field("text").metadata[b"is"] == b"a text"
    assert back.num_row_groups == 1


def test_lines_are_not_kept_waiting_by_more_that_come() -> None:
    reader, writer = os.pipe()
    answered = threading.Event()
    lines = 0

    def speak() -> None:
        nonlocal lines
        while not answered.wait(0.005) and lines < 4000:
            os.write(writer, b"a line\n")
            lines += 1
        os.close(writer)

    speaker = threading.Thread(target=speak)
    speaker.start()
    with open(reader, "rb") as stream:
        batch = next(_line_batches(stream, "lines", None))
        answered.set()
        speaker.join()
    assert batch.pause
    assert 0 < len(batch.texts) <= lines < 4000


def test_half_a_line_does_not_hold_back_whole_ones() -> None:
    reader, writer = os.pipe()
    with open(reader, "rb") as stream, open(writer, "wb", buffering=0) as pipe:
        batches = _line_batches(stream, "lines", None)
        pipe.write(b"whole\n")
        assert next(batches).pause
        pipe.write(b"half")
        half = next(batches)
        assert (len(half.texts), half.pause) == (0, True)


def test_all_is_written_to_a_file_that_takes_little_at_once() -> None:
    class Narrow(io.BytesIO):
        def write(self, content: Any) -> int:
            return super().write(bytes(content[:3]))

    file = Narrow()
    write_all(file, b"ten bytes!")
    assert file.getvalue() == b"ten bytes!"


def test_control_characters_do_nothing_to_a_terminal(run: Run, invoke: Invoke) -> None:
    told = invoke("predict", "-t", "a\x1b[31m\x9b\nb", "--run", run.path).stdout
    assert told.splitlines()[-1].endswith("a\u241b[31m\ufffd\u240ab")


def test_more_labels_than_there_are_cannot_be_the_best(run: Run, invoke: Invoke) -> None:
    told = invoke("predict", "-t", "x", "-k", "3", "--run", run.path, status=2).stderr
    assert "-k 3: " in told
    assert "knows 2 labels; ask for fewer" in told


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
    args = ("predict", "-", "--run", run.path, "--encoding", "utf-7")
    told = invoke(*args, text=b"+2AA-\n", status=1).stderr
    assert told == "embedclf: standard input:1: half of a surrogate pair; see --encoding\n"
    told = invoke("predict", "-", "--run", run.path, "--encoding", "x", text=b"a", status=2).stderr
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
        (["text", "a", "text"], "in.csv:1: two columns are named 'text'; rename one"),
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


@pytest.mark.parametrize(
    ("args", "fault"),
    [
        ([], "Give one of INPUT, - for standard input, and -t TEXT;"),
        (["-", "-t", "x"], "Give one of INPUT, - for standard input, and -t TEXT;"),
        (["-t", "x", "--json", "-o", "x.csv"], "Give -o or --json, not both;"),
    ],
)
def test_one_kind_of_input_and_of_output_is_wanted(
    run: Run, invoke: Invoke, args: list[str], fault: str
) -> None:
    told = invoke("predict", *args, "--run", run.path, status=2).stderr
    assert told.startswith(f"embedclf: {fault}")
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


def predictor(task: Any, logits: list[list[float]], **wanted: Any) -> Predictor:
    """One that gives the n-th word of its vocabulary the n-th logits."""
    labels = Labels(task, ("a", "b", "c")[: 2 if task == "binary" else 3], (1, 1, 1))
    embedding = np.array([[0.0] * len(logits[0])] * 2 + logits, np.float32)
    kernel = np.eye(len(logits[0]), dtype=np.float32)
    dense = ((kernel, np.zeros(len(kernel), np.float32)),)
    words = tuple(f"w{number}" for number in range(len(logits)))
    classifier = Classifier(
        Tokenizer("word", True, 2, words), labels, Weights("average", embedding, dense, None)
    )
    return Predictor(classifier, **wanted)


def scored(predictor: Predictor, *texts: str) -> list[dict[str, Any]]:
    column = text_column(texts)
    batch = Batch(column, pa.RecordBatch.from_arrays([column], ["text"]))
    rows: list[dict[str, Any]] = predictor.score(batch).to_pylist()
    return rows


def logit(*probabilities: float) -> list[float]:
    return [math.log(p / (1 - p)) for p in probabilities]


def test_probabilities_are_those_of_the_prediction() -> None:
    def found(task: Any, logits: list[float]) -> tuple[str, float | str]:
        (row,) = scored(predictor(task, [logits]), "w0")
        return row["prediction"], row["probability"]

    assert found("binary", logit(0.25)) == ("a", 0.75)
    assert found("binary", logit(0.75)) == ("b", 0.75)
    assert found("multiclass", [math.log(p) for p in (0.2, 0.5, 0.3)]) == ("b", 0.5)
    assert found("multilabel", logit(0.6, 0.1, 0.9)) == ("a|c", "0.600000|0.900000")
    assert found("multilabel", logit(0.1, 0.1, 0.1)) == ("", "")


def test_several_rows_of_several_labels_keep_their_own() -> None:
    judge = predictor(
        "multilabel", [logit(0.9, 0.1, 0.9), logit(0.1, 0.1, 0.1), logit(0.1, 0.9, 0.1)]
    )
    rows = scored(judge, "w1", "w0", "w1", "w2", "w0", "w1")
    assert [row["prediction"] for row in rows] == ["", "a|c", "", "b", "a|c", ""]


def test_every_probability_and_the_best_are_added_on_wish() -> None:
    judge = predictor(
        "multiclass", [[math.log(p) for p in (0.2, 0.5, 0.3)]], all_probabilities=True
    )
    (row,) = scored(judge, "w0")
    assert [row[f"probability_{name}"] for name in "abc"] == [0.2, 0.5, 0.3]
    judge = predictor("binary", [logit(0.25)], all_probabilities=True, best=2)
    (row,) = scored(judge, "w0")
    assert list(row)[3:] == [
        "probability_a",
        "probability_b",
        "best_1",
        "best_1_probability",
        "best_2",
        "best_2_probability",
        "truncated",
        "unknown_share",
    ]
    assert list(row.values())[3:9] == [0.75, 0.25, "a", 0.75, "b", 0.25]


def test_the_best_label_of_a_tie_is_the_prediction() -> None:
    (row,) = scored(predictor("binary", [[0.0]], best=2), "w0")
    assert (row["prediction"], row["best_1"], row["best_2"]) == ("b", "b", "a")


def test_cut_and_unknown_texts_are_told() -> None:
    rows = scored(predictor("binary", [logit(0.9)]), "w0", "w0 x", "x y z", "")
    assert [row["truncated"] for row in rows] == [False, False, True, False]
    assert [row["unknown_share"] for row in rows] == [0.0, 0.5, 1.0, 0.0]


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
    shutil.copytree(run.path, tmp_path / "run")
    code = (
        "import sys, embedclf; embedclf.load('run').predict_proba(['great']); "
        "assert not {'tensorflow', 'keras', 'sklearn', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


@pytest.mark.parametrize("given", [["-t", "good"], ["in.csv"], ["in.csv", "-o", "out.jsonl"]])
def test_the_command_names_no_heavy_module(
    run: Run, table: Path, monkeypatch: pytest.MonkeyPatch, given: list[str]
) -> None:
    monkeypatch.chdir(table.parent)
    command = [sys.executable, "-X", "importtime", "-m", "embedclf", "predict", *given]
    done = subprocess.run(
        [*command, "--run", str(run.path)], capture_output=True, text=True, check=True
    )
    for module in ("tensorflow", "keras", "pandas", "sklearn"):
        assert not re.search(rf"\| +{module}\b", done.stderr), module


def test_a_packed_output_is_the_same_twice(
    run: Run, table: Path, tmp_path: Path, invoke: Invoke
) -> None:
    for name in ("a.csv.gz", "b.csv.gz"):
        invoke("predict", table, "--run", run.path, "-o", tmp_path / name)
    first, second = ((tmp_path / name).read_bytes() for name in ("a.csv.gz", "b.csv.gz"))
    assert first == second
    assert gzip.decompress(first).startswith(b"id,text,note,prediction")
