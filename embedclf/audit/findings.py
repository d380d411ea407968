"""Finding, Example, and the limits from which they count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

Severity = Literal["error", "warning", "note"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""Most severe first: an error makes training or its scores worthless, a warning makes them worse,
a note is good to know."""

MAX_EXAMPLES = 3
"""Examples per finding: one may be an accident, three show a pattern."""

MAX_LIST_LENGTH = 120
"""Characters of a list of labels or tokens in a message."""

LEAK_ERROR_FRACTION = 0.5
"""From this fraction of rows seen in training, a score measures memory more than skill."""

WARNING_FRACTION = 0.01
"""From this fraction of affected rows, a score moves by a point or more."""

MIN_SIMILARITY = 0.8
"""Jaccard similarity of near-duplicates: one word of ten differs (9 of 11 are shared)."""

MIN_SHINGLES = 10
"""Distinct shingles of a text that can be a near-duplicate: short sentences share most of theirs
anyway."""

TRUNCATED_FRACTION = 0.1
"""Fraction of training texts that may be truncated: their ends are rarely missed."""

LENGTH_QUANTILE = 0.99
"""Fraction of training texts that a proposed `sequence_length` fits."""

OOV_FRACTION = 0.1
"""Fraction of tokens that may be out of vocabulary: beyond it, most sentences contain one."""

COVERED_FRACTION = 0.5
"""Fraction of training tokens that must have a pretrained vector: below it, the vectors are
probably those of other words."""

MAJORITY_FRACTION = 0.8
"""Fraction of rows with the most frequent label from which always predicting it looks good."""

IMBALANCE_RATIO = 20
"""Rows of the most frequent label per row of the rarest, which then hardly counts in the loss."""

MIN_LABEL_ROWS = 2
"""Training rows of a label: a single one can neither be generalized nor held out."""

MIN_RECALL = 0.9
"""Fraction of a label's rows that contain a leaking token; a rarer one is part of the subject."""

MIN_PURITY = 0.95
"""Fraction of the rows with a leaking token, rating or header that have its label. Not 1, as a text
may quote what it is not about."""

MIN_CELL_PURITY = 0.98
"""The same for whole cells of a column, which quote nothing."""

MAX_ERROR_RATIO = 0.25
"""Errors of a leak relative to the errors of always predicting the most frequent label."""

MIN_SUPPORT, MIN_SUPPORT_FRACTION = 20, 0.05
"""Training rows, and their fraction, that must show a leak: in fewer, some appear at random."""

MIN_REPEATS = 5
"""Rows that share a value, or rows per distinct cell: what differs in each row predicts nothing."""


@dataclass(frozen=True)
class Example:
    """A row that shows a finding; `location` and `text` are filled in when it is read again."""

    split: str
    """`train`, `validation` or `test`."""
    row: int
    """Its number in the table, from 1, without the header; 0 where rows cannot be counted."""
    location: str = ""
    """`file:line`."""
    text: str = ""
    """Shortened."""
    label: str = ""
    twin: Example | None = None
    """The other row of a pair."""

    def to_json(self) -> dict[str, Any]:
        """The example as plain values, by its published keys."""
        return {
            "part": self.split,
            "row": self.row,
            "place": self.location,
            "text": self.text,
            "label": self.label,
            "like": self.twin.to_json() if self.twin else None,
        }


@dataclass(frozen=True)
class Finding:
    """A problem in the data, why it matters and how to fix it."""

    kind: str
    """Its stable name: `leak-equal`."""
    severity: Severity
    message: str
    count: int
    total: int | None
    """Number of items of which `count` are affected; None if they cannot be counted."""
    reason: str
    """Why it matters."""
    fix: str
    """The config line that fixes it, or what to do with the rows."""
    examples: tuple[Example, ...] = ()
    """`MAX_EXAMPLES` at most."""

    def to_json(self) -> dict[str, Any]:
        """The finding as plain values, by its published keys."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "what": self.message,
            "count": self.count,
            "of": self.total,
            "why": self.reason,
            "mend": self.fix,
            "examples": [example.to_json() for example in self.examples],
        }


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings, the most severe first; equally severe ones keep their order."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def summarize_severities(findings: Iterable[Finding]) -> str:
    """Count findings by severity: `3 warnings, 1 note`."""
    severities = [finding.severity for finding in findings]
    counts = [(severities.count(severity), severity) for severity in SEVERITIES]
    return ", ".join(pluralize(count, name) for count, name in counts if count) or "nothing found"


def pluralize(count: int, noun: str) -> str:
    """Format a count with its noun: `1 row`, `2 rows`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def format_rate(count: int, total: int) -> str:
    """Format a count with its percentage: `12 of 400 (3.0 %)`."""
    return f"{count:,} of {total:,} ({100 * count / max(total, 1):.1f} %)"


def severity_by_rate(count: int, total: int) -> Severity:
    """Rate a finding as a warning if it affects many rows, as a note if it affects few."""
    return "warning" if count >= WARNING_FRACTION * total else "note"


def beats_majority(purity: float, majority: float) -> bool:
    """Check whether a leak predicts labels much better than the most frequent label does.

    Args:
        purity: Fraction of rows whose label the leak predicts.
        majority: Fraction of rows with the most frequent label.
    """
    return 1 - purity <= MAX_ERROR_RATIO * (1 - majority)
