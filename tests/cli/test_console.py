"""What commands print."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Invoke, reviews, write_csv

if TYPE_CHECKING:
    from pathlib import Path


def run_embedclf(*args: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "embedclf", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload,no-any-return]


def test_a_damaged_run_is_skipped_and_named(workplace: Path, invoke: Invoke) -> None:
    for _ in range(2):
        invoke("train", "binary.yaml", "-q", "-s", "training.epochs=1")
    (workplace / "runs" / "binary-2" / "metrics.json").write_text("{}")
    lines = invoke("predict", "-t", "a").stderr.splitlines()
    assert lines[0].startswith("ignored: runs/binary-2/metrics.json: damaged")
    assert lines[1] == "run: runs/binary-1"
    done = invoke("runs")
    assert "binary-1" in done.stdout
    assert "binary-2" in done.stderr


def test_control_characters_in_labels_are_escaped(workplace: Path, invoke: Invoke) -> None:
    rows = [(text, label.replace("pos", "\x1b[31mpos")) for text, label in reviews(60)]
    write_csv(workplace / "binary.csv", ["text", "label"], rows)
    overrides = ("-s", "data.test=null", "-s", "training.epochs=1")
    trained = invoke("train", "binary.yaml", *overrides)
    for output in (trained.output, invoke("evaluate").output, invoke("predict", "-t", "a").output):
        assert "\x1b" not in output
    assert "\u241b[31mpos" in trained.stderr


def test_tensorflow_logs_nothing_unless_asked_to(workplace: Path) -> None:
    args = ("train", "binary.yaml", "-s", "training.epochs=1")
    done = run_embedclf(*args, cwd=workplace)
    ours = "data format rows labels vocabulary truncated OOV device next embedclf".split()
    assert [line.split()[0] for line in done.stderr.splitlines()] == ours
    done = run_embedclf(*args, "-q", "--no-baseline", "--tf-logs", cwd=workplace)
    assert "oneDNN" in done.stderr or "cuda" in done.stderr.lower()


def test_tensorflow_logs_nothing_whatever_its_own_log_level(workplace: Path) -> None:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "0"}
    args = ("train", "binary.yaml", "-q", "-s", "training.epochs=1")
    done = run_embedclf(*args, cwd=workplace, env=environment)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(os.name != "posix", reason="descriptors are closed by the shell")
def test_a_training_continues_when_nobody_reads_its_messages(workplace: Path) -> None:
    args = "train binary.yaml --no-baseline --progress plain"
    command = f"{sys.executable} -m embedclf {args} 2>&1 >out.txt"
    subprocess.run(
        ["/bin/sh", "-c", f"{command} | head -1"], cwd=workplace, check=True, capture_output=True
    )
    assert "run: runs/binary-1" in (workplace / "out.txt").read_text()
    assert (workplace / "runs" / "binary-1" / "run.json").is_file()
