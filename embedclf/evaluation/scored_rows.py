"""Labelled rows with a run's probabilities."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from embedclf.data.dataset import held_out
from embedclf.data.labeled import near_places, read_labeled
from embedclf.errors import RunError
from embedclf.system.files import sha256
from embedclf.system.terminal import near

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.config.schema import Config
    from embedclf.data.labeled import LabeledRows
    from embedclf.data.labels import Probabilities, Targets
    from embedclf.model.classifier import Classifier
    from embedclf.runs.run import Run
    from embedclf.system.arrays import Int32s, Mask, Rows

CHOSEN_ON = "the epoch was chosen on them, so that scores are a little too good"

BEFORE_REFIT = "they are those of the network before it was trained on these, too"

SEEN = {
    "train": "the network learned from this table, so that scores tell of its memory",
    "validation": CHOSEN_ON,
}
"""Why scores are too good, by the part of a run whose rows they are of."""

_CHANGED = "the table has changed since the run was trained, so that scores are of other rows"


@dataclass(frozen=True)
class LabeledSource:
    """Where labelled rows are."""

    name: str
    """What they are, in words."""
    table: Path
    config: Config
    """How to read the table."""
    only: Mask | None = None
    """Which of the valid rows; None is all."""
    validates: bool = False
    """Whether they are a run's validation rows."""
    caution: str = ""
    """Why scores on these rows are not those of rows that the run has never seen, in words."""


@dataclass(frozen=True)
class ScoredRows:
    """Labelled rows, and what a classifier says of them."""

    place: LabeledSource
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
    """(n,) those of them that are not in the vocabulary."""

    def __len__(self) -> int:
        return len(self.labeled)

    def shown(self, rows: Rows) -> list[tuple[str, str]]:
        """Where rows (k,), by ascending number among these, stand, and their texts, read again."""
        if not len(rows):
            return []
        place, texts = self.place, list[str]()
        wanted = np.zeros(len(self), np.bool_) if place.only is None else np.zeros_like(place.only)
        numbers = rows if place.only is None else np.flatnonzero(place.only)[rows]
        wanted[numbers] = True
        read_labeled(place.table, place.config.data, pa.Array.to_pylist, texts.extend, only=wanted)
        places = near_places(self.labeled.table, self.labeled.rows[rows])
        return list(zip(places, texts, strict=True))


def score_rows(run: Run, place: LabeledSource, beside: Sequence[str] = ()) -> ScoredRows:
    """Score labelled rows, by the classifier that has not learned from them where that is known.

    Args:
        run: Whose classifier gives the probabilities.
        place: Where the rows are.
        beside: Other columns of the table whose cells are wanted.

    Raises:
        DataError: The table cannot be used.
    """
    classifier = run.validated() if place.validates else run.classifier()
    parts: list[tuple[Probabilities, Int32s, Int32s]] = []

    def work(texts: pa.Array) -> tuple[Probabilities, Int32s, Int32s]:
        encoding = classifier.tokenizer.encode(texts)
        return classifier.score(encoding.ids), encoding.lengths, encoding.unknown

    labeled = read_labeled(
        place.table, place.config.data, work, parts.append, only=place.only, beside=beside
    )
    targets, unknown_labels = classifier.labels.encode(labeled, place.config.data)
    columns = map(np.concatenate, zip(*parts, strict=True))
    return ScoredRows(place, classifier, labeled, targets, unknown_labels, *columns)


def rows_of(config: Config, table: Path) -> LabeledSource:
    """The rows of a table."""
    return LabeledSource(str(near(table)), table, config)


def of_table(run: Run, config: Config, table: Path) -> LabeledSource:
    """The rows of a table that the run may have been made with."""
    digest = sha256(table) if table.is_file() else ""
    data = run.record["data"]
    seen = (told for part, told in SEEN.items() if part in data and digest == data[part]["sha256"])
    return replace(rows_of(config, table), caution=next(seen, ""))


def of_run(run: Run, config: Config) -> LabeledSource:
    """The test rows of a run's config; those held out for validation where it has none.

    Raises:
        RunError: The table of the latter has changed.
    """
    test = config.data.test
    if test is not None:
        caution = "" if unchanged(run, "test", test) else _CHANGED
        return LabeledSource(f"test rows of {near(test)}", test, config, caution=caution)
    return validation(run, config)


def validation(run: Run, config: Config) -> LabeledSource:
    """A run's validation rows.

    Raises:
        RunError: Their table has changed, so that they are not to be had.
    """
    held = config.data.validation
    table, part = (held, "validation") if isinstance(held, Path) else (config.data.train, "train")
    if not unchanged(run, part, table):
        raise RunError(
            f"{table}: has changed since {run.path} was trained, so its validation rows are "
            "unknown; name a table with --data"
        )
    only = None if isinstance(held, Path) else held_out(config)
    return LabeledSource(
        f"validation rows of {near(table)}",
        table,
        config,
        only,
        validates=True,
        caution=f"{CHOSEN_ON}; {BEFORE_REFIT}" if run.refitted else CHOSEN_ON,
    )


def as_trained(run: Run, part: str, table: Path) -> bool:
    """Whether a table is there, and the one a run was made with."""
    return table.is_file() and unchanged(run, part, table)


def unchanged(run: Run, part: str, table: Path) -> bool:
    """Whether a table is not known to be another than the one a run was made with."""
    return not table.is_file() or sha256(table) == run.record["data"][part]["sha256"]
