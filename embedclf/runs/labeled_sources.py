"""Labeled rows in tables: where they are, and how far scores on them can be trusted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from embedclf.data.split_units import find_validation_rows, hold_out_rows
from embedclf.errors import RequestError, RunError
from embedclf.runs.seen_tables import (
    REFIT_CAUTION,
    SEEN_CAUTIONS,
    VALIDATION_CAUTION,
    find_seen_split,
    is_missing_or_unchanged,
    start_cautions,
)
from embedclf.system.terminal import format_count, join_shortened
from embedclf.tables.files import display_tables
from embedclf.tables.new_tables import open_new_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from embedclf.config.data_section import DataConfig
    from embedclf.config.fields import Tables
    from embedclf.config.schema import Config
    from embedclf.data.dataset import Dataset
    from embedclf.data.splits import TokenizedTable
    from embedclf.runs.run import Run
    from embedclf.system.arrays import Mask
    from embedclf.tables.tables import Table

_CHANGED = "the file has changed since training, so these may be different rows"


@dataclass(frozen=True)
class ReadTables:
    """The tables that a training has read and tokenized."""

    train: TokenizedTable
    validation: TokenizedTable | None = None
    """None if validation rows are held out from `train`."""
    test: TokenizedTable | None = None

    @classmethod
    def of(cls, dataset: Dataset) -> ReadTables:
        """Those of a dataset."""
        test = None if dataset.test is None else dataset.test.tokenized
        return cls(dataset.table, dataset.validation.tokenized, test)


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
    tokenized: TokenizedTable | None = None
    """The table, if it was read before."""
    keeps_tokens: bool = False
    """Whether the rows keep their tokens when they are scored, for a baseline."""

    @classmethod
    def from_table(cls, config: Config, table: Tables) -> LabeledSource:
        """All rows of a table."""
        return cls(display_tables(table), table, config)


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


def locate_test_rows(run: Run, config: Config, read: ReadTables | None = None) -> LabeledSource:
    """Locate the test rows of a run, or its validation rows if it has no test table.

    Args:
        run: The run.
        config: Of the run.
        read: The tables, if its training has just read them.

    Raises:
        RunError: The table of the validation rows has changed.
    """
    test = config.data.test
    if test is None:
        return locate_validation_rows(run, config, read)
    source = LabeledSource.from_table(config, test)
    is_same = read is not None or is_missing_or_unchanged(run, "test", test)
    cautions = [*start_cautions(run, "test"), *([] if is_same else [_CHANGED])]
    return replace(
        source,
        name=f"test rows of {source.name}",
        caution="; ".join(cautions),
        tokenized=None if read is None else read.test,
    )


def locate_validation_rows(
    run: Run, config: Config, read: ReadTables | None = None
) -> LabeledSource:
    """Locate the validation rows of a run; arguments as for `locate_test_rows`.

    Raises:
        RunError: Their table has changed, so they are unknown.
    """
    validation = config.data.validation
    own_table = validation if not isinstance(validation, float) else None
    table, split = (own_table, "validation") if own_table else (config.data.train, "train")
    # A run does not store its split; the table, the fraction and the seed determine it.
    if read is None and not is_missing_or_unchanged(run, split, table):
        raise RunError(
            f"{display_tables(table)}: the file has changed since {run.path} was trained, so its "
            "validation rows are unknown; choose labeled rows with --data TABLE"
        )
    return LabeledSource(
        f"validation rows of {display_tables(table)}",
        table,
        config,
        None if own_table or (read and read.validation) else _find_held_out(config, read),
        is_validation=True,
        caution="; ".join(
            [
                VALIDATION_CAUTION,
                *([REFIT_CAUTION] if run.refitted else []),
                *start_cautions(run, "validation"),
            ]
        ),
        tokenized=None if read is None else read.validation or read.train,
    )


def _find_held_out(config: Config, read: ReadTables | None) -> Mask:
    """Return (n,) True for the training rows that are held out; reads the table if it must."""
    if read is None:
        return find_validation_rows(config)
    return hold_out_rows(read.train.rows, read.train.fingerprints, config)


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
