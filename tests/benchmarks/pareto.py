"""Measure time, score, memory and size of ours beside fastText and TF-IDF; print tables.

Whole processes from a training table to a saved model, in turn; medians of three rounds, and the
mean score of their seeds. The test table is scored apart. `embedclf` is `train` with the config
that `init` writes, without the comparison with TF-IDF. `embedclf, as typed` is `embedclf train
TABLE`: it also chooses the settings, fits TF-IDF for comparison and scores the test rows. The
classic is the same config with flatten, no n-grams and random vectors. fastText has 10 dimensions
and all cores; its time includes the conversion of the table. TF-IDF + LR is scikit-learn with
sublinear counts, `min_df=2` and `C=10`. `import keras` is what no training with Keras can beat.

The sets are those of `accuracy`; EMBEDCLF_DATASETS names their folder. Missing sets and peers are
skipped by name. `debian_long` has long texts; `debian_sets` makes it.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.pareto [--sets FOLDER ...]
        [--ways WAY ...] [--rounds N] [--kept FILE] [--summary]

All sets take hours: `--kept` names a file for the results, which are not measured again. Delete its
lines of ways whose code changed. `--summary` prints the tables of what is measured.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.accuracy import SETS, PublicSet
from tests.benchmarks.pareto_summary import (
    OURS,
    VERDICT_HEAD,
    WAYS_HEAD,
    Measured,
    print_ways,
    summarize,
    verdict,
)
from tests.benchmarks.pareto_ways import SEEDS, WAYS, Bench

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = {public.folder: name for name, public in SETS.items()}


def main() -> None:
    """Measure what is not measured yet, and print the tables."""
    asked = _parse()
    with tempfile.TemporaryDirectory() as folder:
        file = asked.kept or Path(folder) / "results.jsonl"
        if not asked.summary:
            for public in SETS.values():
                if public.folder in asked.sets:
                    _measure_set(public, file, asked)
        print_summary([one for one in read_measured(file) if one.folder in asked.sets])


def read_measured(file: Path) -> list[Measured]:
    """Read the results so far."""
    if not file.is_file():
        return []
    return [Measured(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


def print_summary(measured: Sequence[Measured]) -> None:
    """Print a table of all ways, then one with a verdict for each set."""
    sets = summarize(measured)
    _print_head(WAYS_HEAD)
    for folder, ways in sets.items():
        print_ways({way: ways[way] for way in WAYS if way in ways}, NAMES[folder])
    print()
    _print_head(VERDICT_HEAD)
    for folder, ways in sets.items():
        if OURS in ways:
            rows = next(one for one in measured if one.folder == folder)
            cells = verdict(ways, rows=rows.rows, tested_rows=rows.tested_rows)
            print(f"| {' | '.join((NAMES[folder], *cells))} |")


def _measure_set(public: PublicSet, file: Path, asked: argparse.Namespace) -> None:
    done = {(one.way, one.round) for one in read_measured(file) if one.folder == public.folder}
    missing = [
        (way, round_)
        for round_ in range(asked.rounds)
        for way in asked.ways
        if (way, round_) not in done
    ]
    if not missing:
        return
    if not public.train.is_file():
        print(f"skipped: {NAMES[public.folder]}: no {public.train}", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench.prepare(public, Path(folder))
        for way, round_ in missing:
            measured = bench.measure(way, round_)
            if measured is None:
                print(f"skipped: {way}: not installed", file=sys.stderr, flush=True)
                continue
            with file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(asdict(measured)) + "\n")


def _print_head(cells: Sequence[str]) -> None:
    print(f"| {' | '.join(cells)} |\n|{'---|' * len(cells)}", flush=True)


def _parse() -> Any:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", nargs="+", choices=NAMES, default=list(NAMES), metavar="FOLDER")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), metavar="WAY")
    parser.add_argument("--rounds", type=int, default=len(SEEDS), help="of each way")
    parser.add_argument("--kept", type=Path, help="file of what is measured already")
    parser.add_argument("--summary", action="store_true", help="only print the tables")
    return parser.parse_args()


if __name__ == "__main__":
    main()
