"""How the rows of a table are split: stratified by label, by text, by group, or by time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from embedclf.config.token_patterns import WORDS_AND_SYMBOLS
from embedclf.data.grouped import grouped_folds, grouped_split
from embedclf.data.labeled import read_labeled
from embedclf.data.labels import Labels
from embedclf.data.row_columns import group_ids, row_times
from embedclf.data.stratified import stratified_folds, stratified_split
from embedclf.errors import DataError
from embedclf.system.terminal import format_count
from embedclf.tables.files import display_tables
from embedclf.text.fingerprints import Fingerprints, fingerprint_texts, mix
from embedclf.text.token_rules import TokenRules

if TYPE_CHECKING:
    from embedclf.config.data_section import DataConfig
    from embedclf.config.schema import Config
    from embedclf.data.labeled import LabeledRows
    from embedclf.system.arrays import Int64s, Mask, Rows


@dataclass(frozen=True)
class SplitUnits:
    """The texts, labels, groups and times that decide how rows are split."""

    texts: Fingerprints
    """(n,) equal for equal texts, which stay together unless rows have groups or times."""
    strata: Int64s
    """(n,) the stratum of each row, from its labels."""
    groups: Int64s | None
    """(n,) the number of each row's group; None without `data.group`."""
    times: Int64s | None
    """(n,) the rank of each row's time; None without `data.time`."""

    @classmethod
    def from_rows(
        cls, rows: LabeledRows, texts: Fingerprints, strata: Int64s, config: DataConfig
    ) -> SplitUnits:
        """Take groups and times from the columns of the training table.

        Raises:
            DataError: A cell of `data.time` is no time.
        """
        return cls(texts, strata, group_ids(rows, config), row_times(rows, config))

    def __len__(self) -> int:
        return len(self.strata)

    def take(self, rows: Rows) -> SplitUnits:
        """Keep some rows."""
        groups = None if self.groups is None else self.groups[rows]
        times = None if self.times is None else self.times[rows]
        return SplitUnits(self.texts[rows], self.strata[rows], groups, times)

    def split(self, *, fraction: float, seed: int) -> Mask:
        """Choose the rows to hold out (n,): the latest ones if rows have times, else random ones.

        Groups are never divided. Without times, the rows are stratified.
        """
        if self.times is not None:
            return _hold_out_latest(_latest_first(self.times, self.groups), fraction)
        if self.groups is not None:
            return grouped_split(self.groups, self.strata, fraction=fraction, seed=seed)
        return stratified_split(self.texts, self.strata, fraction=fraction, seed=seed)

    def folds(self, *, count: int, seed: int) -> Int64s:
        """Assign each row (n,) to a fold, from 0; groups or equal texts stay together."""
        if self.groups is not None:
            return grouped_folds(self.groups, self.strata, count=count, seed=seed)
        return stratified_folds(self.texts, self.strata, count=count, seed=seed)

    def blocks(self, count: int) -> Int64s:
        """Assign each row (n,) to one of about equal blocks by time, from 0, the earliest.

        Rows that stay together go to the block that the middle of them falls into. With few times,
        a block can be empty.
        """
        assert self.times is not None  # noqa: S101 - the caller has checked
        _, unit_of, sizes = np.unique(
            -_latest_first(self.times, self.groups), return_inverse=True, return_counts=True
        )
        middles = np.cumsum(sizes) - sizes / 2
        blocks: Int64s = (middles * count / len(self)).astype(np.int64)[unit_of]
        return blocks


def choose_validation_rows(units: SplitUnits, config: Config) -> Mask:
    """Choose the rows to hold out for validation; none if validation has its own table.

    Args:
        units: What decides how rows are split.
        config: Its fraction of validation rows and its seed.

    Raises:
        DataError: There are too few different texts to hold any out, only one group, or one time.
    """
    if not isinstance(config.data.validation, float):
        return np.zeros(len(units), np.bool_)
    if config.data.split == "hash":
        mask = hash_split(units.texts, fraction=config.data.validation, seed=config.seed)
    else:
        mask = units.split(fraction=config.data.validation, seed=config.seed)
    if not mask.any():
        raise DataError(_describe_too_few(units, config))
    return mask


def hash_split(texts: Fingerprints, *, fraction: float, seed: int) -> Mask:
    """Choose the rows (n,) to hold out by their texts alone, each with the same probability."""
    return mix(texts, seed) < np.uint64(fraction * 2.0**64)


