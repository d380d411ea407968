"""Labeled rows with the probabilities of a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from embedclf.data.dataset import find_validation_rows
from embedclf.data.labeled import display_locations, read_labeled
from embedclf.errors import RunError
from embedclf.system.files import sha256
from embedclf.system.terminal import display_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.config.schema import Config
    from embedclf.data.labeled import LabeledRows
    from embedclf.data.labels import Probabilities, Targets
    from embedclf.model.classifier import Classifier
    from embedclf.runs.run import Run
    from embedclf.system.arrays import Int32s, Mask, Rows

VALIDATION_CAUTION = "the epoch was chosen on them, so that scores are a little too good"

REFIT_CAUTION = "they are those of the network before it was trained on these, too"

SEEN_CAUTIONS = {
    "train": "the network learned from this table, so that scores tell of its memory",
    "validation": VALIDATION_CAUTION,
}
"""Why scores are optimistic, by the split of the run that the rows are from."""

_CHANGED = "the table has changed since the run was trained, so that scores are of other rows"


@dataclass(frozen=True)
class LabeledSource:
    """Where labeled rows are."""

    name: str
    """As people read it: `test rows of test.csv`."""
    table: Path
    config: Config
    """How to read the table."""
    only: Mask | None = None
    """(valid rows,) which rows to take; None takes all."""
    is_validation: bool = False
    """Whether they are the run's validation rows."""
    caution: str = ""
    """Why scores on these rows are not those of unseen rows, for people; empty if they are."""

    @classmethod
    def from_table(cls, config: Config, table: Path) -> LabeledSource:
        """All rows of a table."""
        return cls(str(display_path(table)), table, config)


@dataclass(frozen=True)
class ScoredRows:
    """Labeled rows, and what a classifier predicts for them."""

    source: LabeledSource
    classifier: Classifier
    labeled: LabeledRows
    targets: Targets
    unknown_labels: dict[str, int]
    """Labels that the classifier does not know, with their rows."""
    probabilities: Probabilities
    """(n, outputs)"""
    lengths: Int32s
    """(n,) tokens of each text."""
    unknown: Int32s
    """(n,) out-of-vocabulary tokens of each text."""

    def __len__(self) -> int:
        return len(self.labeled)

    def read_texts(self, rows: Rows) -> list[tuple[str, str]]:
        """Read the texts of rows again.

        Args:
            rows: (k,) positions among these rows, ascending.

        Returns:
            The location (`file:line`) and the text of each row.
        """
        if not len(rows):
            return []
        source, texts = self.source, list[str]()
        # A mask over all valid rows of the table, which may be more than these rows.
        only = np.zeros(len(self) if source.only is None else len(source.only), np.bool_)
        only[rows if source.only is None else np.flatnonzero(source.only)[rows]] = True
        read_labeled(source.table, source.config.data, pa.Array.to_pylist, texts.extend, only=only)
        locations = display_locations(self.labeled.table, self.labeled.positions[rows])
        return list(zip(locations, texts, strict=True))


def score_rows(run: Run, source: LabeledSource, other_columns: Sequence[str] = ()) -> ScoredRows:
    """Score labeled rows; validation rows by the classifier that was not refitted on them.

    Args:
        run: Whose classifier gives the probabilities.
        source: Where the rows are.
        other_columns: Further columns of the table to read.

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
    # One array each of probabilities, lengths and unknown, in the order of the fields.
    scores = map(np.concatenate, zip(*batches, strict=True))
    return ScoredRows(source, classifier, labeled, targets, unknown_labels, *scores)


def locate_table(run: Run, config: Config, table: Path) -> LabeledSource:
    """Locate all rows of a table, with a caution if the run has seen them in training."""
    source = LabeledSource.from_table(config, table)
    # By content, not by path: a copy of a training table was seen in training, too.
    digest = sha256(table) if table.is_file() else ""
    for split, caution in SEEN_CAUTIONS.items():
        if digest == run.record["data"].get(split, {}).get("sha256"):
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
    own_table = validation if isinstance(validation, Path) else None
    table, split = (own_table, "validation") if own_table else (config.data.train, "train")
    # A run does not store its split: the table, the fraction and the seed determine it.
    if not is_missing_or_unchanged(run, split, table):
        raise RunError(
            f"{table}: has changed since {run.path} was trained, so its validation rows are "
            "unknown; name a table with --data"
        )
    return LabeledSource(
        f"validation rows of {display_path(table)}",
        table,
        config,
        None if own_table else find_validation_rows(config),
        is_validation=True,
        caution=f"{VALIDATION_CAUTION}; {REFIT_CAUTION}" if run.refitted else VALIDATION_CAUTION,
    )


def is_unchanged(run: Run, split: str, table: Path) -> bool:
    """Whether a table exists, and is the one that the run was made with."""
    return table.is_file() and is_missing_or_unchanged(run, split, table)


def is_missing_or_unchanged(run: Run, split: str, table: Path) -> bool:
    """Whether a table has not changed since the run was made; reading a missing one fails later."""
    return not table.is_file() or sha256(table) == run.record["data"][split]["sha256"]
