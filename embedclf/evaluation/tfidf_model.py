"""A logistic regression on TF-IDF."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.system.memory.mapped_arrays import count_numbers
from embedclf.system.progress import counted
from embedclf.system.threads import single_threaded_blas

if TYPE_CHECKING:
    from collections.abc import Iterable

    from embedclf.data.labels import Labels, Probabilities, Targets
    from embedclf.model.probabilities import AnyProbabilities
    from embedclf.system.arrays import Doubles, Floats, Rows

TermCounts = Any
"""A sparse SciPy matrix (n, terms) with the counts of each term in each text."""

_MAX_EXACT_CELLS = 5_000_000
"""Limit of the exact solver: distinct tokens per text, summed over texts, times outputs."""

_MAX_COEFFICIENTS = 50_000_000
"""Terms times outputs: 200 to 400 MB."""

_MAX_PROBABILITIES = 1 << 24
"""Rows times outputs that are computed at once: 64 MiB."""

_ROWS_AT_ONCE = 1 << 10
"""Texts whose counts are scaled at once: a few megabytes."""

_MAX_ITERATIONS = 200

EPOCHS = 5
"""Epochs of stochastic gradient descent."""


@dataclass(frozen=True)
class TfidfModel:
    """TF-IDF with one logistic regression, or one per label in a multi-label task."""

    labels: Labels
    idf: Any
    """(terms,) inverse document frequencies."""
    terms: Rows
    """(used,) columns of the terms that the regressions use."""
    regressions: list[Any]
    """`classes_` and `predict_proba` as in scikit-learn."""
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
        idf, terms = _fit_idf(counts, weights), _used_terms(counts, labels.outputs)
        features = _select(_tfidf(counts, idf), terms)
        exact = needs_no_gradient_descent(counts.nnz, labels)
        columns: Iterable[Targets] = [targets]
        if labels.task == "multilabel":
            by_label = targets.tocsc()
            columns = (by_label[:, [label]].toarray()[:, 0] for label in range(labels.outputs))
        total = len(labels.names) if labels.task == "multilabel" else 1
        named = counted(columns, "fitting TF-IDF regressions", total=total, unit="labels")
        fitted = [
            fit_regression(features, column, weights)
            if exact or len(np.unique(column)) == 1
            else _descend_gradient(features, column, weights, seed)
            for column in named
        ]
        return cls(labels, idf, terms, fitted, exact)

    def features(self, counts: TermCounts) -> Any:
        """Return the sparse TF-IDF (n, used) of texts."""
        return _select(_tfidf(counts, self.idf), self.terms)

    def predict_proba(self, counts: TermCounts) -> AnyProbabilities:
        """Predict the probabilities (n, outputs) of texts; of very many, when they are used."""
        probabilities = TfidfProbabilities(self, self.features(counts))
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


@dataclass(frozen=True)
class LogisticRegression:
    """A fitted regression, as scikit-learn's class of this name with its defaults."""

    classes_: Rows
    coefficients: Floats
    """(used + 1, scores) of each term, and the intercepts; two classes share a score, and a single
    class has none."""

    def predict_proba(self, features: Any) -> Probabilities:
        """Predict the probabilities (n, classes)."""
        from scipy.special import expit, softmax

        scores = features @ self.coefficients[:-1] + self.coefficients[-1]  # (n, scores)
        if len(self.classes_) == 1:
            return np.ones((len(scores), 1), np.float32)
        probabilities: Probabilities = (
            softmax(scores, axis=1)
            if len(self.classes_) > 2
            else np.hstack([1.0 - (present := expit(scores)), present])
        )
        return probabilities


def needs_no_gradient_descent(terms: int, labels: Labels) -> bool:
    """Whether a regression is fitted exactly; `terms` are distinct per text, summed over texts."""
    return terms * labels.outputs <= _MAX_EXACT_CELLS


def fit_regression(features: Any, targets: Rows, weights: Doubles | None) -> LogisticRegression:
    """Fit a logistic regression to sparse features (n, used) as scikit-learn does.

    Importing scikit-learn takes 1.1 s, SciPy alone 0.35 s: more than to fit 5,000 short texts. The
    objective is rounded to float32 where scikit-learn rounds it, because its solver stops long
    before the optimum: rounded elsewhere, a probability differed by 0.02 after other steps.
    """
    from scipy.optimize import minimize

    classes, positions = np.unique(targets, return_inverse=True)
    scores = len(classes) if len(classes) > 2 else len(classes) - 1
    coefficients: Floats = np.zeros((features.shape[1] + 1, scores), np.float32)
    if scores:
        options = {
            "maxiter": _MAX_ITERATIONS,
            "maxls": 50,
            "gtol": 1e-4,
            "ftol": 64 * np.finfo(float).eps,
        }
        objective = _Objective(features, positions, scores, weights)
        start = coefficients.ravel()
        with single_threaded_blas():  # after the import, which loads SciPy's own BLAS
            found = minimize(objective, start, method="L-BFGS-B", jac=True, options=options)
        coefficients = found.x.reshape(-1, scores).astype(np.float32)
    return LogisticRegression(classes, coefficients)


