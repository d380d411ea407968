"""The teacher: a logistic regression on sentence vectors, which labels unlabeled texts."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.system.progress import activity
from embedclf.system.threads import single_threaded_blas

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from embedclf.data.labels import Labels, Probabilities, Targets
    from embedclf.system.arrays import Doubles, Floats, Int64s, Rows

_STRENGTHS = (1.0, 10.0, 100.0)
"""Inverse strengths of the regularization to choose from. The best of 1, 3, 10, 30 and 100 was 100
for questions, 1 to 3 for the sentiment of sentences, and 10 for reviews."""

_FOLDS = 5

_MOST_CHOOSING = 1_000
"""Rows that the strength is chosen on, at most; with more, it matters little."""

_MAX_ITERATIONS = 1_000

_LEAST_PROBABILITY = 1e-6
"""A label that is missing in a fold has a probability of 0, whose log loss is infinite."""

_ROWS_AT_ONCE = 1 << 12

_LEAST_SPREAD = 1e-6
"""The least distance from the center to divide by, in case all texts are equal."""


@dataclass(frozen=True)
class Teacher:
    """Predicts the labels of texts from their sentence vectors."""

    labels: Labels
    strength: float
    """Inverse strength of the regularization."""
    score: float
    """Accuracy, or micro F1 if rows can have several labels, cross-validated on labeled rows."""
    scored_rows: int
    """How many rows that score is of."""
    _center: Floats
    _spread: float
    _regressions: list[Any]

    @classmethod
    @activity("fitting the teacher")
    def fit(
        cls,
        labels: Labels,
        vectors: Floats,
        targets: Targets,
        weights: Doubles | None,
        *,
        seed: int,
    ) -> Teacher:
        """Fit to labeled texts; the regularization is chosen by their cross-validated log loss.

        Args:
            labels: At least those of the targets.
            vectors: (n, numbers) of the texts.
            targets: Of these texts.
            weights: (n,) how many rows each row counts for; None if each counts for one.
            seed: Divides the rows into folds.
        """
        center = vectors.mean(axis=0)
        spread = float(np.sqrt(((vectors - center) ** 2).sum(axis=1).mean())) or _LEAST_SPREAD
        features = (vectors - center) / spread
        rows = np.random.default_rng(seed).permutation(len(vectors))[:_MOST_CHOOSING]

        def fit(rows: Rows, strength: float) -> list[Any]:
            row_weights = None if weights is None else weights[rows]
            return _fit_regressions(labels, features[rows], targets[rows], row_weights, strength)

        with single_threaded_blas():
            strength, score = _choose_strength(labels, features, targets, rows, fit)
            regressions = fit(np.arange(len(vectors)), strength)
        return cls(labels, strength, score, len(rows), center, spread, regressions)

    @property
    def facts(self) -> dict[str, Any]:
        """Describe the teacher as plain values."""
        return {
            "name": "use",
            "metric": self.labels.score_name,
            "score": self.score,
            "scored_rows": self.scored_rows,
            "regularization": self.strength,
        }

    def predict_proba(self, vectors: Floats) -> Probabilities:
        """Return the probabilities (n, outputs) of texts."""
        features = (vectors - self._center) / self._spread
        return _predict(self.labels, self._regressions, features)

    def label(self, read: Callable[[slice], Floats], count: int) -> Probabilities:
        """Return the probabilities (count, outputs) of many texts.

        Args:
            read: Returns the vectors of a range of the texts.
            count: How many texts there are.
        """
        ranges = (slice(start, start + _ROWS_AT_ONCE) for start in range(0, count, _ROWS_AT_ONCE))
        return np.concatenate([self.predict_proba(read(rows)) for rows in ranges])


def _choose_strength(
    labels: Labels,
    features: Floats,
    targets: Targets,
    rows: Rows,
    fit: Callable[[Rows, float], list[Any]],
) -> tuple[float, float]:
    """Return the strength of lowest log loss, and its score."""
    folds = np.arange(len(rows)) % min(_FOLDS, len(rows))
    best = (np.inf, 0.0, 0.0)
    for strength in _STRENGTHS:
        y_prob = np.zeros((len(rows), labels.outputs), np.float32)
        for fold in range(_FOLDS):
            left_out = folds == fold
            if left_out.any() and not left_out.all():
                regressions = fit(rows[~left_out], strength)
                y_prob[left_out] = _predict(labels, regressions, features[rows[left_out]])
        loss = _log_loss(labels, targets[rows], y_prob)
        best = min(best, (loss, strength, _score(labels, targets[rows], y_prob)))
    return best[1], best[2]


def _fit_regressions(
    labels: Labels, features: Floats, targets: Targets, weights: Doubles | None, strength: float
) -> list[Any]:
    """Fit one regression, or one per label if rows can have several."""
    return [_fit(features, each, weights, strength) for each in _columns(labels, targets)]


def _columns(labels: Labels, targets: Targets) -> Iterator[Int64s]:
    """Yield what a regression predicts (n,): the label, or whether a row has each label."""
    if labels.task != "multilabel":
        yield targets
        return
    yield from labels.binarize(targets).T.astype(np.int64)


def _fit(features: Floats, target: Int64s, weights: Doubles | None, strength: float) -> Any:
    from sklearn.dummy import DummyClassifier
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(target)) == 1:  # which a logistic regression refuses
        return DummyClassifier().fit(features, target, weights)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        regression = LogisticRegression(C=strength, max_iter=_MAX_ITERATIONS)
        return regression.fit(features, target, weights)


def _predict(labels: Labels, regressions: list[Any], features: Floats) -> Probabilities:
    """Return the probabilities (n, outputs)."""
    if labels.task == "multiclass":
        (regression,) = regressions
        y_prob = np.zeros((len(features), labels.outputs), np.float32)
        # Not all labels need to be in the rows of a fold
        y_prob[:, regression.classes_] = regression.predict_proba(features)
        return y_prob
    # The classes are 0 and 1, or only one of them: this is the probability of 1
    columns = [each.predict_proba(features) @ each.classes_ for each in regressions]
    return np.stack(columns, axis=1).astype(np.float32)


def _log_loss(labels: Labels, targets: Targets, y_prob: Probabilities) -> float:
    if labels.task == "multiclass":
        chosen = y_prob[np.arange(len(y_prob)), targets]
    else:
        chosen = np.where(labels.binarize(targets), y_prob, 1.0 - y_prob)
    return float(-np.log(np.maximum(chosen, _LEAST_PROBABILITY)).mean())


def _score(labels: Labels, targets: Targets, y_prob: Probabilities) -> float:
    """Return the accuracy, or micro F1 if rows can have several labels."""
    predicted = labels.decide(y_prob)
    if labels.task != "multilabel":
        return float((predicted == targets).mean())
    actual = labels.binarize(targets)
    return float(2 * (predicted & actual).sum() / max(predicted.sum() + actual.sum(), 1))
