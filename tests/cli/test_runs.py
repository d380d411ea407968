"""train, runs, summary."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT, Invoke, masked, reviews, write_csv

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedclf.runs.run import Run


def test_train_shows_data_epochs_and_scores(
    workplace: Path, invoke: Invoke, golden: Callable[[str, str], None]
) -> None:
    done = invoke(
        "train", "multiclass.yaml", "--progress", "plain", "-v", "-s", "training.epochs=2"
    )
    golden("train-stdout.txt", masked(done.stdout))
    stderr = masked(done.stderr.replace(str(workplace), "DATA"))
    stderr = re.sub(r"device .*", "device ...", stderr)
    golden("train-stderr.txt", re.sub(r"versions [^\n]*\n[^\n]*\n", "versions ...\n", stderr))


def test_train_shows_only_results_with_quiet_and_no_progress_in_a_pipe(
    workplace: Path, invoke: Invoke
) -> None:
    quiet = invoke("train", "binary.yaml", "-q", "-s", "training.epochs=1")
    assert quiet.stderr == ""
    assert quiet.stdout.splitlines()[-1] == "run: runs/binary-1"
    piped = invoke("train", "binary.yaml", "-s", "training.epochs=1")
    assert "epoch" not in piped.stderr
    assert "rows" in piped.stderr
    none = invoke("train", "binary.yaml", "--progress", "none", "-s", "training.epochs=1")
    assert "epoch" not in none.stderr
    assert len(list((workplace / "runs").iterdir())) == 3


def test_train_prints_record_and_metrics_as_json(workplace: Path, invoke: Invoke) -> None:
    values = json.loads(invoke("train", "multilabel.yaml", "-q", "--json").stdout)
    assert Path(values["run"]).resolve() == workplace / "runs" / "multilabel-1"
    assert values["task"] == "multilabel"
    assert set(values["metrics"]) == {"validation"}
    assert values["metrics"]["validation"]["scores"]["micro_f1"] > 0.5


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_summary_of_a_run(
    task: str,
    runs: dict[str, Run],
    project: Path,
    invoke: Invoke,
    golden: Callable[[str, str], None],
) -> None:
    shown = invoke("summary", runs[task].path).stdout.replace(str(project), "DATA")
    network, learned = shown.split("\nTraining\n")
    learned = re.sub("epochs .*", "epochs ...", masked(learned))
    golden(f"summary-run-{task}.txt", f"{network}\nTraining\n{learned}")
    values = json.loads(invoke("summary", runs[task].path, "--json").stdout)
    assert values["parameters"] == runs[task].record["parameters"]
    assert values["metrics"] == runs[task].metrics()


def test_summary_of_the_classic_config(invoke: Invoke, golden: Callable[[str, str], None]) -> None:
    config = ROOT / "configs" / "classic.yaml"
    shown = invoke("summary", config).stdout
    golden("summary-config.txt", shown)
    for fact in (
        "(None, 10, 128)",
        "1,280,000",
        "(None, 1280)",
        "(None, 1)",
        "1,281",
        "1,281,281",
        "(32, 10, 128)",
        "78 times smaller",
    ):
        assert fact in shown
    values = json.loads(invoke("summary", config, "--json", "-s", "model.embedding_dim=2").stdout)
    assert values["parameters"] == 10_000 * 2 + 10 * 2 + 1
    assert "run" not in values


def test_summary_takes_overrides_only_with_a_config(runs: dict[str, Run], invoke: Invoke) -> None:
    stderr = invoke("summary", runs["binary"].path, "-s", "seed=1", status=2).stderr
    assert "-s needs a config" in stderr


def test_runs_are_listed_and_the_newest_is_the_default(
    workplace: Path, invoke: Invoke, golden: Callable[[str, str], None]
) -> None:
    assert "no runs yet" in invoke("runs").stdout
    invoke("train", "binary.yaml", "-q", "-s", "training.epochs=1")
    invoke("train", "multilabel.yaml", "-q", "-s", "training.epochs=1")
    (workplace / "runs" / "foreign").mkdir()
    (workplace / "runs" / "foreign" / "run.json").write_text("{}")
    done = invoke("runs")
    golden("runs.txt", masked(done.stdout))
    assert done.stderr.startswith("embedclf: runs/foreign/run.json: damaged")
    values = json.loads(invoke("runs", "--json").stdout)
    assert [run["run"] for run in values["runs"]] == ["runs/binary-1", "runs/multilabel-1"]
    assert "run: runs/multilabel-1 (newest; also here: binary-1" in (
        invoke("predict", "-t", "a").stderr
    )
    assert invoke("predict", "-t", "a", "-q").stderr.startswith("run: runs/multilabel-1 ")


def start_slow_training(workplace: Path, *more: str) -> subprocess.Popen[str]:
    write_csv(workplace / "many.csv", ["text", "label"], reviews(4000))
    command = [sys.executable, "-m", "embedclf", "train", "binary.yaml", "--progress", "plain"]
    overrides = (
        "data.train=many.csv",
        "training.epochs=5000",
        "training.early_stopping=null",
        "training.learning_rate=1e-5",
        *more,
    )
    return subprocess.Popen(
        [*command, *(arg for override in overrides for arg in ("-s", override))],
        cwd=workplace,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_before_the_first_epoch_leaves_nothing(workplace: Path) -> None:
    with start_slow_training(workplace) as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stdout == ""
    assert stderr.splitlines()[-1].startswith("embedclf: interrupted")
    assert not (workplace / "runs").exists()


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_keeps_the_best_epoch_and_scores_the_rows_that_were_read_from_an_edited_table(
    workplace: Path, invoke: Invoke
) -> None:
    table, original = workplace / "many.csv", workplace / "original.csv"
    with start_slow_training(workplace, "data.test=null") as process:
        assert process.stderr is not None
        while "epoch 2/" not in process.stderr.readline():
            assert process.poll() is None
        table.rename(original)
        write_csv(table, ["text", "label"], reviews(3000))
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "interrupted by Ctrl-C" in stdout
    assert stdout.endswith("run: runs/binary-1\n")
    (run,) = (workplace / "runs").iterdir()
    assert json.loads((run / "run.json").read_text())["ended"] == "interrupted"
    original.replace(table)
    shown = [re.search(r"log_loss .*", text) for text in (stdout, invoke("evaluate").stdout)]
    of_train, of_evaluate = (line[0].split()[-1] for line in shown if line)
    assert of_train == of_evaluate  # that of TF-IDF
