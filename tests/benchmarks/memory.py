"""Measure the memory of `embedclf train` and `embedclf check`; print tables.

The first table trains on IMDB's reviews with the config that `init` writes. The second trains on
ever more generated rows, the third checks them. A row has eight words: the beginning of one
sentence of IMDB's reviews and the end of another. Its label is that of the first, and nearly all
rows differ. Tables are deleted when they were read; the largest has 1 GB.

Own memory is the peak of anonymous pages, as Linux counts them: of the process and those it
started, and shared pages once. Mapped scratch files are left out, because the system may drop their
pages at any time. The peak is that of all pages in memory, with libraries and mapped files.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.memory [--rows N ...]
        [--checked-rows N ...] [--base CHECKOUT]
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.processes import datasets, embedclf, run, started_by
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

CONFIG = """
data: {train: rows.csv}
text: {vocabulary_size: 50000, sequence_length: 50, ngrams: 1}
model: {embedding_dim: 16, pooling: average, initialization: random}
training: {epochs: 1, batch_size: 1024}
"""
ROWS = (100_000, 1_000_000, 5_000_000, 20_000_000)
CHECKED_ROWS = (1_000_000, 5_000_000)
HALF = 4
"""Words of each half of a row."""
_BLOCK = 100_000


@dataclass(frozen=True)
class Watched:
    """A process that ended well."""

    seconds: float
    own_megabytes: float
    peak_megabytes: float

    def cells(self) -> list[str]:
        """Return the cells of a table."""
        megabytes = (self.own_megabytes, self.peak_megabytes)
        return [f"{self.seconds:.1f} s", *(f"{one:,.0f} MB" for one in megabytes)]


def main() -> None:
    """Print the three tables."""
    asked = _parse()
    checkout = asked.base or ROOT
    _print_row("IMDB", "train", "own memory", "peak memory")
    _print_line(4)
    for name, watched in train_reviews(checkout):
        _print_row(name, *watched.cells())
    for command, watch_table, sizes in (
        ("train", _train, asked.rows),
        ("check", _check, asked.checked_rows),
    ):
        print()
        _print_row("rows", "table", command, "own memory", "peak memory")
        _print_line(5)
        for rows in sizes:
            try:
                _print_row(*_watch_rows(rows, watch_table, checkout))
            except SystemExit as failure:  # a process that failed
                print(f"failed: {command}, {rows:,} rows: {failure}", file=sys.stderr, flush=True)


def train_reviews(checkout: Path) -> Iterator[tuple[str, Watched]]:
    """Train as a user types it, without the comparison with TF-IDF, and without n-grams."""
    imdb = datasets() / "imdb"
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "imdb.yaml"
        tables = (imdb / "train.csv", "--test", imdb / "test.csv")
        embedclf("init", *tables, "-o", config, "-q", checkout=checkout)
        for name, options in {
            "`init`'s config": (),
            "`--no-baseline`": ("--no-baseline",),
            "`--no-baseline -s text.ngrams=1`": ("--no-baseline", "-s", "text.ngrams=1"),
        }.items():
            made = Path(folder) / f"run{len(options)}"
            yield name, watch("train", config, "-o", made, "-q", *options, checkout=checkout)


def watch(*arguments: Any, checkout: Path) -> Watched:
    """Run embedclf with the code of a checkout, and look at its memory all the time."""
    own = 0

    def look(pid: int) -> None:
        nonlocal own
        own = max(own, sum(map(_anonymous, started_by(pid))))

    command = (sys.executable, "-m", "embedclf", *arguments)
    done = run(*command, folder=checkout, look=look)
    return Watched(done.seconds, own / 1e3, done.megabytes)


def write_rows(path: Path, rows: int) -> Path:
    """Write a table of short rows."""
    begins, ends, labels = _halves()
    rng = np.random.default_rng(0)
    with path.open("w", encoding="utf-8") as file:
        file.write("text,label\n")
        for first in range(0, rows, _BLOCK):
            drawn = rng.integers(len(begins), size=(min(_BLOCK, rows - first), 2))
            file.writelines(f"{begins[one]} {ends[other]},{labels[one]}\n" for one, other in drawn)
    return path


def _watch_rows(
    rows: int, watch_table: Callable[[Path, Path], Watched], checkout: Path
) -> tuple[str, ...]:
    """Write so many rows, and return the cells of what a command with them needs."""
    with tempfile.TemporaryDirectory() as folder:
        table = write_rows(Path(folder) / "rows.csv", rows)
        size = f"{table.stat().st_size / 1e6:,.0f} MB"
        return (f"{rows:,}", size, *watch_table(table, checkout).cells())


def _train(table: Path, checkout: Path) -> Watched:
    config = table.with_name("memory.yaml")
    config.write_text(CONFIG)
    made = table.with_name("run")
    return watch("train", config, "-o", made, "-q", "--no-baseline", checkout=checkout)


def _check(table: Path, checkout: Path) -> Watched:
    return watch("check", table, "-q", checkout=checkout)


def _halves() -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    """Return the first and the last words of sentences, and the labels of their reviews."""
    found: list[tuple[str, str, str]] = []
    with (datasets() / "imdb" / "train.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for sentence in row["text"].split("."):
                words = re.findall(r"\w+", sentence)
                if len(words) >= HALF:
                    halves = " ".join(words[:HALF]), " ".join(words[-HALF:])
                    found.append((*halves, row["label"]))
    begins, ends, labels = zip(*found, strict=True)
    return begins, ends, labels


def _anonymous(pid: int) -> int:
    """Return the kilobytes of a process's own pages; those shared with others count in part."""
    with suppress(OSError):
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        if found := re.search(r"Pss_Anon:\s+(\d+) kB", rollup):
            return int(found[1])
    return 0


def _print_row(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def _print_line(columns: int) -> None:
    print(f"|{'---|' * columns}")


def _parse() -> Any:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.memory",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rows", type=int, nargs="*", default=list(ROWS))
    parser.add_argument("--checked-rows", type=int, nargs="*", default=list(CHECKED_ROWS))
    parser.add_argument("--base", type=Path, help="checkout to measure instead")
    return parser.parse_args()


if __name__ == "__main__":
    main()
