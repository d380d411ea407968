"""Score few labeled rows: two checkouts, peers, and what vectors and unlabeled texts add.

Every method learns from the same rows: 8 per label, 100 to 3,000 random ones, and all (at most
20,000). Each label occurs at least once where that is possible. Unlabeled texts are the rest of the
table. Test rows are those of the set, SST-2's its dev rows, at most 5,000. Gains are points over
the config that BASE chooses on the same rows; errors are standard errors over sets.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.few_labels --base CHECKOUT --kept FILE

`--kept` names a file for the results, which are not measured again; sentence vectors are kept
beside it. Delete its lines of methods whose code changed. Two processes can share it, with other
methods each. The method `new:KEY=VALUE;KEY=VALUE` sets config keys; `unlabeled` among them adds
the unlabeled texts. `--summary` prints the tables of what is measured. `--costs` measures time and
space instead.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.few_labels_costs import measure_costs
from tests.benchmarks.few_labels_peers import find_peer
from tests.benchmarks.few_labels_runs import TRAININGS, Workers, find_training
from tests.benchmarks.few_labels_sets import SETS, SIZES, Subset, write_subset
from tests.benchmarks.few_labels_summary import Result, print_summary, score

if TYPE_CHECKING:
    from collections.abc import Iterator

METHODS = (*TRAININGS, "TF-IDF + LR", "fastText", "USE + LR")
SUBSETS = 3


@dataclass(frozen=True)
class Bench:
    """What is measured where."""

    file: Path
    workers: Workers
    folder: Path
    """Of tables."""

    def measure(self, subset: Subset, method: str) -> None:
        """Measure a method on a subset, and add its result to the file."""
        result = self._measure(subset, method)
        if result is not None:
            with self.file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(asdict(result)) + "\n")

    def _measure(self, subset: Subset, method: str) -> Result | None:
        began, size = time.perf_counter(), 0
        training = find_training(method)
        if training is not None:
            if training.needs_unlabeled and subset.unlabeled is None:
                return None
            trained = self.workers.train(training, subset)
            predictions, seconds, size = trained.predictions, trained.seconds, trained.size
        else:
            peer = find_peer(method, self.file.with_suffix(".vectors"))
            fitted = None if peer is None else peer(subset)
            if fitted is None:
                return None
            predictions, seconds = fitted, time.perf_counter() - began
        return score(subset, method, predictions, seconds=seconds, size=size)


def main() -> None:
    """Measure what is not measured yet, and print the tables."""
    asked = _parse()
    if asked.costs:
        measure_costs(asked.base)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = asked.kept or Path(folder) / "results.jsonl"
        if not asked.summary:
            with Workers(asked.base) as workers:
                _measure_all(Bench(file, workers, Path(folder)), asked)
        print_summary(read_results(file))


def read_results(file: Path) -> list[Result]:
    """Read the results so far."""
    if not file.is_file():
        return []
    lines = file.read_text(encoding="utf-8").splitlines()
    return [Result(**json.loads(line)) for line in lines]


def _measure_all(bench: Bench, asked: argparse.Namespace) -> None:
    for name, size, number in _subsets(asked):
        done = {
            one.method
            for one in read_results(bench.file)
            if (one.folder, one.size, one.number) == (name, size, number)
        }
        missing = [method for method in asked.methods if method not in done]
        if not missing:
            continue
        subset = write_subset(SETS[name], size, number, bench.folder)
        if subset is not None:
            _measure_subset(bench, subset, missing)


def _measure_subset(bench: Bench, subset: Subset, methods: list[str]) -> None:
    """Measure methods on a subset; one that fails is reported, and tried again the next time."""
    for method in methods:
        try:
            bench.measure(subset, method)
        except RuntimeError as error:
            where = f"{subset.labeled_set.folder}, {subset.size}, {subset.number}"
            print(f"failed: {method}: {where}: {error}", file=sys.stderr, flush=True)
    shutil.rmtree(subset.folder)


def _subsets(asked: argparse.Namespace) -> Iterator[tuple[str, str, int]]:
    for size in asked.sizes:
        for number in range(1, asked.subsets + 1):
            for name in asked.sets:
                if SETS[name].train.is_file():
                    yield name, size, number


def _parse() -> Any:
    parser = argparse.ArgumentParser()
    parser.add_argument("--base", type=Path, help="the checkout before")
    parser.add_argument("--kept", type=Path, help="file of what is measured already")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--subsets", type=int, default=SUBSETS, help="how many of each size")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), metavar="METHOD")
    parser.add_argument("--summary", action="store_true", help="only print the tables")
    parser.add_argument("--costs", action="store_true", help="measure time and space instead")
    asked = parser.parse_args()
    for method in asked.methods:
        if method not in METHODS and find_training(method) is None:
            parser.error(f"no method {method!r}; methods: {', '.join(METHODS)}")
    return asked


if __name__ == "__main__":
    main()
