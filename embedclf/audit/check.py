"""check: every finding of a config's data."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from embedclf.audit.audited_split import AuditedSplit, read_traits
from embedclf.audit.duplicates import find_duplicates
from embedclf.audit.findings import (
    SEVERITIES,
    SHOWN,
    Example,
    Finding,
    Severity,
    counted,
    ordered,
    several,
)
from embedclf.audit.label_leakage import find_label_leakage
from embedclf.audit.labels import label_findings
from embedclf.audit.texts import text_findings, vector_findings
from embedclf.config.schema import FILES
from embedclf.data.dataset import VECTORS, Dataset, check_validation, prepare_dataset
from embedclf.data.labeled import near_places
from embedclf.data.tables import open_table
from embedclf.errors import DataError
from embedclf.system.formats import KINDS, is_packed, suffix_of
from embedclf.system.terminal import near, shortened
from embedclf.system.text_files import open_text
from embedclf.training.initialization import coverage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.config.schema import Config, DataConfig
    from embedclf.system.arrays import Rows

_SHOWN_LETTERS = 200
"""Of the text of an example."""


@dataclass(frozen=True)
class Audit:
    """What there is to know and to mend about data before training."""

    facts: dict[str, Any] | None
    """Those of `Dataset`, and of the `vectors` that training starts from, if any are named; None
    where rows could not be read."""
    findings: tuple[Finding, ...]
    """The gravest first."""
    refusal: DataError | None
    """What training would end with."""

    def to_json(self) -> dict[str, Any]:
        """Plain values: the facts, whether training would begin, and all findings."""
        findings = [finding.to_json() for finding in self.findings]
        return {**(self.facts or {}), "usable": self.refusal is None, "findings": findings}


def audit(config: Config) -> Audit:
    """Find everything that is wrong with the data of a config; nothing is trained.

    Where rows cannot be read they are all found, and nothing else is. Rows without a label are left
    out of everything else.

    Raises:
        DataError: A table cannot be used at all: it is empty, it lacks a column, it has one label.
        ConfigError: A file is not there, or `class_weight` names a label that no training row has.
    """
    try:
        dataset, refusal = prepare_dataset(config, strict=False), None
    except DataError as error:
        if found := tuple(unreadable(config)):
            return Audit(None, found, error)
        dataset, refusal = _prepare_valid(config, error), error
    parts, covered = _examine(dataset), coverage(dataset)
    findings = [*_findings(parts, dataset, skipped=config.data.skip_invalid)]
    findings += vector_findings(covered, config)
    located = _located(ordered(findings), parts, dataset.config)
    facts = dataset.facts | ({} if covered is None else {VECTORS: covered.facts()})
    return Audit(facts, located, refusal or _refusal(dataset))


def refuse(told: Audit, fail_on: Severity | None) -> None:
    """End with what training would end with, or with findings of a severity or a graver one.

    Raises:
        DataError: There is something to end with.
    """
    if told.refusal is not None:
        raise told.refusal
    if fail_on is None:
        return
    grave = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    if found := [finding for finding in told.findings if finding.severity in grave]:
        raise DataError(f"{counted(found)} found; mend them, or leave --fail-on {fail_on} out")


def _prepare_valid(config: Config, refusal: DataError) -> Dataset:
    """Prepare the rows that have a label; raises the refusal where that is not what it is about."""
    skipping = config.data.model_copy(update={"skip_invalid": True})
    try:
        return prepare_dataset(config.model_copy(update={"data": skipping}), strict=False)
    except DataError:
        raise refusal from None


def _refusal(dataset: Dataset) -> DataError | None:
    try:
        check_validation(dataset)
    except DataError as error:
        return error
    return None


def _examine(dataset: Dataset) -> list[AuditedSplit]:
    """The parts with the traits of their texts; each table is read once."""
    tables = {part.rows.table.path for part in dataset.parts.values()}
    traits = {path: read_traits(path, dataset.config) for path in tables}
    return [
        AuditedSplit(
            name,
            part,
            dataset.labels.names,
            traits[part.rows.table.path].take(part.rows.rows),
            traits[part.rows.table.path].rows,
        )
        for name, part in dataset.parts.items()
    ]


def _findings(
    parts: Sequence[AuditedSplit], dataset: Dataset, *, skipped: bool
) -> Iterator[Finding]:
    for part in parts:
        yield from _without_label(part, dataset.config, skipped=skipped)
    yield from label_findings(parts, dataset)
    yield from find_duplicates(parts, dataset.config)
    yield from find_label_leakage(parts[0], dataset)
    yield from text_findings(parts, dataset)


def _without_label(part: AuditedSplit, config: Config, *, skipped: bool) -> Iterator[Finding]:
    """Rows that training cannot use."""
    count = part.part.rows.skipped
    if not count:
        return
    several = isinstance(config.data.label, list)
    lacking = "a label column that holds neither 0 nor 1" if several else "an empty label"
    of = len(part.valid) + count
    rows = np.setdiff1d(np.arange(of), part.valid)[:SHOWN].tolist()
    yield Finding(
        "label-empty",
        "note" if skipped else "error",
        f"{count:,} of {of:,} rows of {near(part.part.rows.table.path)} have {lacking}",
        count,
        of,
        "they are left out" if skipped else "training refuses the table",
        "write the labels" if skipped else "write the labels, or data.skip_invalid: true",
        tuple(Example(part.name, row + 1) for row in rows),
    )


def _located(
    findings: Sequence[Finding], parts: Sequence[AuditedSplit], config: Config
) -> tuple[Finding, ...]:
    """The findings, their examples with places and texts."""
    shown = [example for finding in findings for example in finding.examples]
    shown += [example.like for example in shown if example.like]
    known: dict[tuple[str, int], tuple[str, str]] = {}
    for part in parts:
        rows = np.unique([one.row - 1 for one in shown if one.part == part.name])
        if len(rows):
            known |= _read_examples(part, rows.astype(np.int64), config)

    def located(example: Example) -> Example:
        place, text = known[example.part, example.row]
        like = located(example.like) if example.like else None
        return replace(example, place=place, text=text, like=like)

    return tuple(
        replace(finding, examples=tuple(map(located, finding.examples))) for finding in findings
    )


def _read_examples(
    part: AuditedSplit, rows: Rows, config: Config
) -> dict[tuple[str, int], tuple[str, str]]:
    """Place and text of rows at positions in the table of a part."""
    table = part.part.rows.table
    places = near_places(table, rows)
    batches = part.read(rows, config, lambda texts: texts.to_pylist())
    texts = iter(text for batch in batches for text in batch)
    readable = np.isin(rows, part.valid).tolist()
    return {
        (part.name, row + 1): (place, shortened(next(texts), _SHOWN_LETTERS) if valid else "")
        for row, place, valid in zip(rows.tolist(), places, readable, strict=True)
    }


_STRAY = range(0xDC80, 0xDD00)
"""What Python makes of bytes that are not in the encoding (PEP 383)."""


def unreadable(config: Config) -> Iterator[Finding]:
    """Find the rows that cannot be read in each table of a config.

    Tables in which no row can be told from others, such as Parquet, those that are empty, and those
    that lack a column, are passed over: training refuses them in a sentence that says it all.
    """
    for part in FILES:
        path = getattr(config.data, part)
        if isinstance(path, Path) and KINDS.get(suffix_of(path)) in {"delimited", "jsonl"}:
            try:
                yield from _of_table(part, path, config.data)
            except (DataError, OSError, EOFError, UnicodeError, zlib.error):
                continue


def _of_table(part: str, path: Path, data: DataConfig) -> Iterator[Finding]:
    columns = [*data.text_columns, *data.label_columns]
    encoding = open_text(path, str(path), data.encoding).encoding
    with NamedTemporaryFile(suffix=suffix_of(path)) as copy:
        stray = list(_copy(path, encoding, copy.file))
        table = open_table(
            Path(copy.name), columns, delimiter=data.delimiter, encoding="utf-8", name=str(path)
        )
        broken = list(table.broken(columns))
    if stray:
        what = f"{several(len(stray), 'line')} of {near(path)} with bytes that are not {encoding}"
        faults = [(line, "") for line in stray]
        mend = "data.encoding: cp1252, or what else it is in, or save the table in UTF-8"
        yield _finding("bytes-unreadable", what, _examples(part, path, faults), len(stray), mend)
    if broken:
        what = f"{several(len(broken), 'row')} of {near(path)} cannot be read"
        mend = "write the rows as their examples say; a library of CSV or JSON does it by itself"
        yield _finding("row-unreadable", what, _examples(part, path, broken), len(broken), mend)


def _copy(path: Path, encoding: str, copy: IO[bytes]) -> Iterator[int]:
    """Write a table in UTF-8, and give the lines of bytes that are not in its encoding."""
    opened = gzip.open if is_packed(path) else open
    with opened(path, "rt", encoding=encoding, errors="surrogateescape", newline="\n") as text:
        for number, line in enumerate(text, 1):
            if not line.isascii() and any(ord(letter) in _STRAY for letter in line):
                yield number
            copy.write(line.encode("utf-8", errors="replace"))
    copy.flush()


def _examples(part: str, path: Path, faults: list[tuple[int, str]]) -> tuple[Example, ...]:
    return tuple(Example(part, 0, f"{near(path)}:{line}", told) for line, told in faults[:SHOWN])


def _finding(kind: str, what: str, examples: tuple[Example, ...], count: int, mend: str) -> Finding:
    why = "what a row is cannot be guessed, so that training refuses the table"
    return Finding(kind, "error", what, count, None, why, mend, examples)
