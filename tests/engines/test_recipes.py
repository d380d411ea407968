"""The programs of the docs for Spark, Ray Data and Dask, also with a worker killed.

They need the engines, in an environment of their own: `make test-engines`.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pyarrow as pa
import pytest
from pyarrow import parquet

import embedclf.arrow
from tests.conftest import ROOT, reviews

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r'^```python title="(\w+)_recipe\.py"\n(.*?)^```$', PAGE, re.M | re.S))
ENGINES = os.environ.get("EMBEDCLF_ENGINES", "")
"""Folder of an environment, which may be relative to the folder of the command."""
RUN = ROOT / "tests" / "formats" / "8" / "binary-average"

pytestmark = [
    pytest.mark.engines,
    pytest.mark.skipif(not ENGINES, reason="EMBEDCLF_ENGINES names no environment with engines"),
]

WORKERS = {"spark": "pyspark.daemon", "ray": "ray::", "dask": "spawn_main"}
"""What the command line of a process that predicts has in it."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    texts = [text for text, _ in reviews(160)] * 250
    for number in range(8):
        ids = range(number * len(texts), (number + 1) * len(texts))
        parquet.write_table(pa.table({"id": ids, "text": texts}), folder / f"{number}.parquet")
    return folder


def start(engine: str, source: Path, folder: Path) -> subprocess.Popen[bytes]:
    program = folder / f"{engine}_recipe.py"
    program.write_text(RECIPES[engine], encoding="utf-8")
    python = Path(ENGINES).absolute() / "bin" / "python"
    settings = {
        "PYTHONPATH": str(ROOT),
        "PYSPARK_PYTHON": str(python),
        "PYSPARK_SUBMIT_ARGS": "--master local[2,4] --conf spark.ui.enabled=false pyspark-shell",
        "RAY_DISABLE_IMPORT_WARNING": "1",
    }
    command = [python, program, source, RUN, folder / "target"]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            list(map(str, command)), cwd=folder, env={**os.environ, **settings},
            stdout=subprocess.DEVNULL, stderr=log,
        )  # fmt: skip


def predicting(process: subprocess.Popen[bytes], engine: str) -> Iterator[psutil.Process]:
    """Yield the processes that predict; those of Ray are no children of the program."""
    for child in psutil.process_iter(["cmdline", "cpu_times"]):
        line = " ".join(child.info["cmdline"] or ())
        busy = child.info["cpu_times"] is not None and child.info["cpu_times"].user > 0.5
        if WORKERS[engine] in line and busy and child.pid != process.pid and "IDLE" not in line:
            yield child


def check(process: subprocess.Popen[bytes], source: Path, folder: Path) -> None:
    assert process.wait(300) == 0, (folder / "log").read_text(encoding="utf-8")[-2000:]
    scored = parquet.read_table(folder / "target").sort_by("id")
    table = parquet.read_table(source).sort_by("id").combine_chunks()
    expected = embedclf.arrow.score(table.to_batches()[0], RUN)
    assert scored.column_names == expected.schema.names
    for name in scored.column_names:
        assert (
            scored[name]
            .combine_chunks()
            .cast(expected.schema.field(name).type)
            .equals(expected.column(name))
        )


@pytest.mark.parametrize("engine", sorted(WORKERS))
def test_a_recipe_predicts_as_the_command_does(engine: str, source: Path, tmp_path: Path) -> None:
    check(start(engine, source, tmp_path), source, tmp_path)


@pytest.mark.parametrize("engine", sorted(WORKERS))
def test_a_killed_worker_loses_and_repeats_no_row(
    engine: str, source: Path, tmp_path: Path
) -> None:
    process = start(engine, source, tmp_path)
    deadline, killed = time.monotonic() + 120, False
    while not killed and process.poll() is None and time.monotonic() < deadline:
        for worker in predicting(process, engine):
            os.kill(worker.pid, signal.SIGKILL)
            killed = True
            break
        time.sleep(0.05)
    assert killed
    check(process, source, tmp_path)
