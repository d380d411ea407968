"""Runs of every format so far, kept since then: they still give the same predictions."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import embedclf
from embedclf.runs.run import COMPACT_FORMAT, FORMAT, Run

if TYPE_CHECKING:
    from tests.conftest import Invoke

KEPT = Path(__file__).parent / "formats"
RUNS = sorted(file.with_suffix("") for file in KEPT.glob("*/*.json"))
KINDS_OF_FILES = {
    file.relative_to(run).as_posix(): run
    for number in (COMPACT_FORMAT, FORMAT)
    for run in RUNS
    if run.parent.name == str(number)
    for file in run.rglob("*")
    if file.is_file()
}
"""A run of a current format with each file that such runs have."""


def name(run: Path) -> str:
    return f"{run.parent.name}-{run.name}"


def test_there_are_runs_of_every_format() -> None:
    assert {run.parent.name for run in RUNS} == {
        str(number + 1) for number in range(COMPACT_FORMAT)
    }


@pytest.mark.parametrize("run", RUNS, ids=name)
def test_an_old_run_gives_the_same_probabilities(run: Path) -> None:
    kept = json.loads(run.with_suffix(".json").read_text(encoding="utf-8"))
    probabilities = embedclf.load(run).predict_proba(kept["texts"])
    assert np.abs(probabilities - np.array(kept["probabilities"])).max() <= 1e-6


@pytest.mark.parametrize("run", RUNS, ids=name)
def test_an_old_run_works_with_every_command(run: Path, invoke: Invoke) -> None:
    record = Run.open(run).record
    labels = set(record["labels"])
    predicted = json.loads(invoke("predict", "-t", "great b", "--run", run, "--json").stdout)
    [row] = predicted["predictions"]
    several = record["task"] == "multilabel"
    assert set(row["prediction"] if several else [row["prediction"]]) <= labels
    explained = json.loads(invoke("explain", "great b", "--run", run, "--json").stdout)
    for explanation in explained["explanations"]:
        assert explanation["prediction"] == row["prediction"]
        assert explanation["label"] in labels
        assert abs(explanation["error"]) <= 1e-5
    assert json.loads(invoke("summary", run, "--json").stdout)["parameters"] == record["parameters"]


@pytest.mark.parametrize("file", KINDS_OF_FILES)
@pytest.mark.parametrize("damage", ["truncated", "other byte", "missing"])
def test_a_damaged_file_of_any_kind_is_one_line(
    tmp_path: Path, invoke: Invoke, file: str, damage: str
) -> None:
    run = shutil.copytree(KINDS_OF_FILES[file], tmp_path / "run")
    content = (run / file).read_bytes()
    damaged = content[:-9] if damage == "truncated" else bytes([content[0] ^ 1]) + content[1:]
    (run / file).write_bytes(damaged)
    if damage == "missing":
        (run / file).unlink()
    stderr = invoke("predict", "-t", "great b", "--run", run, "-q", status=1).stderr
    assert stderr.startswith("embedclf: ")
    assert file in stderr
    assert stderr.count("\n") == 1


def test_an_old_run_names_no_folder_of_the_machine_that_made_it() -> None:
    for run in RUNS:
        record = json.loads((run / "run.json").read_text(encoding="utf-8"))
        assert all("/" not in split["path"] for split in record["data"].values())


def test_an_old_run_predicts_without_tensorflow() -> None:
    code = (
        "import sys, embedclf; embedclf.load(sys.argv[1]).predict_proba(['great']); "
        "assert not {'tensorflow', 'keras', 'pandas', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(RUNS[0])], check=True)
