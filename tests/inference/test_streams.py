"""Lines arrive as texts, at once and one by one."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from pyarrow import parquet

from embedclf.inference.streams import read_line_batches
from embedclf.tables.tables import open_table
from tests.inference.conftest import ADDED

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.runs.run import Run
    from tests.conftest import Invoke


def test_lines_of_standard_input_are_texts(run: Run, invoke: Invoke) -> None:
    text = b'\xef\xbb\xbfgreat hotel\r\n\nawful "x", y\x0b\xe2\x80\xa8z\nlast'
    done = invoke("predict", "-", "--run", run.path, text=text)
    rows = list(csv.reader(io.StringIO(done.stdout_bytes.decode(), newline="")))
    assert rows[0] == ["text", *ADDED]
    texts = ["great hotel", "", 'awful "x", y\x0b\u2028z', "last"]
    assert [row[0] for row in rows[1:]] == texts


def test_utf16_lines_of_standard_input_are_read(run: Run, invoke: Invoke) -> None:
    done = invoke(
        "predict", "-", "--run", run.path, "--encoding", "utf-16", text="é\nb\n".encode("utf-16")
    )
    assert [line.split(",")[0] for line in done.stdout.splitlines()] == ["text", "é", "b"]


def test_a_file_of_lines_is_read(run: Run, tmp_path: Path, invoke: Invoke) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("great hotel\n\nawful, film", encoding="utf-8")
    done = invoke("predict", path, "--run", run.path, "--input-format", "lines")
    rows = list(csv.reader(io.StringIO(done.stdout)))
    assert [row[0] for row in rows] == ["text", "great hotel", "", "awful, film"]


def test_compressed_lines_are_read(run: Run, tmp_path: Path, invoke: Invoke) -> None:
    path = tmp_path / "lines.txt.gz"
    args = ("predict", path, "--run", run.path, "--input-format", "lines")
    path.write_bytes(gzip.compress(b"great hotel\nawful film\n"))
    assert len(invoke(*args).stdout.splitlines()) == 3
    path.write_bytes(gzip.compress(b"great hotel\n" * 99)[:-12])
    assert f"embedclf: {path}: damaged or incomplete gzip" in invoke(*args, status=1).stderr


def test_empty_input_gives_an_empty_table(run: Run, tmp_path: Path, invoke: Invoke) -> None:
    for name in ("e.parquet", "e.csv", "e.csv.gz", "e.jsonl"):
        invoke("predict", "-", "--run", run.path, "-o", tmp_path / name, text="")
    assert parquet.read_table(tmp_path / "e.parquet").schema.names == ["text", *ADDED]
    assert open_table(str(tmp_path / "e.csv.gz"), ["text", *ADDED]).read(["text"]).num_rows == 0
    assert (tmp_path / "e.jsonl").read_bytes() == b""
    printed = json.loads(invoke("predict", "-", "--run", run.path, "--json", text="").stdout)
    assert printed == {"run": str(run.path), "predictions": []}


def test_undecodable_input_is_reported_with_its_line(run: Run, invoke: Invoke) -> None:
    stderr = invoke("predict", "-", "--run", run.path, text=b"a\n\xff\n", status=1).stderr
    assert stderr == (
        "embedclf: standard input:2: not utf-8; name the encoding: --encoding cp1252, or "
        "data.encoding in a config\n"
    )
    invoke("predict", "-", "--run", run.path, "--encoding", "latin-1", text=b"a\n\xff\n")
    args = ("predict", "-", "--run", run.path, "--encoding", "utf-7")
    stderr = invoke(*args, text=b"+2AA-\n", status=1).stderr
    assert stderr == "embedclf: standard input:1: half of a surrogate pair; see --encoding\n"
    stderr = invoke(
        "predict", "-", "--run", run.path, "--encoding", "x", text=b"a", status=2
    ).stderr
    assert "--encoding x: data.encoding: unknown encoding 'x'" in stderr


@pytest.mark.skipif(sys.platform != "linux", reason="needs files without a name")
def test_a_killed_process_leaves_nothing_of_what_was_piped_into_it(
    run: Run, tmp_path: Path
) -> None:
    command = ["predict", "-", "--input-format", "csv", "--run", str(run.path)]
    with subprocess.Popen(
        [sys.executable, "-m", "embedclf", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    ) as process:
        assert process.stdin is not None
        process.stdin.write(b"text\nprivate\n")
        process.stdin.flush()
        while not list(tmp_path.rglob("copy.csv")):
            assert process.poll() is None
        process.kill()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_each_line_is_answered_before_the_next_arrives(run: Run) -> None:
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


def test_lines_do_not_wait_long_while_more_arrive() -> None:
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
        batch = next(read_line_batches(stream, "lines", None))
        answered.set()
        speaker.join()
    assert batch.flush
    assert 0 < len(batch.texts) <= lines < 4000


def test_an_unfinished_line_does_not_delay_finished_ones() -> None:
    reader, writer = os.pipe()
    with open(reader, "rb") as stream, open(writer, "wb", buffering=0) as pipe:
        batches = read_line_batches(stream, "lines", None)
        pipe.write(b"whole\n")
        assert next(batches).flush
        pipe.write(b"half")
        half = next(batches)
        assert (len(half.texts), half.flush) == (0, True)