def hold_out_rows(rows: LabeledRows, texts: Fingerprints, config: Config) -> Mask:
    """Choose validation rows (n,) of the training table.

    The labels are those of these rows alone, so that the same rows are held out whatever the
    training continues from.

    Args:
        rows: All rows of the table.
        texts: (n,) equal for equal texts.
        config: The config.

    Raises:
        DataError: As `choose_validation_rows`, or a cell of `data.time` is no time.
    """
    labels = Labels.of_rows(rows, config.data)
    targets, _ = labels.encode(rows, config.data)
    strata = labels.strata(targets, config.data)
    return choose_validation_rows(SplitUnits.from_rows(rows, texts, strata, config.data), config)


def find_validation_rows(config: Config) -> Mask:
    """Return (n,) True for the rows of the training table that training holds out.

    Raises as `prepare_dataset`.
    """
    fingerprints: list[Fingerprints] = []
    rows = read_labeled(
        config.data.train,
        config.data,
        lambda texts: fingerprint_texts(TokenRules.from_config(config).tokenize(texts)),
        fingerprints.append,
    )
    return hold_out_rows(rows, np.concatenate(fingerprints), config)


def fit_training_labels(
    rows: LabeledRows, held_out: Mask, config: DataConfig, *, start: Labels | None = None
) -> Labels:
    """Learn the labels of the rows that are not held out.

    Raises:
        DataError: They have only one.
    """
    try:
        return Labels.fit(rows.filter(~held_out), config, start=start)
    except DataError as error:
        if not (hint := suggest_split(config)):
            raise
        fault = "the rows left for training all have the same label"
        raise DataError(f"{rows.table.name}: {fault}; {hint}") from error


def describe_hold_out(config: DataConfig) -> str | None:
    """Describe which rows are held out; None if they are random, or a table of their own."""
    if not isinstance(config.validation, float) or not (config.time or config.group):
        return None
    if config.time is None:
        return f"whole groups of {config.group!r}"
    latest = "rows" if config.group is None else f"groups of {config.group!r}"
    return f"the latest {latest} by {config.time!r}"


def suggest_split(config: DataConfig) -> str:
    """Say how to change which rows are held out; empty if they are random, or their own table."""
    held_out = describe_hold_out(config)
    key = "group" if config.time is None else "time"
    change = f"change data.validation, or remove data.{key}"
    return f"{held_out} are held out; {change}" if held_out else ""


def _latest_first(times: Int64s, groups: Int64s | None) -> Int64s:
    """Rank rows (n,) from the latest; equal for rows that stay together.

    Groups rank by their latest row. Among equally late groups, the one that begins later comes
    first. Otherwise, all groups with a row on the last day would be one unit.
    """
    if groups is None:
        from_latest: Int64s = times.max(initial=0) - times
        return from_latest
    _, group_of = np.unique(groups, return_inverse=True)
    count = group_of.max(initial=-1) + 1
    earliest, latest = np.full(count, np.iinfo(np.int64).max), np.full(count, -1)
    np.minimum.at(earliest, group_of, times)
    np.maximum.at(latest, group_of, times)
    ranks: Int64s = np.empty(count, np.int64)
    ranks[np.lexsort((-earliest, -latest))] = np.arange(count)
    of_rows: Int64s = ranks[group_of]
    return of_rows


def _hold_out_latest(ranks: Int64s, fraction: float) -> Mask:
    """Hold out the lowest ranks (n,): as close to the fraction as equal ranks allow, never all."""
    held_out = np.cumsum(np.bincount(ranks))[:-1]  # rows held out if a rank is the last one
    if not len(held_out):
        return np.zeros(len(ranks), np.bool_)
    mask: Mask = ranks <= np.abs(held_out - fraction * len(ranks)).argmin()
    return mask


def _describe_too_few(units: SplitUnits, config: Config) -> str:
    """Explain why no validation rows could be held out."""
    table = display_tables(config.data.train)
    if units.groups is not None or units.times is not None:
        column = config.data.time if units.groups is None else config.data.group
        key = "time" if units.groups is None else "group"
        return (
            f"{table}: all rows have the same {column!r}, so no validation rows can be held out; "
            f"set data.validation to a table, or remove data.{key}"
        )
    rows = np.unique(units.strata, return_counts=True)[1]
    if len(rows) > 2 and np.mean(rows == 1) > 0.5:
        columns = ", ".join(map(repr, config.data.label_columns))
        return (
            f"{table}: {np.count_nonzero(rows == 1):,} of {format_count(len(rows), 'label')} in "
            f"{columns} have a single row, so no validation rows can be held out; choose another "
            "label column (--label or data.label), or add rows"
        )
    way_out = "add rows, raise data.validation, or set it to a file"
    if config.text.token_pattern != WORDS_AND_SYMBOLS:
        # Texts that differ only in characters that are not tokens count as equal.
        way_out += "; if texts differ in symbols, set text.token_pattern: words_and_symbols"
    return (
        f"{table}: too few texts to hold out validation rows (of "
        f"{format_count(len(np.unique(units.texts)), 'different text')}); {way_out}"
    )
