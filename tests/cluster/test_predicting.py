"""predict --cluster: the rows of `predict`, a file for each part."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pyarrow as pa
import pytest
from pyarrow import parquet

from embedclf.cluster.parts import find_parts
from tests.conftest import ROOT, reviews, write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.runs.run import Run
    from tests.conftest import Invoke


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A folder with parts of several formats."""
    folder = tmp_path / "in"
    (folder / "lang=en").mkdir(parents=True)
    rows = [(text, str(number)) for number, (text, _) in enumerate(reviews(60))]
    write_csv(folder / "lang=en" / "a.csv", ("text", "id"), rows[:20])
    write_csv(folder / "lang=en" / "b.csv", ("text", "id"), rows[20:40])
    records = "".join(json.dumps({"text": text, "id": each}) + "\n" for text, each in rows[40:50])
    (folder / "c.jsonl").write_text(records)
    texts, numbers = zip(*rows[50:], strict=True)
    parquet.write_table(pa.table({"text": texts, "id": numbers}), folder / "d.parquet")
    return folder


def outputs(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def test_each_part_is_predicted_as_by_predict(
    tables: Path, runs: dict[str, Run], scheduler: str, invoke: Invoke, tmp_path: Path
) -> None:
    run, out = runs["binary"].path, tmp_path / "out"
    printed = invoke("predict", tables, "--cluster", scheduler, "-o", out, "-k", 1, "--run", run)
    assert "out: 60 rows in 4 parts written\n" in printed.stderr
    written = outputs(out)
    del written[".embedclf.json"]
    assert sorted(written) == ["c.jsonl", "d.parquet", "lang=en/a.csv", "lang=en/b.csv"]
    for name, content in written.items():
        alone = tmp_path / name.replace("/", "-")
        invoke("predict", tables / name, "-o", alone, "-k", 1, "--run", run)
        if not name.startswith("lang"):
            assert content == alone.read_bytes()
            continue
        rows, expected = (list(csv.DictReader(io.StringIO(each.decode())))
                          for each in (content, alone.read_bytes()))  # fmt: skip
        # The name of the folder is a column
        assert rows == [{**row, "lang": "en"} for row in expected]


def test_a_second_call_does_what_is_missing(
    tables: Path, runs: dict[str, Run], scheduler: str, invoke: Invoke, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = ("predict", tables, "--cluster", scheduler, "-o", out, "--run", runs["binary"].path)
    invoke(*command)
    before = outputs(out)
    times = {name: (out / name).stat().st_mtime_ns for name in before}
    (out / "c.jsonl").unlink()
    with (tables / "lang=en" / "a.csv").open("a") as file:
        file.write("one more,61\n")
    later = time.time() + 10
    os.utime(tables / "lang=en" / "a.csv", (later, later))
    printed = invoke(*command)
    assert "out: 31 rows in 2 parts written (2 kept)\n" in printed.stderr
    after = outputs(out)
    assert after["c.jsonl"] == before["c.jsonl"]
    assert b"one more,61" in after["lang=en/a.csv"]
    same = {name for name in times if (out / name).stat().st_mtime_ns == times[name]}
    assert same == {".embedclf.json", "d.parquet", "lang=en/b.csv"}


def test_a_bad_part_is_reported_and_the_others_are_written(
    tables: Path, runs: dict[str, Run], scheduler: str, invoke: Invoke, tmp_path: Path
) -> None:
    (tables / "c.jsonl").write_text('{"text": "good"}\n{"text": \n')
    out = tmp_path / "out"
    command = ("predict", tables, "--cluster", scheduler, "-o", out, "--run", runs["binary"].path)
    printed = invoke(*command, status=1)
    assert "c.jsonl:2: not JSON" in printed.stderr
    assert "1 part could not be predicted; the others are written" in printed.stderr
    assert sorted(outputs(out)) == [
        ".embedclf.json", "d.parquet", "lang=en/a.csv", "lang=en/b.csv",
    ]  # fmt: skip
    skipped = invoke(*command, "--on-bad-part", "skip")
    assert "c.jsonl:2: not JSON" in skipped.stderr


def test_a_folder_of_something_else_is_left_alone(
    tables: Path, runs: dict[str, Run], scheduler: str, invoke: Invoke, tmp_path: Path
) -> None:
    out, run = tmp_path / "out", runs["binary"].path
    invoke("predict", tables, "--cluster", scheduler, "-o", out, "--run", run)
    before = outputs(out)
    for options in (("-k", 1, "--run", run), ("--run", runs["multiclass"].path)):
        printed = invoke("predict", tables, "--cluster", scheduler, "-o", out, *options, status=2)
        assert "holds predictions of another run, or with other options" in printed.stderr
    printed = invoke(
        "predict",
        tables / "d.parquet",
        "--cluster",
        scheduler,
        "-o",
        tables,
        "--run",
        run,
        status=2,
    )
    assert "has other files in it; name a new folder" in printed.stderr
    assert outputs(out) == before


def test_row_groups_of_a_large_file_are_parts(
    runs: dict[str, Run], scheduler: str, invoke: Invoke, tmp_path: Path
) -> None:
    # Compressed it is small; a part has 64 MiB of row groups
    text = "great hotel " + "x" * 200_000
    rows = 1_000
    table = pa.table({"text": [text] * rows, "id": range(rows)})
    parquet.write_table(
        table,
        tmp_path / "big.parquet",
        row_group_size=100,
        use_dictionary=False,
        compression="zstd",
    )
    parts = find_parts(str(tmp_path / "big.parquet"))
    assert [part.file.row_groups for part in parts] == [(0, 4), (4, 8), (8, 10)]
    out = tmp_path / "out"
    invoke("predict", tmp_path / "big.parquet", "--cluster", scheduler, "-o", out,
           "--run", runs["binary"].path)  # fmt: skip
    read = parquet.read_table(sorted(out.glob("*.parquet")), columns=["id", "prediction"])
    assert read["id"].to_pylist() == list(range(rows))
    assert sorted(part.name for part in parts) == sorted(
        file.name for file in out.glob("*.parquet")
    )


def test_outputs_with_the_same_name_are_refused(
    runs: dict[str, Run], scheduler: str, invoke: Invoke, tmp_path: Path
) -> None:
    for name in ("a.csv", "A.csv"):
        write_csv(tmp_path / name, ("text",), [("good",)])
    printed = invoke("predict", tmp_path / "a.csv", tmp_path / "A.csv", "--cluster", scheduler,
                     "-o", tmp_path / "out", "--run", runs["binary"].path,
                     status=1)  # fmt: skip
    assert "another part would also be written to a.csv" in printed.stderr


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (("--cluster", "local:2", "-t", "a", "-o", "out"), "tables that all workers can read"),
        (("--cluster", "local:2", "-", "-o", "out"), "tables that all workers can read"),
        (("--cluster", "local:2", "a.csv"), "--cluster needs -o FOLDER"),
        (("a.csv", "--on-bad-part", "skip"), "--on-bad-part is for --cluster only"),
        (("--cluster", "local:0", "a.csv", "-o", "out"), "is no address; write local:N"),
        (("--cluster", "cluster", "a.csv", "-o", "out"), "is no address; write local:N"),
        (("--cluster", "tcp://127.0.0.1:1", "a.csv", "-o", "out"), "no scheduler answers there"),
    ],
)
def test_faults_of_options(
    options: tuple[str, ...], fault: str, runs: dict[str, Run], invoke: Invoke, workplace: Path
) -> None:
    write_csv(workplace / "a.csv", ("text",), [("good",)])
    printed = invoke("predict", *options, "--run", runs["binary"].path, status=2)
    assert fault in printed.stderr


