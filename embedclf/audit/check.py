"""check: all problems in the data of a config."""

from __future__ import annotations

from dataclasses import dataclass, replace
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from embedclf.audit.audited_split import read_audited
from embedclf.audit.conflicts import find_conflicts
from embedclf.audit.duplicates import find_duplicates
from embedclf.audit.findings import (
    MAX_EXAMPLES,
    SEVERITIES,
    Example,
    Finding,
    Severity,
    format_settings,
    sort_findings,
    summarize_severities,
)
from embedclf.audit.labels import find_label_problems
from embedclf.audit.leakage.group_leakage import find_group_leakage
from embedclf.audit.leakage.label_leakage import find_label_leakage
from embedclf.audit.reading import find_reading_problems, find_unreadable_rows
from embedclf.audit.split_sizes import find_heavy_rows, find_small_splits
from embedclf.audit.texts import find_mojibake, find_text_problems, find_vector_problems
from embedclf.config.token_patterns import WORDS_AND_SYMBOLS
from embedclf.data.config_files import check_validation_labels
from embedclf.data.dataset import Dataset, prepare_dataset
from embedclf.errors import DataError
from embedclf.system.memory.mapping import release_mapped_files
from embedclf.system.memory.release import release_memory
from embedclf.system.progress import activity
from embedclf.system.terminal import shorten
from embedclf.training.initialization import measure_coverages

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.audit.audited_split import AuditedSplit, AuditedTable
    from embedclf.config.fields import Tables
    from embedclf.config.schema import Config
    from embedclf.data.splits import TokenizedTable
    from embedclf.system.arrays import Rows

AuditedTables = dict["Tables", "AuditedTable"]
"""The texts of tables, by what names a table in a config."""

_MAX_TEXT_LENGTH = 200
"""Characters of an example's text."""


@dataclass(frozen=True)
class Audit:
    """The result of auditing the data of a config."""

    facts: dict[str, Any] | None
    """`Dataset.facts`, plus the coverage of pretrained `vectors` if the config names any; None if
    some rows cannot be read."""
    findings: tuple[Finding, ...]
    """The most severe first."""
    training_error: DataError | None
    """The error that training would raise, if any."""

    def to_json(self) -> dict[str, Any]:
        """Plain values: the facts, whether training would start, and all findings."""
        findings = [finding.to_json() for finding in self.findings]
        return {**(self.facts or {}), "usable": self.training_error is None, "findings": findings}


def audit_data(config: Config) -> Audit:
    """Find problems in the data of a config, without training.

    If some rows cannot be read, only these are reported. Rows without a label are reported, and
    skipped by all other checks.

    Raises:
        DataError: A table cannot be used at all: it is empty, lacks a column, or has only one
            label.
        ConfigError: A file does not exist, or `class_weight` names a label that no training row
            has.
    """
    release_memory()  # after choosing columns and settings
    try:
        prepared, error = _prepare(config), None
    except DataError as data_error:
        if unreadable := tuple(find_unreadable_rows(config)):
            return Audit(None, unreadable, data_error)
        try:
            prepared, error = _prepare_valid_rows(config, data_error), data_error
        except DataError:
            if dropped := _find_dropped_characters(config):
                return Audit(None, dropped, data_error)
            raise
    dataset, tables = prepared
    splits, coverages = _audit_splits(dataset, tables), measure_coverages(dataset)
    # From `config`: `dataset.config` may have `skip_invalid` turned on just for this audit.
    findings = [*_find_problems(splits, dataset, skipped=config.data.skip_invalid)]
    findings += find_vector_problems(coverages, config)
    located = _locate_examples(sort_findings(findings), splits)
    facts = dataset.facts | {key: coverage.facts() for key, coverage in coverages.items()}
    return Audit(facts, located, error or _validation_error(dataset))


def raise_on_findings(audit: Audit, fail_on: Severity | None) -> None:
    """Raise the error of training, or one for findings at least as severe as `fail_on`.

    Raises:
        DataError: Training would fail, or there are such findings.
    """
    if audit.training_error is not None:
        raise audit.training_error
    if fail_on is None:
        return
    failing = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    if severe := [finding for finding in audit.findings if finding.severity in failing]:
        found = summarize_severities(severe)
        raise DataError(f"check failed: {found}; fix the data, or run without --fail-on {fail_on}")


def _prepare(config: Config) -> tuple[Dataset, AuditedTables]:
    """Prepare a dataset, and read the properties of all texts along with it."""
    audited: AuditedTables = {}

    def read(tables: Tables, config: Config, file: IO[bytes]) -> TokenizedTable:
        tokenized, audited[tables] = read_audited(tables, config, file)
        return tokenized

    # Not strict: here, labels without training rows are findings.
    return prepare_dataset(config, strict=False, read=read), audited


def _prepare_valid_rows(config: Config, error: DataError) -> tuple[Dataset, AuditedTables]:
    """Prepare the rows with valid labels; raise `error` if invalid labels are not its cause."""
    skipping = config.data.model_copy(update={"skip_invalid": True})
    try:
        return _prepare(config.model_copy(update={"data": skipping}))
    except DataError:
        raise error from None


