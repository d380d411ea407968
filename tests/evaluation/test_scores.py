"""Scores are those of scikit-learn, and unknown labels count as wrong predictions."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn import metrics

from embedclf.data.labels import Labels, Probabilities
from embedclf.evaluation.scores import Scores, compute_scores

BINARY = Labels("binary", ("neg", "pos"), (30, 20))
MULTICLASS = Labels("multiclass", ("a", "b", "c"), (1, 5, 2))
MULTILABEL = Labels("multilabel", ("a", "b", "c"), (1, 5, 2))


def probabilities(rows: list[Any]) -> Probabilities:
    return np.array(rows, np.float32)


def test_scores_of_two_labels() -> None:
    y_true = np.array([1, 0, 1, 0, 1], np.int32)
    y_prob = probabilities([[0.9], [0.2], [0.4], [0.6], [0.8]])
    scores = compute_scores(BINARY, y_true, y_prob)
    assert scores.rows == 5
    assert scores.metrics["accuracy"] == pytest.approx(0.6)
    assert scores.metrics["precision"] == pytest.approx(2 / 3)
    assert scores.metrics["recall"] == pytest.approx(2 / 3)
    assert scores.metrics["roc_auc"] == pytest.approx(metrics.roc_auc_score(y_true, y_prob))
    assert scores.metrics["log_loss"] == pytest.approx(metrics.log_loss(y_true, y_prob))
    assert scores.majority_label == "neg"
    assert scores.majority["accuracy"] == pytest.approx(0.4)
    assert scores.confusion == ((1, 1), (1, 2))


def test_rows_with_unknown_labels_count_as_wrong_and_are_reported() -> None:
    y_true = np.array([1, 0, -1, -1], np.int32)
    y_prob = probabilities([[0.9], [0.2], [0.9], [0.1]])
    scores = compute_scores(BINARY, y_true, y_prob, {"odd": 2})
    assert scores.rows == 4
    assert scores.metrics["accuracy"] == pytest.approx(0.5)
    assert scores.metrics["precision"] == pytest.approx(0.5)
    assert scores.metrics["recall"] == 1.0
    assert scores.metrics["roc_auc"] == 1.0
    assert scores.unknown_labels == {"odd": 2}
    y_prob = probabilities([[1, 0, 0], [1, 0, 0]])
    scores = compute_scores(MULTICLASS, np.array([0, -1], np.int32), y_prob)
    assert scores.metrics["accuracy"] == 0.5
    assert scores.labels[0].precision == 0.5


def test_rows_of_unknown_labels_alone_have_no_loss() -> None:
    scores = compute_scores(BINARY, np.array([-1], np.int32), probabilities([[0.9]]), {"odd": 1})
    assert scores.metrics["log_loss"] is None
    assert scores.metrics["roc_auc"] is None
    assert scores.metrics["accuracy"] == 0.0


@given(st.data())
def test_scores_of_several_labels_are_those_of_scikit_learn(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 30))
    y_true = np.array(
        data.draw(st.lists(st.integers(0, 2), min_size=size, max_size=size)), np.int32
    )
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    y_prob = rng.dirichlet(np.ones(3), size).astype(np.float32)
    values = compute_scores(MULTICLASS, y_true, y_prob).metrics
    y_pred = y_prob.argmax(axis=1)
    f1 = metrics.f1_score(y_true, y_pred, average="macro", labels=[0, 1, 2], zero_division=0)
    assert values["accuracy"] == pytest.approx(metrics.accuracy_score(y_true, y_pred))
    assert values["macro_f1"] == pytest.approx(f1)
    loss = -np.log(y_prob[np.arange(size), y_true]).mean()
    assert values["log_loss"] == pytest.approx(loss, rel=1e-4)


def test_scores_of_several_labels_a_row() -> None:
    y_true = csr_array(np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]], np.int32))
    y_prob = probabilities([[0.9, 0.6, 0.1], [0.7, 0.8, 0.2], [0.1, 0.2, 0.3]])
    scores = compute_scores(MULTILABEL, y_true, y_prob)
    assert scores.metrics["subset_accuracy"] == pytest.approx(2 / 3)
    assert scores.metrics["micro_f1"] == pytest.approx(2 * 3 / (2 * 3 + 1))
    assert scores.majority_label == "b"
    assert scores.majority["micro_f1"] == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert scores.confusion is None
    assert [label.rows for label in scores.labels] == [1, 2, 0]


def test_an_unknown_label_among_several_of_a_row_is_never_predicted() -> None:
    y_true = csr_array(np.array([[1, 0, 0, 1], [0, 1, 0, 0]], np.int32))
    y_prob = probabilities([[0.9, 0.1, 0.1], [0.1, 0.9, 0.1]])
    scores = compute_scores(MULTILABEL, y_true, y_prob, {"x": 1})
    assert scores.metrics["subset_accuracy"] == 0.5
    assert scores.metrics["micro_f1"] == pytest.approx(2 * 2 / (2 * 2 + 1))
    assert len(scores.labels) == 3


@pytest.mark.parametrize("labels", [BINARY, MULTICLASS, MULTILABEL])
def test_scores_survive_json(labels: Labels) -> None:
    y_true: Any = np.zeros(2, np.int32)
    if labels is MULTILABEL:
        y_true = csr_array((2, 3), dtype=np.int32)
    y_prob = probabilities([[0.5] * labels.outputs] * 2)
    scores = compute_scores(labels, y_true, y_prob, {"x": 1})
    assert Scores.from_json(json.loads(json.dumps(scores.to_json()))) == scores


def test_confusions_are_listed_most_frequent_first_also_where_a_matrix_is_too_large() -> None:
    names = tuple(f"label {number:03}" for number in range(150))
    labels = Labels("multiclass", names, (1,) * 150)
    y_true = np.array([3, 3, 7, 7, 7, -1, 9], np.int32)
    y_pred = np.array([4, 4, 8, 2, 7, 3, 1])
    y_prob = np.full((7, 150), 0.001, np.float32)
    y_prob[np.arange(7), y_pred] = 0.851
    scores = compute_scores(labels, y_true, y_prob, {"odd": 1})
    assert scores.confusion is None
    found = [(each.actual, each.predicted, each.rows) for each in scores.confusions]
    assert found == [
        ("label 003", "label 004", 2),
        ("label 007", "label 002", 1),
        ("label 007", "label 008", 1),
        ("label 009", "label 001", 1),
    ]
    assert Scores.from_json(json.loads(json.dumps(scores.to_json()))) == scores


def test_confusions_of_older_runs_come_from_their_matrix() -> None:
    y_true, rows = np.array([0, 0, 1, 2], np.int32), [[0, 1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]]
    scores = compute_scores(MULTICLASS, y_true, probabilities(rows))
    values = json.loads(json.dumps(scores.to_json()))
    assert len(values.pop("confusions")) == 2
    assert Scores.from_json(values) == scores
