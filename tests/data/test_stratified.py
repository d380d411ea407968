"""Splits and folds: complete, reproducible, stratified, and never through a group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.data.stratified import stratified_folds, stratified_split

if TYPE_CHECKING:
    from embedclf.text.fingerprints import Fingerprints

ROWS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), min_size=1, max_size=200)
"""The group and the stratum of each row."""


def fingerprints(groups: list[Any]) -> Fingerprints:
    """Number groups as widely as texts are."""
    numbers = np.unique([str(group) for group in groups], return_inverse=True)[1]
    return numbers.astype(np.uint64) << np.uint64(50)


@given(rows=ROWS, fraction=st.floats(0.01, 0.99), seed=st.integers(0, 9))
def test_a_split_is_complete_reproducible_and_keeps_groups_together(
    rows: list[tuple[int, int]], fraction: float, seed: int
) -> None:
    groups = np.array([group for group, _ in rows])
    strata = np.array([stratum for _, stratum in rows])
    numbers = fingerprints(groups.tolist())
    held_out = stratified_split(numbers, strata, fraction=fraction, seed=seed)
    assert held_out.shape == (len(rows),)
    again = stratified_split(fingerprints(groups.tolist()), strata, fraction=fraction, seed=seed)
    assert (held_out == again).all()
    assert not set(groups[held_out]) & set(groups[~held_out])


@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    fraction=st.one_of(st.floats(0.01, 0.9), st.sampled_from([0.1, 0.2, 0.25, 0.5])),
    seed=st.integers(0, 9),
)
def test_a_split_of_distinct_texts_holds_out_the_fraction_of_each_stratum(
    sizes: list[int], fraction: float, seed: int
) -> None:
    strata = np.repeat(np.arange(len(sizes)), sizes)
    numbers = fingerprints([*range(len(strata))])
    mask = stratified_split(numbers, strata, fraction=fraction, seed=seed)
    held_out = np.bincount(strata, mask)
    assert (held_out < np.array(sizes)).all()
    assert (np.abs(held_out - fraction * np.array(sizes)) <= 1 + 1e-9).all()
    if min(sizes) * (1 - fraction) >= 2:
        assert abs(held_out.sum() - fraction * len(strata)) <= 0.5 + 1e-9


@pytest.mark.parametrize(("strata", "rows"), [(10, 2), (2, 4), (100, 4)])
def test_half_of_small_strata_is_half(strata: int, rows: int) -> None:
    labels = np.repeat(np.arange(strata), rows)
    mask = stratified_split(fingerprints([*range(len(labels))]), labels, fraction=0.5, seed=1)
    assert (np.bincount(labels, mask) == rows / 2).all()


@pytest.mark.parametrize(("equal", "distinct"), [(900, 100), (300, 700), (20, 980), (0, 1000)])
def test_the_fraction_is_one_of_rows_however_large_the_groups(equal: int, distinct: int) -> None:
    numbers = fingerprints([*["equal"] * equal, *range(distinct)])
    for seed in range(10):
        mask = stratified_split(numbers, np.zeros(1000, np.int64), fraction=0.1, seed=seed)
        assert mask.sum() == 100


def test_small_groups_are_held_out_as_often_as_single_rows() -> None:
    groups = [*range(400), *np.repeat(np.arange(400, 500), 6)]
    zeros = np.zeros(len(groups), np.int64)
    masks = [
        stratified_split(fingerprints(groups), zeros, fraction=0.1, seed=seed) for seed in range(50)
    ]
    assert np.mean([mask[:400] for mask in masks]) == pytest.approx(0.1, abs=0.02)
    assert np.mean([mask[400:] for mask in masks]) == pytest.approx(0.1, abs=0.02)


def test_a_label_of_a_single_row_stays_in_training_even_if_its_text_has_another_label() -> None:
    groups = [*range(40), 3]
    strata = np.array([0] * 20 + [2] * 20 + [1])
    for seed in range(60):
        assert not stratified_split(fingerprints(groups), strata, fraction=0.1, seed=seed)[-1]


def test_another_seed_gives_another_split_of_the_same_size() -> None:
    numbers, zeros = fingerprints([*range(100)]), np.zeros(100, np.int64)
    first, second = (stratified_split(numbers, zeros, fraction=0.3, seed=seed) for seed in (1, 2))
    assert (first != second).any()
    assert first.sum() == second.sum() == 30


@given(rows=ROWS, count=st.integers(2, 7), seed=st.integers(0, 9))
def test_folds_are_complete_reproducible_and_keep_groups_together(
    rows: list[tuple[int, int]], count: int, seed: int
) -> None:
    groups = fingerprints([group for group, _ in rows])
    strata = np.array([stratum for _, stratum in rows])
    folds = stratified_folds(groups, strata, count=count, seed=seed)
    assert folds.shape == (len(rows),)
    assert set(folds.tolist()) <= set(range(count))
    assert (folds == stratified_folds(groups, strata, count=count, seed=seed)).all()
    for group in np.unique(groups):
        assert len(set(folds[groups == group].tolist())) == 1


@given(
    sizes=st.lists(st.integers(20, 60), min_size=1, max_size=4),
    count=st.integers(2, 6),
    seed=st.integers(0, 9),
)
def test_folds_of_distinct_texts_divide_each_stratum(
    sizes: list[int], count: int, seed: int
) -> None:
    strata = np.repeat(np.arange(len(sizes)), sizes)
    folds = stratified_folds(fingerprints([*range(len(strata))]), strata, count=count, seed=seed)
    for stratum, size in enumerate(sizes):
        rows = np.bincount(folds[strata == stratum], minlength=count)
        assert (np.abs(rows - size / count) <= 2).all()
    assert np.ptp(np.bincount(folds, minlength=count)) <= 1


def test_a_table_that_is_sorted_in_several_ranges_is_split_as_in_one() -> None:
    rng = np.random.default_rng(5)
    groups = rng.integers(0, 1 << 20, 1_200_000).astype(np.uint64)
    strata = rng.integers(0, 3, len(groups))
    # Small numbers are all in the first range, large ones of the same order in all of them.
    in_one = stratified_split(groups, strata, fraction=0.001, seed=1)
    in_several = stratified_split(groups << np.uint64(44), strata, fraction=0.001, seed=1)
    assert in_one.any()
    assert (in_one == in_several).all()


def test_no_rows_have_an_empty_split() -> None:
    none = np.zeros(0, np.int64)
    assert stratified_split(none.astype(np.uint64), none, fraction=0.5, seed=0).tolist() == []
