"""Splits and folds of groups: no group is divided, and fractions are as close as groups allow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.data.grouped import grouped_folds, grouped_split

ROWS = st.lists(st.tuples(st.integers(0, 25), st.integers(0, 3)), min_size=1, max_size=200)
"""The group and the stratum of each row."""


def columns(rows: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """The groups (n,) and the strata (n,)."""
    return np.array([group for group, _ in rows]), np.array([stratum for _, stratum in rows])


@given(rows=ROWS, fraction=st.floats(0.01, 0.99), seed=st.integers(0, 9))
def test_a_split_never_divides_a_group_and_is_reproducible(
    rows: list[tuple[int, int]], fraction: float, seed: int
) -> None:
    groups, strata = columns(rows)
    held_out = grouped_split(groups, strata, fraction=fraction, seed=seed)
    assert not set(groups[held_out]) & set(groups[~held_out])
    assert (held_out == grouped_split(groups, strata, fraction=fraction, seed=seed)).all()
    assert held_out.any() == (len(set(groups)) > 1)


@given(
    sizes=st.lists(st.integers(1, 30), min_size=2, max_size=30),
    labels=st.integers(1, 3),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 9),
)
def test_a_split_misses_the_fraction_by_the_rows_of_one_group_at_most(
    sizes: list[int], labels: int, fraction: float, seed: int
) -> None:
    # Each group has all labels, so that keeping labels in training is no constraint.
    groups = np.repeat(np.arange(len(sizes)), np.array(sizes) * labels)
    strata = np.arange(len(groups)) % labels
    held_out = grouped_split(groups, strata, fraction=fraction, seed=seed)
    assert abs(held_out.sum() - fraction * len(groups)) <= max(sizes) * labels


@given(rows=ROWS, fraction=st.floats(0.01, 0.99), seed=st.integers(0, 9))
def test_a_label_keeps_training_rows_if_any_group_can_be_held_out_without_it(
    rows: list[tuple[int, int]], fraction: float, seed: int
) -> None:
    groups, strata = columns(rows)
    held_out = grouped_split(groups, strata, fraction=fraction, seed=seed)
    can_be_held_out = any(
        set(strata[groups == group]) <= set(strata[groups != group]) for group in set(groups)
    )
    if can_be_held_out:
        assert set(strata[held_out]) <= set(strata[~held_out])


def test_labels_are_held_out_at_their_own_rate() -> None:
    rng = np.random.default_rng(7)
    groups = rng.integers(0, 400, 4000)
    strata = (rng.random(4000) < 0.2).astype(np.int64) + 2 * (rng.random(4000) < 0.05)
    for seed in range(5):
        held_out = grouped_split(groups, strata, fraction=0.1, seed=seed)
        assert held_out.mean() == pytest.approx(0.1, abs=0.002)
        assert np.bincount(strata, held_out) == pytest.approx(0.1 * np.bincount(strata), abs=5)


@pytest.mark.parametrize(
    ("sizes", "fraction", "held_out"),
    [
        ([10, 10, 10], 0.1, {10}),  # too large for the fraction, but something must validate
        ([100, 50], 0.1, {50}),
        ([10, 10, 1000], 0.1, {20}),  # the giant group stays in training
        ([1] * 40, 0.25, {10}),  # each row is a group
        ([1000, 1], 0.1, {1}),
    ],
)
def test_few_or_uneven_groups_can_be_split(
    sizes: list[int], fraction: float, held_out: set[int]
) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    strata = np.arange(len(groups)) % 2
    counts = {
        int(grouped_split(groups, strata, fraction=fraction, seed=seed).sum()) for seed in range(9)
    }
    assert counts == held_out


def test_small_and_large_groups_are_held_out_alike_and_by_seed() -> None:
    groups = np.repeat(np.arange(60), [2, 8] * 30)
    strata = np.zeros(len(groups), np.int64)
    masks = [grouped_split(groups, strata, fraction=0.2, seed=seed) for seed in range(60)]
    rates = np.mean(masks, axis=0)
    large = np.bincount(groups)[groups] == 8
    assert rates[large].mean() == pytest.approx(0.2, abs=0.03)
    assert rates[~large].mean() == pytest.approx(0.2, abs=0.06)
    assert rates.max() < 0.5


@given(rows=ROWS, count=st.integers(2, 7), seed=st.integers(0, 9))
def test_folds_never_divide_a_group_and_none_is_empty_with_enough_groups(
    rows: list[tuple[int, int]], count: int, seed: int
) -> None:
    groups, strata = columns(rows)
    folds = grouped_folds(groups, strata, count=count, seed=seed)
    assert (folds == grouped_folds(groups, strata, count=count, seed=seed)).all()
    assert folds.shape == groups.shape
    for group in set(groups):
        assert len(set(folds[groups == group])) == 1
    assert len(set(folds)) == min(count, len(set(groups)))


def test_folds_divide_rows_and_labels_equally() -> None:
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 100, 1000)
    strata = groups % 3  # a label per group
    folds = grouped_folds(groups, strata, count=5, seed=1)
    assert np.bincount(folds) == pytest.approx(200, abs=12)
    for stratum in range(3):
        of_stratum = np.bincount(folds[strata == stratum], minlength=5)
        assert of_stratum == pytest.approx(of_stratum.mean(), abs=12)
