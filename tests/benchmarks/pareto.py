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

All sets take hours, so a round of all sets comes before the next round. `--kept` names a file to
which each result is appended at once. After Ctrl-C or a failure, the same command resumes: what the
file holds is not measured again. Delete its lines of ways whose code changed. A way that fails is
reported, and the others follow. At the end, and with `--summary` at once, two Markdown tables of
what is measured are printed on standard output; progress goes to standard error.
"""

from __future__ import annotations

import argparse
import itertools
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
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        file = asked.kept or Path(folder) / "results.jsonl"
        try:
            if not asked.summary:
                failures = _measure_missing(file, Path(folder), asked)
        except KeyboardInterrupt:
            sys.exit("interrupted; with --kept FILE, the same command resumes")
        finally:
            print_summary([one for one in read_measured(file) if one.folder in asked.sets])
    if failures:
        sys.exit(f"{failures} failed, see above")


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


def _measure_missing(file: Path, folder: Path, asked: argparse.Namespace) -> int:
    """Measure all sets and ways, round by round; return how many failed."""
    done = {(one.folder, one.way, one.round) for one in read_measured(file)}
    failures = 0
    for round_, public in itertools.product(range(asked.rounds), _find_sets(asked.sets)):
        for way in asked.ways:
            if (public.folder, way, round_) not in done:
                failures += not _measure(public, way, round_, file, folder)
    return failures


def _find_sets(folders: Sequence[str]) -> list[PublicSet]:
    """Return the sets that exist; name the others."""
    asked = [public for public in SETS.values() if public.folder in folders]
    for public in asked:
        if not public.train.is_file():
            _report(f"skipped: {NAMES[public.folder]}: no {public.train}")
    return [public for public in asked if public.train.is_file()]


def _measure(public: PublicSet, way: str, round_: int, file: Path, folder: Path) -> bool:
    """Measure a way once, and append the result to a file; return whether it did not fail."""
    name = f"{NAMES[public.folder]}, {way}, round {round_ + 1}"
    try:
        measured = Bench.prepare(public, folder).measure(way, round_)
    except SystemExit as failure:  # a process that failed
        _report(f"failed: {name}: {failure}")
        return False
    if measured is None:
        _report(f"skipped: {name}: not installed")
        return True
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(asdict(measured)) + "\n")
    _report(f"{name}: {measured.seconds:.1f} s")
    return True


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print_head(cells: Sequence[str]) -> None:
    print(f"| {' | '.join(cells)} |\n|{'---|' * len(cells)}", flush=True)


def _parse() -> Any:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.pareto",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sets", nargs="+", choices=NAMES, default=list(NAMES), metavar="FOLDER")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), metavar="WAY")
    parser.add_argument("--rounds", type=int, default=len(SEEDS), help="of each way")
    parser.add_argument("--kept", type=Path, help="file of results, to which more are appended")
    parser.add_argument("--summary", action="store_true", help="only print the tables")
    return parser.parse_args()


if __name__ == "__main__":
    main()
