"""Finding, Example, and the limits from which they count."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

Severity = Literal["error", "warning", "note"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""The gravest first: an error makes a training or its verdict worthless, a warning makes it worse
than it could be, and a note is good to know."""

SHOWN = 3
"""Examples of a finding: one may be chance, three show what they share."""

SPOILT = 0.5
"""Share of rows that training has seen from which on a score tells of memory more than of skill."""

MANY = 0.01
"""Share of rows from which on what is wrong with them moves a score by a point or more."""

NEAR = 0.8
"""Jaccard similarity of near-equal texts: one word of ten is another (9 of 11 are shared)."""

NEAR_SIZE = 10
"""Different tokens of texts that can be near-equal: of fewer, two sentences may share most."""

CUT = 0.1
"""Share of training texts that are cut: of fewer, the end is rarely missed."""

FITTING = 0.99
"""Share of training texts that the length proposed fits: the end of more than a few is missed."""

UNKNOWN = 0.1
"""Share of tokens that training never saw: from one of ten on, few sentences are known whole."""

COVERED = 0.5
"""Share of what is read of training texts that begins with a vector: where chance gives most, the
vectors are those of other words."""

COMMONEST = 0.8
"""Share of rows with the commonest label: guessing it looks like a good score from there on."""

TIMES = 20
"""Rows of the commonest label for one of the rarest: the latter hardly counts in the loss."""

LEAST_IN_CLASS = 2
"""Training rows of a label: a single one cannot be told from chance, nor held out."""

CARRIED = 0.9
"""Share of a label's rows that have a token which gives it away: less is a word of its subject."""

PURE = 0.95
"""Share of the rows with a token, a rating or a header that have the label it gives away: a text
may quote what it is not about."""

PURE_CELLS = 0.98
"""The same for whole cells of a column, which hold nothing by chance."""

CLEARLY = 0.25
"""What gives a label away errs at most so many times as often as guessing the commonest label."""

LEAST_ROWS, LEAST_SHARE = 20, 0.05
"""Training rows, and their share, that something must be found in: of fewer, chance finds some."""

REPEATED = 5
"""Rows that share a value, or on average a cell: what differs in each row foretells nothing."""


@dataclass(frozen=True)
class Example:
    """A row that shows a finding; where it stands and what it holds is known once it is read."""

    part: str
    """`train`, `validation` or `test`."""
    row: int
    """Its number in the table, from 1, the header left out; 0 where rows cannot be counted."""
    place: str = ""
    """`file:line`."""
    text: str = ""
    """Shortened."""
    label: str = ""
    like: Example | None = None
    """The other one of a pair."""


@dataclass(frozen=True)
class Finding:
    """Something about the data that whoever trains on it should know."""

    kind: str
    """Its name, which stays: `leak-equal`."""
    severity: Severity
    what: str
    count: int
    of: int | None
    """What the count is a share of, where it is one."""
    why: str
    """Why it matters."""
    mend: str
    """The line of the config, or what to do with the rows, that mends it."""
    examples: tuple[Example, ...] = ()
    """`SHOWN` at most."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The gravest first."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def counted(findings: Iterable[Finding]) -> str:
    """How many there are of each severity: `3 warnings, 1 note`."""
    severities = [finding.severity for finding in findings]
    counts = [(severities.count(severity), severity) for severity in SEVERITIES]
    told = [several(count, severity) for count, severity in counts if count]
    return ", ".join(told) or "nothing found"


def several(count: int, thing: str) -> str:
    """So many of a thing: `1 row`, `2 rows`."""
    return f"{count:,} {thing}{'s' * (count != 1)}"


def share(count: int, of: int) -> str:
    """A count and what it is a share of: `12 of 400 (3.0 %)`."""
    return f"{count:,} of {of:,} ({100 * count / max(of, 1):.1f} %)"


def by_share(count: int, of: int) -> Severity:
    """A warning of many rows, a note of few."""
    return "warning" if count >= MANY * of else "note"


def clearly_purer(purity: float, majority: float) -> bool:
    """Whether something errs clearly less often than always guessing the commonest label."""
    return 1 - purity <= CLEARLY * (1 - majority)
