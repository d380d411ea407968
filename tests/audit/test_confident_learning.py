"""Label noise: laws of the ranking, and simulated noise that is recovered."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from embedclf.audit.confident_learning import (
    adjust_for_duplicates,
    compute_confident_joint,
    rank_multilabel_suspects,
    rank_suspects,
)

CASES = st.tuples(st.integers(1, 60), st.integers(2, 5), st.integers(0, 99))


def make_case(rows: int, labels: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels, some of which no row may have, and probabilities."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(labels), rows).astype(np.float32)
    return rng.integers(0, labels, rows).astype(np.int32), probabilities


@given(case=CASES)
def test_suspects_are_rows_with_a_more_probable_label_the_least_confident_first(
    case: tuple[int, int, int],
) -> None:
    labels, probabilities = make_case(*case)
    ranked = rank_suspects(labels, probabilities)
    own = probabilities[np.arange(len(labels)), labels]
    assert set(ranked.rows.tolist()) == set(
        np.flatnonzero(probabilities.max(axis=1) > own).tolist()
    )
    assert (np.diff(ranked.label_probability) >= 0).all()
    assert (ranked.predicted_probability > ranked.label_probability).all()
    assert (ranked.label == labels[ranked.rows]).all()
    assert (ranked.predicted == probabilities[ranked.rows].argmax(axis=1)).all()


@given(case=CASES)
def test_the_joint_keeps_the_rows_of_each_label(case: tuple[int, int, int]) -> None:
    labels, probabilities = make_case(*case)
    joint = compute_confident_joint(labels, probabilities).toarray()
    assert (joint >= 0).all()
    assert joint.sum(axis=1) == pytest.approx(np.bincount(labels, minlength=case[1]))


@given(case=CASES)
def test_the_estimate_does_not_depend_on_the_order_of_rows(case: tuple[int, int, int]) -> None:
    labels, probabilities = make_case(*case)
    order = np.random.default_rng(case[2]).permutation(len(labels))
    joint = compute_confident_joint(labels[order], probabilities[order]).toarray()
    assert joint == pytest.approx(compute_confident_joint(labels, probabilities).toarray())


def test_known_noise_is_recovered() -> None:
    rng = np.random.default_rng(7)
    actual = rng.integers(0, 3, 30_000)
    noise = np.array([[0.9, 0.1, 0.0], [0.0, 0.8, 0.2], [0.05, 0.0, 0.95]])  # [actual][label]
    drawn = rng.random(len(actual))[:, None]
    labels = (drawn > noise.cumsum(axis=1)[actual]).sum(axis=1).astype(np.int32)
    probabilities = np.full((len(actual), 3), 0.03, np.float32)
    probabilities[np.arange(len(actual)), actual] = 0.94
    expected = np.zeros((3, 3))
    np.add.at(expected, (labels, actual), 1)
    joint = compute_confident_joint(labels, probabilities).toarray()
    assert joint == pytest.approx(expected)
    ranked = rank_suspects(labels, probabilities)
    assert set(ranked.rows.tolist()) == set(np.flatnonzero(labels != actual).tolist())
    assert (ranked.predicted == actual[ranked.rows]).all()


def test_an_underconfident_network_is_judged_by_its_own_mean() -> None:
    """Label 1 never gets more than 0.45, and yet rows count for it (section 3.1)."""
    probabilities = np.array([[0.9, 0.1]] * 6 + [[0.55, 0.45]] * 4, np.float32)
    labels = np.array([0] * 6 + [1] * 3 + [0], np.int32)
    assert compute_confident_joint(labels, probabilities).toarray().tolist() == [[6, 1], [0, 3]]


def test_no_row_counts_for_a_label_that_no_row_carries() -> None:
    probabilities = np.array([[0.2, 0.8], [0.6, 0.4]], np.float32)
    assert compute_confident_joint(
        np.array([0, 0], np.int32), probabilities
    ).toarray().tolist() == [
        [2, 0],
        [0, 0],
    ]


@given(case=CASES)
def test_multilabel_rows_rank_by_their_most_suspect_label(case: tuple[int, int, int]) -> None:
    rows, labels, seed = case
    rng = np.random.default_rng(seed)
    probabilities = rng.random((rows, labels)).astype(np.float32)
    flags = rng.integers(0, 2, (rows, labels)).astype(np.int32)
    ranked = rank_multilabel_suspects(csr_array(flags), probabilities)
    own = np.where(flags == 1, probabilities, 1 - probabilities)
    lowest = own.min(axis=1)
    assert set(ranked.rows.tolist()) == set(np.flatnonzero(lowest < 1 - lowest).tolist())
    assert ranked.column is not None
    assert ranked.label_probability == pytest.approx(own[ranked.rows, ranked.column])
    assert (ranked.label == flags[ranked.rows, ranked.column]).all()
    assert (ranked.label + ranked.predicted == 1).all()
    assert (np.diff(ranked.label_probability) >= 0).all()


@given(case=CASES, texts=st.integers(1, 90))
def test_labels_of_equal_texts_count_and_single_texts_keep_their_probabilities(
    case: tuple[int, int, int], texts: int
) -> None:
    labels, probabilities = make_case(*case)
    keys = np.random.default_rng(case[2]).integers(0, texts, len(labels)).astype(np.uint64)
    adjusted = adjust_for_duplicates(probabilities, labels, keys)
    assert adjusted.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    one_hot = np.eye(case[1], dtype=np.int32)[labels]
    assert (adjust_for_duplicates(probabilities, csr_array(one_hot), keys) == adjusted).all()
    for row, key in enumerate(keys):
        twins = [other for other in np.flatnonzero(keys == key) if other != row]
        expected = (probabilities[row] + one_hot[twins].sum(axis=0)) / (len(twins) + 1)
        assert adjusted[row] == pytest.approx(expected, abs=1e-6)


def test_a_text_with_two_labels_is_suspect_whatever_the_network_predicts() -> None:
    probabilities = np.array([[0.6, 0.4]] * 3 + [[0.9, 0.1]], np.float32)
    labels, keys = np.array([0, 0, 1, 0], np.int32), np.array([5, 5, 5, 6], np.uint64)
    ranked = rank_suspects(labels, adjust_for_duplicates(probabilities, labels, keys))
    assert ranked.rows.tolist() == [2]
    assert ranked.predicted_probability == pytest.approx([2.6 / 3])
