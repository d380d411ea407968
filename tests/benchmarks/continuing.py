"""`train --from` against training from scratch: seconds, and accuracy on test rows.

The training rows of each set are divided at random: 90% are old, 10% are new. Of banking77, all
rows of every eleventh label are new. Four trainings are compared, each with three seeds:

* old: on the old rows, which is the run that the next two continue from;
* new rows: `--from`, on the new rows alone;
* all rows: `--from`, on old and new rows;
* from scratch: on old and new rows.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.continuing [NAME ...]
"""

from __future__ import annotations

import csv
import random
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from embedclf.runs.run import Run
from tests.benchmarks.processes import datasets, embedclf

if TYPE_CHECKING:
    from collections.abc import Sequence

SETS = {"sst2_glue": "dev.csv", "ag_news": "test.csv", "banking77": "test.csv"}
"""The table of test rows by folder."""

MAX_ROWS = 20_000
"""Rows of a set that are used."""

NEW_LABELS = {"banking77": 11}
"""Sets with new labels: every how many labels one is new."""

SEEDS = (1, 2, 3)

Measured = tuple[float, float]
"""Accuracy on test rows, and seconds."""


def main() -> None:
    """Measure the named sets, or all."""
    print("| set | old rows | new rows | training | accuracy | seconds |")
    print("|---|---|---|---|---|---|")
    for name in sys.argv[1:] or SETS:
        with tempfile.TemporaryDirectory() as folder:
            sizes = write_tables(name, Path(folder))
            measured = [measure(Path(folder), datasets() / name / SETS[name], s) for s in SEEDS]
        for training in measured[0]:
            scores, seconds = zip(*(each[training] for each in measured), strict=True)
            cells = [f"{size:,}" for size in sizes]
            cells += [training, f"{statistics.mean(scores):.4f}", f"{statistics.mean(seconds):.1f}"]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


def write_tables(name: str, folder: Path) -> tuple[int, int]:
    """Write old.csv, new.csv and all.csv; return how many rows are old and new."""
    with (datasets() / name / "train.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    random.Random(7).shuffle(rows)  # noqa: S311 - a sample, no secret
    rows, label = rows[:MAX_ROWS], header.index("label")
    old, new = rows[len(rows) // 10 :], rows[: len(rows) // 10]
    if name in NEW_LABELS:
        names = set(sorted({row[label] for row in rows})[:: NEW_LABELS[name]])
        moved = [row for row in rows if row[label] in names]
        new = [*moved, *(row for row in new if row[label] not in names)][: len(new)]
        old = [row for row in old if row[label] not in names]
    for table, content in {"old": old, "new": new, "all": old + new}.items():
        write_table(folder / f"{table}.csv", [header, *content])
    return len(old), len(new)


def write_table(file: Path, rows: Sequence[Sequence[str]]) -> None:
    """Write a table."""
    with file.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened).writerows(rows)


def measure(folder: Path, test: Path, seed: int) -> dict[str, Measured]:
    """Train from tables in a folder; return what was measured by training."""
    old = folder / f"old-{seed}"
    flags = ("-s", f"seed={seed}", "-s", f"data.test={test}")
    return {
        "old rows": train(folder / "old.csv", old, flags),
        "--from, new rows": train(folder / "new.csv", folder / f"new-{seed}", flags, old),
        "--from, all rows": train(folder / "all.csv", folder / f"all-{seed}", flags, old),
        "from scratch": train(folder / "all.csv", folder / f"scratch-{seed}", flags),
    }


def train(table: Path, output: Path, flags: Sequence[str], start: Path | None = None) -> Measured:
    """Train a run."""
    given = [] if start is None else ["--from", start]
    process = embedclf("train", table, "-o", output, "-q", "--no-baseline", *flags, *given)
    return Run.open(output).metrics()["test"]["scores"]["accuracy"], process.seconds


if __name__ == "__main__":
    main()
