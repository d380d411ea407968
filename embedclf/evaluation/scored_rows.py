"""Labeled rows with the probabilities that a run predicts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from embedclf.data.labeled import read_labeled
from embedclf.data.row_columns import group_ids, row_weights
from embedclf.data.scratch import TokensFile
from embedclf.data.split_units import find_validation_rows
from embedclf.errors import RequestError, RunError
from embedclf.evaluation.predictions import Predictions
from embedclf.model.probabilities import concatenate
from embedclf.runs.seen_tables import (
    REFIT_CAUTION,
    SEEN_CAUTIONS,
    VALIDATION_CAUTION,
    find_seen_split,
    is_missing_or_unchanged,
    start_cautions,
)
from embedclf.system.progress import activity
from embedclf.system.terminal import format_count, join_shortened
from embedclf.tables.files import display_tables
from embedclf.tables.new_tables import open_new_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from embedclf.config.data_section import DataConfig
    from embedclf.config.fields import Tables
    from embedclf.config.schema import Config
    from embedclf.data.labeled import LabeledRows
    from embedclf.data.labels import Targets
    from embedclf.model.classifier import Classifier
    from embedclf.model.probabilities import AnyProbabilities
    from embedclf.runs.run import Run
    from embedclf.runs.validated import ValidatedRows
    from embedclf.system.arrays import Doubles, Int32s, Int64s, Mask, Rows
    from embedclf.tables.tables import Table
    from embedclf.text.tokens import Tokens

MIN_GROUPS = 10
"""Groups below which reports call intervals too narrow: with 5 groups of 10 rows, 95% intervals
contained the score of new groups in 88% of 300 simulations."""

_CHANGED = "the file has changed since training, so these may be different rows"


@dataclass(frozen=True)
class LabeledSource:
    """Labeled rows in a table."""

    name: str
    """For people: `test rows of test.csv`."""
    table: Tables
    config: Config
    """How to read the table."""
    only: Mask | None = None
    """(valid rows,) True for the rows to use; None uses all."""
    is_validation: bool = False
    """Whether they are the run's validation rows."""
    caution: str = ""
    """Why scores on these rows are optimistic, for people; empty if they are not."""
    note: str = ""
    """Which columns of the run the table lacks, for people; empty if it has all."""
    keeps_tokens: bool = False
    """Whether the rows keep their tokens when they are scored, for a baseline."""

    @classmethod
    def from_table(cls, config: Config, table: Tables) -> LabeledSource:
        """All rows of a table."""
        return cls(display_tables(table), table, config)


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
    tokenizer = (validated or classifier).tokenizer

    def score(texts: pa.Array) -> tuple[Tokens, AnyProbabilities, Int32s, Int32s]:
        tokens = tokenizer.tokenize(texts)
        encoding = tokenizer.encode_tokens(tokens)
        probabilities = classifier.lazy_proba_ids(encoding.ids[:0] if validated else encoding.ids)
        return tokens, probabilities, encoding.lengths, encoding.unknown

    def collect(batch: tuple[Tokens, AnyProbabilities, Int32s, Int32s]) -> None:
        batches.append(batch[1:])
        if source.keeps_tokens:
            tokens_file.append(batch[0])

    data, only = source.config.data, source.only
    with TemporaryFile() as file:
        tokens_file = TokensFile(file)
        labeled = read_labeled(
            source.table, data, score, collect, only=only, other_columns=other_columns
        )
        tokens_file.close()
    targets, unknown_labels = classifier.labels.encode(labeled, data)
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
        tokens=tokens_file if source.keeps_tokens else None,
    )


def locate_table(
    run: Run, config: Config, table: Tables, reading: Mapping[str, Any]
) -> LabeledSource:
    """Locate all rows of a table, with a caution if the run has seen any in training.

    Args:
        run: The run that will score them.
        config: Of the run.
        table: The table.
        reading: Keys of `data` by which the table differs from the run's.

    Raises:
        DataError: The table cannot be read, or lacks a column.
        RequestError: There are more or fewer label columns than in training.
    """
    _check_label_columns(config.data, reading)
    opened, data = open_new_table(table, config.data, reading, labels=True)
    data, note = _without_missing_columns(opened, data)
    source = LabeledSource.from_table(config.model_copy(update={"data": data}), table)
    caution = SEEN_CAUTIONS.get(find_seen_split(run, config, table), "")
    return replace(source, caution=caution, note=note)


def locate_test_rows(run: Run, config: Config) -> LabeledSource:
    """Locate the test rows of a run, or its validation rows if it has no test table.

    Raises:
        RunError: The table of the validation rows has changed.
    """
    test = config.data.test
    if test is None:
        return locate_validation_rows(run, config)
    source = LabeledSource.from_table(config, test)
    caution = "" if is_missing_or_unchanged(run, "test", test) else _CHANGED
    caution = "; ".join(filter(None, [*start_cautions(run, "test"), caution]))
    return replace(source, name=f"test rows of {source.name}", caution=caution)


def locate_validation_rows(run: Run, config: Config) -> LabeledSource:
    """Locate the validation rows of a run.

    Raises:
        RunError: Their table has changed, so they are unknown.
    """
    validation = config.data.validation
    own_table = validation if not isinstance(validation, float) else None
    table, split = (own_table, "validation") if own_table else (config.data.train, "train")
    # A run does not store its split; the table, the fraction and the seed determine it.
    if not is_missing_or_unchanged(run, split, table):
        raise RunError(
            f"{display_tables(table)}: the file has changed since {run.path} was trained, so its "
            "validation rows are unknown; choose labeled rows with --data TABLE"
        )
    return LabeledSource(
        f"validation rows of {display_tables(table)}",
        table,
        config,
        None if own_table else find_validation_rows(config),
        is_validation=True,
        caution="; ".join(
            [
                VALIDATION_CAUTION,
                *([REFIT_CAUTION] if run.refitted else []),
                *start_cautions(run, "validation"),
            ]
        ),
    )


def _without_missing_columns(table: Table, data: DataConfig) -> tuple[DataConfig, str]:
    """Remove the group and the weight if a new table lacks their columns; also say so."""
    data = data.model_copy(update={"time": None})  # new rows are not split
    columns = data.row_columns()
    missing = [key for key, column in columns.items() if table.count_columns(column) != 1]
    effects = {"group": "rows count as independent", "weight": "each row counts once"}
    lacking = [f"no column {columns[key]!r}, so {effects[key]}" for key in missing]
    return data.model_copy(update=dict.fromkeys(missing)), "; ".join(lacking)


def _check_label_columns(data: DataConfig, reading: Mapping[str, Any]) -> None:
    """Check that there are as many label columns as in training; their order says which is which.

    Raises:
        RequestError: There are more or fewer.
    """
    label = reading.get("label", data.label)
    named, expected = (1 if isinstance(each, str) else len(each) for each in (label, data.label))
    if named != expected:
        raise RequestError(
            f"--label-column: {format_count(named, 'column')} named, but the run has {expected}: "
            f"{join_shortened(data.label_columns)}; name one for each, in this order"
        )