def _find_dropped_characters(config: Config) -> tuple[Finding, ...]:
    """Return whether characters that are not tokens are why no rows can be held out, as findings.

    The splits are those of a config that keeps such characters; their texts are compared as ours.
    """
    text = config.text.model_copy(update={"token_pattern": WORDS_AND_SYMBOLS})
    try:
        dataset, tables = _prepare_valid_rows(config.model_copy(update={"text": text}), DataError())
    except DataError:
        return ()
    with TemporaryFile() as file:  # their texts again, by the rules of the config
        tables = {each: read_audited(each, config, file)[1] for each in tables}
    splits = _audit_splits(dataset, tables)
    findings = [each for each in find_conflicts(splits, config) if each.kind == "text-dropped"]
    return _locate_examples(findings, splits)


def _validation_error(dataset: Dataset) -> DataError | None:
    try:
        check_validation_labels(dataset)
    except DataError as error:
        return error
    return None


def _audit_splits(dataset: Dataset, tables: AuditedTables) -> list[AuditedSplit]:
    """Divide the texts of tables among the splits of a dataset."""
    release_memory()
    return [
        tables[split.rows.table.tables].split(name, split, dataset.labels.names)
        for name, split in dataset.splits.items()
    ]


def _find_problems(
    splits: Sequence[AuditedSplit], dataset: Dataset, *, skipped: bool
) -> Iterator[Finding]:
    for split in splits:
        if split.name == "train" or split.has_own_table:
            yield from find_reading_problems(split, dataset.config)
    for split in splits:
        yield from _find_missing_labels(split, dataset.config, skipped=skipped)
    with activity("checking encodings"):
        # First, because garbled texts explain other findings.
        yield from find_mojibake(splits, dataset)
    yield from find_small_splits(splits)
    yield from find_heavy_rows(splits)
    # After each check, because the next one reads other arrays.
    release_mapped_files()
    with activity("checking labels"):
        yield from find_label_problems(splits, dataset)
    release_mapped_files()
    with activity("looking for duplicates"):
        yield from find_conflicts(splits, dataset.config)
        yield from find_duplicates(splits, dataset.config)
    release_mapped_files()
    with activity("looking for label leakage"):
        yield from find_label_leakage(splits[0], dataset)
        yield from find_group_leakage(splits, dataset.config.data)
    release_mapped_files()
    with activity("checking texts"):
        yield from find_text_problems(splits, dataset)


def _find_missing_labels(
    split: AuditedSplit, config: Config, *, skipped: bool
) -> Iterator[Finding]:
    """Find rows without a valid label."""
    count = split.split.rows.skipped
    if not count:
        return
    has_flags = isinstance(config.data.label, list)
    fault = "a value other than 0 or 1 in a label column" if has_flags else "no label"
    total = len(split.valid_positions) + count
    invalid = np.setdiff1d(np.arange(total), split.valid_positions)[:MAX_EXAMPLES].tolist()
    table = split.split.rows.table.name
    settings = {} if skipped else {"data.skip_invalid": True}
    yield Finding(
        "label-empty",
        "note" if skipped else "error",
        f"{count:,} of {total:,} rows of {table} have {fault}",
        count,
        total,
        "they are skipped" if skipped else "training stops at rows without a valid label",
        "add the labels" + (f", or skip the rows: {format_settings(settings)}" if settings else ""),
        tuple(Example(split.name, position + 1) for position in invalid),
        settings,
    )


def _locate_examples(
    findings: Sequence[Finding], splits: Sequence[AuditedSplit]
) -> tuple[Finding, ...]:
    """Add the locations and texts of all examples; each table is read once."""
    examples = [example for finding in findings for example in finding.examples]
    examples += [example.twin for example in examples if example.twin]
    examples = [example for example in examples if example.row]  # the others are located already
    contents: dict[tuple[str, int], tuple[str, str]] = {}
    for split in splits:
        positions = np.unique([each.row - 1 for each in examples if each.split == split.name])
        if len(positions):
            contents |= _read_examples(split, positions.astype(np.int64))

    def locate(example: Example) -> Example:
        if not example.row:
            return example
        location, text = contents[example.split, example.row]
        twin = locate(example.twin) if example.twin else None
        return replace(example, location=location, text=text, twin=twin)

    return tuple(
        replace(finding, examples=tuple(map(locate, finding.examples))) for finding in findings
    )


def _read_examples(split: AuditedSplit, positions: Rows) -> dict[tuple[str, int], tuple[str, str]]:
    """Read the locations and texts of rows at some positions in the table of a split."""
    locations = split.split.rows.table.locate(positions.tolist())
    is_valid = np.isin(positions, split.valid_positions)  # other texts are not read
    numbers = np.searchsorted(split.valid_positions, positions[is_valid])
    texts = iter(split.read_texts(numbers).to_pylist())
    return {
        (split.name, position + 1): (
            location,
            shorten(next(texts), _MAX_TEXT_LENGTH) if valid else "",
        )
        for position, location, valid in zip(
            positions.tolist(), locations, is_valid.tolist(), strict=True
        )
    }
