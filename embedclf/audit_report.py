"""Audits → text: each finding with its examples, why it matters, and what mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedclf import report, training_report
from embedclf.findings import counted
from embedclf.layout import WIDTH, listing, shortened
from embedclf.vector_report import entries

if TYPE_CHECKING:
    from embedclf.auditing import Audit
    from embedclf.findings import Example, Finding
    from embedclf.schema import Config

_BESIDE = 16
"""Columns in front of the text of a listing."""
_LEAST_LETTERS = 24
"""Of a text that is shown, however long its place is."""


def audited(told: Audit, config: Config) -> str:
    """What training is about to read, what is wrong with it, and how much that is."""
    lines = [training_report.prepared(told.facts, config)] if told.facts else []
    lines += [listing(found)] if (found := entries(told.facts or {})) else []
    lines += [""] if lines else []
    for finding in told.findings:
        lines += [_finding(finding), ""]
    if not told.facts:
        lines += ["nothing else can be examined until these rows can be read"]
    return "\n".join([*lines, counted(told.findings)])


def audited_json(told: Audit) -> str:
    """The same for programs."""
    return report.to_json(told.to_json())


def stands(example: Example) -> str:
    """Where a row stands, its twin, and its labels."""
    place, label = example.place, example.label
    if example.like is not None:
        file, colon, line = example.like.place.rpartition(":")
        place = (
            f"{place} = {line.strip() if place.startswith(file + colon) else example.like.place}"
        )
        if example.like.label != label:
            label = f"{label} / {example.like.label}"
    return f"{place} {shortened(label, _LEAST_LETTERS)}".strip()


def _finding(finding: Finding) -> str:
    return listing(
        [
            (finding.severity, f"{finding.what} [{finding.kind}]"),
            *(("", _example(example)) for example in finding.examples),
            ("why", finding.why),
            ("mend", finding.mend),
        ]
    )


def _example(example: Example) -> str:
    """A row on a line: where it stands, its twin, its labels, and the beginning of its text."""
    told = stands(example)
    text = " ".join(example.text.split())
    room = max(WIDTH - _BESIDE - len(told) - 2, _LEAST_LETTERS)
    return f"{told}: {shortened(text, room)}" if text else told
