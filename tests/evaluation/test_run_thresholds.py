"""A run's thresholds: chosen in training, weighed, chosen anew, and used by every command."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from embedclf.runs.run import Run
from tests.conftest import masked, write_csv

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Invoke


@pytest.fixture
def own(workplace: Path, runs: dict[str, Run]) -> Path:
    """A folder with a run of each task that may be changed."""
    for task, run in runs.items():
        shutil.copytree(run.path, workplace / "runs" / task)
    return workplace / "runs"


def shown(invoke: Invoke, *args: object) -> Any:
    return json.loads(invoke(*args, "--json").stdout)


def test_training_stores_what_it_chose(workplace: Path, invoke: Invoke) -> None:
    flags = ("-s", "training.threshold={recall: 0.95}", "-s", "training.epochs=2")
    told = invoke("train", "binary.yaml", "-o", "run", *flags).stdout
    decision = Run.open(workplace / "run").decision()
    assert decision["rule"] == {"recall": 0.95}
    (threshold,) = decision["thresholds"]
    assert f"{threshold:.4f}" in told
    assert "recall ≥ 0.95" in told
    validation = Run.open(workplace / "run").metrics()["validation"]["scores"]
    assert validation["recall"] >= 0.95


def test_all_commands_decide_by_the_threshold(own: Path, invoke: Invoke) -> None:
    (before,) = shown(invoke, "predict", "-t", "great film", "--run", "runs/binary")["predictions"]
    assert before["prediction"] == "pos"
    metric = str(before["probability"] + 1e-5)
    invoke("threshold", "--run", "runs/binary", "--metric", metric)
    (after,) = shown(invoke, "predict", "-t", "great film", "--run", "runs/binary")["predictions"]
    assert after["prediction"] == "neg"
    assert after["probability"] == pytest.approx(1 - before["probability"], abs=1e-6)
    (why,) = shown(invoke, "explain", "great film", "--run", "runs/binary")["explanations"]
    assert (why["label"], why["prediction"]) == ("neg", True)
    one = write_csv(own.parent / "one.csv", ["text", "label"], [("great film", "pos")])
    flags = ("--run", "runs/binary", "--data", one, "--no-baseline")
    assert shown(invoke, "evaluate", *flags)["scores"]["recall"] == 0.0


def test_the_scores_of_a_run_are_those_of_its_threshold(own: Path, invoke: Invoke) -> None:
    for metric in ("0.99", "f1"):
        invoke("threshold", "--run", "runs/binary", "--metric", metric)
        run = Run.open(own / "binary")
        told = shown(invoke, "evaluate", "--run", "runs/binary", "--no-baseline")
        test = run.metrics()["test"]["scores"]
        assert test.items() <= told["scores"].items()
    assert run.decision()["rule"] == "f1"


def test_test_scores_that_cannot_be_had_again_are_dropped(own: Path, invoke: Invoke) -> None:
    assert list(Run.open(own / "binary").metrics()) == ["validation", "test"]
    test = own.parent / "binary-test.csv"
    test.write_text(test.read_text() + "more,pos\n")
    invoke("threshold", "--run", "runs/binary", "--metric", "0.4")
    assert list(Run.open(own / "binary").metrics()) == ["validation"]


def test_weighing_changes_nothing(
    own: Path, invoke: Invoke, golden: Callable[[str, str], None]
) -> None:
    before = {file.name: file.read_bytes() for file in (own / "binary").iterdir()}
    told = invoke("threshold", "--run", "runs/binary").stdout
    several = invoke("threshold", "--run", "runs/multilabel").stdout
    assert {file.name: file.read_bytes() for file in (own / "binary").iterdir()} == before
    golden("threshold.txt", masked(told + several))


def test_rules_of_the_table_are_what_choosing_them_gives(own: Path, invoke: Invoke) -> None:
    table = {
        one["rule"]: one for one in shown(invoke, "threshold", "--run", "runs/binary")["choices"]
    }
    for metric, rule in (("youden", "youden"), ("precision=0.9", "precision ≥ 0.9")):
        told = shown(invoke, "threshold", "--run", "runs/binary", "--metric", metric)
        (taken,) = (one for one in told["choices"] if one["taken"])
        assert taken == {**table[rule], "taken": True}
        assert Run.open(own / "binary").decision()["thresholds"] == [taken["threshold"]]


def test_each_of_several_labels_gets_its_own(own: Path, invoke: Invoke) -> None:
    told = shown(invoke, "threshold", "--run", "runs/multilabel", "--metric", "f1")
    assert len(told["thresholds"]) == 3
    assert {one["label"] for one in told["choices"]} == {"a", "b", "c"}
    assert Run.open(own / "multilabel").decision()["thresholds"] == told["thresholds"]


def test_one_threshold_for_all_labels_is_told_as_one(own: Path, invoke: Invoke) -> None:
    told = shown(invoke, "threshold", "--run", "runs/multilabel", "--metric", "micro_f1")
    (shared,) = set(told["thresholds"])
    assert len(told["thresholds"]) == 3
    assert Run.open(own / "multilabel").decision()["thresholds"] == told["thresholds"]
    evaluated = invoke("evaluate", "--run", "runs/multilabel", "--no-baseline").stdout
    assert f"each label from {shared:.4f} on" in evaluated


@pytest.mark.parametrize(
    ("args", "status", "fault"),
    [
        (["--run", "runs/multiclass"], 2, "the likeliest is given"),
        (
            ["--run", "runs/binary", "--metric", "f2"],
            2,
            "--metric f2: must be f1, micro_f1, youden, a number",
        ),
        (["--run", "runs/binary", "--metric", "1.5"], 2, "--metric 1.5: must be"),
        (["--run", "runs/binary", "--metric", "precision=2"], 2, "must be"),
        (["--run", "runs/binary", "--metric", "cost=1"], 2, "cost=1:10"),
        (["--run", "runs/binary", "--metric", ""], 2, "must be"),
        (["--run", "nowhere"], 1, "nowhere: no such run"),
    ],
)
@pytest.mark.usefixtures("own")
def test_mistakes_are_one_line(args: list[str], status: int, fault: str, invoke: Invoke) -> None:
    told = invoke("threshold", *args, status=status).stderr
    assert told.count("\n") == 1
    assert fault in told


def test_a_report_of_another_threshold_is_told_of(own: Path, invoke: Invoke) -> None:
    assert "report.html" not in invoke("threshold", "--run", "runs/binary", "--metric", "f1").stderr
    (own / "binary" / "report.html").write_text("old")
    told = invoke("threshold", "--run", "runs/binary", "--metric", "0.5").stderr
    assert "report.html: tells of before; `embedclf report` makes it anew" in told


def test_costs_are_typed_with_a_colon(own: Path, invoke: Invoke) -> None:
    invoke("threshold", "--run", "runs/binary", "--metric", "cost=1:10")
    rule = Run.open(own / "binary").decision()["rule"]
    assert rule == {"cost": {"false_positive": 1.0, "false_negative": 10.0}}


def test_metrics_that_were_changed_by_hand_are_refused(own: Path, invoke: Invoke) -> None:
    file = own / "binary" / "metrics.json"
    file.write_text(file.read_text().replace('"rule": 0.5', '"rule": 0.6'))
    told = invoke("predict", "-t", "a", "--run", "runs/binary", status=1).stderr
    assert "metrics.json: damaged: its checksum does not fit" in told


def test_a_threshold_of_three_labels_is_refused_by_the_config(
    workplace: Path, invoke: Invoke
) -> None:
    del workplace
    told = invoke("train", "multiclass.yaml", "-s", "training.threshold=f1", status=2).stderr
    assert told.startswith("embedclf: training.threshold: of 3 labels the likeliest is given")
    wrong = invoke("check", "binary.yaml", "-s", "training.threshold={cost: 3}", status=2).stderr
    assert "must be a number between 0 and 1, f1, micro_f1, youden, {precision: 0.9}" in wrong
