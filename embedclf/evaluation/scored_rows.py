"""Labeled rows with the probabilities that a run predicts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from embedclf.config.loading import named_tables
from embedclf.data.dataset import find_validation_rows
from embedclf.data.labeled import read_labeled
from embedclf.errors import RequestError, RunError
from embedclf.system.progress import activity
from embedclf.system.storage import file_size
from embedclf.system.terminal import format_count, join_shortened
from embedclf.tables.files import (
    display_tables,
    find_files,
    hash_files,
    hash_table,
    tables_exist,
)
from embedclf.tables.new_tables import open_new_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from embedclf.config.data_section import DataConfig
    from embedclf.config.fields import Tables
    from embedclf.config.schema import Config
    from embedclf.data.labeled import LabeledRows
    from embedclf.data.labels import Probabilities, Targets
    from embedclf.model.classifier import Classifier
    from embedclf.runs.run import Run
    from embedclf.system.arrays import Int32s, Mask, Rows

VALIDATION_CAUTION = "slightly optimistic: the same rows chose the epoch"

REFIT_CAUTION = "measured before the refit on all rows"

SEEN_CAUTIONS = {
    "train": "scores on these rows are inflated: the model saw them in training",
    "validation": VALIDATION_CAUTION,
}
"""Why scores are optimistic, by the split that the rows belong to."""

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

    @classmethod
    def from_table(cls, config: Config, table: Tables) -> LabeledSource:
        """All rows of a table."""
        return cls(display_tables(table), table, config)


@dataclass(frozen=True)
class ScoredRows:
    """Labeled rows with the predictions of a classifier."""

    source: LabeledSource
    classifier: Classifier
    labeled: LabeledRows
    targets: Targets
    unknown_labels: dict[str, int]
    """Number of rows of each label that does not occur in training."""
    probabilities: Probabilities
    """(n, outputs)"""
    lengths: Int32s
    """(n,) number of tokens of each text."""
    unknown: Int32s
    """(n,) number of out-of-vocabulary tokens of each text."""

    def __len__(self) -> int:
        return len(self.labeled)

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


@activity("scoring rows")
def score_rows(run: Run, source: LabeledSource, other_columns: Sequence[str] = ()) -> ScoredRows:
    """Predict labeled rows; for validation rows, with the classifier before the refit.

    Args:
        run: The run to predict with.
        source: The rows.
        other_columns: Additional columns of the table to read.

    Raises:
        DataError: The table cannot be used.
    """
    classifier = run.validation_classifier() if source.is_validation else run.classifier()
    batches: list[tuple[Probabilities, Int32s, Int32s]] = []

    def score(texts: pa.Array) -> tuple[Probabilities, Int32s, Int32s]:
        encoding = classifier.tokenizer.encode(texts)
        return classifier.predict_proba_ids(encoding.ids), encoding.lengths, encoding.unknown

    labeled = read_labeled(
        source.table,
        source.config.data,
        score,
        batches.append,
        only=source.only,
        other_columns=other_columns,
    )
    targets, unknown_labels = classifier.labels.encode(labeled, source.config.data)
    # Arrays of probabilities, lengths and OOV tokens, in the order of the fields.
    scores = map(np.concatenate, zip(*batches, strict=True))
    return ScoredRows(source, classifier, labeled, targets, unknown_labels, *scores)


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
    _, data = open_new_table(table, config.data, reading, labels=True)
    source = LabeledSource.from_table(config.model_copy(update={"data": data}), table)
    # By content, not by path: copies of the training table count, too.
    digest = hash_table(table) if tables_exist(table) else ""
    for split, caution in SEEN_CAUTIONS.items():
        if digest == run.record["data"].get(split, {}).get("sha256"):
            return replace(source, caution=caution)
    seen = named_tables(config)
    for split, caution in SEEN_CAUTIONS.items():
        if split in seen and _share_file(seen[split], table):
            return replace(source, caution=caution)
    return source


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
        caution=f"{VALIDATION_CAUTION}; {REFIT_CAUTION}" if run.refitted else VALIDATION_CAUTION,
    )


def _share_file(seen: Tables, table: Tables) -> bool:
    """Whether a table of several files that a run has seen shares one of them with a table."""
    if not tables_exist(seen) or not tables_exist(table):
        return False
    seen_files, files = find_files(seen), find_files(table)
    if len(seen_files) == len(files) == 1:
        return False  # compared by their hashes already
    # Only files of the same size are read.
    sizes = [file_size(file.location) for file in files]
    candidates = [file for file in seen_files if file_size(file.location) in sizes]
    known = {hash_files([file]) for file in candidates}
    return bool(known) and any(hash_files([file]) in known for file in files)


def is_unchanged(run: Run, split: str, table: Tables) -> bool:
    """Whether a table exists, and is the same as when the run was trained."""
    return tables_exist(table) and is_missing_or_unchanged(run, split, table)


def is_missing_or_unchanged(run: Run, split: str, table: Tables) -> bool:
    """Whether a table is the same as when the run was trained, or missing, which fails later."""
    return not tables_exist(table) or hash_table(table) == run.record["data"][split]["sha256"]


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
