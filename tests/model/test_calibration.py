"""Calibrated probabilities come true as often as they say, in the run as in Keras."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
from sklearn.metrics import log_loss

import embedclf
from embedclf.data.labels import Labels
from embedclf.model.classifier import Calibration, inverse_temperature, isotonic
from embedclf.runs.run import Run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Invoke

BINARY = Labels("binary", ("neg", "pos"), (1, 1))
THREE = Labels("multiclass", ("a", "b", "c"), (1, 1, 1))
SEVERAL = Labels("multilabel", ("a", "b", "c"), (1, 1, 1))


def softmax(logits: Any) -> Any:
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True)


def overconfident(labels: Labels, rows: int) -> tuple[Any, Any]:
    """Targets, and logits that are three times what they should be."""
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(rows, labels.outputs))
    if labels.task == "multiclass":
        targets = (rng.random((rows, 1)) > np.cumsum(softmax(logits), axis=1)).sum(axis=1)
    else:
        came = rng.random(logits.shape) < 1 / (1 + np.exp(-logits))
        targets = came if labels.task == "multilabel" else came[:, 0]
    return targets.astype(np.int32), (3.0 * logits).astype(np.float32)


@pytest.mark.parametrize("labels", [BINARY, THREE, SEVERAL], ids=lambda labels: labels.task)
def test_a_temperature_undoes_too_much_confidence(labels: Labels) -> None:
    targets, logits = overconfident(labels, 20_000)
    factors = inverse_temperature(labels, targets, logits)
    assert factors == pytest.approx(np.full(labels.outputs, 1 / 3), abs=0.02)


@pytest.mark.parametrize("rows", [2, 1000])
def test_rows_without_a_mistake_are_taken_to_hide_one(rows: int) -> None:
    targets = np.arange(rows, dtype=np.int32) % 2
    factors = inverse_temperature(
        BINARY, targets, (2.0 * targets - 1.0).astype(np.float32)[:, None]
    )
    assert factors[0] == pytest.approx(np.log(rows + 1), rel=1e-3)
    targets = np.arange(rows, dtype=np.int32) % 3
    factors = inverse_temperature(THREE, targets, np.eye(3, dtype=np.float32)[targets])
    assert factors == pytest.approx(np.full(3, np.log(2 * (rows + 1))), rel=1e-3)


def test_a_temperature_is_bounded() -> None:
    targets = np.arange(1000, dtype=np.int32) % 2
    logits = (2.0 * targets - 1.0).astype(np.float32)[:, None]
    assert inverse_temperature(BINARY, targets, logits / np.float32(100))[0] == pytest.approx(
        20.0, rel=1e-3
    )
    assert inverse_temperature(BINARY, targets, -logits)[0] == pytest.approx(0.05, rel=1e-2)


@pytest.mark.parametrize("labels", [BINARY, THREE, SEVERAL], ids=lambda labels: labels.task)
def test_an_isotonic_line_keeps_order_and_lowers_the_loss(labels: Labels) -> None:
    targets, logits = overconfident(labels, 5_000)
    exclusive = labels.task == "multiclass"
    likely = (softmax(logits) if exclusive else 1 / (1 + np.exp(-logits))).astype(np.float32)
    learned = isotonic(labels, targets, likely)
    again = Calibration.from_json(json.loads(json.dumps(learned.to_json())))
    found = again.apply(likely, exclusive=exclusive)
    assert found.shape == likely.shape
    assert found.dtype == np.float32
    assert found.min() > 0.0
    assert found.max() < 1.0
    came = labels.present(targets)
    assert log_loss(came.ravel(), found.ravel()) < log_loss(came.ravel(), likely.ravel())
    if exclusive:
        assert found.sum(axis=1) == pytest.approx(np.ones(len(found)), abs=1e-6)
    else:
        order = np.argsort(likely[:, 0])
        assert (np.diff(found[order, 0]) >= 0).all()


def test_an_output_that_never_came_true_stays_as_it_is() -> None:
    likely = np.array([[0.1], [0.7]], np.float32)
    learned = isotonic(BINARY, np.array([0, 0], np.int32), likely)
    assert learned.apply(likely, exclusive=False) == pytest.approx(likely)


def test_a_temperature_goes_into_the_network(workplace: Path, invoke: Invoke) -> None:
    for kind in ("none", "temperature"):
        invoke("train", "binary.yaml", "-q", "-o", kind, "-s", f"training.calibration={kind}")
    texts = ["great hotel", "awful film", "a lovely day"]
    plain, warm = (Run.open(workplace / kind).classifier() for kind in ("none", "temperature"))
    ids = warm.tokenizer.encode(texts).ids
    from_keras = keras.models.load_model("temperature/model.keras")(ids).numpy()
    assert warm.score(ids) == pytest.approx(from_keras, abs=1e-5)
    factors = warm.weights.logits(ids) / plain.weights.logits(ids)
    assert factors == pytest.approx(np.full_like(factors, factors[0, 0]), rel=1e-3)
    assert factors[0, 0] < 1.0  # so few rows cannot show that it is never wrong


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_an_isotonic_run_predicts_calibrated(workplace: Path, invoke: Invoke, task: str) -> None:
    invoke("train", f"{task}.yaml", "-q", "-o", "run", "-s", "training.calibration=isotonic")
    run = Run.open(workplace / "run")
    assert "calibration.json" in run.record["files"]
    classifier = embedclf.load("run")
    texts = ["great hotel", "a 7", ""]
    found = classifier.predict_proba(texts)
    plain = classifier.activate(classifier.weights.logits(classifier.tokenizer.encode(texts).ids))
    assert found == pytest.approx(classifier.calibrated(plain))
    assert (found != plain).any()
    told = json.loads(invoke("explain", texts[0], "--run", "run", "--json").stdout)
    shown = json.loads(invoke("predict", "-t", texts[0], "--run", "run", "--json").stdout)
    if task != "multilabel":
        likeliest = told["explanations"][0]["probability"]
        assert likeliest == pytest.approx(shown["predictions"][0]["probability"], abs=1e-6)
