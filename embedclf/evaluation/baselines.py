"""The TF-IDF baseline: logistic regression on the training rows of a run."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.data.dataset import read_training
from embedclf.data.labeled import read_labeled, read_labels
from embedclf.data.splits import with_split_ids
from embedclf.evaluation.predictions import Predictions
from embedclf.evaluation.scored_rows import is_unchanged, locate_validation_rows
from embedclf.evaluation.thresholds import choose_thresholds, rule_from_json
from embedclf.system.progress import activity, counted
from embedclf.system.terminal import format_count
from embedclf.system.threads import parallel_map, single_threaded_blas
from embedclf.tables.files import display_tables
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
"""A sparse SciPy matrix (n, terms) with the counts of each term in each text."""

_MAX_TERMS = 200_000
"""Number of terms: the most frequent tokens."""

_MAX_EXACT_CELLS = 5_000_000
"""Limit of the exact solver: distinct tokens per text, summed over texts, times outputs."""

_MAX_CELLS = 150_000_000
"""Limit for using all rows, in the same unit; beyond it, fitting would take minutes."""

_MAX_ITERATIONS = 200

_EPOCHS = 5
"""Epochs of stochastic gradient descent."""


@dataclass(frozen=True)
class TfidfBaseline:
    """The predictions of a fitted TF-IDF baseline."""

    predictions: Predictions
    fitted_rows: int
    """Number of training rows that it was fitted on."""
    training_rows: int
    """Number of training rows in all."""
    exact: bool
    """Whether the exact solver was used, rather than stochastic gradient descent."""

    @property
    def description(self) -> str:
        """A short description for people."""
        all_rows = self.fitted_rows == self.training_rows
        sample = "" if all_rows else f" (a random sample of {self.training_rows:,})"
        solver = "" if self.exact else f", {_EPOCHS} epochs of stochastic gradient descent"
        rows = format_count(self.fitted_rows, "training row")
        return f"logistic regression on TF-IDF of {rows}{sample}{solver}"


@activity("fitting the TF-IDF baseline")
def fit_tfidf_baseline(run: Run, config: Config, scored: ScoredRows) -> TfidfBaseline | str:
    """Fit a logistic regression on a run's training rows, and predict labeled rows with it.

    Its features are the TF-IDF of all tokens of a text, including those beyond `sequence_length`.
    All parameters are scikit-learn's defaults. Thresholds are chosen by the run's own rule. With
    many tokens and outputs, stochastic gradient descent approximates the optimum of the same loss;
    with very many, it uses a random sample of the rows. If the run was refitted on all rows, so is
    the regression, unless the rows to predict are the validation rows.

    Args:
        run: The run, which names its training table.
        config: Of the run.
        scored: The labeled rows.

    Returns:
        The baseline, or the reason why it could not be fitted.

    Raises:
        DataError: The training table cannot be used.
    """
    train, validation = config.data.train, config.data.validation
    if not is_unchanged(run, "train", train):
        return f"{display_tables(train)} is missing, or has changed since training"
    if not isinstance(validation, float) and not is_unchanged(run, "validation", validation):
        return f"{display_tables(validation)} is missing, or has changed since training"
    with TemporaryFile() as file:
        training = read_training(config, file)
        table, is_validation = training.tokenized, training.held_out
        left_out = is_validation & (not run.refitted or scored.source.is_validation)
        counter = _TermCounter.fit(scored.classifier.tokenizer, table, ~left_out)
        # Includes held-out rows, because the tokens are gone once the file closes.
        counts = counter.count(table.tokens.chunks())
    labels = scored.classifier.labels
    targets, _ = labels.encode(table.rows, config.data)
    rows = _TrainingRows(labels, counts, targets, config.seed)
    model, fitted_rows = rows.fit(~left_out)
    rule = rule_from_json(run.threshold_settings()["rule"])
    # The labels already have a fixed threshold; other rules need probabilities.
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
    """Its vocabulary holds the terms."""

    @classmethod
    def fit(cls, tokenizer: Tokenizer, table: TokenizedTable, mask: Mask) -> _TermCounter:
        """Learn the terms from the rows of a table where a mask is true."""
        splits = with_split_ids(table.tokens, mask.astype(np.int8))
        counts = parallel_map(lambda split: split[0].filter(split[1] == 1).count(), splits)
        terms = most_frequent_tokens(counts, _MAX_TERMS)
        # Without n-grams: those of the run consist of ids of its own vocabulary.
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
        """Count tokens; `ids` are the vocabulary ids of the tokens in their dictionary."""
        from scipy.sparse import csr_matrix

        token_ids = ids[tokens.codes]  # (tokens,)
        known = token_ids != UNKNOWN
        # (n + 1,) row pointers of the CSR matrix; they count known tokens only.
        ends = np.concatenate([[0], np.cumsum(known)])[np.concatenate([[0], tokens.ends])]
        terms = token_ids[known] - len(RESERVED)  # columns count from 0
        # Not integers, which TfidfTransformer would convert to float64.
        ones = np.ones(len(terms), np.float32)
        shape = (len(tokens.ends), len(self.tokenizer.tokens))
        counts = csr_matrix((ones, terms, ends), shape=shape)
        counts.sum_duplicates()  # each occurrence was a separate entry
        return counts


@dataclass(frozen=True)
class _TrainingRows:
    labels: Labels
    counts: TermCounts
    targets: Targets
    seed: int

    def fit(self, mask: Mask) -> tuple[_TfidfModel, int]:
        """Fit a model on the rows under a mask; also return the number of rows used."""
        rows = self._sample(np.flatnonzero(mask))
        model = _TfidfModel.fit(self.labels, self.counts[rows], self.targets[rows], seed=self.seed)
        return model, len(rows)

    def _sample(self, rows: Rows) -> Rows:
        """Sample as many rows as can be fitted in reasonable time."""
        cells = self.counts[rows].nnz * self.labels.outputs
        if cells <= _MAX_CELLS:
            return rows
        size = max(1, len(rows) * _MAX_CELLS // cells)
        return np.sort(np.random.default_rng(self.seed).permutation(rows)[:size])


@dataclass(frozen=True)
class _TfidfModel:
    """TF-IDF with one logistic regression, or one per label in a multi-label task."""

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
        named = counted(columns, "fitting TF-IDF regressions", total=len(columns), unit="labels")
        fitted = [_fit_regression(regression, features, column) for column in named]
        return cls(labels, transformer, fitted, exact)

    def predict_proba(self, counts: TermCounts) -> Probabilities:
        """(n, outputs) probabilities of texts."""
        features = self.transformer.transform(counts)
        # (n, labels), also in a binary task; a label without training rows keeps 0.
        probabilities = np.zeros((counts.shape[0], len(self.labels.names)), np.float32)
        if self.labels.task == "multilabel":
            for column, regression in zip(probabilities.T, self.regressions, strict=True):
                # The classes are 0 and 1, or only one of them: this is the probability of 1.
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

    if len(np.unique(targets)) == 1:  # logistic regression needs two classes
        return DummyClassifier().fit(features, targets)
    with warnings.catch_warnings(), single_threaded_blas():
        warnings.simplefilter("ignore", ConvergenceWarning)
        # A clone, because `fit` returns the estimator itself, which labels would share.
        return clone(regression).fit(features, targets)
