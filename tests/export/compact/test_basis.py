"""Another basis is the same network."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from embedclf.export.compact.basis import to_output_basis
from embedclf.model.weights import Weights
from tests.model.test_pooling import draw_ids

ROWS, LENGTH = 12, 5


@given(
    pooling=st.sampled_from(["flatten", "average", "sqrt", "max"]),
    hidden=st.lists(st.integers(1, 5), max_size=2),
    outputs=st.integers(1, 6),
    kept_dim=st.integers(0, 3),
    exclusive=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_the_logits_are_the_same(
    pooling: str, hidden: list[int], outputs: int, kept_dim: int, exclusive: bool, seed: int
) -> None:
    random = np.random.default_rng(seed)
    width = 4 + kept_dim
    outputs = max(2, outputs) if exclusive else outputs
    sizes = [width * (LENGTH if pooling == "flatten" else 1), *hidden, outputs]
    dense = tuple(
        (random.normal(size=shape).astype("f4"), random.normal(size=shape[1]).astype("f4"))
        for shape in pairwise(sizes)
    )
    kept = random.normal(size=(ROWS, kept_dim)).astype("f4") if kept_dim else None
    trained = random.normal(size=(ROWS, 4)).astype("f4")
    weights = Weights.from_layers(pooling, trained, dense, kept=kept)
    counts = random.integers(1, 9, ROWS).astype(np.float64)
    rows, layers = to_output_basis(weights, counts, exclusive=exclusive)
    ids = draw_ids(seed, 9, vocabulary_rows=ROWS, longest=LENGTH)
    logits, again = weights.logits(ids), Weights.from_layers(pooling, rows, layers).logits(ids)
    if exclusive:
        logits, again = (each - each.mean(axis=1, keepdims=True) for each in (logits, again))
    assert np.abs(logits - again).max() < 1e-3
    if pooling in {"average", "sqrt"}:
        assert rows.shape[1] <= min(width, sizes[1])
        kernel = layers[0][0]  # an error of any number changes the units by as much
        assert np.allclose(kernel @ kernel.T, np.eye(len(kernel)), atol=1e-3)
        assert np.all(np.diff((rows**2 * counts[:, None]).sum(axis=0)) <= 1e-2)


def test_a_network_that_has_learned_nothing_is_no_exception() -> None:
    nothing = (np.zeros((4, 1), np.float32), np.zeros(1, np.float32))
    weights = Weights.from_layers("average", np.ones((ROWS, 4), np.float32), (nothing,))
    rows, layers = to_output_basis(weights, np.ones(ROWS), exclusive=False)
    assert np.isfinite(rows).all()
    assert np.isfinite(layers[0][0]).all()
