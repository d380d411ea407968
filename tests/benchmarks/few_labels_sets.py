"""Few labeled rows of public sets: which rows, and the tables of them."""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from tests.benchmarks.processes import datasets

if TYPE_CHECKING:
    from pathlib import Path

MAX_ROWS, MAX_TEST_ROWS = 20_000, 5_000
PER_LABEL = 8
SIZES = ("8 per label", "100", "300", "1000", "3000", "all")


@dataclass(frozen=True)
class LabeledSet:
    """Where a set is, and how peers tokenize its texts."""

    folder: str
    test: str = "test.csv"
    unit: str = "word"
    separator: str = ""
    is_english: bool = True

    @property
    def train(self) -> Path:
        """The training table."""
        return datasets() / self.folder / "train.csv"

    @property
    def tested(self) -> Path:
        """The table that is scored."""
        return datasets() / self.folder / self.test


SETS = {
    each.folder: each
    for each in (
        LabeledSet("ag_news"),
        LabeledSet("sst2_glue", "dev.csv"),  # its test rows have no labels
        LabeledSet("trec"),
        LabeledSet("sms_spam"),
        LabeledSet("banking77"),
        LabeledSet("imdb"),
        LabeledSet("goemotions_multilabel", separator="|"),
        LabeledSet("nsmc_korean_binary", is_english=False),
        LabeledSet("waimai_10k_zh", unit="character", is_english=False),
    )
}


@dataclass(frozen=True)
class Subset:
    """Tables of a few rows: with labels, without, and for the test."""

    labeled_set: LabeledSet
    size: str
    number: int
    """From 1; also the seed of trainings."""
    rows: int
    folder: Path

    @property
    def train(self) -> Path:
        """The labeled rows."""
        return self.folder / "few.csv"

    @property
    def unlabeled(self) -> Path | None:
        """The texts of the rest of the table; None where there is no rest."""
        path = self.folder / "rest.csv"
        return path if path.is_file() else None

    @property
    def tested(self) -> Path:
        """The rows that are scored."""
        return self.folder.parent / "scored.csv"


def write_subset(labeled_set: LabeledSet, size: str, number: int, place: Path) -> Subset | None:
    """Write the tables of a subset; return None where the set has fewer rows.

    The rows are drawn at random from the table, or from 20,000 random rows of a larger one. Each
    label occurs at least once where that is possible. The other rows are the unlabeled texts.

    Args:
        labeled_set: The set.
        size: One of `SIZES`.
        number: From 1; another one draws other rows.
        place: Folder of the tables of all sets.
    """
    folder = place / labeled_set.folder
    _write_scored(labeled_set, folder)
    drawn_from = _read(labeled_set.train, MAX_ROWS)
    chosen = _choose(_labels(drawn_from, labeled_set), size, number)
    if chosen is None:
        return None
    subset = Subset(
        labeled_set, size, number, len(chosen), folder / f"{size.replace(' ', '-')}-{number}"
    )
    subset.folder.mkdir(exist_ok=True)
    write_table(drawn_from.iloc[chosen], subset.train)
    rest = drawn_from.drop(index=chosen)
    if len(rest):
        write_table(rest[["text"]], subset.folder / "rest.csv")
    return subset


def read_table(table: Path) -> pd.DataFrame:
    """Read a table as text."""
    return pd.read_csv(table, dtype=str, keep_default_na=False)


def write_table(rows: pd.DataFrame, path: Path) -> None:
    """Write a table."""
    # A text may hold a carriage return, which pandas leaves bare without quotes.
    rows.to_csv(path, index=False, lineterminator="\n", quoting=csv.QUOTE_ALL)


def split_labels(cell: str, separator: str) -> list[str]:
    """Return the labels of a row."""
    return [label for label in cell.split(separator) if label] if separator else [cell]


def _write_scored(labeled_set: LabeledSet, folder: Path) -> None:
    scored = folder / "scored.csv"
    if not scored.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_table(_read(labeled_set.tested, MAX_TEST_ROWS), scored)


def _read(table: Path, limit: int) -> pd.DataFrame:
    """Read a table; of a larger one, random rows."""
    rows = read_table(table)
    if len(rows) <= limit:
        return rows
    chosen = sorted(random.Random(1).sample(range(len(rows)), limit))  # noqa: S311 - no secret
    return rows.iloc[chosen].reset_index(drop=True)


def _labels(rows: pd.DataFrame, labeled_set: LabeledSet) -> list[list[str]]:
    return [split_labels(cell, labeled_set.separator) for cell in rows["label"]]


def _choose(labels: list[list[str]], size: str, number: int) -> list[int] | None:
    """Return the positions of the rows, in a random order."""
    order = list(range(len(labels)))
    random.Random(number).shuffle(order)  # noqa: S311 - no secret
    if size == "all":
        return order
    if size == SIZES[0]:
        chosen = _first_of_each(labels, order, PER_LABEL)
    elif (wanted := int(size)) > len(labels):
        return None
    else:
        chosen = dict.fromkeys(list(_first_of_each(labels, order, 1))[:wanted])
        left = [row for row in order if row not in chosen]
        chosen.update(dict.fromkeys(left[: wanted - len(chosen)]))
    return [row for row in order if row in chosen]


def _first_of_each(labels: list[list[str]], order: list[int], count: int) -> dict[int, None]:
    """Return the first rows in an order that have each label, the rarest label first."""
    rows_of: dict[str, list[int]] = {}
    for row in order:
        for label in labels[row]:
            rows_of.setdefault(label, []).append(row)
    chosen: dict[int, None] = {}
    for rows in sorted(rows_of.values(), key=len):
        # A row with several labels counts for each of them.
        missing = count - sum(row in chosen for row in rows)
        new = [row for row in rows if row not in chosen]
        chosen.update(dict.fromkeys(new[: max(missing, 0)]))
    return chosen
