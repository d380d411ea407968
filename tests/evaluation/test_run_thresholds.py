"""A run's thresholds: chosen in training, compared, chosen again, and used by every command."""

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


def invoke_json(invoke: Invoke, *args: object) -> Any:
    return json.loads(invoke(*args, "--json").stdout)


def test_training_stores_the_threshold_it_chose(workplace: Path, invoke: Invoke) -> None:
    flags = ("-s", "training.threshold={recall: 0.95}", "-s", "training.epochs=2")
    shown = invoke("train", "binary.yaml", "-o", "run", *flags).stdout
    settings = Run.open(workplace / "run").threshold_settings()
    assert settings["rule"] == {"recall": 0.95}
    (threshold,) = settings["thresholds"]
    assert f"{threshold:.4f}" in shown
    assert "recall ≥ 0.95" in shown
    validation = Run.open(workplace / "run").metrics()["validation"]["scores"]
    assert validation["recall"] >= 0.95


def test_all_commands_use_the_threshold(own: Path, invoke: Invoke) -> None:
    predict = ("predict", "-t", "great film", "--run", "runs/binary")
    (before,) = invoke_json(invoke, *predict)["predictions"]
    assert before["prediction"] == "pos"
    metric = str(before["probability"] + 1e-5)
    invoke("threshold", "--run", "runs/binary", "--metric", metric)
    (after,) = invoke_json(invoke, *predict)["predictions"]
    assert after["prediction"] == "neg"
    assert after["probability"] == pytest.approx(1 - before["probability"], abs=1e-6)
    explain = ("explain", "great film", "--run", "runs/binary")
    (explanation,) = invoke_json(invoke, *explain)["explanations"]
    assert (explanation["label"], explanation["prediction"]) == ("neg", "neg")
    table = write_csv(own.parent / "one.csv", ["text", "label"], [("great film", "pos")])
    evaluate = ("evaluate", "--run", "runs/binary", "--data", table, "--no-baseline")
    assert invoke_json(invoke, *evaluate)["scores"]["recall"] == 0.0


def test_the_scores_of_a_run_are_those_of_its_threshold(own: Path, invoke: Invoke) -> None:
    for metric in ("0.99", "f1"):
        invoke("threshold", "--run", "runs/binary", "--metric", metric)
        run = Run.open(own / "binary")
        values = invoke_json(invoke, "evaluate", "--run", "runs/binary", "--no-baseline")
        test_scores = run.metrics()["test"]["scores"]
        assert test_scores.items() <= values["scores"].items()
    assert run.threshold_settings()["rule"] == "f1"


def test_test_scores_that_cannot_be_computed_again_are_dropped(own: Path, invoke: Invoke) -> None:
    assert list(Run.open(own / "binary").metrics()) == ["validation", "test"]
    test = own.parent / "binary-test.csv"
    test.write_text(test.read_text() + "more,pos\n")
    invoke("threshold", "--run", "runs/binary", "--metric", "0.4")
    assert list(Run.open(own / "binary").metrics()) == ["validation"]


def test_comparing_thresholds_changes_nothing(
    own: Path, invoke: Invoke, golden: Callable[[str, str], None]
) -> None:
    before = {file.name: file.read_bytes() for file in (own / "binary").iterdir()}
    binary = invoke("threshold", "--run", "runs/binary").stdout
    multilabel = invoke("threshold", "--run", "runs/multilabel").stdout
    assert {file.name: file.read_bytes() for file in (own / "binary").iterdir()} == before
    golden("threshold.txt", masked(binary + multilabel))


def test_choosing_a_rule_gives_the_threshold_of_the_table(own: Path, invoke: Invoke) -> None:
    table = {
        option["rule"]: option
        for option in invoke_json(invoke, "threshold", "--run", "runs/binary")["choices"]
    }
    for metric, rule in (("youden", "youden"), ("precision=0.9", "precision ≥ 0.9")):
        values = invoke_json(invoke, "threshold", "--run", "runs/binary", "--metric", metric)
        (current,) = (option for option in values["choices"] if option["taken"])
        assert current == {**table[rule], "taken": True}
        settings = Run.open(own / "binary").threshold_settings()
        assert settings["thresholds"] == [current["threshold"]]


