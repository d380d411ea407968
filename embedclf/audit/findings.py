"""Findings of an audit, their examples, and the limits from which a problem is reported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from embedclf.config.yaml_writer import dump_yaml
from embedclf.system.terminal import format_count, format_percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Severity = Literal["error", "warning", "note"]

Kind = Literal[
    "bytes-unreadable",
    "row-unreadable",
    "row-skipped",
    "cell-swallows-rows",
    "lines-ignored",
    "encoding-assumed",
    "label-empty",
    "label-mojibake",
    "label-null-like",
    "label-list-like",
    "label-forms",
    "label-small",
    "label-unseen",
    "label-unscored",
    "label-imbalance",
    "label-conflict",
    "rows-few",
    "duplicate",
    "leak-equal",
    "leak-near",
    "leakage-token",
    "leakage-column",
    "leakage-value",
    "leak-group",
    "group-leakage",
    "group-empty",
    "text-mojibake",
    "text-replacement",
    "text-blank",
    "text-null-like",
    "text-one-token",
    "text-dropped",
    "text-truncated",
    "token-oov",
    "vectors-few",
]
"""Stable names of findings, for `--json` and tests."""

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""Most severe first. An error makes training fail or its scores meaningless, a warning makes them
worse, and a note is good to know."""

MAX_EXAMPLES = 3
"""Examples per finding: one can be an accident, three show a pattern."""

MAX_LIST_LENGTH = 120
"""Characters of a list of labels or tokens in a message."""

LEAK_ERROR_FRACTION = 0.5
"""Fraction of rows seen in training from which a leak is an error: the score mostly measures
memorization."""

WARNING_FRACTION = 0.01
"""Fraction of affected rows from which a finding is a warning: a score can move by a point."""

MIN_SIMILARITY = 0.8
"""Jaccard similarity of near-duplicates; texts of ten words that differ in one have 9/11."""

MIN_SHINGLES = 10
"""Distinct shingles that a text needs to be compared: short texts are often similar by accident."""

TRUNCATED_FRACTION = 0.1
"""Fraction of truncated training texts above which they are reported; a few do little harm."""

LENGTH_QUANTILE = 0.99
"""Fraction of training texts that fit into a proposed `sequence_length`."""

OOV_FRACTION = 0.1
"""Fraction of out-of-vocabulary tokens above which they are reported: most sentences have one."""

COVERED_FRACTION = 0.5
"""Fraction of training tokens with a pretrained vector below which the file is probably the wrong
one."""

MAJORITY_FRACTION = 0.8
"""Fraction of rows with the most frequent label from which always predicting it scores well."""

IMBALANCE_RATIO = 20
"""Rows of the most frequent label per row of the rarest, which then barely affects the loss."""

MIN_LABEL_ROWS = 2
"""Training rows that a label needs: one row is too few to generalize from or to hold out."""

MIN_SCORED_ROWS = 30
"""Validation or test rows below which a score has an interval of 20 points or more."""

MIN_RECALL = 0.9
"""Fraction of a label's rows that contain a leaking token; rarer tokens are ordinary content."""

MIN_PURITY = 0.95
"""Fraction of the rows with a leaking token, rating or header that have its label. Below 1, because
a text can quote another."""

MIN_CELL_PURITY = 0.98
"""The same for whole cells of a column, which cannot quote."""

MAX_ERROR_RATIO = 0.25
"""Errors of predicting by a leak, relative to always predicting the most frequent label."""

MIN_SUPPORT, MIN_SUPPORT_FRACTION = 20, 0.05
"""Training rows, and their fraction, that must show a leak; fewer can be a coincidence."""

MIN_REPEATS = 5
"""Rows that share a value, or rows per distinct cell: unique values predict nothing."""


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
            "split": self.split,
            "row": self.row,
            "place": self.location,
            "text": self.text,
            "label": self.label,
            "like": self.twin.to_json() if self.twin else None,
        }


@dataclass(frozen=True)
class Finding:
    """A problem in the data, why it matters and how to fix it."""

    kind: Kind
    severity: Severity
    message: str
    count: int
    total: int | None
    """Number of items checked, `count` of which are affected; None if they cannot be counted."""
    reason: str
    """Why it matters."""
    fix: str
    """What to do: a config line to copy, or a change to the rows."""
    examples: tuple[Example, ...] = ()
    """`MAX_EXAMPLES` at most."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the config that fix it, such as `data.skip_invalid`; `fix` shows them, too."""

    def to_json(self) -> dict[str, Any]:
        """The finding as plain values, by its published keys."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "what": self.message,
            "count": self.count,
            "of": self.total,
            "why": self.reason,
            "fix": self.fix,
            "settings": dict(self.settings),
            "examples": [example.to_json() for example in self.examples],
        }


def format_setting(key: str, value: Any) -> str:
    """Format a key of the config as a line of YAML to copy: `data.skip_invalid: true`."""
    return dump_yaml({key: value}).rstrip("\n")


def format_settings(settings: Mapping[str, Any]) -> str:
    """Format several keys of the config: `data.label: a and data.skip_invalid: true`."""
    return " and ".join(format_setting(key, value) for key, value in settings.items())


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings, the most severe first; equally severe ones keep their order."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def summarize_severities(findings: Iterable[Finding]) -> str:
    """Count findings by severity: `3 warnings, 1 note`."""
    severities = [finding.severity for finding in findings]
    counts = [(severities.count(severity), severity) for severity in SEVERITIES]
    listed = ", ".join(format_count(count, severity) for count, severity in counts if count)
    return listed or "no problems found"


def format_rate(count: int, total: int) -> str:
    """Format a count with its percentage: `12 of 400 (3.0%)`."""
    return f"{count:,} of {total:,} ({format_percent(count / max(total, 1))})"


def severity_by_rate(count: int, total: int) -> Severity:
    """Return `warning` for a finding that affects many rows, `note` for one that affects few."""
    return "warning" if count >= WARNING_FRACTION * total else "note"


def beats_majority(purity: float, majority: int, rows: int) -> bool:
    """Check whether a leak predicts labels much better than the most frequent label does.

    Only rows with other labels can show that, so there must be enough of them.

    Args:
        purity: Fraction of rows whose label the leak predicts.
        majority: Number of rows with the most frequent label.
        rows: Number of all rows.
    """
    others = rows - majority
    return others >= MIN_SUPPORT and 1 - purity <= MAX_ERROR_RATIO * others / rows
