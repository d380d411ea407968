"""Runs of every format so far, made once and kept: they predict what they did."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import embedclf
from embedclf.runs.run import FORMAT, Run

if TYPE_CHECKING:
    from tests.conftest import Invoke

KEPT = Path(__file__).parent / "formats"
RUNS = sorted(file.with_suffix("") for file in KEPT.glob("*/*.json"))


def name(run: Path) -> str:
    return f"{run.parent.name}-{run.name}"


def test_this_format_is_kept() -> None:
    assert {run.parent.name for run in RUNS} >= {str(FORMAT)}
    assert len(RUNS) >= 7


@pytest.mark.parametrize("run", RUNS, ids=name)
def test_a_kept_run_predicts_the_same(run: Path) -> None:
    kept = json.loads(run.with_suffix(".json").read_text(encoding="utf-8"))
    found = embedclf.load(run).predict_proba(kept["texts"])
    assert np.abs(found - np.array(kept["probabilities"])).max() <= 1e-6


@pytest.mark.parametrize("run", RUNS, ids=name)
def test_a_kept_run_is_read_by_every_command(run: Path, invoke: Invoke) -> None:
    record = Run.open(run).record
    labels = set(record["labels"])
    (found,) = json.loads(invoke("predict", "-t", "great b", "--run", run, "--json").stdout)[
        "predictions"
    ]
    assert set(filter(None, found["prediction"].split("|"))) <= labels
    told = json.loads(invoke("explain", "great b", "--run", run, "--json").stdout)
    for one in told["explanations"]:
        assert one["label"] in labels
        assert abs(one["error"]) <= 1e-5
    assert json.loads(invoke("summary", run, "--json").stdout)["parameters"] == record["parameters"]


def test_a_kept_run_names_no_folder_of_the_machine_that_made_it() -> None:
    for run in RUNS:
        record = json.loads((run / "run.json").read_text(encoding="utf-8"))
        assert all("/" not in part["path"] for part in record["data"].values())


def test_predictions_of_a_kept_run_need_no_tensorflow() -> None:
    code = (
        "import sys, embedclf; embedclf.load(sys.argv[1]).predict_proba(['great']); "
        "assert not {'tensorflow', 'keras', 'pandas', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(RUNS[0])], check=True)
