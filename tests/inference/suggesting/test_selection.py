"""How uncertain a network is, and which texts of a sample are chosen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedclf.data.labels import Labels
from embedclf.inference.suggesting.selection import choose_different, measure_uncertainty

SEVERAL = Labels("multiclass", ("a", "b", "c"), (1, 1, 1))


@pytest.mark.parametrize("measure", ["margin", "entropy"])
def test_uncertainty_is_1_where_labels_are_equally_probable_and_0_where_one_is_certain(
    measure: str,
) -> None:
    several = np.array([[1 / 3, 1 / 3, 1 / 3], [0.0, 1.0, 0.0]], np.float32)
    two = np.array([[0.5], [0.0], [1.0]], np.float32)
    any_number = np.array([[0.5, 0.5], [0.0, 1.0]], np.float32)
    binary, multilabel = (
        Labels("binary", ("a", "b"), (1, 1)),
        Labels("multilabel", ("a", "b"), (1, 1)),
    )
    for labels, probabilities in ((SEVERAL, several), (binary, two), (multilabel, any_number)):
        uncertainty = measure_uncertainty(labels, probabilities, measure)  # type: ignore[arg-type]
        assert uncertainty == pytest.approx([1.0] + [0.0] * (len(probabilities) - 1), abs=1e-6)


def test_margin_and_entropy_differ_in_what_they_see() -> None:
    # Two labels in question, or three with one ahead
    probabilities = np.array([[0.5, 0.5, 0.0], [0.5, 0.25, 0.25]], np.float32)
    margin = measure_uncertainty(SEVERAL, probabilities, "margin")
    entropy = measure_uncertainty(SEVERAL, probabilities, "entropy")
    assert margin == pytest.approx([1.0, 0.75])
    assert entropy == pytest.approx([np.log(2) / np.log(3), 1.5 * np.log(2) / np.log(3)])


def test_with_several_labels_a_row_is_as_uncertain_as_its_labels_on_average() -> None:
    labels = Labels("multilabel", ("a", "b"), (1, 1))
    probabilities = np.array([[0.5, 0.9]], np.float32)
    assert measure_uncertainty(labels, probabilities, "margin") == pytest.approx([0.6])


@given(st.integers(0, 9))
def test_one_text_of_each_cluster_is_chosen_and_the_largest_comes_first(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = (5, 40, 15)
    clusters = np.repeat(np.arange(3), sizes)
    directions = np.eye(3, dtype=np.float32)[clusters] + 0.01 * rng.random((60, 3), np.float32)
    order = rng.permutation(60)
    chosen = choose_different(directions[order], 3, seed=seed)
    assert clusters[order][chosen].tolist() == [1, 2, 0]


@settings(max_examples=30)
@given(st.integers(0, 20), st.integers(1, 4), st.data())
def test_as_many_different_texts_are_chosen_as_asked(
    rows: int, distinct: int, data: st.DataObject
) -> None:
    count = data.draw(st.integers(0, rows))
    directions = np.eye(4, dtype=np.float32)[np.arange(rows) % distinct]
    chosen = choose_different(directions, count, seed=0)
    assert len(set(chosen.tolist())) == count
    assert set(chosen.tolist()) <= set(range(rows))