@pytest.fixture
def many(tmp_path: Path) -> Path:
    folder = tmp_path / "many"
    folder.mkdir()
    rows = [(text,) for text, _ in reviews(160)] * 60
    write_csv(folder / "0.csv", ("text",), rows)
    for number in range(1, 24):
        shutil.copy(folder / "0.csv", folder / f"{number}.csv")
    return folder


def wait_for_outputs(folder: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(list(folder.glob("*.csv"))) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_killed_workers_and_a_killed_client_lose_and_repeat_nothing(
    many: Path, runs: dict[str, Run], invoke: Invoke, tmp_path: Path
) -> None:
    run, out = runs["binary"].path, tmp_path / "out"
    command = (sys.executable, "-m", "embedclf", "predict", many, "--cluster", "local:2",
               "-o", out, "--run", run)  # fmt: skip
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) as client:
        wait_for_outputs(out, 2)
        workers = psutil.Process(client.pid).children(recursive=True)
        os.kill(client.pid, signal.SIGKILL)
        _, left = psutil.wait_procs(workers, timeout=30)  # they may finish a part before they end
        assert left == []
    finished = {file: file.stat().st_mtime_ns for file in out.glob("*.csv")}
    assert 2 <= len(finished) < 24
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) as again:
        wait_for_outputs(out, len(finished) + 2)
        os.kill(worker_of(again.pid), signal.SIGKILL)
        _, printed = again.communicate()
    assert again.returncode == 0
    assert f"({len(finished):,} kept)" in printed.decode()
    assert {file: file.stat().st_mtime_ns for file in finished} == finished
    invoke("predict", many / "0.csv", "--run", run, "-o", tmp_path / "alone.csv")
    expected = (tmp_path / "alone.csv").read_bytes()
    assert {file.name: file.read_bytes() for file in out.glob("*.csv")} == {
        f"{number}.csv": expected for number in range(24)
    }
    assert [file.name for file in out.iterdir() if file.suffix != ".csv"] == [".embedclf.json"]


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_all_processes_in_a_line(
    many: Path, runs: dict[str, Run], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = (sys.executable, "-m", "embedclf", "predict", many, "--cluster", "local:2",
               "-o", out, "--run", runs["binary"].path, "-q")  # fmt: skip
    with subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as client:
        wait_for_outputs(out, 1)
        children = psutil.Process(client.pid).children(recursive=True)
        os.killpg(client.pid, signal.SIGINT)
        _, printed = client.communicate()
    assert client.returncode == 130
    assert printed == "embedclf: interrupted\n"
    _, left = psutil.wait_procs(children, timeout=30)
    assert left == []


def worker_of(parent: int) -> int:
    """Return a process that predicts."""
    return next(
        int(child.pid)
        for child in psutil.Process(parent).children()
        if any("spawn_main" in argument for argument in child.cmdline())
    )
