"""The TF-IDF baseline: logistic regression on the training rows of a run."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.data.dataset import read_training
from embedclf.data.labeled import read_labeled, read_labels
from embedclf.data.splits import with_split_ids
from embedclf.evaluation.predictions import Predictions
from embedclf.evaluation.scored_rows import is_unchanged, locate_validation_rows
from embedclf.evaluation.thresholds import choose_thresholds, rule_from_json
from embedclf.system.threads import parallel_map, single_threaded_blas
from embedclf.text.ngrams import Ngrams
from embedclf.text.vocabulary import RESERVED, UNKNOWN, most_frequent_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable

    from embedclf.config.schema import Config
    from embedclf.data.labels import Labels, Probabilities, Targets
    from embedclf.data.splits import TokenizedTable
    from embedclf.evaluation.scored_rows import LabeledSource, ScoredRows
    from embedclf.runs.run import Run
    from embedclf.system.arrays import Mask, Rows
    from embedclf.text.tokenizer import Tokenizer
    from embedclf.text.tokens import Tokens

TermCounts = Any
"""A sparse SciPy matrix (n, terms): how often each term occurs in each text."""

_MAX_TERMS = 200_000
"""The most frequent tokens are the terms."""

_MAX_EXACT_CELLS = 5_000_000
"""Distinct tokens of all texts, times outputs, up to which the exact solver is used."""

_MAX_CELLS = 150_000_000
"""The same, up to which all rows are used; with more of them fitting would take minutes."""

_MAX_ITERATIONS = 200

_EPOCHS = 5
"""Of stochastic gradient descent."""


@dataclass(frozen=True)
class TfidfBaseline:
    """The predictions of a fitted TF-IDF baseline."""

    predictions: Predictions
    fitted_rows: int
    """Training rows that it was fitted on."""
    training_rows: int
    """Training rows that there were."""
    exact: bool
    """Whether the exact solver was used, and not stochastic gradient descent."""

    @property
    def description(self) -> str:
        """What was fitted, for people."""
        all_rows = self.fitted_rows == self.training_rows
        sample = "" if all_rows else f" of {self.training_rows:,}, by chance"
        solver = "" if self.exact else f", in {_EPOCHS} passes of stochastic gradient descent"
        return (
            f"logistic regression on TF-IDF of {self.fitted_rows:,} training rows{sample}{solver}"
        )


def fit_tfidf_baseline(run: Run, config: Config, scored: ScoredRows) -> TfidfBaseline | str:
    """Fit a logistic regression on a run's training rows, and score rows with it.

    Its features are the TF-IDF of all tokens of a text, beyond the sequence length too; everything
    is as scikit-learn has it by default. Thresholds are chosen by the run's own rule. With many
    tokens and outputs, stochastic gradient descent approximates the optimum of the same loss; with
    very many, it gets a random sample of the rows. If the run was refitted on its validation rows,
    so is the regression, unless these are the rows to score.

    Args:
        run: The run, which knows its training table.
        config: Of the run.
        scored: The rows.

    Returns:
        The baseline, or why there is none, for people.

    Raises:
        DataError: The training table cannot be used.
    """
    train, validation = config.data.train, config.data.validation
    if not is_unchanged(run, "train", train):
        return f"{train} is not there as the run was trained on it"
    if isinstance(validation, Path) and not is_unchanged(run, "validation", validation):
        return f"{validation} is not there as the run was trained with it"
    with TemporaryFile() as file:
        training = read_training(config, file)
        table, is_validation = training.tokenized, training.held_out
        left_out = is_validation & (not run.refitted or scored.source.is_validation)
        counter = _TermCounter.fit(scored.classifier.tokenizer, table, ~left_out)
        # Held-out rows included: the tokens are gone once the file closes.
        counts = counter.count(table.tokens.chunks())
    labels = scored.classifier.labels
    targets, _ = labels.encode(table.rows, config.data)
    rows = _TrainingRows(labels, counts, targets, config.seed)
    model, fitted_rows = rows.fit(~left_out)
    rule = rule_from_json(run.threshold_settings()["rule"])
    # A fixed threshold is among those of the labels already; other rules need probabilities.
    if not isinstance(rule, float):
        if is_validation.any():
            # Thresholds need a model that has not seen the validation rows.
            unseen = model if left_out.any() else rows.fit(~is_validation)[0]
            targets = targets[is_validation]
            probabilities = unseen.predict_proba(counts[is_validation])
        else:
            source = locate_validation_rows(run, config)
            targets, _ = labels.encode(read_labels(source.table, config.data), config.data)
            probabilities = model.predict_proba(counter.count_source(source))
        thresholds = choose_thresholds(labels, targets, probabilities, rule)
        labels = replace(labels, thresholds=thresholds)
    probabilities = model.predict_proba(counter.count_source(scored.source))
    predictions = Predictions.from_probabilities(labels, scored.targets, probabilities)
    return TfidfBaseline(predictions, fitted_rows, int((~left_out).sum()), model.exact)


@dataclass(frozen=True)
class _TermCounter:
    """Counts the terms of texts."""

    tokenizer: Tokenizer
    """Its vocabulary is the terms."""

    @classmethod
    def fit(cls, tokenizer: Tokenizer, table: TokenizedTable, mask: Mask) -> _TermCounter:
        """Take the terms from the rows of a table where a mask is true."""
        splits = with_split_ids(table.tokens, mask.astype(np.int8))
        counts = parallel_map(lambda split: split[0].filter(split[1] == 1).count(), splits)
        terms = most_frequent_tokens(counts, _MAX_TERMS)
        # The run's n-grams consist of ids of its own vocabulary, which mean nothing in this one.
        return cls(replace(tokenizer, tokens=terms, ngrams=Ngrams()))

    def count_source(self, source: LabeledSource) -> TermCounts:
        """Count the terms of labeled rows."""
        batches: list[Tokens] = []
        read_labeled(
            source.table,
            source.config.data,
            self.tokenizer.tokenize,
            batches.append,
            only=source.only,
        )
        return self.count(batches)

    def count(self, batches: Iterable[Tokens]) -> TermCounts:
        """Count the terms of tokenized texts."""
        from scipy.sparse import vstack

        matrices = [self._count_batch(*pair) for pair in self.tokenizer.with_token_ids(batches)]
        return vstack(matrices, format="csr")

    def _count_batch(self, tokens: Tokens, ids: Any) -> TermCounts:
        """Count tokens, given the vocabulary id of each token of their dictionary."""
        from scipy.sparse import csr_matrix

        token_ids = ids[tokens.codes]  # (tokens,)
        known = token_ids != UNKNOWN
        # (n + 1,) row pointers of the CSR matrix: they count known tokens only.
        ends = np.concatenate([[0], np.cumsum(known)])[np.concatenate([[0], tokens.ends])]
        terms = token_ids[known] - len(RESERVED)  # columns count from 0
        # Not integers: TfidfTransformer would convert them to float64.
        ones = np.ones(len(terms), np.float32)
        shape = (len(tokens.ends), len(self.tokenizer.tokens))
        counts = csr_matrix((ones, terms, ends), shape=shape)
        counts.sum_duplicates()  # each occurrence was an entry of its own
        return counts


@dataclass(frozen=True)
class _TrainingRows:
    labels: Labels
    counts: TermCounts
    targets: Targets
    seed: int

    def fit(self, mask: Mask) -> tuple[_TfidfModel, int]:
        """Fit a model on the rows under a mask; also return how many it was fitted on."""
        rows = self._sample(np.flatnonzero(mask))
        model = _TfidfModel.fit(self.labels, self.counts[rows], self.targets[rows], seed=self.seed)
        return model, len(rows)

    def _sample(self, rows: Rows) -> Rows:
        """As many rows, at random, as can be fitted in reasonable time."""
        cells = self.counts[rows].nnz * self.labels.outputs
        if cells <= _MAX_CELLS:
            return rows
        size = max(1, len(rows) * _MAX_CELLS // cells)
        return np.sort(np.random.default_rng(self.seed).permutation(rows)[:size])


@dataclass(frozen=True)
class _TfidfModel:
    """TF-IDF with one logistic regression, or with one for each label of a multi-label task."""

    labels: Labels
    transformer: Any
    regressions: list[Any]
    exact: bool

    @classmethod
    def fit(cls, labels: Labels, counts: TermCounts, targets: Targets, *, seed: int) -> _TfidfModel:
        from sklearn.feature_extraction.text import TfidfTransformer

        transformer = TfidfTransformer()
        features = transformer.fit_transform(counts)
        exact = counts.nnz * labels.outputs <= _MAX_EXACT_CELLS
        regression = _new_regression(len(targets), seed, exact=exact)
        columns = targets.T if labels.task == "multilabel" else [targets]
        fitted = [_fit_regression(regression, features, column) for column in columns]
        return cls(labels, transformer, fitted, exact)

    def predict_proba(self, counts: TermCounts) -> Probabilities:
        """(n, outputs) probabilities of texts."""
        features = self.transformer.transform(counts)
        # (n, labels), also in a binary task; a label without fitted rows keeps 0.
        probabilities = np.zeros((counts.shape[0], len(self.labels.names)), np.float32)
        if self.labels.task == "multilabel":
            for column, regression in zip(probabilities.T, self.regressions, strict=True):
                # The classes are 0 and 1, or one of them: this is the probability of 1.
                column[:] = regression.predict_proba(features) @ regression.classes_
            return probabilities
        (regression,) = self.regressions
        probabilities[:, regression.classes_] = regression.predict_proba(features)
        return probabilities[:, -self.labels.outputs :]  # in a binary task, the second label


def _new_regression(rows: int, seed: int, *, exact: bool) -> Any:
    """An unfitted regression; both solvers minimize the same loss with the same L2 penalty."""
    from sklearn.linear_model import LogisticRegression, SGDClassifier

    if exact:
        return LogisticRegression(max_iter=_MAX_ITERATIONS)
    return SGDClassifier(
        loss="log_loss",
        # SGDClassifier averages the loss over rows, LogisticRegression sums it (C = 1).
        alpha=1.0 / rows,
        max_iter=_EPOCHS,
        tol=None,  # never stops before `max_iter`
        n_jobs=-1,
        random_state=seed,
    )


def _fit_regression(regression: Any, features: Any, targets: Targets) -> Any:
    from sklearn import clone
    from sklearn.dummy import DummyClassifier
    from sklearn.exceptions import ConvergenceWarning

    if len(np.unique(targets)) == 1:  # logistic regression refuses a single class
        return DummyClassifier().fit(features, targets)
    with warnings.catch_warnings(), single_threaded_blas():
        warnings.simplefilter("ignore", ConvergenceWarning)
        # A clone, because `fit` returns the estimator itself: labels would share one.
        return clone(regression).fit(features, targets)
