"""Validation and test tables next to the training table."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedclf.autoconfig.split_files import SPLIT_NAMES, find_split
from embedclf.config.loading import named_tables
from embedclf.data.label_forms import suggest_setting
from embedclf.data.labeled import read_labels
from embedclf.errors import DataError
from embedclf.system.terminal import format_count
from embedclf.tables.files import display_tables, list_tables
from embedclf.tables.parts import MissingColumnError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from embedclf.config.data_section import DataConfig
    from embedclf.config.fields import Tables
    from embedclf.config.schema import Config
    from embedclf.data.labeled import LabeledRows
    from embedclf.data.labels import Labels


@dataclass(frozen=True)
class SiblingTables:
    """Validation and test tables, and notes on those that were ignored."""

    validation: Tables | None = None
    test: Tables | None = None
    skipped: int = 0
    """Rows of these tables without a valid label."""
    notes: tuple[str, ...] = ()
    """Why each ignored table was ignored."""
    requested: frozenset[Tables] = frozenset()
    """The tables that were written in the config."""
    detected: tuple[Mapping[str, Any], ...] = ()
    """What reading each table has detected: keys of `data` and their values."""

    def origin(self, table: Tables) -> str:
        """Describe how a table was chosen."""
        return "as requested" if table in self.requested else "found next to the training table"


def find_sibling_tables(
    config: Config, labels: Labels, written: Collection[str], *, strict: bool
) -> SiblingTables:
    """Find tables named like the training table: `test.csv` next to `train.csv`.

    Tables that lack the columns, have no labels, or have labels that training would refuse are
    ignored. With a refit, no validation table is looked for: its rows could not be trained on.

    Args:
        config: The training table, and how to read tables like it.
        labels: The labels of the training table.
        written: Keys of the config that are not to be chosen.
        strict: Whether tables that were written must be usable.

    Raises:
        DataError: A table that was written cannot be used.
    """
    requested = {
        split: table
        for split, table in named_tables(config).items()
        if split in SPLIT_NAMES and f"data.{split}" in written
    }
    found = _find_splits(config, written, requested)
    chosen: dict[str, Tables] = {}
    skipped, notes, detected = 0, list[str](), list[dict[str, Any]]()
    for split, table in (requested | found).items():
        try:
            # Training refuses unknown labels in validation rows; in test rows they count as wrong.
            rows = _read_usable(table, config.data, labels, strict=split == "validation")
        except DataError as error:
            if split not in requested:
                notes.append(f"ignored {_describe_fault(error, config.data)}")
            elif strict:  # otherwise `check` and training report what is wrong with it
                raise
        else:
            chosen[split] = table
            skipped += rows.skipped
            detected.append({key: value for key, (value, _) in rows.table.detected().items()})
    chosen |= requested
    return SiblingTables(
        chosen.get("validation"),
        chosen.get("test"),
        skipped,
        tuple(notes),
        frozenset(requested.values()),
        tuple(detected),
    )


def _describe_fault(error: DataError, config: DataConfig) -> str:
    """Describe why a table is ignored; one without labels is probably to be predicted."""
    if isinstance(error, MissingColumnError) and error.column in config.label_columns:
        table = error.name
        command = f"embedclf predict {shlex.quote(table)}"
        return f"{table}: it has no column {error.column!r}; to predict it: `{command}`"
    return str(error)


def _find_splits(
    config: Config, written: Collection[str], requested: Mapping[str, Tables]
) -> dict[str, str]:
    """Find the tables of splits that were not written."""
    wanted = [split for split in SPLIT_NAMES if f"data.{split}" not in written]
    if "training.refit" in written and config.training.refit:
        wanted = [split for split in wanted if split != "validation"]
    train = list_tables(config.data.train)
    if len(train) > 1:
        return {}
    # A table that was named for one split serves no other.
    used = {_identity(table) for table in requested.values()}
    found = ((split, find_split(train[0], split)) for split in wanted)
    return {split: table for split, table in found if table and _identity(table) not in used}


def _identity(table: Tables) -> tuple[str, ...]:
    """Return the same value for all paths of a table."""
    return tuple(map(os.path.realpath, list_tables(table)))


def _read_usable(table: Tables, config: DataConfig, labels: Labels, *, strict: bool) -> LabeledRows:
    """Read the labels of a table, and ignore rows without a valid one.

    Args:
        table: The table.
        config: How to read it.
        labels: The labels of the training table.
        strict: Whether a single row of an unknown label makes a table unusable, or only all rows.

    Raises:
        DataError: The table cannot be used.
    """
    config = config.model_copy(update={"skip_invalid": True})
    rows = read_labels(table, config)
    _, unknown = labels.encode(rows, config)
    count = sum(unknown.values())
    if count and (strict or count >= len(rows)):
        name = next(iter(unknown))
        hint = suggest_setting(name, labels.names)
        raise DataError(
            f"{display_tables(table)}: {format_count(count, 'row')} with labels that no training "
            f"row has, such as {name!r}{f'; {hint}' if hint else ''}"
        )
    return rows