def test_each_of_several_labels_gets_its_own_threshold(own: Path, invoke: Invoke) -> None:
    values = invoke_json(invoke, "threshold", "--run", "runs/multilabel", "--metric", "f1")
    assert len(values["thresholds"]) == 3
    assert {option["label"] for option in values["choices"]} == {"a", "b", "c"}
    settings = Run.open(own / "multilabel").threshold_settings()
    assert settings["thresholds"] == values["thresholds"]


def test_a_threshold_shared_by_all_labels_is_shown_once(own: Path, invoke: Invoke) -> None:
    values = invoke_json(invoke, "threshold", "--run", "runs/multilabel", "--metric", "micro_f1")
    (shared,) = set(values["thresholds"])
    assert len(values["thresholds"]) == 3
    settings = Run.open(own / "multilabel").threshold_settings()
    assert settings["thresholds"] == values["thresholds"]
    shown = invoke("evaluate", "--run", "runs/multilabel", "--no-baseline").stdout
    assert f"every label ≥ {shared:.4f}" in shown


@pytest.mark.parametrize(
    ("args", "status", "fault"),
    [
        (["--run", "runs/multiclass"], 2, "no threshold to choose: with 3 labels"),
        (
            ["--run", "runs/binary", "--metric", "f2"],
            2,
            "--metric f2: not a valid rule; use f1, micro_f1, youden, ",
        ),
        (["--run", "runs/binary", "--metric", "1.5"], 2, "--metric 1.5: not a valid rule"),
        (["--run", "runs/binary", "--metric", "precision=2"], 2, "not a valid rule"),
        (["--run", "runs/binary", "--metric", "cost=1"], 2, "cost=1:10"),
        (["--run", "runs/binary", "--metric", ""], 2, "not a valid rule"),
        (["--run", "nowhere"], 1, "nowhere: no such run"),
    ],
)
@pytest.mark.usefixtures("own")
def test_errors_are_one_line(args: list[str], status: int, fault: str, invoke: Invoke) -> None:
    message = invoke("threshold", *args, status=status).stderr
    assert message.count("\n") == 1
    assert fault in message


def test_a_new_threshold_makes_the_report_outdated(own: Path, invoke: Invoke) -> None:
    assert "report.html" not in invoke("threshold", "--run", "runs/binary", "--metric", "f1").stderr
    (own / "binary" / "report.html").write_text("old")
    message = invoke("threshold", "--run", "runs/binary", "--metric", "0.5").stderr
    assert (
        "report.html: shows the old threshold; update it: `embedclf report runs/binary`" in message
    )


def test_costs_are_typed_with_a_colon(own: Path, invoke: Invoke) -> None:
    invoke("threshold", "--run", "runs/binary", "--metric", "cost=1:10")
    rule = Run.open(own / "binary").threshold_settings()["rule"]
    assert rule == {"cost": {"false_positive": 1.0, "false_negative": 10.0}}


def test_metrics_edited_by_hand_are_refused(own: Path, invoke: Invoke) -> None:
    file = own / "binary" / "metrics.json"
    file.write_text(file.read_text().replace('"rule": 0.5', '"rule": 0.6'))
    message = invoke("predict", "-t", "a", "--run", "runs/binary", status=1).stderr
    assert "metrics.json: damaged: wrong checksum" in message


def test_a_threshold_of_three_labels_is_refused_by_the_config(
    workplace: Path, invoke: Invoke
) -> None:
    del workplace
    message = invoke("train", "multiclass.yaml", "-s", "training.threshold=f1", status=2).stderr
    assert message.startswith("embedclf: training.threshold: with 3 labels, the most probable is")
    message = invoke("check", "binary.yaml", "-s", "training.threshold={cost: 3}", status=2).stderr
    assert "must be a number between 0 and 1, f1, micro_f1, youden, {precision: 0.9}" in message
