"""Scores beside those that scikit-learn gives, and rows that no score may lose."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn import metrics
from sklearn.calibration import calibration_curve

from embedclf.data.labels import Labels
from embedclf.evaluation.evaluate import EvaluationRequest, evaluate_run
from embedclf.evaluation.metrics import BINS, Predictions, reliability
from embedclf.evaluation.scores import Scores, compute_scores, measured
from tests.conftest import reviews, write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.runs.run import Run

BINARY = Labels("binary", ("neg", "pos"), (30, 20))
THREE = Labels("multiclass", ("a", "b", "c"), (1, 5, 2))
SEVERAL = Labels("multilabel", ("a", "b", "c"), (1, 5, 2))


def probabilities(rows: list[Any]) -> Any:
    return np.array(rows, np.float32)


def test_binary_scores() -> None:
    targets = np.array([1, 0, 1, 0, 1], np.int32)
    likely = probabilities([[0.9], [0.2], [0.4], [0.6], [0.8]])
    scored = compute_scores(BINARY, targets, likely)
    assert scored.rows == 5
    assert scored.scores["accuracy"] == pytest.approx(0.6)
    assert scored.scores["precision"] == pytest.approx(2 / 3)
    assert scored.scores["recall"] == pytest.approx(2 / 3)
    assert scored.scores["roc_auc"] == pytest.approx(metrics.roc_auc_score(targets, likely))
    assert scored.scores["log_loss"] == pytest.approx(metrics.log_loss(targets, likely))
    assert scored.majority_label == "neg"
    assert scored.majority["accuracy"] == pytest.approx(0.4)
    assert scored.confusion == ((1, 1), (1, 2))


def test_rows_with_unknown_labels_count_as_wrong_and_are_named() -> None:
    targets = np.array([1, 0, -1, -1], np.int32)
    likely = probabilities([[0.9], [0.2], [0.9], [0.1]])
    scored = compute_scores(BINARY, targets, likely, {"odd": 2})
    assert scored.rows == 4
    assert scored.scores["accuracy"] == pytest.approx(0.5)
    assert scored.scores["precision"] == pytest.approx(0.5)
    assert scored.scores["recall"] == 1.0
    assert scored.scores["roc_auc"] == 1.0
    assert scored.unknown_labels == {"odd": 2}
    three = compute_scores(
        THREE, np.array([0, -1], np.int32), probabilities([[1, 0, 0], [1, 0, 0]])
    )
    assert three.scores["accuracy"] == 0.5
    assert three.labels[0].precision == 0.5


def test_rows_of_unknown_labels_alone_have_no_loss() -> None:
    scored = compute_scores(BINARY, np.array([-1], np.int32), probabilities([[0.9]]), {"odd": 1})
    assert scored.scores["log_loss"] is None
    assert scored.scores["roc_auc"] is None
    assert scored.scores["accuracy"] == 0.0


@given(st.data())
def test_multiclass_scores_are_scikit_learn_s(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 30))
    targets = np.array(
        data.draw(st.lists(st.integers(0, 2), min_size=size, max_size=size)), np.int32
    )
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    likely = rng.dirichlet(np.ones(3), size).astype(np.float32)
    scored = compute_scores(THREE, targets, likely).scores
    decided = likely.argmax(axis=1)
    f1 = metrics.f1_score(targets, decided, average="macro", labels=[0, 1, 2], zero_division=0)
    assert scored["accuracy"] == pytest.approx(metrics.accuracy_score(targets, decided))
    assert scored["macro_f1"] == pytest.approx(f1)
    loss = -np.log(likely[np.arange(size), targets]).mean()
    assert scored["log_loss"] == pytest.approx(loss, rel=1e-4)


def test_several_labels_a_row() -> None:
    targets = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]], np.int32)
    likely = probabilities([[0.9, 0.6, 0.1], [0.7, 0.8, 0.2], [0.1, 0.2, 0.3]])
    scored = compute_scores(SEVERAL, targets, likely)
    assert scored.scores["subset_accuracy"] == pytest.approx(2 / 3)
    assert scored.scores["micro_f1"] == pytest.approx(2 * 3 / (2 * 3 + 1))
    assert scored.majority_label == "b"
    assert scored.majority["micro_f1"] == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert scored.confusion is None
    assert [label.rows for label in scored.labels] == [1, 2, 0]


def test_unknown_ones_among_several_labels_are_never_found() -> None:
    targets = np.array([[1, 0, 0, 1], [0, 1, 0, 0]], np.int32)
    likely = probabilities([[0.9, 0.1, 0.1], [0.1, 0.9, 0.1]])
    scored = compute_scores(SEVERAL, targets, likely, {"x": 1})
    assert scored.scores["subset_accuracy"] == 0.5
    assert scored.scores["micro_f1"] == pytest.approx(2 * 2 / (2 * 2 + 1))
    assert len(scored.labels) == 3


@pytest.mark.parametrize("labels", [BINARY, THREE, SEVERAL])
def test_an_evaluation_survives_json(labels: Labels) -> None:
    targets = np.zeros((2, 3) if labels is SEVERAL else 2, np.int32)
    scored = compute_scores(labels, targets, probabilities([[0.5] * labels.outputs] * 2), {"x": 1})
    again = Scores.from_json(json.loads(json.dumps(scored.to_json())))
    assert again == scored


def test_a_run_is_scored_on_its_test_table_by_default(runs: dict[str, Run]) -> None:
    told = evaluate_run(runs["binary"], EvaluationRequest(baseline=False))
    assert told.scored.place.name.startswith("test rows of ")
    assert told.scored.labeled.table.form == "comma, utf-8 (detected)"
    assert_measured_before(told.evaluation, measured(runs["binary"])["test"])


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_without_a_test_table_the_validation_rows_are_scored_again(
    task: str, runs: dict[str, Run]
) -> None:
    told = evaluate_run(runs[task], EvaluationRequest(baseline=False))
    assert told.scored.place.name.startswith("validation rows of ")
    assert_measured_before(told.evaluation, measured(runs[task])["validation"])


def assert_measured_before(found: Scores, before: Scores) -> None:
    """What is measured in full holds what training measured in brief."""
    assert found.scores.items() >= before.scores.items()
    assert found.majority.items() >= before.majority.items()
    assert (found.rows, found.labels, found.confusion) == (
        before.rows,
        before.labels,
        before.confusion,
    )


def test_changed_training_data_have_no_validation_rows(workplace: Path, invoke: Any) -> None:
    invoke("train", "multilabel.yaml", "-q", "-s", "training.epochs=1")
    with (workplace / "multilabel.csv").open("a") as file:
        file.write("more,a\n")
    told = invoke("evaluate", status=1).stderr
    assert "multilabel.csv: has changed since runs/multilabel-1 was trained" in told


def test_a_validation_table_is_the_one_that_must_not_have_changed(
    workplace: Path, invoke: Any
) -> None:
    valid = write_csv(workplace / "valid.csv", ["text", "label"], reviews(30))
    flags = ("-s", "data.validation=valid.csv", "-s", "data.test=null", "-s", "training.epochs=1")
    invoke("train", "binary.yaml", "-q", *flags)
    with (workplace / "binary.csv").open("a") as file:
        file.write("more,pos\n")
    assert invoke("evaluate").stdout.startswith("validation rows of valid.csv: 30 rows")
    with valid.open("a") as file:
        file.write("more,pos\n")
    assert "valid.csv: has changed since" in invoke("evaluate", status=1).stderr


def test_rows_that_a_run_has_seen_are_said_to_be(workplace: Path, invoke: Any) -> None:
    valid = write_csv(workplace / "valid.csv", ["text", "label"], reviews(30))
    flags = ("-s", "training.epochs=1", "-s", "data.validation=valid.csv")
    invoke("train", "binary.yaml", "-q", *flags)
    cautions = {
        "binary.csv": "learned from this table",
        "valid.csv": "the epoch was chosen on them",
        "binary-test.csv": "",
    }
    for table, caution in cautions.items():
        told = json.loads(invoke("evaluate", "--data", table, "--json").stdout)["caution"]
        assert (caution in told) if caution else not told
    with valid.open("a") as file:
        file.write("more,pos\n")
    assert "chosen on them" not in invoke("evaluate", "--data", valid).stdout


def test_a_test_table_that_has_changed_is_said_to_be(workplace: Path, invoke: Any) -> None:
    invoke("train", "binary.yaml", "-q", "-s", "training.epochs=1")
    assert "has changed" not in invoke("evaluate").stdout
    with (workplace / "binary-test.csv").open("a") as file:
        file.write("more,pos\n")
    assert "the table has changed since the run was trained" in invoke("evaluate").stdout


@pytest.mark.parametrize("command", ["evaluate", "report"])
def test_a_form_goes_with_a_table(command: str, invoke: Any) -> None:
    told = invoke(command, "--encoding", "utf-8", status=2).stderr
    assert "--delimiter and --encoding tell how to read --data; name it too" in told


def test_skipped_rows_are_told_where_a_run_is_scored(workplace: Path, invoke: Any) -> None:
    flags = ("-s", "training.epochs=1", "-s", "data.skip_invalid=true")
    invoke("train", "binary.yaml", "-q", *flags)
    write_csv(workplace / "gaps.csv", ["text", "label"], [*reviews(10), ("x", ""), ("y", "")])
    shown = invoke("evaluate", "--data", "gaps.csv").stdout
    assert shown.startswith("gaps.csv: 10 rows, 2 more skipped: no valid label")
    assert (
        json.loads(invoke("evaluate", "--data", "gaps.csv", "--json").stdout)["rows_skipped"] == 2
    )


def test_a_table_of_one_s_own_is_scored(runs: dict[str, Run], tmp_path: Path) -> None:
    rows = [*reviews(20), ("great", "odd"), ("", "odd")]
    path = write_csv(tmp_path / "own.csv", ["text", "label"], rows)
    told = evaluate_run(runs["binary"], EvaluationRequest(path, baseline=False))
    assert told.scored.place.name == str(path)
    scored = told.evaluation
    assert scored.rows == 22
    assert scored.unknown_labels == {"odd": 2}
    assert scored.scores["accuracy"] == pytest.approx(20 / 22)


def test_reliability_is_scikit_learn_s_and_its_intervals_scipy_s() -> None:
    rng = np.random.default_rng(3)
    likely = rng.random((400, 1)).astype(np.float32) ** 2
    targets = (rng.random(400) < likely[:, 0]).astype(np.int32)
    told = reliability(Predictions(BINARY, targets, likely, BINARY.decide(likely)))
    came, said = calibration_curve(targets, likely[:, 0], n_bins=BINS)
    np.testing.assert_allclose(told.came, came)
    np.testing.assert_allclose(told.said, said, rtol=1e-5)
    assert told.times.sum() == 400
    for low, high, share, rows in zip(
        told.low, told.high, told.came, told.times[told.times > 0], strict=True
    ):
        expected = binomtest(round(share * rows), int(rows)).proportion_ci(method="wilson")
        assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-6)
