"""Labeled rows with the probabilities that a run predicts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from embedclf.data.labeled import read_labeled
from embedclf.data.row_columns import group_ids, row_weights
from embedclf.data.scratch import TokensFile
from embedclf.data.splits import with_split_ids
from embedclf.evaluation.predictions import Predictions
from embedclf.model.probabilities import concatenate
from embedclf.system.progress import activity
from embedclf.system.terminal import format_count
from embedclf.system.threads import parallel_map
from embedclf.text.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from embedclf.data.labeled import LabeledRows
    from embedclf.data.labels import Targets
    from embedclf.model.classifier import Classifier
    from embedclf.model.probabilities import AnyProbabilities
    from embedclf.runs.labeled_sources import LabeledSource
    from embedclf.runs.run import Run
    from embedclf.runs.validated import ValidatedRows
    from embedclf.system.arrays import Doubles, Int32s, Int64s, Rows

    _Batch = tuple[Tokens, AnyProbabilities, Int32s, Int32s]

MIN_GROUPS = 10
"""Groups below which reports call intervals too narrow: with 5 groups of 10 rows, 95% intervals
contained the score of new groups in 88% of 300 simulations."""


@dataclass(frozen=True)
class ScoredRows:
    """Labeled rows with the probabilities of a classifier."""

    source: LabeledSource
    classifier: Classifier
    labeled: LabeledRows
    targets: Targets
    unknown_labels: dict[str, int]
    """Number of rows of each label that does not occur in training."""
    probabilities: AnyProbabilities
    """(n, outputs)"""
    lengths: Int32s
    """(n,) number of tokens of each text."""
    unknown: Int32s
    """(n,) number of out-of-vocabulary tokens of each text."""
    before_refit: bool = False
    """Whether the probabilities are stored ones, of the network before the classifier's refit."""
    tokens: TokensFile | None = None
    """Of all rows, if the source keeps them."""

    def __len__(self) -> int:
        return len(self.labeled)

    @cached_property
    def weights(self) -> Doubles | None:
        """(n,) how many rows each row counts for; None if each counts for one."""
        return row_weights(self.labeled, self.source.config.data)

    @property
    def predictions(self) -> Predictions:
        """The labels that the classifier predicts, next to the actual ones."""
        predictions = Predictions.from_probabilities(
            self.classifier.labels, self.targets, self.probabilities, self.weights
        )
        return replace(predictions, groups=self.groups)

    @cached_property
    def groups(self) -> Int64s | None:
        """(n,) the number of each row's group; None if rows are not grouped."""
        return group_ids(self.labeled, self.source.config.data)

    @property
    def resampled(self) -> str:
        """What intervals resample, for people: `rows`, or `30 groups of 'user'`."""
        if self.groups is None:
            return "rows"
        groups = format_count(len(np.unique(self.groups)), "group")
        return f"{groups} of {self.source.config.data.group!r}"

    @property
    def few_groups(self) -> str:
        """`only 4 groups`, if so few are resampled that intervals are too narrow; else empty."""
        count = MIN_GROUPS if self.groups is None else len(np.unique(self.groups))
        return f"only {format_count(count, 'group')}" if count < MIN_GROUPS else ""

    def read_texts(self, rows: Rows) -> list[tuple[str, str]]:
        """Read the texts of some rows again.

        Args:
            rows: (k,) positions among these rows, ascending.

        Returns:
            The location (`file:line`) and the text of each row.
        """
        if not len(rows):
            return []
        source, texts = self.source, list[str]()
        # A mask over all valid rows of the table, of which these rows may be a subset.
        only = np.zeros(len(self) if source.only is None else len(source.only), np.bool_)
        only[rows if source.only is None else np.flatnonzero(source.only)[rows]] = True
        read_labeled(source.table, source.config.data, pa.Array.to_pylist, texts.extend, only=only)
        locations = self.labeled.table.locate(self.labeled.positions[rows].tolist())
        return list(zip(locations, texts, strict=True))


def score_rows(run: Run, source: LabeledSource, other_columns: Sequence[str] = ()) -> ScoredRows:
    """Predict labeled rows; validation rows as the classifier before the refit did.

    Args:
        run: The run to predict with.
        source: The rows.
        other_columns: Additional columns of the table to read.

    Raises:
        DataError: The table cannot be used.
        RunError: The run has scored other validation rows before its refit.
    """
    if not source.is_validation:
        return score_with(run.classifier(), source, other_columns)
    validated = run.validated_rows()
    if validated is None:
        return score_with(run.validation_classifier(), source, other_columns)
    classifier = replace(run.classifier(), labels=validated.labels)
    return score_with(classifier, source, other_columns, validated)


@activity("scoring rows")
def score_with(
    classifier: Classifier,
    source: LabeledSource,
    other_columns: Sequence[str] = (),
    validated: ValidatedRows | None = None,
) -> ScoredRows:
    """Predict labeled rows as `score_rows` does, or take their stored logits if they have some."""
    batches: list[tuple[AnyProbabilities, Int32s, Int32s]] = []
    with TemporaryFile() as file:
        tokens = TokensFile(file) if source.keeps_tokens else None

        def collect(batch: _Batch) -> None:
            batches.append(batch[1:])
            if tokens is not None:
                tokens.append(batch[0])

        score = partial(_score_texts, classifier, validated)
        labeled = _read_rows(source, score, collect, other_columns)
        if tokens is not None:
            tokens.close()
    targets, unknown_labels = classifier.labels.encode(labeled, source.config.data)
    probabilities, lengths, unknown = zip(*batches, strict=True)
    return ScoredRows(
        source,
        classifier,
        labeled,
        targets,
        unknown_labels,
        validated.probabilities(classifier, labeled.positions, source.name)
        if validated
        else concatenate(probabilities),
        np.concatenate(lengths),
        np.concatenate(unknown),
        before_refit=validated is not None,
        tokens=tokens,
    )


def _read_rows(
    source: LabeledSource,
    score: Callable[[pa.Array | Tokens], _Batch],
    collect: Callable[[_Batch], None],
    other_columns: Sequence[str],
) -> LabeledRows:
    """Score the texts of a source batch by batch, and return its rows."""
    table, data, only = source.tokenized, source.config.data, source.only
    if table is None:
        return read_labeled(
            source.table, data, score, collect, only=only, other_columns=other_columns
        )
    kept = np.ones(len(table.rows), np.bool_) if only is None else only
    chunks = with_split_ids(table.tokens, kept.astype(np.int8))
    scored = (tokens.filter(ids == 1) for tokens, ids in chunks if ids.any())
    for batch in parallel_map(score, scored):
        collect(batch)
    return table.rows if only is None else table.rows.filter(only)


def _score_texts(
    classifier: Classifier, validated: ValidatedRows | None, texts: pa.Array | Tokens
) -> _Batch:
    """Return the tokens of texts, their probabilities, and how many tokens they have and lack."""
    tokenizer = (validated or classifier).tokenizer
    tokens = texts if isinstance(texts, Tokens) else tokenizer.tokenize(texts)
    encoding = tokenizer.encode_tokens(tokens)
    # Validated rows have their probabilities.
    probabilities = classifier.lazy_proba_ids(encoding.ids[:0] if validated else encoding.ids)
    return tokens, probabilities, encoding.lengths, encoding.unknown
