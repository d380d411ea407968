"""Nested halves of training rows: stratified, whole groups, never too few rows."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.config.loading import load_config
from embedclf.data.split_units import SplitUnits
from embedclf.training.folds.row_subsets import MIN_ROWS, SIZES, nest_subsets

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.config.schema import Config


@pytest.fixture(scope="module")
def config(project: Path) -> Config:
    return load_config(project / "binary.yaml")


def units(rows: int, *, labels: int = 2, groups: int | None = None) -> SplitUnits:
    numbers = np.arange(rows)
    return SplitUnits(
        (numbers.astype(np.uint64) << np.uint64(40)),
        numbers % labels,
        None if groups is None else numbers % groups,
        None,
    )


@given(rows=st.integers(2, 700), labels=st.integers(2, 5), seed=st.integers(0, 5))
def test_subsets_are_nested_halves_with_all_labels(
    config: Config, rows: int, labels: int, seed: int
) -> None:
    table = units(rows, labels=labels)
    seeded = config.model_copy(update={"seed": seed})
    subsets = nest_subsets(table, np.ones(rows, np.bool_), seeded)
    assert len(subsets) <= SIZES
    for larger, smaller in itertools.pairwise(subsets):
        assert not (smaller & ~larger).any()
        assert smaller.sum() == pytest.approx(larger.sum() / 2, abs=1)
        assert len(np.unique(table.strata[smaller])) == labels
        assert smaller.sum() >= MIN_ROWS


def test_only_rows_to_train_on_are_chosen_and_groups_stay_whole(config: Config) -> None:
    table = units(320, groups=20)
    assert table.groups is not None
    rows = table.groups != 3
    subsets = nest_subsets(table, rows, config)
    assert len(subsets) > 2
    for mask in subsets:
        assert not (mask & ~rows).any()
        assert not set(table.groups[mask]) & set(table.groups[rows & ~mask])


@pytest.mark.parametrize(("rows", "sizes"), [(19, 0), (39, 1), (40, 2), (80, 3), (160, 4)])
def test_few_rows_make_fewer_sizes(config: Config, rows: int, sizes: int) -> None:
    assert len(nest_subsets(units(rows), np.ones(rows, np.bool_), config)) == sizes


def test_a_typical_label_has_four_rows_or_more(config: Config) -> None:
    rows = 200
    assert len(nest_subsets(units(rows, labels=40), np.ones(rows, np.bool_), config)) == 1
    assert len(nest_subsets(units(rows, labels=67), np.ones(rows, np.bool_), config)) == 0


def test_one_group_cannot_be_halved(config: Config) -> None:
    assert not nest_subsets(units(100, groups=1), np.ones(100, np.bool_), config)
