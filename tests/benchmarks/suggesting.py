"""Label 200 more rows: those that `suggest` chooses, beside random ones.

A run is trained on 100 random rows of a set. Of the other rows, 200 get their labels: chosen by
`suggest`, or at random. A run on the 300 rows is scored on the test rows of the set, SST-2's dev
rows, at most 5,000. All trainings choose their settings from the data. Differences are in points of
accuracy, with standard errors over seeds.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.suggesting [-s KEY=VALUE ...]
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from click.testing import CliRunner

from tests.benchmarks.few_labels_sets import SETS, read_table, write_subset, write_table

if TYPE_CHECKING:
    from collections.abc import Sequence

FIRST, MORE = "100", 200
NAMES = ("ag_news", "sst2_glue", "trec", "banking77")


@dataclass(frozen=True)
class Bench:
    """One set and one seed."""

    name: str
    seed: int
    folder: Path
    overrides: tuple[str, ...]
    uncertainty: str

    def measure(self) -> tuple[float, float, float]:
        """Accuracy with the first rows, with random ones more, and with suggested ones more."""
        subset = write_subset(SETS[self.name], FIRST, self.seed, self.folder)
        if subset is None or subset.unlabeled is None:
            raise ValueError(f"{self.name}: too few rows")
        first, rest = read_table(subset.train), read_table(subset.unlabeled)
        labeled = read_table(subset.labeled_set.train).drop_duplicates("text").set_index("text")
        run = self._train(first, subset.tested, "first")
        suggested = self.folder / f"suggested-{self.name}-{self.seed}.csv"
        options = ("-n", str(MORE), "--uncertainty", self.uncertainty)
        _embedclf("suggest", subset.unlabeled, "--run", run.path, "-o", suggested, "-q", *options)
        rng = random.Random(self.seed)  # noqa: S311 - no secret
        at_random = rest.iloc[rng.sample(range(len(rest)), MORE)]
        scores = [run.accuracy]
        for name, more in (("random", at_random), ("suggested", read_table(suggested))):
            rows = more[["text"]].assign(label=labeled.loc[more["text"], "label"].to_numpy())
            both = pd.concat([first, rows], ignore_index=True)
            scores.append(self._train(both, subset.tested, name).accuracy)
        return scores[0], scores[1], scores[2]

    def _train(self, rows: pd.DataFrame, tested: Path, name: str) -> _Trained:
        place = self.folder / f"{self.name}-{self.seed}-{name}"
        place.mkdir()
        write_table(rows, place / "rows.csv")
        keys = [f"seed={self.seed}", *self.overrides]
        options = ["--text", "text", "--label", "label", "--no-baseline", "-q", "-o", place / "run"]
        options += [option for key in keys for option in ("-s", key)]
        _embedclf("train", place / "rows.csv", *options)
        _embedclf("predict", tested, "--run", place / "run", "-o", place / "out.csv", "-q")
        predicted = read_table(place / "out.csv")
        right = (predicted["prediction"] == predicted["label"]).mean()
        return _Trained(place / "run", 100 * float(right))


@dataclass(frozen=True)
class _Trained:
    path: Path
    accuracy: float
    """In percent."""


def main() -> None:
    """Measure the sets that are named, and print a row for each."""
    asked = _parse()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    print("| set | 100 rows | 300 random | 100 + 200 suggested | difference | each seed |")
    print("|---|---|---|---|---|---|")
    for name in asked.sets:
        scores = []
        for seed in range(1, asked.seeds + 1):
            with tempfile.TemporaryDirectory() as folder:
                keys = tuple(asked.overrides)
                bench = Bench(name, seed, Path(folder), keys, asked.uncertainty)
                scores.append(bench.measure())
        print(_row(name, scores), flush=True)


def _row(name: str, scores: Sequence[tuple[float, float, float]]) -> str:
    first, at_random, suggested = (statistics.mean(column) for column in zip(*scores, strict=True))
    gains = [chosen - drawn for _, drawn, chosen in scores]
    error = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else float("nan")
    cells = [name, f"{first:.1f}", f"{at_random:.1f}", f"{suggested:.1f}"]
    cells += [f"{suggested - at_random:+.1f} ± {error:.1f}"]
    return f"| {' | '.join(cells)} | {' '.join(f'{gain:+.1f}' for gain in gains)} |"


def _embedclf(*arguments: Any) -> None:
    """Run a command in this process, where TensorFlow is imported once."""
    from embedclf.cli.main import main as embedclf

    done = CliRunner().invoke(embedclf, [*map(str, arguments)])
    if done.exit_code:
        raise RuntimeError(f"{arguments}: {done.stderr}") from done.exception


def _parse() -> Any:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(NAMES))
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--uncertainty", choices=("margin", "entropy"), default="margin")
    parser.add_argument("-s", "--set", dest="overrides", action="append", default=[])
    return parser.parse_args()


if __name__ == "__main__":
    main()
