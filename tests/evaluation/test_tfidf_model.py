"""The TF-IDF model: probabilities of a selection are those of all, and many labels fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix

from embedclf.data.labels import Labels
from embedclf.evaluation.tfidf_model import TfidfModel, TfidfProbabilities


def fitted(task: Any) -> tuple[TfidfModel, Any]:
    """Labels that the first terms decide; the last term never occurs."""
    rng = np.random.default_rng(5)
    counts = rng.integers(0, 2, (60, 9)).astype(np.float32)
    counts[:, 8] = 0
    labels = Labels(task, ("a", "b", "c"), (1, 1, 1))
    targets: Any = counts[:, :3].argmax(axis=1).astype(np.int32)
    if task == "multilabel":
        targets = csr_array(counts[:, :3].astype(np.int32))
    return TfidfModel.fit(labels, csr_matrix(counts), targets, None, seed=0), csr_matrix(counts)


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_a_selection_has_the_probabilities_of_all(task: str) -> None:
    model, counts = fitted(task)
    dense = np.asarray(model.predict_proba(counts))
    assert dense.shape == (60, 3)
    lazy = TfidfProbabilities(model, model.transformer.transform(counts)[:, model.terms])
    mask = np.arange(60) % 2 == 0
    for index in (slice(5, 9), mask, (slice(None), slice(1, 3))):
        assert np.asarray(lazy[index]) == pytest.approx(dense[index])
        assert lazy[index].shape == dense[index].shape


def test_terms_that_do_not_occur_get_no_coefficients() -> None:
    model, _ = fitted("multiclass")
    assert model.terms.tolist() == list(range(8))