class _Objective:
    """The mean log loss of a regression with its L2 penalty, and the gradient."""

    def __init__(self, features: Any, targets: Rows, scores: int, weights: Doubles | None) -> None:
        self._features, self._transposed = features, features.T
        self._targets, self._scores = targets, scores
        self._weights = None if weights is None else weights.astype(np.float32)
        self._total = len(targets) if self._weights is None else self._weights.sum()
        self._penalty = 1.0 / float(self._total)

    def __call__(self, flat: Floats) -> tuple[float, Floats]:
        coefficients = flat.reshape(-1, self._scores)  # (used + 1, scores)
        scores = self._features @ coefficients[:-1] + coefficients[-1]  # (n, scores)
        losses, slopes = self._binary(scores) if self._scores == 1 else self._multiclass(scores)
        slopes /= self._total
        penalized = flat[: -self._scores]
        loss = float(losses.sum() / self._total)
        loss += float(0.5 * self._penalty * (penalized @ penalized))
        gradient = np.empty_like(coefficients)
        gradient[:-1] = self._transposed @ slopes + self._penalty * coefficients[:-1]
        gradient[-1] = slopes.sum(axis=0)
        return loss, gradient.ravel()

    def _binary(self, scores: Floats) -> tuple[Floats, Floats]:
        """Return the loss (n,) and its slope (n, 1) by the score of the second class."""
        from scipy.special import expit

        signs = 1.0 - 2.0 * self._targets
        wrong = signs * scores[:, 0]  # the score of the other class
        losses, slopes = np.logaddexp(0.0, wrong), signs * expit(wrong)
        if self._weights is not None:
            losses, slopes = losses * self._weights, slopes * self._weights
        return losses.astype(np.float32), slopes.astype(np.float32)[:, None]

    def _multiclass(self, scores: Floats) -> tuple[Floats, Floats]:
        """Return the loss (n,) and its slopes (n, scores)."""
        rows, highest = np.arange(len(scores)), scores.max(axis=1)
        slopes = np.exp(np.subtract(scores, highest[:, None], dtype=np.float64)).astype(np.float32)
        totals = slopes.sum(axis=1, dtype=np.float64).astype(np.float32)
        losses = (np.log(totals, dtype=np.float64) + highest).astype(np.float32)
        losses -= scores[rows, self._targets]
        slopes /= totals[:, None]
        slopes[rows, self._targets] -= 1.0
        if self._weights is not None:
            losses, slopes = losses * self._weights, slopes * self._weights[:, None]
        return losses, slopes


def _used_terms(counts: TermCounts, outputs: int) -> Rows:
    """Return the columns of the terms that occur; with very many outputs, the most frequent."""
    texts = count_numbers(counts.indices, counts.shape[1])
    ranked = np.argsort(-texts, kind="stable")[: np.count_nonzero(texts)]
    return np.sort(ranked[: max(1, _MAX_COEFFICIENTS // outputs)])


def _fit_idf(counts: TermCounts, weights: Doubles | None) -> Any:
    """Return scikit-learn's smooth idf (terms,): as if one more text contained each term once."""
    if weights is not None:  # document frequencies count each row by its weight
        frequencies = weights @ (counts > 0)
        return np.log((1.0 + weights.sum()) / (1.0 + frequencies)) + 1.0
    texts = count_numbers(counts.indices, counts.shape[1]).astype(np.float32)
    return np.log(np.float32(counts.shape[0] + 1) / (texts + 1)) + 1


def _tfidf(counts: TermCounts, idf: Any) -> Any:
    """Return the TF-IDF (n, terms) of term counts, scaled to a length of 1 per text."""
    from scipy.sparse import csr_matrix

    values = counts.data.copy()
    for start in range(0, counts.shape[0], _ROWS_AT_ONCE):
        edges = counts.indptr[start : start + _ROWS_AT_ONCE + 1]
        block = slice(edges[0], edges[-1])
        values[block] *= idf[counts.indices[block]]
        sizes = np.diff(edges)
        sizes, starts = sizes[sizes > 0], edges[:-1][sizes > 0] - edges[0]  # of texts with terms
        if len(starts):
            squares = np.add.reduceat(values[block] ** 2, starts, dtype=np.float64)
            values[block] /= np.repeat(np.sqrt(squares), sizes)
    return csr_matrix((values, counts.indices, counts.indptr), shape=counts.shape)


def _select(features: Any, terms: Rows) -> Any:
    """Return the columns of some terms; of all terms without a copy."""
    return features if len(terms) == features.shape[1] else features[:, terms]


def _descend_gradient(features: Any, targets: Targets, weights: Doubles | None, seed: int) -> Any:
    """Fit a regression by stochastic gradient descent on the same loss and L2 penalty."""
    from sklearn.linear_model import SGDClassifier

    regression = SGDClassifier(
        loss="log_loss",
        # SGDClassifier averages the loss over rows, LogisticRegression sums it (C = 1).
        alpha=1.0 / features.shape[0],
        max_iter=EPOCHS,
        tol=None,  # never stops before `max_iter`
        n_jobs=-1,
        random_state=seed,
    )
    with warnings.catch_warnings(), single_threaded_blas():
        # Of many labels with few rows each, scikit-learn asks whether they are numbers.
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        return regression.fit(features, targets, sample_weight=weights)
