"""How rows are weighted in the loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from embedclf.data.labels import Labels
from embedclf.training.steps.losses import (
    CellWeights,
    class_factors,
    count_label_rows,
    label_factors,
)

COUNTS = st.lists(st.integers(1, 40), min_size=2, max_size=6)


@given(COUNTS)
def test_balanced_weights_give_every_class_the_same_total(counts: list[int]) -> None:
    targets = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    task: Any = "binary" if len(counts) == 2 else "multiclass"
    labels = Labels(task, tuple(map(str, range(len(counts)))), tuple(counts))
    weights = class_factors(count_label_rows(targets, labels), labels, "balanced")[targets]
    totals = np.bincount(targets, weights)
    assert totals == pytest.approx(np.full(len(counts), len(targets) / len(counts)), rel=1e-5)


@given(st.lists(st.tuples(*[st.integers(0, 1)] * 3), min_size=1, max_size=50))
def test_balanced_weights_of_several_labels_balance_both_sides_of_each(
    rows: list[tuple[int, ...]],
) -> None:
    targets = np.array(rows, np.int32)
    labels = Labels("multilabel", ("a", "b", "c"), tuple(targets.sum(axis=0).tolist()))
    factors = label_factors(count_label_rows(csr_array(targets), labels), labels, "balanced")
    weights = CellWeights(np.ones((len(rows), 1), np.float32), *factors).block(
        np.arange(len(rows)), targets
    )
    for column in range(3):
        present = targets[:, column] == 1
        for side in (present, ~present):
            if side.any():
                total = weights[side, column].sum()
                assert total == pytest.approx(len(rows) / 2, rel=1e-5)


def test_class_weights_of_several_labels_count_only_where_the_label_is_present() -> None:
    labels = Labels("multilabel", ("a", "b"), (1, 1))
    targets = np.array([[1, 0], [0, 1]], np.int32)
    factors = label_factors(count_label_rows(csr_array(targets), labels), labels, {"b": 3.0})
    weights = CellWeights(np.ones((2, 1), np.float32), *factors)
    assert weights.block(np.arange(2), targets).tolist() == [[1, 1], [1, 3]]
