"""Label noise: laws of the ranking, and a simulated noise that is recovered."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.audit.confident_learning import confident_joint, rank, rank_several, with_equal_texts

CASES = st.tuples(st.integers(1, 60), st.integers(2, 5), st.integers(0, 99))


def made(rows: int, labels: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Given labels, some of which no row may have, and probabilities."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(labels), rows).astype(np.float32)
    return rng.integers(0, labels, rows).astype(np.int32), shares


@given(case=CASES)
def test_suspects_are_the_rows_with_a_likelier_label_least_sure_first(
    case: tuple[int, int, int],
) -> None:
    labels, shares = made(*case)
    ranked = rank(labels, shares)
    own = shares[np.arange(len(labels)), labels]
    assert set(ranked.rows.tolist()) == set(np.flatnonzero(shares.max(axis=1) > own).tolist())
    assert (np.diff(ranked.probability_given) >= 0).all()
    assert (ranked.probability_likely > ranked.probability_given).all()
    assert (ranked.given == labels[ranked.rows]).all()
    assert (ranked.likely == shares[ranked.rows].argmax(axis=1)).all()


@given(case=CASES)
def test_the_joint_keeps_the_rows_of_each_given_label(case: tuple[int, int, int]) -> None:
    labels, shares = made(*case)
    joint = confident_joint(labels, shares)
    assert (joint >= 0).all()
    assert joint.sum(axis=1) == pytest.approx(np.bincount(labels, minlength=case[1]))


@given(case=CASES)
def test_the_order_of_rows_changes_no_estimate(case: tuple[int, int, int]) -> None:
    labels, shares = made(*case)
    order = np.random.default_rng(case[2]).permutation(len(labels))
    joint = confident_joint(labels[order], shares[order])
    assert joint == pytest.approx(confident_joint(labels, shares))


def test_a_known_noise_is_recovered() -> None:
    rng = np.random.default_rng(7)
    meant = rng.integers(0, 3, 30_000)
    noise = np.array([[0.9, 0.1, 0.0], [0.0, 0.8, 0.2], [0.05, 0.0, 0.95]])  # [meant][given]
    drawn = rng.random(len(meant))[:, None]
    labels = (drawn > noise.cumsum(axis=1)[meant]).sum(axis=1).astype(np.int32)
    shares = np.full((len(meant), 3), 0.03, np.float32)
    shares[np.arange(len(meant)), meant] = 0.94
    expected = np.zeros((3, 3))
    np.add.at(expected, (labels, meant), 1)
    assert confident_joint(labels, shares) == pytest.approx(expected)
    ranked = rank(labels, shares)
    assert set(ranked.rows.tolist()) == set(np.flatnonzero(labels != meant).tolist())
    assert (ranked.likely == meant[ranked.rows]).all()


def test_an_unsure_network_is_measured_by_its_own_mean() -> None:
    """Label 1 is never given more than 0.45, and yet rows count for it (section 3.1)."""
    shares = np.array([[0.9, 0.1]] * 6 + [[0.55, 0.45]] * 4, np.float32)
    labels = np.array([0] * 6 + [1] * 3 + [0], np.int32)
    assert confident_joint(labels, shares).tolist() == [[6, 1], [0, 3]]


def test_for_a_label_that_no_row_carries_none_counts() -> None:
    shares = np.array([[0.2, 0.8], [0.6, 0.4]], np.float32)
    assert confident_joint(np.array([0, 0], np.int32), shares).tolist() == [[2, 0], [0, 0]]


@given(case=CASES)
def test_of_several_labels_the_most_suspect_counts(case: tuple[int, int, int]) -> None:
    rows, labels, seed = case
    rng = np.random.default_rng(seed)
    shares = rng.random((rows, labels)).astype(np.float32)
    flags = rng.integers(0, 2, (rows, labels)).astype(np.int32)
    ranked = rank_several(flags, shares)
    own = np.where(flags == 1, shares, 1 - shares)
    least = own.min(axis=1)
    assert set(ranked.rows.tolist()) == set(np.flatnonzero(least < 1 - least).tolist())
    assert ranked.label is not None
    assert ranked.probability_given == pytest.approx(own[ranked.rows, ranked.label])
    assert (ranked.given == flags[ranked.rows, ranked.label]).all()
    assert (ranked.given + ranked.likely == 1).all()
    assert (np.diff(ranked.probability_given) >= 0).all()


@given(case=CASES, texts=st.integers(1, 90))
def test_equal_texts_vote_and_single_ones_stay(case: tuple[int, int, int], texts: int) -> None:
    labels, shares = made(*case)
    keys = np.random.default_rng(case[2]).integers(0, texts, len(labels)).astype(np.uint64)
    voted = with_equal_texts(shares, labels, keys)
    assert voted.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    one_hot = np.eye(case[1], dtype=np.int32)[labels]
    assert (with_equal_texts(shares, one_hot, keys) == voted).all()
    for row, key in enumerate(keys):
        twins = [other for other in np.flatnonzero(keys == key) if other != row]
        expected = (shares[row] + one_hot[twins].sum(axis=0)) / (len(twins) + 1)
        assert voted[row] == pytest.approx(expected, abs=1e-6)


def test_a_text_under_two_labels_is_suspect_whatever_the_network_says() -> None:
    shares = np.array([[0.6, 0.4]] * 3 + [[0.9, 0.1]], np.float32)
    labels, keys = np.array([0, 0, 1, 0], np.int32), np.array([5, 5, 5, 6], np.uint64)
    ranked = rank(labels, with_equal_texts(shares, labels, keys))
    assert ranked.rows.tolist() == [2]
    assert ranked.probability_likely == pytest.approx([2.6 / 3])
