"""The TF-IDF model: scikit-learn's numbers, selections of probabilities, and many labels."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, csr_matrix
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression

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


@settings(max_examples=8)
@given(st.integers(0, 10_000), st.integers(2, 4), st.booleans())
def test_the_probabilities_are_scikit_learn_s(seed: int, label_count: int, weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    counts = csr_matrix(rng.poisson(0.3, (50, 30)).astype(np.float32))
    targets = np.arange(50, dtype=np.int32) % label_count
    weights = rng.random(50) + 0.1 if weighted else None
    labels = Labels(
        "binary" if label_count == 2 else "multiclass",
        tuple("abcd"[:label_count]),
        (1,) * label_count,
        (0.5,) if label_count == 2 else (),
    )
    model = TfidfModel.fit(labels, counts, targets, weights, seed=0)

    transformer = TfidfTransformer().fit(counts)
    if weights is not None:
        frequencies = weights @ (counts > 0)
        transformer.idf_ = np.log((1.0 + weights.sum()) / (1.0 + frequencies)) + 1.0
    features = transformer.transform(counts)
    peer = LogisticRegression(max_iter=200).fit(features, targets, sample_weight=weights)
    expected = peer.predict_proba(features)[:, -labels.outputs :]
    # Not 1e-2: the solver stops early, so it must take the same steps.
    assert np.asarray(model.predict_proba(counts)) == pytest.approx(expected, abs=2e-6)


def test_a_label_of_all_rows_is_always_predicted() -> None:
    counts = csr_matrix(np.eye(4, dtype=np.float32))
    targets = csr_array(np.array([[1, 0], [1, 1], [1, 0], [1, 1]], np.int32))
    labels = Labels("multilabel", ("always", "sometimes"), (4, 2), (0.5, 0.5))
    probabilities = np.asarray(
        TfidfModel.fit(labels, counts, targets, None, seed=0).predict_proba(counts)
    )
    assert probabilities[:, 0].tolist() == [1.0] * 4
    assert (probabilities[:, 1] > 0.5).tolist() == [False, True, False, True]


def test_few_texts_are_fitted_without_importing_scikit_learn() -> None:
    code = """
import sys
import numpy as np
from scipy.sparse import csr_matrix
from embedclf.data.labels import Labels
from embedclf.evaluation.tfidf_model import TfidfModel
counts = csr_matrix(np.eye(4, dtype=np.float32))
labels = Labels("multiclass", ("a", "b"), (2, 2))
TfidfModel.fit(labels, counts, np.array([0, 1, 0, 1]), None, seed=0).predict_proba(counts)
print([name for name in ("sklearn", "pandas", "tensorflow") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_a_selection_has_the_probabilities_of_all(task: str) -> None:
    model, counts = fitted(task)
    dense = np.asarray(model.predict_proba(counts))
    assert dense.shape == (60, 3)
    lazy = TfidfProbabilities(model, model.features(counts))
    mask = np.arange(60) % 2 == 0
    for index in (slice(5, 9), mask, (slice(None), slice(1, 3))):
        assert np.asarray(lazy[index]) == pytest.approx(dense[index])
        assert lazy[index].shape == dense[index].shape


def test_terms_that_do_not_occur_get_no_coefficients() -> None:
    model, _ = fitted("multiclass")
    assert model.terms.tolist() == list(range(8))
