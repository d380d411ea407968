"""How commands end when something goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Invoke, reviews, write_csv

if TYPE_CHECKING:
    from embedclf.runs.run import Run


@pytest.mark.parametrize(
    ("args", "status", "fault"),
    [
        (["foo"], 2, "no command 'foo'; see `embedclf --help`"),
        (["--foo"], 2, "; see `embedclf --help`"),
        (["train"], 2, "missing argument 'TABLE|CONFIG'; see `embedclf train --help`"),
        (["train", "no.yaml"], 2, "no.yaml: No such file or directory; name a"),
        (["train", "empty"], 1, "empty: no table in this folder; it holds nothing"),
        (["check", "binary.yaml", "-s", "data.train=binary.cvs"], 2, "did you mean binary.csv?"),
        (["train", "binary.yaml", "-s", "data.train=zz/q.csv"], 2, "data.train: zz/q.csv: no such"),
        (["train", "binary.yaml", "--progress", "loud"], 2, "invalid value for '--progress'"),
        (["evaluate"], 1, "no run in ./runs; train one"),
        (["evaluate", "--run", "binary.csv"], 1, "binary.csv: a table, not a run"),
        (["summary", "no"], 1, "no: no such run; `embedclf runs` lists them"),
        (["predict", "x.csv"], 1, "no run in ./runs; train one"),
    ],
)
def test_a_mistake_is_one_line(
    workplace: Path, invoke: Invoke, args: list[str], status: int, fault: str
) -> None:
    (workplace / "empty").mkdir()
    before = sorted(workplace.iterdir())
    done = invoke(*args, status=status)
    assert done.stderr.startswith("embedclf: ")
    assert fault in done.stderr.replace("main", "embedclf")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert sorted(workplace.iterdir()) == before


def test_all_faults_of_a_config_are_shown(project: Path, invoke: Invoke) -> None:
    stderr = invoke(
        "train", project / "binary.yaml", "-s", "seed=x", "-s", "model.dim=3", status=2
    ).stderr
    assert "-s seed=x: seed: must be a whole number" in stderr
    assert "-s model.dim=3: model.dim: unknown key; did you mean 'embedding_dim'?" in stderr


def test_output_is_utf8_whatever_the_locale(project: Path, runs: dict[str, Run]) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    for args in (["evaluate"], ["predict", "-t", "😀 –"], ["predict", "-t", "😀", "--json"]):
        done = subprocess.run(
            [sys.executable, "-m", "embedclf", *args, "--run", str(runs["binary"].path)],
            cwd=project,
            env=environment,
            capture_output=True,
            check=True,
        )
        assert done.stdout.decode("utf-8")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits memory by ulimit -v")
def test_too_little_memory_is_one_line(workplace: Path) -> None:
    texts = [" ".join(f"w{row * 2000 + word}" for word in range(2000)) for row in range(200)]
    rows = [(text, ("neg", "pos")[row % 2]) for row, text in enumerate(texts)]
    write_csv(workplace / "many.csv", ["text", "label"], rows)
    sizes = (
        "text.sequence_length=2000",
        "text.vocabulary_size=400000",
        "model.embedding_dim=10000",
    )
    settings = ("data.train=many.csv", "data.test=null", "model.pooling=average", *sizes)
    command = " ".join(["train binary.yaml -q", *(f"-s {setting}" for setting in settings)])
    done = subprocess.run(
        ["/bin/sh", "-c", f"ulimit -v 12000000; exec {sys.executable} -m embedclf {command}"],
        cwd=workplace,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("embedclf: not enough memory: ")
    assert "; lower text.sequence_length" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.usefixtures("runs")
def test_a_full_disk_is_one_line(project: Path) -> None:
    with Path("/dev/full").open("w") as full:
        for args in (["predict", "binary.csv"], ["evaluate"], ["runs"], ["schema"], ["--help"]):
            command = [sys.executable, "-m", "embedclf", *args]
            done = subprocess.run(
                command, cwd=project, stdout=full, stderr=subprocess.PIPE, text=True, check=False
            )
            assert done.returncode == 1
            last = done.stderr.splitlines()[-1]
            assert last == "embedclf: standard output: No space left on device"


@pytest.mark.usefixtures("runs")
def test_a_reader_that_closes_the_pipe_ends_the_command_silently(
    project: Path, tmp_path: Path
) -> None:
    rows = [(text, "x") for text, _ in reviews(200)] * 500
    table = write_csv(tmp_path / "long.csv", ["text", "x"], rows)
    with subprocess.Popen(
        [sys.executable, "-m", "embedclf", "predict", str(table), "-q", "--run", "binary-1"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("text,x,prediction,")
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 1


@pytest.mark.skipif(os.name != "posix", reason="descriptors are closed by the shell")
@pytest.mark.usefixtures("runs")
def test_a_closed_standard_output_is_no_error(project: Path) -> None:
    for command in ("runs", "predict binary.csv -q --run binary-1", "evaluate -q binary-1"):
        done = subprocess.run(
            ["/bin/sh", "-c", f"exec {sys.executable} -m embedclf {command} >&-"],
            cwd=project,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), command


@pytest.mark.skipif(os.name != "posix", reason="descriptors are closed by the shell")
def test_a_closed_input_is_one_line_and_closed_outputs_are_no_error(
    workplace: Path, runs: dict[str, Run]
) -> None:
    run = runs["binary"].path
    shell = ["/bin/sh", "-c"]
    command = f"exec {sys.executable} -m embedclf predict - --run {run} <&-"
    done = subprocess.run([*shell, command], stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "standard input is closed" in done.stderr
    command = f"exec {sys.executable} -m embedclf train binary.yaml 0<&- 1>&- 2>&-"
    subprocess.run([*shell, command], cwd=workplace, check=True)
    command = f"exec {sys.executable} -m embedclf evaluate binary-1 --no-baseline 2>&-"
    done = subprocess.run(
        [*shell, command], cwd=workplace, stdout=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == 0
    assert "accuracy" in done.stdout
