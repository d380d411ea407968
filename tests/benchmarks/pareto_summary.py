"""Medians of measured ways, and whether a peer beats us in both time and score."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FLOOR = "import keras"
OURS, AS_TYPED = "embedclf", "embedclf, as typed"
FASTTEXT, PAIRS = "fastText, 25 epochs, pairs", "TF-IDF + LR, pairs"
MANY_ROWS = 10_000
LIMITS = 1.25, 1.0
"""Times the seconds of TF-IDF with pairs that we may take for fewer rows, and from then on."""


@dataclass(frozen=True)
class Measured:
    """A way to train on a set, once."""

    seconds: float
    """From the training table to a saved model."""
    cpu_seconds: float
    scoring_seconds: float | None
    """Of the test rows; None if they are not scored, or not apart."""
    megabytes: float
    """Of memory at its peak."""
    bytes: int
    """Of the saved model."""
    score: float | None
    """Accuracy of the test rows; micro-averaged F1 where a row can have several labels."""
    folder: str = ""
    way: str = ""
    round: int = 0
    rows: int = 0
    tested_rows: int = 0


@dataclass(frozen=True)
class Summary:
    """The rounds of a way on a set: medians, and the mean score."""

    seconds: float
    cpu_seconds: float
    scoring_seconds: float | None
    megabytes: float
    bytes: float
    score: float | None
    rounds: int

    @classmethod
    def of(cls, rounds: Sequence[Measured]) -> Summary:
        """Sum up at least one round."""
        scoring = [one.scoring_seconds for one in rounds if one.scoring_seconds is not None]
        scores = [one.score for one in rounds if one.score is not None]
        return cls(
            statistics.median(one.seconds for one in rounds),
            statistics.median(one.cpu_seconds for one in rounds),
            statistics.median(scoring) if scoring else None,
            statistics.median(one.megabytes for one in rounds),
            statistics.median(one.bytes for one in rounds),
            statistics.mean(scores) if scores else None,
            len(rounds),
        )


def summarize(measured: Iterable[Measured]) -> dict[str, dict[str, Summary]]:
    """Sum up the rounds of each way, by set."""
    rounds: dict[str, dict[str, list[Measured]]] = {}
    for one in measured:
        rounds.setdefault(one.folder, {}).setdefault(one.way, []).append(one)
    return {
        folder: {way: Summary.of(several) for way, several in ways.items()}
        for folder, ways in rounds.items()
    }


def find_better(ways: Mapping[str, Summary]) -> list[str]:
    """Return the peers that are both faster and more accurate than we are."""
    ours = ways[OURS]
    return [
        way
        for way, peer in ways.items()
        if not way.startswith(OURS)
        and peer.score is not None
        and ours.score is not None
        and peer.seconds < ours.seconds
        and peer.score > ours.score
    ]


def print_ways(ways: Mapping[str, Summary], name: str) -> None:
    """Print a row for each way on a set."""
    ours = ways.get(OURS)
    for way, one in ways.items():
        cells = (
            name,
            way,
            f"{one.seconds:.1f} s",
            f"{one.cpu_seconds:.1f} s",
            f"{ours.seconds / one.seconds:.2f}" if ours else "–",
            "–" if one.scoring_seconds is None else f"{one.scoring_seconds:.1f} s",
            "–" if one.score is None else f"{one.score:.4f}",
            f"{one.megabytes:,.0f} MB",
            f"{one.bytes / 1e6:,.1f} MB" if one.bytes else "–",
        )
        print(f"| {' | '.join(cells)} |", flush=True)


WAYS_HEAD = (
    "set",
    "way",
    "train",
    "CPU",
    "embedclf / it",
    "score test rows",
    "score",
    "peak memory",
    "model",
)
VERDICT_HEAD = (
    "set",
    "rows",
    "embedclf",
    f"/ {FLOOR}",
    f"/ {PAIRS}",
    "limit",
    f"/ {FASTTEXT}",
    "standard error of the score",
    "faster and more accurate",
)


def verdict(ways: Mapping[str, Summary], *, rows: int, tested_rows: int) -> tuple[str, ...]:
    """Return the cells after the set's name: times relative to peers, and which are better.

    A ratio over its limit is marked.
    """
    ours = ways[OURS]
    limit = LIMITS[rows >= MANY_ROWS]
    pairs = ways.get(PAIRS)
    exceeded = pairs is not None and ours.seconds > limit * pairs.seconds
    better = [
        f"{way} ({ways[way].seconds:.1f} s, {ways[way].score:.4f})" for way in find_better(ways)
    ]
    return (
        f"{rows:,}",
        f"{ours.seconds:.1f} s",
        _ratio(ours, ways.get(FLOOR)),
        f"**{_ratio(ours, pairs)}**" if exceeded else _ratio(ours, pairs),
        f"{limit}",
        _ratio(ours, ways.get(FASTTEXT)),
        "–" if ours.score is None else f"{_standard_error(ours.score, tested_rows):.4f}",
        "; ".join(better) or "none",
    )


def _ratio(ours: Summary, other: Summary | None) -> str:
    return "–" if other is None else f"{ours.seconds / other.seconds:.2f}"


def _standard_error(score: float, rows: int) -> float:
    """Return that of an accuracy: how far it can be off because the test rows are few."""
    return float((score * (1 - score) / rows) ** 0.5)
