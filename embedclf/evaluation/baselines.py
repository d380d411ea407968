"""TF-IDF + logistic regression on the same rows."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.data.dataset import read_training
from embedclf.data.labeled import read_labeled, read_labels
from embedclf.data.splits import beside
from embedclf.evaluation.scored_rows import as_trained, validation
from embedclf.evaluation.scores import given
from embedclf.evaluation.thresholds import choose, read_rule
from embedclf.system.threads import in_order, threads_of_one
from embedclf.text.ngrams import Ngrams
from embedclf.text.vocabulary import RESERVED, UNKNOWN, most_frequent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from embedclf.config.schema import Config
    from embedclf.data.labels import Labels, Probabilities, Targets
    from embedclf.evaluation.metrics import Predictions
    from embedclf.evaluation.scored_rows import LabeledSource, ScoredRows
    from embedclf.runs.run import Run
    from embedclf.system.arrays import Mask
    from embedclf.text.tokenizer import Tokenizer
    from embedclf.text.tokens import Tokens

Counts = Any
"""A sparse SciPy matrix (n, terms): how often each term is in each text."""

_TERMS = 200_000
"""Most different tokens that count: the most frequent ones."""

_EXACT = 5_000_000
"""Different tokens of all texts times outputs up to which the optimum itself is found."""

_CELLS = 150_000_000
"""The same up to which all rows are used; with more of them fitting would take minutes."""

_ITERATIONS = 200

_PASSES = 5
"""Over the rows, where the optimum is only come near to."""


@dataclass(frozen=True)
class TfidfPredictions:
    """What a logistic regression says of rows."""

    predicted: Predictions
    rows: int
    """Training rows that it was fitted on."""
    of_rows: int
    """Training rows that there were."""
    exact: bool
    """Whether its optimum was found, and not only come near to."""

    @property
    def told(self) -> str:
        """What it is, in words."""
        part = "" if self.rows == self.of_rows else f" of {self.of_rows:,}, by chance"
        how = "" if self.exact else f", in {_PASSES} passes of stochastic gradient descent"
        return f"logistic regression on TF-IDF of {self.rows:,} training rows{part}{how}"


def tfidf(run: Run, config: Config, scored: ScoredRows) -> TfidfPredictions | str:
    """Fit a logistic regression on a run's training rows, and score rows by it.

    It sees how often each token of the run's unit is in a text, none being cut off, weighed by how
    few texts have it (TF-IDF); all is as scikit-learn has it by default. Thresholds are chosen by
    the run's own rule. Where tokens times outputs are many, stochastic gradient descent comes near
    to the optimum of the same loss; where they are very many, it gets a part of the rows by chance.
    Where the run was refitted, so is the regression, unless validation rows are to be scored.

    Args:
        run: Tells what the training table was.
        config: Of the run.
        scored: The rows.

    Returns:
        The baseline, or why there is none.

    Raises:
        DataError: The training table cannot be used.
    """
    labels, table = scored.classifier.labels, config.data.train
    if not as_trained(run, "train", table):
        return f"{table} is not there as the run was trained on it"
    held_table = config.data.validation
    if isinstance(held_table, Path) and not as_trained(run, "validation", held_table):
        return f"{held_table} is not there as the run was trained with it"
    with TemporaryFile() as file:
        read, held = read_training(config, file)
        left_out = held & (not run.refitted or scored.place.validates)
        parts = beside(read.tokens, left_out.astype(np.int8))
        counted = in_order(lambda part: part[0].take(part[1] == 0).count(), parts)
        words = most_frequent(counted, _TERMS)
        terms = _Terms(replace(scored.classifier.tokenizer, tokens=words, ngrams=Ngrams()))
        counts = terms.count(read.tokens.parts())
    targets, _ = labels.encode(read.rows, config.data)
    rows = _Rows(labels, counts, targets, config.seed)
    model, fitted = rows.fit(~left_out)
    rule, thresholds = read_rule(run.decision()["rule"]), labels.thresholds
    if not isinstance(rule, float):
        if held.any():
            judge = model if left_out.any() else rows.fit(~held)[0]
            targets, probabilities = targets[held], judge.score(counts[held])
        else:
            place = validation(run, config)
            targets, _ = labels.encode(read_labels(place.table, config.data), config.data)
            probabilities = model.score(terms.of(place))
        thresholds = choose(labels, targets, probabilities, rule)
    probabilities = model.score(terms.of(scored.place))
    decided = given(replace(labels, thresholds=thresholds), scored.targets, probabilities)
    return TfidfPredictions(decided, fitted, int((~left_out).sum()), model.exact)


@dataclass(frozen=True)
class _Rows:
    """The training table, its texts counted."""

    labels: Labels
    counts: Counts
    targets: Targets
    seed: int

    def fit(self, mask: Mask) -> tuple[_Model, int]:
        """A model of the rows under a mask, and how many of them it was fitted on."""
        rows = np.flatnonzero(mask)
        chosen = _affordable(self.counts, rows, self.labels.outputs, self.seed)
        learned = self.counts[chosen], self.targets[chosen]
        return _Model.fit(self.labels, *learned, seed=self.seed), len(chosen)


@dataclass(frozen=True)
class _Terms:
    """Counts tokens."""

    tokenizer: Tokenizer
    """Its vocabulary are the terms."""

    def of(self, place: LabeledSource) -> Counts:
        """The counts of the texts of a place."""
        parts: list[Tokens] = []
        read_labeled(
            place.table, place.config.data, self.tokenizer.tokenize, parts.append, only=place.only
        )
        return self.count(parts)

    def count(self, parts: Iterable[Tokens]) -> Counts:
        """The counts of texts that are cut."""
        from scipy.sparse import vstack

        matrices = [self._matrix(*pair) for pair in self.tokenizer.looked_up(parts)]
        return vstack(matrices, format="csr")

    def _matrix(self, tokens: Tokens, ids: Any) -> Counts:
        from scipy.sparse import csr_matrix

        of_tokens = ids[tokens.codes]
        known = of_tokens != UNKNOWN
        edges = np.concatenate([[0], np.cumsum(known)])[np.concatenate([[0], tokens.ends])]
        terms = of_tokens[known] - len(RESERVED)
        ones = np.ones(len(terms), np.float32)
        shape = (len(tokens.ends), len(self.tokenizer.tokens))
        counts = csr_matrix((ones, terms, edges), shape=shape)
        counts.sum_duplicates()
        return counts


def _affordable(counts: Counts, rows: Any, outputs: int, seed: int) -> Any:
    """As many of the rows, by chance, as can be fitted in reasonable time."""
    cells = counts[rows].nnz * outputs
    if cells <= _CELLS:
        return rows
    chosen = np.random.default_rng(seed).permutation(rows)[: max(1, len(rows) * _CELLS // cells)]
    return np.sort(chosen)


@dataclass(frozen=True)
class _Model:
    """TF-IDF, and a logistic regression a softmax, or a label of several."""

    labels: Labels
    weighing: Any
    regressions: list[Any]
    exact: bool

    @classmethod
    def fit(cls, labels: Labels, counts: Counts, targets: Targets, *, seed: int) -> _Model:
        from sklearn.feature_extraction.text import TfidfTransformer

        weighing = TfidfTransformer()
        weighed = weighing.fit_transform(counts)
        goals = targets.T if labels.task == "multilabel" else [targets]
        exact = counts.nnz * labels.outputs <= _EXACT
        regression = _regression(len(targets), seed, exact=exact)
        return cls(labels, weighing, [_fit(regression, weighed, goal) for goal in goals], exact)

    def score(self, counts: Counts) -> Probabilities:
        """(n, outputs) probabilities of texts."""
        weighed = self.weighing.transform(counts)
        scored = np.zeros((counts.shape[0], len(self.labels.names)), np.float32)
        if self.labels.task == "multilabel":
            for column, regression in zip(scored.T, self.regressions, strict=True):
                present = regression.predict_proba(weighed) @ regression.classes_
                column[:] = present
            return scored
        (regression,) = self.regressions
        scored[:, regression.classes_] = regression.predict_proba(weighed)
        return scored[:, -self.labels.outputs :]


def _regression(rows: int, seed: int, *, exact: bool) -> Any:
    """A regression that is not fitted yet; both ways have the same loss and regularisation."""
    from sklearn.linear_model import LogisticRegression, SGDClassifier

    if exact:
        return LogisticRegression(max_iter=_ITERATIONS)
    return SGDClassifier(
        loss="log_loss",
        alpha=1.0 / rows,
        max_iter=_PASSES,
        tol=None,
        n_jobs=-1,
        random_state=seed,
    )


def _fit(regression: Any, weighed: Counts, goals: Targets) -> Any:
    from sklearn import clone
    from sklearn.dummy import DummyClassifier
    from sklearn.exceptions import ConvergenceWarning

    if len(np.unique(goals)) == 1:
        return DummyClassifier().fit(weighed, goals)
    with warnings.catch_warnings(), threads_of_one():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return clone(regression).fit(weighed, goals)
