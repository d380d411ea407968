"""Probabilities computed block by block are those computed at once."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from embedclf.data.labels import Labels
from embedclf.model.classifier import Calibration, Classifier
from embedclf.model.probabilities import (
    LazyLogits,
    LazyProbabilities,
    column_blocks,
    concatenate,
    outcome_columns,
    row_blocks,
)
from embedclf.model.weights import Weights
from tests.model.test_pooling import draw_ids

if TYPE_CHECKING:
    from embedclf.runs.run import Run

TASKS = ["multiclass", "multilabel"]


def lazy_logits(rows: int, outputs: int, seed: int = 0) -> LazyLogits:
    rng = np.random.default_rng(seed)
    features, kernel, bias = (
        rng.normal(size=shape).astype(np.float32) for shape in ((rows, 4), (4, outputs), (outputs,))
    )
    return LazyLogits(features, kernel, bias)


def curves(outputs: int) -> Calibration:
    """A different curve for each output."""
    observed = tuple(np.array([0.05, 0.3 + 0.6 * k / outputs]) for k in range(outputs))
    return Calibration((np.array([0.1, 0.8]),) * outputs, observed)


def both(runs: dict[str, Run], task: Any, *, calibrated: bool) -> tuple[Any, Any]:
    """The probabilities of the same logits, lazy and at once."""
    logits = lazy_logits(30, 7)
    names = tuple("abcdefg")
    run = runs[task].classifier()
    classifier = Classifier(
        run.tokenizer,
        Labels(task, names, (1,) * 7),
        run.weights,
        curves(7) if calibrated else None,
    )
    lazy, dense = (classifier.probabilities(each) for each in (logits, np.array(logits)))
    return classifier.calibrate(lazy), classifier.calibrate(dense)


@pytest.mark.parametrize("calibrated", [False, True])
@pytest.mark.parametrize("task", TASKS)
def test_lazy_probabilities_are_those_computed_at_once(
    runs: dict[str, Run], task: str, *, calibrated: bool
) -> None:
    lazy, dense = both(runs, task, calibrated=calibrated)
    assert isinstance(lazy, LazyProbabilities)
    assert lazy.shape == dense.shape == (30, 7)
    assert np.asarray(lazy) == pytest.approx(dense, abs=1e-6)
    mask = np.arange(30) % 3 == 1
    for index in (slice(4, 9), mask, np.array([7, 2]), (slice(None), slice(2, 5))):
        assert np.asarray(lazy[index]) == pytest.approx(dense[index], abs=1e-6)
    parts = [lazy[:10], lazy[10:11], lazy[11:]]
    assert np.asarray(concatenate(parts)) == pytest.approx(dense, abs=1e-6)


@given(rows=st.integers(1, 10**7), columns=st.integers(1, 10**5))
def test_blocks_are_small_and_cover_a_matrix_once(rows: int, columns: int) -> None:
    blocks = [range(rows)[block] for block in itertools.islice(row_blocks((rows, columns)), 50)]
    assert blocks[0].start == 0
    assert all(one.stop == other.start for one, other in itertools.pairwise(blocks))
    assert all(len(block) == 1 or len(block) * columns <= 1 << 20 for block in blocks)
    if len(blocks) < 50:
        assert blocks[-1].stop == rows
    assert next(column_blocks((columns, rows))) == next(row_blocks((rows, columns)))


def test_outcomes_stand_next_to_the_probabilities_of_their_output() -> None:
    labels = Labels("multilabel", ("a", "b", "c"), (1, 1, 1))
    flags = np.random.default_rng(1).integers(0, 2, (20, 4))  # the last label is unknown
    logits = lazy_logits(20, 3)
    columns = list(outcome_columns(labels, csr_array(flags), logits))
    assert (np.stack([outcomes for outcomes, _ in columns], axis=1) == flags[:, :3]).all()
    assert np.stack([column for _, column in columns], axis=1) == pytest.approx(np.array(logits))


@pytest.mark.parametrize("hidden", [[], [5], [6, 5]])
@pytest.mark.parametrize("pooling", ["average", "sqrt", "max", "flatten"])
def test_many_outputs_are_computed_from_the_inputs_of_the_output_layer(
    pooling: str, hidden: list[int]
) -> None:
    rng = np.random.default_rng(2)
    widths = [4 * (6 if pooling == "flatten" else 1), *hidden, 300]
    dense = tuple(
        (rng.normal(size=(one, other)).astype(np.float32), np.ones(other, np.float32))
        for one, other in itertools.pairwise(widths)
    )
    embedding = rng.normal(size=(50, 4)).astype(np.float32)
    weights = Weights.from_layers(pooling, embedding, dense)
    ids = draw_ids(2, 40, vocabulary_rows=50, longest=6)
    lazy = weights.lazy_logits(ids)
    assert isinstance(lazy, LazyLogits)
    assert lazy.features.shape == (40, widths[-2])
    assert np.asarray(lazy) == pytest.approx(weights.logits(ids), rel=1e-4, abs=1e-4)
