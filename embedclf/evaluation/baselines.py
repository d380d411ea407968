"""The TF-IDF baseline: logistic regression on the training rows of a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.data.labeled import read_labeled, read_labels
from embedclf.data.row_columns import normalize_weights, row_weights
from embedclf.data.split_units import hold_out_rows
from embedclf.data.splits import read_tokenized, with_split_ids
from embedclf.evaluation.metrics import DEFAULT_METRICS
from embedclf.evaluation.predictions import Predictions
from embedclf.evaluation.tfidf_model import EPOCHS, TfidfModel
from embedclf.evaluation.thresholds import choose_thresholds, stored_rule
from embedclf.evaluation.weighted_metrics import compute_metrics
from embedclf.runs.labeled_sources import LabeledSource
from embedclf.runs.seen_tables import is_unchanged
from embedclf.system.memory.release import release_memory
from embedclf.system.progress import activity
from embedclf.system.terminal import format_count
from embedclf.system.threads import parallel_map
from embedclf.tables.files import display_tables
from embedclf.text.ngrams import Ngrams
from embedclf.text.vocabulary import RESERVED, UNKNOWN, most_frequent_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable

    from embedclf.config.fields import Threshold
    from embedclf.config.schema import Config
    from embedclf.data.dataset import Dataset
    from embedclf.data.labels import Labels, Targets
    from embedclf.data.splits import SplitIds, TokenizedTable
    from embedclf.evaluation.metrics import MetricValues
    from embedclf.evaluation.scored_rows import ScoredRows
    from embedclf.evaluation.tfidf_model import TermCounts
    from embedclf.runs.run import Run
    from embedclf.system.arrays import Doubles, Mask, Rows
    from embedclf.text.tokenizer import Tokenizer
    from embedclf.text.tokens import Tokens

_MAX_TERMS = 200_000
"""Number of terms: the most frequent tokens."""

_MAX_CELLS = 150_000_000
"""Limit for using all rows: distinct tokens per text, summed over texts, times outputs. Beyond it,
fitting would take minutes."""


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
    without_earlier: bool = False
    """Whether the run continued from another, whose rows the baseline does not know."""

    @property
    def description(self) -> str:
        """A short description for people."""
        all_rows = self.fitted_rows == self.training_rows
        sample = "" if all_rows else f" (a random sample of {self.training_rows:,})"
        solver = "" if self.exact else f", {EPOCHS} epochs of stochastic gradient descent"
        rows = format_count(self.fitted_rows, "training row")
        earlier = ", but none of earlier runs" if self.without_earlier else ""
        return f"logistic regression on TF-IDF of {rows}{sample}{earlier}{solver}"


@activity("fitting the TF-IDF baseline")
def fit_tfidf_baseline(
    run: Run, config: Config, scored: ScoredRows, training: TokenizedTable | None = None
) -> TfidfBaseline | str:
    """Fit a logistic regression on a run's training rows, and predict labeled rows with it.

    Its features are the TF-IDF of all tokens of a text, including those beyond `sequence_length`.
    All parameters are scikit-learn's defaults. Thresholds are chosen by the run's own rule. With
    many tokens and outputs, stochastic gradient descent approximates the optimum of the same loss;
    with very many, it uses a random sample of the rows. If the run was refitted on all rows, so is
    the regression, unless the rows to predict are the validation rows.

    Args:
        run: The run, which names its training table.
        config: Of the run.
        scored: The labeled rows, with their tokens.
        training: The training table; None reads it.

    Returns:
        The baseline, or the reason why it could not be fitted.

    Raises:
        DataError: The training table cannot be used.
    """
    if missing := _missing_reason(run, config, training):
        return missing
    with TemporaryFile() as file:
        table = read_tokenized(config.data.train, config, file) if training is None else training
        is_validation = hold_out_rows(table.rows, table.fingerprints, config)
        left_out = is_validation & (not run.refitted or scored.source.is_validation)
        counter = _TermCounter.fit(scored.classifier.tokenizer, table, ~left_out)
        # Includes held-out rows, which thresholds are chosen on.
        counts = counter.count(table.tokens.chunks())
    release_memory()
    labels = scored.classifier.labels
    rows = _TrainingRows.of(table, labels, counts, ~left_out, is_validation, config)
    model, fitted_rows = rows.fit(~left_out)
    rule = stored_rule(run.threshold_settings()["rule"], run)
    labels = rows.choose_thresholds(model, counter, rule)
    training_rows = int((~left_out & rows.counted).sum())
    del rows, counts  # as large as those of the rows to predict
    assert scored.tokens is not None  # noqa: S101 - the source keeps them for a baseline
    probabilities = model.predict_proba(counter.count(scored.tokens.chunks()))
    predictions = Predictions.from_probabilities(
        labels, scored.targets, probabilities, scored.weights
    )
    continued = run.start is not None
    return TfidfBaseline(predictions, fitted_rows, training_rows, model.exact, continued)


@activity("fitting the TF-IDF baseline")
def score_tfidf_fold(table: TokenizedTable, dataset: Dataset, split_ids: SplitIds) -> MetricValues:
    """Fit the baseline to the rows that a fold trains on, and score the rows that it leaves out.

    Args:
        table: The training table.
        dataset: Of the fold.
        split_ids: (n,) the split of each row of the table: 0 training, 1 validation, 2 left out.
    """
    config, labels, left_out = dataset.config, dataset.labels, split_ids == 2
    is_validation = split_ids == 1
    fitted = (split_ids == 0) | (is_validation & config.training.refit)
    counter = _TermCounter.fit(dataset.tokenizer, table, fitted)
    counts = counter.count(table.tokens.chunks())
    rows = _TrainingRows.of(table, labels, counts, fitted, is_validation, config)
    model, _ = rows.fit(fitted)
    labels = rows.choose_thresholds(model, counter, config.training.threshold)
    probabilities = model.predict_proba(counts[left_out])
    weights = None if rows.weights is None else rows.weights[left_out]
    predictions = Predictions.from_probabilities(
        labels, rows.targets[left_out], probabilities, weights
    )
    return compute_metrics(predictions, DEFAULT_METRICS[labels.task])


@dataclass(frozen=True)
class _TermCounter:
    """Counts the terms of texts."""

    tokenizer: Tokenizer
    """Its vocabulary holds the terms."""

    @classmethod
    def fit(cls, tokenizer: Tokenizer, table: TokenizedTable, mask: Mask) -> _TermCounter:
        """Learn the terms from the rows of a table where a mask is true."""
        splits = with_split_ids(table.tokens, mask.astype(np.int8))
        counts = parallel_map(lambda split: tokenizer.count(split[0].filter(split[1] == 1)), splits)
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

        pairs = self.tokenizer.with_token_ids(batches)
        return vstack(list(parallel_map(self._count_batch, pairs)), format="csr")

    def _count_batch(self, pair: tuple[Tokens, Any]) -> TermCounts:
        """Count tokens; with them come the vocabulary ids of the tokens in their dictionary."""
        from scipy.sparse import csr_matrix

        tokens, ids = pair
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
    """The rows of a training table, some of which a baseline is fitted to."""

    labels: Labels
    counts: TermCounts
    targets: Targets
    weights: Doubles | None
    fitted: Mask
    """(n,) True for the rows to fit the baseline to."""
    is_validation: Mask
    config: Config

    @classmethod
    def of(
        cls,
        table: TokenizedTable,
        labels: Labels,
        counts: TermCounts,
        fitted: Mask,
        is_validation: Mask,
        config: Config,
    ) -> _TrainingRows:
        """The rows of a training table, whose terms are counted."""
        targets, _ = labels.encode(table.rows, config.data)
        weights = row_weights(table.rows, config.data)
        return cls(labels, counts, targets, weights, fitted, is_validation, config)

    @property
    def counted(self) -> Mask:
        """(n,) True for rows of positive weight."""
        all_rows = np.ones(self.targets.shape[0], np.bool_)
        return all_rows if self.weights is None else self.weights > 0.0

    def fit(self, mask: Mask) -> tuple[TfidfModel, int]:
        """Fit a model on the rows under a mask; also return the number of rows used."""
        rows, seed = self._sample(np.flatnonzero(mask & self.counted)), self.config.seed
        weights = None if self.weights is None else normalize_weights(self.weights[rows])
        model = TfidfModel.fit(
            self.labels, self.counts[rows], self.targets[rows], weights, seed=seed
        )
        return model, len(rows)

    def choose_thresholds(
        self, model: TfidfModel, counter: _TermCounter, rule: Threshold
    ) -> Labels:
        """Return the labels with the thresholds that a rule chooses on the validation rows.

        Args:
            model: Fitted to `fitted`.
            counter: Of the terms of the counts.
            rule: That of the run.
        """
        if isinstance(rule, float):
            fixed = () if self.labels.task == "multiclass" else (rule,) * self.labels.outputs
            return replace(self.labels, thresholds=fixed)
        if self.is_validation.any():
            # Thresholds need a model that has not seen the validation rows.
            seen = (self.fitted & self.is_validation).any()
            unseen = self.fit(self.fitted & ~self.is_validation)[0] if seen else model
            targets = self.targets[self.is_validation]
            weights = None if self.weights is None else self.weights[self.is_validation]
            probabilities = unseen.predict_proba(self.counts[self.is_validation])
        else:
            table = self.config.data.validation
            assert not isinstance(table, float)  # noqa: S101 - rows would be held out
            source = LabeledSource.from_table(self.config, table)
            rows = read_labels(table, self.config.data)
            targets, _ = self.labels.encode(rows, self.config.data)
            weights = row_weights(rows, self.config.data)
            probabilities = model.predict_proba(counter.count_source(source))
        thresholds = choose_thresholds(self.labels, targets, probabilities, rule, weights)
        return replace(self.labels, thresholds=thresholds)

    def _sample(self, rows: Rows) -> Rows:
        """Sample as many rows as can be fitted in reasonable time."""
        cells = self.counts[rows].nnz * self.labels.outputs
        if cells <= _MAX_CELLS:
            return rows
        size = max(1, len(rows) * _MAX_CELLS // cells)
        return np.sort(np.random.default_rng(self.config.seed).permutation(rows)[:size])


def _missing_reason(run: Run, config: Config, training: TokenizedTable | None) -> str:
    """Return why no baseline can be fitted, for people; empty if one can."""
    train, validation = config.data.train, config.data.validation
    changed = "is missing, or has changed since training"
    if training is None and not is_unchanged(run, "train", train):
        return f"{display_tables(train)} {changed}"
    if not isinstance(validation, float) and not is_unchanged(run, "validation", validation):
        return f"{display_tables(validation)} {changed}"
    # Only where the training continued from a run, which knows other labels.
    if run.start is not None and len(_used_labels(run)) < 2:
        return f"all rows of {display_tables(train)} have the same label"
    return ""


def _used_labels(run: Run) -> list[str]:
    """Return the labels that training rows have."""
    return [label for label, rows in run.record["data"]["train"]["labels"].items() if rows]
