"""Time the phases of `embedclf train`, and predictions, beside those of another checkout.

Whole processes of both checkouts in turn, medians of three rounds. Each checkout trains with the
config that its `init` writes, and without the comparison with TF-IDF. The phases are the seconds in
`run.json`; `rest` is what the whole process takes beside them, most of it imports. `one text`
starts a process for a single prediction, `predict` goes from CSV to CSV. `models` counts the
different weights among the rounds; 1 is a reproducible training.

The sets are those of `accuracy`; EMBEDCLF_DATASETS names their folder. Missing sets are skipped by
name.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.phases --base CHECKOUT
        [--sets FOLDER ...] [--rounds N]

A set that fails is reported, and the others follow. The tables are Markdown.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import statistics
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.accuracy import SETS
from tests.benchmarks.processes import Finished, bytes_of, embedclf
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.benchmarks.accuracy import PublicSet

FOLDERS = ("trec", "banking77", "sst2_glue", "imdb", "debian_long")
SENTENCE = "The plot was not bad at all."
_PART_OF_FIT = "checkpoints"


@dataclass(frozen=True)
class Timed:
    """A training and two predictions with its run."""

    phases: Mapping[str, float]
    """Seconds, by phase."""
    train: Finished
    text: Finished
    table: Finished
    bytes: int
    """Of the run."""
    digest: str
    """Of the weights."""

    def figures(self) -> dict[str, float]:
        """Return what is compared, by name; the unit is in the name where it is not seconds."""
        return {
            **self.phases,
            "rest": self.train.seconds - sum(self.phases.values()),
            "whole": self.train.seconds,
            "CPU": self.train.cpu_seconds,
            "peak MB": self.train.megabytes,
            "run MB": self.bytes / 1e6,
            "one text": self.text.seconds,
            "predict": self.table.seconds,
            "predict CPU": self.table.cpu_seconds,
            "predict peak MB": self.table.megabytes,
        }


def main() -> None:
    """Measure the sets that exist; print a table of each."""
    asked = _parse()
    for name, public in SETS.items():
        if public.folder not in asked.sets:
            continue
        if not public.train.is_file():
            print(f"skipped: {name}: no {public.train}", file=sys.stderr)
            continue
        try:
            rounds = measure(public, asked)
        except SystemExit as failure:  # a process that failed
            print(f"failed: {name}: {failure}", file=sys.stderr, flush=True)
            continue
        print(f"{name}, seconds\n")
        for line in compare(*(summarize(timed) for timed in rounds.values())):
            print(line)
        print(flush=True)


def measure(public: PublicSet, asked: argparse.Namespace) -> dict[str, list[Timed]]:
    """Take turns between both checkouts."""
    rounds: dict[str, list[Timed]] = {"before": [], "now": []}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(asked.rounds):
            for name, checkout in (("before", asked.base), ("now", ROOT)):
                rounds[name].append(_time(public, checkout, Path(folder) / f"{name}-{number}"))
    return rounds


def summarize(timed: Sequence[Timed]) -> dict[str, float]:
    """Return the median of each figure, and the number of different weights."""
    figures = [one.figures() for one in timed]
    medians = {name: statistics.median(one[name] for one in figures) for name in figures[0]}
    return {**medians, "models": len({one.digest for one in timed})}


def compare(before: Mapping[str, float], now: Mapping[str, float]) -> list[str]:
    """Return the lines of a table: each figure before and now, and how they relate."""
    lines = ["| phase | before | now | now / before |", "|---|---|---|---|"]
    for name in dict.fromkeys([*now, *before]):
        values = before.get(name), now.get(name)
        cells = ["–" if value is None else f"{value:.2f}" for value in values]
        known = all(value is not None for value in values) and values[0]
        cells.append(f"{now[name] / before[name]:.2f}" if known else "–")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _time(public: PublicSet, checkout: Path, made: Path) -> Timed:
    """Train with a checkout, predict, and remove the run."""
    config, predicted = made.with_suffix(".yaml"), made.with_suffix(".csv")
    tables = (public.train, "--test", public.tested)
    embedclf("init", *tables, "-o", config, "-q", checkout=checkout)
    train = embedclf("train", config, "--no-baseline", "-q", "-o", made, checkout=checkout)
    run = ("--run", made, "-q")
    text = embedclf("predict", "-t", SENTENCE, *run, checkout=checkout)
    table = embedclf("predict", public.tested, *run, "-o", predicted, checkout=checkout)
    record = json.loads((made / "run.json").read_text(encoding="utf-8"))
    phases = {name: one for name, one in record["seconds"].items() if name != _PART_OF_FIT}
    with zipfile.ZipFile(made / "model.keras") as parts:  # another part is the time
        digest = hashlib.sha256(parts.read("model.weights.h5")).hexdigest()
    timed = Timed(phases, train, text, table, bytes_of(made), digest)
    shutil.rmtree(made)
    return timed


def _parse() -> Any:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.phases",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--base", type=Path, required=True, help="the checkout before")
    parser.add_argument("--sets", nargs="+", default=list(FOLDERS), metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
