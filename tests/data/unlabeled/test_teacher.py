"""The teacher: what it predicts, how it is chosen, and which labels it can do without."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.data.label_sets import label_sets
from embedclf.data.labels import Labels
from embedclf.data.unlabeled.teacher import Teacher

CENTERS = np.random.default_rng(1).normal(size=(4, 6)).astype(np.float32)


def cloud(targets: np.ndarray[Any, Any], noise: float = 0.1, seed: int = 0) -> Any:
    """Make vectors (n, 6), each close to the center of its label."""
    rng = np.random.default_rng(seed)
    return CENTERS[targets] + rng.normal(scale=noise, size=(len(targets), 6)).astype(np.float32)


def labels_of(task: Any, count: int) -> Labels:
    return Labels(task, tuple("abcd"[:count]), (1,) * count)


@pytest.mark.parametrize(("task", "count"), [("binary", 2), ("multiclass", 3)])
def test_a_teacher_labels_texts_like_the_labeled_ones_around_them(task: str, count: int) -> None:
    targets, others = (np.arange(rows) % count for rows in (30, 60))
    labels = labels_of(task, count)
    teacher = Teacher.fit(labels, cloud(targets), targets, None, seed=0)
    y_prob = teacher.predict_proba(cloud(others, seed=1))
    assert y_prob.shape == (60, labels.outputs)
    assert (labels.decide(y_prob) == others).all()
    assert teacher.score == 1.0
    assert teacher.scored_rows == 30


def test_a_teacher_of_several_labels_predicts_each_of_them() -> None:
    labels, rows = labels_of("multilabel", 3), np.arange(40)
    vectors = cloud(rows % 2)
    # Label b has all odd rows, label a every row, label c none
    targets = label_sets(np.concatenate([rows, rows[1::2]]), np.repeat([0, 1], [40, 20]), (40, 3))
    y_prob = Teacher.fit(labels, vectors, targets, None, seed=0).predict_proba(vectors)
    assert ((y_prob[:, 1] > 0.5) == (rows % 2 == 1)).all()
    assert (y_prob[:, 0] == 1.0).all()
    assert (y_prob[:, 2] == 0.0).all()


def test_a_label_without_training_rows_has_a_probability_of_0() -> None:
    targets = np.arange(20) % 2 * 2  # labels a and c
    labels = labels_of("multiclass", 4)
    y_prob = Teacher.fit(labels, cloud(targets), targets, None, seed=0).predict_proba(CENTERS)
    assert (y_prob[:, [1, 3]] == 0).all()
    assert y_prob.sum(axis=1) == pytest.approx(np.ones(4))


def test_a_label_of_a_single_row_does_not_stop_the_teacher() -> None:
    targets = np.array([0] * 10 + [1] * 10 + [2])
    teacher = Teacher.fit(labels_of("multiclass", 3), cloud(targets), targets, None, seed=0)
    assert teacher.predict_proba(cloud(targets)).argmax(axis=1).tolist() == targets.tolist()


def test_noisy_rows_get_a_stronger_regularization_than_clean_ones() -> None:
    targets = np.arange(80) % 2
    labels = labels_of("binary", 2)
    clean, noisy = (
        Teacher.fit(labels, cloud(targets, noise), targets, None, seed=0) for noise in (0.1, 20.0)
    )
    assert noisy.strength < clean.strength
    assert noisy.score < clean.score


def test_a_row_of_weight_2_counts_as_two_rows() -> None:
    targets = np.array([0, 1] * 10)
    vectors = cloud(targets, noise=2.0)
    labels, weights = labels_of("binary", 2), np.where(np.arange(20) < 5, 2.0, 1.0)
    weighted = Teacher.fit(labels, vectors, targets, weights, seed=0)
    plain = Teacher.fit(labels, vectors, targets, None, seed=0)
    assert np.abs(weighted.predict_proba(vectors) - plain.predict_proba(vectors)).max() > 1e-3


@given(st.integers(1, 9))
def test_texts_are_labeled_in_blocks_as_all_at_once(count: int) -> None:
    targets = np.arange(20) % 3
    teacher = Teacher.fit(labels_of("multiclass", 3), cloud(targets), targets, None, seed=0)
    vectors = cloud(np.arange(count) % 3)
    at_once = teacher.predict_proba(vectors)
    assert np.allclose(teacher.label(vectors.__getitem__, count), at_once)
