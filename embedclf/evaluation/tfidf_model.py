"""A logistic regression on TF-IDF."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.system.progress import counted
from embedclf.system.threads import single_threaded_blas

if TYPE_CHECKING:
    from collections.abc import Iterable

    from embedclf.data.labels import Labels, Probabilities, Targets
    from embedclf.model.probabilities import AnyProbabilities
    from embedclf.system.arrays import Doubles, Rows

TermCounts = Any
"""A sparse SciPy matrix (n, terms) with the counts of each term in each text."""

_MAX_EXACT_CELLS = 5_000_000
"""Limit of the exact solver: distinct tokens per text, summed over texts, times outputs."""

_MAX_COEFFICIENTS = 50_000_000
"""Terms times outputs: 200 to 400 MB."""

_MAX_PROBABILITIES = 1 << 24
"""Rows times outputs that are computed at once: 64 MiB."""

_MAX_ITERATIONS = 200

EPOCHS = 5
"""Epochs of stochastic gradient descent."""


@dataclass(frozen=True)
class TfidfModel:
    """TF-IDF with one logistic regression, or one per label in a multi-label task."""

    labels: Labels
    transformer: Any
    terms: Rows
    """(used,) columns of the terms that the regressions use."""
    regressions: list[Any]
    exact: bool

    @classmethod
    def fit(
        cls,
        labels: Labels,
        counts: TermCounts,
        targets: Targets,
        weights: Doubles | None,
        *,
        seed: int,
    ) -> TfidfModel:
        """Fit to the term counts and targets of rows.

        Args:
            labels: At least those of the targets.
            counts: (n, terms)
            targets: Of these rows.
            weights: (n,) of the rows, with a mean of 1; None if each counts for one.
            seed: Of stochastic gradient descent.
        """
        transformer = _fit_transformer(counts, weights)
        terms = _used_terms(counts, labels.outputs)
        features = transformer.transform(counts)[:, terms]
        exact = counts.nnz * labels.outputs <= _MAX_EXACT_CELLS
        regression = _new_regression(counts.shape[0], seed, exact=exact)
        columns: Iterable[Targets] = [targets]
        if labels.task == "multilabel":
            by_label = targets.tocsc()
            columns = (by_label[:, [label]].toarray()[:, 0] for label in range(labels.outputs))
        total = len(labels.names) if labels.task == "multilabel" else 1
        named = counted(columns, "fitting TF-IDF regressions", total=total, unit="labels")
        fitted = [_fit_regression(regression, features, column, weights) for column in named]
        return cls(labels, transformer, terms, fitted, exact)

    def predict_proba(self, counts: TermCounts) -> AnyProbabilities:
        """Predict the probabilities (n, outputs) of texts; of very many, when they are used."""
        features = self.transformer.transform(counts)[:, self.terms]
        probabilities = TfidfProbabilities(self, features)
        is_large = math.prod(probabilities.shape) > _MAX_PROBABILITIES
        return probabilities if is_large else np.asarray(probabilities)


@dataclass(frozen=True)
class TfidfProbabilities:
    """Probabilities (n, outputs) of texts, computed when they are used."""

    model: TfidfModel
    features: Any
    """(n, used) sparse TF-IDF."""
    outputs: slice = field(default_factory=lambda: slice(None))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and outputs."""
        return self.features.shape[0], len(range(self.model.labels.outputs)[self.outputs])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> TfidfProbabilities:
        """Select rows, or rows and a range of outputs, as in an array."""
        rows, outputs = index if isinstance(index, tuple) else (index, self.outputs)
        return TfidfProbabilities(self.model, self.features[rows], outputs)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Probabilities:
        labels, regressions = self.model.labels, self.model.regressions
        if labels.task == "multilabel":
            chosen = regressions[self.outputs]
            # The classes are 0 and 1, or only one of them: this is the probability of 1.
            columns = [each.predict_proba(self.features) @ each.classes_ for each in chosen]
            return np.stack(columns, axis=1).astype(dtype or np.float32)
        (regression,) = regressions
        # (n, labels), also in a binary task; a label without training rows keeps 0.
        probabilities = np.zeros((len(self), len(labels.names)), np.float32)
        probabilities[:, regression.classes_] = regression.predict_proba(self.features)
        # In a binary task, the second label.
        return probabilities[:, -labels.outputs :][:, self.outputs].astype(dtype or np.float32)


def _used_terms(counts: TermCounts, outputs: int) -> Rows:
    """Return the columns of the terms that occur; with very many outputs, the most frequent."""
    texts = np.bincount(counts.indices, minlength=counts.shape[1])
    ranked = np.argsort(-texts, kind="stable")[: np.count_nonzero(texts)]
    return np.sort(ranked[: max(1, _MAX_COEFFICIENTS // outputs)])


def _fit_transformer(counts: TermCounts, weights: Doubles | None) -> Any:
    """Fit a TF-IDF transformer; document frequencies count each row by its weight."""
    from sklearn.feature_extraction.text import TfidfTransformer

    transformer = TfidfTransformer().fit(counts)
    if weights is not None:
        frequencies = weights @ (counts > 0)  # (terms,)
        # scikit-learn's smooth idf: as if one more text contained each term once.
        transformer.idf_ = np.log((1.0 + weights.sum()) / (1.0 + frequencies)) + 1.0
    return transformer


def _new_regression(rows: int, seed: int, *, exact: bool) -> Any:
    """An unfitted regression; both solvers minimize the same loss with the same L2 penalty."""
    from sklearn.linear_model import LogisticRegression, SGDClassifier

    if exact:
        return LogisticRegression(max_iter=_MAX_ITERATIONS)
    return SGDClassifier(
        loss="log_loss",
        # SGDClassifier averages the loss over rows, LogisticRegression sums it (C = 1).
        alpha=1.0 / rows,
        max_iter=EPOCHS,
        tol=None,  # never stops before `max_iter`
        n_jobs=-1,
        random_state=seed,
    )


def _fit_regression(
    regression: Any, features: Any, targets: Targets, weights: Doubles | None
) -> Any:
    from sklearn import clone
    from sklearn.dummy import DummyClassifier
    from sklearn.exceptions import ConvergenceWarning

    if len(np.unique(targets)) == 1:  # logistic regression needs two classes
        return DummyClassifier().fit(features, targets)
    with warnings.catch_warnings(), single_threaded_blas():
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Of many labels with few rows each, scikit-learn asks whether they are numbers.
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        # A clone, because `fit` returns the estimator itself, which labels would share.
        return clone(regression).fit(features, targets, sample_weight=weights)
