"""Calibrated probabilities match observed frequencies, in the run as in Keras."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.metrics import log_loss

import embedclf
from embedclf.data.labels import Labels
from embedclf.model.classifier import Calibration, fit_inverse_temperature, fit_isotonic
from embedclf.runs.run import Run

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.data.labels import Targets
    from embedclf.system.arrays import Floats
    from tests.conftest import Invoke

BINARY = Labels("binary", ("neg", "pos"), (1, 1))
MULTICLASS = Labels("multiclass", ("a", "b", "c"), (1, 1, 1))
MULTILABEL = Labels("multilabel", ("a", "b", "c"), (1, 1, 1))


def softmax(logits: Any) -> Any:
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True)


def sigmoid(logits: Any) -> Any:
    return 1 / (1 + np.exp(-logits))


def overconfident_logits(labels: Labels, rows: int) -> tuple[Targets, Floats]:
    """Targets, and logits that are three times too large."""
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(rows, labels.outputs))
    if labels.task == "multiclass":
        targets = (rng.random((rows, 1)) > np.cumsum(softmax(logits), axis=1)).sum(axis=1)
    else:
        outcomes = rng.random(logits.shape) < sigmoid(logits)
        targets = outcomes.astype(np.int32)
        targets = csr_array(targets) if labels.task == "multilabel" else targets[:, 0]
    return targets.astype(np.int32), (3.0 * logits).astype(np.float32)


@pytest.mark.parametrize(
    "labels", [BINARY, MULTICLASS, MULTILABEL], ids=lambda labels: str(labels.task)
)
def test_a_temperature_corrects_overconfidence(labels: Labels) -> None:
    targets, logits = overconfident_logits(labels, 20_000)
    factors = fit_inverse_temperature(labels, targets, logits)
    assert factors == pytest.approx(np.full(labels.outputs, 1 / 3), abs=0.02)


@pytest.mark.parametrize("rows", [2, 1000])
def test_rows_without_a_mistake_do_not_prove_that_there_is_none(rows: int) -> None:
    targets = np.arange(rows, dtype=np.int32) % 2
    logits = (2.0 * targets - 1.0).astype(np.float32)[:, None]
    factors = fit_inverse_temperature(BINARY, targets, logits)
    assert factors[0] == pytest.approx(np.log(rows + 1), rel=1e-3)
    targets = np.arange(rows, dtype=np.int32) % 3
    factors = fit_inverse_temperature(MULTICLASS, targets, np.eye(3, dtype=np.float32)[targets])
    assert factors == pytest.approx(np.full(3, np.log(2 * (rows + 1))), rel=1e-3)


def test_a_temperature_is_bounded() -> None:
    targets = np.arange(1000, dtype=np.int32) % 2
    logits = (2.0 * targets - 1.0).astype(np.float32)[:, None]
    largest = fit_inverse_temperature(BINARY, targets, logits / np.float32(100))
    assert largest[0] == pytest.approx(20.0, rel=1e-3)
    smallest = fit_inverse_temperature(BINARY, targets, -logits)
    assert smallest[0] == pytest.approx(0.05, rel=1e-2)


@pytest.mark.parametrize(
    "labels", [BINARY, MULTICLASS, MULTILABEL], ids=lambda labels: str(labels.task)
)
def test_isotonic_calibration_keeps_the_order_and_lowers_the_loss(labels: Labels) -> None:
    targets, logits = overconfident_logits(labels, 5_000)
    exclusive = labels.task == "multiclass"
    y_prob = (softmax if exclusive else sigmoid)(logits).astype(np.float32)
    fitted = fit_isotonic(labels, targets, y_prob)
    calibration = Calibration.from_json(json.loads(json.dumps(fitted.to_json())))
    calibrated = calibration.apply(y_prob, exclusive=exclusive)
    assert calibrated.shape == y_prob.shape
    assert calibrated.dtype == np.float32
    assert calibrated.min() > 0.0
    assert calibrated.max() < 1.0
    y_true = labels.binarize(targets).ravel()
    assert log_loss(y_true, calibrated.ravel()) < log_loss(y_true, y_prob.ravel())
    if exclusive:
        assert calibrated.sum(axis=1) == pytest.approx(np.ones(len(calibrated)), abs=1e-6)
    else:
        order = np.argsort(y_prob[:, 0])
        assert (np.diff(calibrated[order, 0]) >= 0).all()


def test_an_output_that_is_never_true_is_not_calibrated() -> None:
    y_prob = np.array([[0.1], [0.7]], np.float32)
    calibration = fit_isotonic(BINARY, np.array([0, 0], np.int32), y_prob)
    assert calibration.apply(y_prob, exclusive=False) == pytest.approx(y_prob)


def test_a_temperature_becomes_part_of_the_network(workplace: Path, invoke: Invoke) -> None:
    for method in ("none", "temperature"):
        invoke("train", "binary.yaml", "-q", "-o", method, "-s", f"training.calibration={method}")
    plain = Run.open(workplace / "none").classifier()
    calibrated = Run.open(workplace / "temperature").classifier()
    ids = calibrated.tokenizer.encode(["great hotel", "awful film", "a lovely day"]).ids
    from_keras = keras.models.load_model("temperature/model.keras")(
        ids.pad(calibrated.tokenizer.input_length)
    ).numpy()
    assert calibrated.predict_proba_ids(ids) == pytest.approx(from_keras, abs=1e-5)
    factors = calibrated.weights.logits(ids) / plain.weights.logits(ids)
    assert factors == pytest.approx(np.full_like(factors, factors[0, 0]), rel=1e-3)
    assert factors[0, 0] < 1.0  # so few rows cannot prove that it is never wrong


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_a_run_with_isotonic_calibration_predicts_calibrated_probabilities(
    workplace: Path, invoke: Invoke, task: str
) -> None:
    invoke("train", f"{task}.yaml", "-q", "-o", "run", "-s", "training.calibration=isotonic")
    run = Run.open(workplace / "run")
    assert "calibration.json" in run.record["files"]
    classifier = embedclf.load("run")
    texts = ["great hotel", "a 7", ""]
    calibrated = classifier.predict_proba(texts)
    logits = classifier.weights.logits(classifier.tokenizer.encode(texts).ids)
    plain = classifier.probabilities(logits)
    assert calibrated == pytest.approx(classifier.calibrate(plain))
    assert (calibrated != plain).any()
    explained = json.loads(invoke("explain", texts[0], "--run", "run", "--json").stdout)
    predicted = json.loads(invoke("predict", "-t", texts[0], "--run", "run", "--json").stdout)
    if task != "multilabel":
        probability = explained["explanations"][0]["probability"]
        assert probability == pytest.approx(predicted["predictions"][0]["probability"], abs=1e-6)


@pytest.mark.parametrize(
    "labels", [BINARY, MULTICLASS, MULTILABEL], ids=lambda labels: str(labels.task)
)
def test_a_row_counts_as_often_as_its_weight_in_a_calibration(labels: Labels) -> None:
    """Up to the smoothing, which depends on how many different rows there are."""
    targets, logits = overconfident_logits(labels, 3_000)
    times = np.random.default_rng(5).integers(0, 4, 3_000)
    repeated = np.repeat(np.arange(3_000), times)
    weights = times.astype(np.float64)
    factors = fit_inverse_temperature(labels, targets, logits, weights)
    expected = fit_inverse_temperature(labels, targets[repeated], logits[repeated])
    assert factors == pytest.approx(expected, rel=0.01)
    y_prob = (softmax if labels.task == "multiclass" else sigmoid)(logits).astype(np.float32)
    curves = fit_isotonic(labels, targets, y_prob, weights)
    others = fit_isotonic(labels, targets[repeated], y_prob[repeated])
    for exclusive in (False, True):
        calibrated = curves.apply(y_prob, exclusive=exclusive)
        assert calibrated == pytest.approx(others.apply(y_prob, exclusive=exclusive), abs=0.002)


def test_a_row_of_weight_0_does_not_change_a_calibration() -> None:
    targets, logits = overconfident_logits(BINARY, 200)
    weights = np.random.default_rng(5).integers(0, 3, 200).astype(np.float64)
    kept, y_prob = weights > 0.0, sigmoid(logits).astype(np.float32)
    factors = fit_inverse_temperature(BINARY, targets, logits, weights)
    assert factors == fit_inverse_temperature(
        BINARY, targets[kept], logits[kept], 8 * weights[kept]
    )
    curve = fit_isotonic(BINARY, targets, y_prob, weights)
    other = fit_isotonic(BINARY, targets[kept], y_prob[kept], weights[kept])
    assert curve.to_json() == other.to_json()
