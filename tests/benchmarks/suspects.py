"""Flip 5% of the labels of public data sets at random, and count those that `suspects` finds.

Each flipped label becomes one of the others. The figure is the fraction of flipped rows among as
many of the first rows as were flipped, which is both precision and recall; random order would have
0.05. Times are of whole processes, from the command's start to its end.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.suspects [NAME ...]
"""

from __future__ import annotations

import csv
import random
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.processes import datasets, embedclf

FLIPPED_FRACTION = 0.05
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Case:
    """A set, and how many rows of it."""

    name: str
    folder: str
    rows: int | None = None


CASES = [
    Case("SST-2", "sst2_glue"),
    Case("SST-2, first 10,000", "sst2_glue", 10_000),
    Case("SMS Spam", "sms_spam"),
    Case("Waimai", "waimai_10k_zh"),
    Case("TREC", "trec"),
    Case("AG News", "ag_news", 10_000),
    Case("Banking77", "banking77"),
]


def main(names: list[str]) -> None:
    """Measure the cases that are named; all of them when none is."""
    sets = datasets()
    print("| set | rows | labels | flipped rows found | of 3 seeds | time |")
    print("|---|---|---|---|---|---|")
    for case in CASES:
        if names and case.name not in names:
            continue
        if (sets / case.folder / "train.csv").is_file():
            print(measure(case, sets), flush=True)
        else:
            print(f"skipped: {case.name}: no {sets / case.folder}", file=sys.stderr)


def measure(case: Case, sets: Path) -> str:
    """A row of the table."""
    found, seconds = [], []
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            table, flipped = flip(sets, case, Path(folder), seed=seed)
            output = Path(folder) / "out.csv"
            done = embedclf("suspects", table, "-q", "-n", 0, "-o", output)
            found.append(precision(output, flipped))
            seconds.append(done.seconds)
    rows = _rows(sets, case)
    cells = [
        case.name,
        f"{len(rows):,}",
        f"{len({label for _, label in rows})}",
        f"{statistics.mean(found):.2f}",
        " ".join(f"{one:.3f}" for one in found),
        f"{statistics.median(seconds):.1f}s",
    ]
    return f"| {' | '.join(cells)} |"


def flip(sets: Path, case: Case, folder: Path, *, seed: int) -> tuple[Path, set[str]]:
    """Write a set with some labels flipped: its path, and the numbers of the flipped rows."""
    rows, rng = _rows(sets, case), random.Random(seed)  # noqa: S311 - no secret
    labels = sorted({label for _, label in rows})
    flipped = set(rng.sample(range(len(rows)), round(FLIPPED_FRACTION * len(rows))))
    path = folder / "flipped.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for number, (text, label) in enumerate(rows):
            others = [other for other in labels if other != label]
            writer.writerow([text, rng.choice(others) if number in flipped else label])
    return path, set(map(str, _lines(path, flipped)))


def precision(output: Path, flipped: set[str]) -> float:
    """Fraction of flipped rows among as many of the first rows."""
    with output.open(encoding="utf-8", newline="") as file:
        lines = [row["line"] for row in csv.DictReader(file)]
    return len(flipped & set(lines[: len(flipped)])) / len(flipped)


def _rows(sets: Path, case: Case) -> list[tuple[str, str]]:
    with (sets / case.folder / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    return rows[: case.rows]


def _lines(path: Path, numbers: set[int]) -> list[int]:
    """The lines that rows begin on."""
    found, line = [], 1
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        for number, _ in enumerate(reader, start=-1):
            if number in numbers:
                found.append(line + 1)
            line = reader.line_num
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
