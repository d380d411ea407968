"""Config → what is wrong with its data, found before a minute is spent on training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.config import near
from embedclf.data import near_places
from embedclf.errors import DataError
from embedclf.examined import Examined
from embedclf.findings import SEVERITIES, SHOWN, Example, Finding, Severity, counted, ordered
from embedclf.giveaways import giveaways
from embedclf.initialization import coverage
from embedclf.label_findings import label_findings
from embedclf.layout import shortened
from embedclf.preparation import VECTORS, Prepared, check_validation, prepare
from embedclf.repetitions import repetitions
from embedclf.text_findings import text_findings
from embedclf.traits import read_traits
from embedclf.unreadable import unreadable
from embedclf.vector_findings import vector_findings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.data import Rows
    from embedclf.schema import Config

_SHOWN_LETTERS = 200
"""Of the text of an example."""


@dataclass(frozen=True)
class Audit:
    """What there is to know and to mend about data before training."""

    facts: dict[str, Any] | None
    """Those of `Prepared`, and of the `vectors` that training starts from, if any are named; None
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
        prepared, refusal = prepare(config, strict=False), None
    except DataError as error:
        if found := tuple(unreadable(config)):
            return Audit(None, found, error)
        prepared, refusal = _prepare_valid(config, error), error
    parts, covered = _examine(prepared), coverage(prepared)
    findings = [*_findings(parts, prepared, skipped=config.data.skip_invalid)]
    findings += vector_findings(covered, config)
    located = _located(ordered(findings), parts, prepared.config)
    facts = prepared.facts | ({} if covered is None else {VECTORS: covered.facts()})
    return Audit(facts, located, refusal or _refusal(prepared))


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


def _prepare_valid(config: Config, refusal: DataError) -> Prepared:
    """Prepare the rows that have a label; raises the refusal where that is not what it is about."""
    skipping = config.data.model_copy(update={"skip_invalid": True})
    try:
        return prepare(config.model_copy(update={"data": skipping}), strict=False)
    except DataError:
        raise refusal from None


def _refusal(prepared: Prepared) -> DataError | None:
    try:
        check_validation(prepared)
    except DataError as error:
        return error
    return None


def _examine(prepared: Prepared) -> list[Examined]:
    """The parts with the traits of their texts; each table is read once."""
    tables = {part.rows.table.path for part in prepared.parts.values()}
    traits = {path: read_traits(path, prepared.config) for path in tables}
    return [
        Examined(
            name,
            part,
            prepared.labels.names,
            traits[part.rows.table.path].take(part.rows.rows),
            traits[part.rows.table.path].rows,
        )
        for name, part in prepared.parts.items()
    ]


def _findings(parts: Sequence[Examined], prepared: Prepared, *, skipped: bool) -> Iterator[Finding]:
    for part in parts:
        yield from _without_label(part, prepared.config, skipped=skipped)
    yield from label_findings(parts, prepared)
    yield from repetitions(parts, prepared.config)
    yield from giveaways(parts[0], prepared)
    yield from text_findings(parts, prepared)


def _without_label(part: Examined, config: Config, *, skipped: bool) -> Iterator[Finding]:
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
    findings: Sequence[Finding], parts: Sequence[Examined], config: Config
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
    part: Examined, rows: Rows, config: Config
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
