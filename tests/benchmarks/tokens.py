"""Accuracy of two checkouts in turn, where their tokens differ; print a table.

Each set is trained on with each seed and scored on its test rows (SST-2: its dev rows), with the
config that the checkout chooses itself. Of tables above 100,000 rows, 50,000 random ones are
trained on. All sets take an hour.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.tokens --base CHECKOUT [NAME ...]
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import statistics
import tempfile
from pathlib import Path

import pandas as pd

from tests.benchmarks.accuracy import SEEDS, SETS, PublicSet
from tests.benchmarks.processes import run_checkout
from tests.conftest import ROOT

MAX_ROWS, SAMPLED_ROWS = 100_000, 50_000


def main() -> None:
    """A row for each set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="folders of sets")
    parser.add_argument("--base", type=Path, required=True, help="the checkout before")
    options = parser.parse_args()
    print("| set | rows | before | after | difference | tokens now |")
    print("|---|---|---|---|---|---|", flush=True)
    for name, public in SETS.items():
        if (options.names and public.folder not in options.names) or not public.train.is_file():
            continue
        print("|", " | ".join([name, *measure(public, options.base)]), "|", flush=True)


def measure(public: PublicSet, base: Path) -> list[str]:
    """Rows, scores before and after, their difference, and the tokens of a set."""
    before, after = list[float](), list[float]()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        table, rows = sample(public.train, place)
        for seed in SEEDS:
            before.append(train(table, public, seed, base, place / f"before-{seed}"))
            after.append(train(table, public, seed, ROOT, place / f"after-{seed}"))
        rules = json.loads((place / f"after-{SEEDS[0]}" / "text.json").read_text(encoding="utf-8"))
    scores = [" ".join(f"{score:.4f}" for score in each) for each in (before, after)]
    differences = [100 * (one - other) for one, other in zip(after, before, strict=True)]
    # The error is that of the mean over seeds.
    error = statistics.stdev(differences) / len(differences) ** 0.5
    difference = f"{statistics.mean(differences):+.2f} ± {error:.2f}"
    tokens = f"{rules['token_pattern']}{', html' if rules['html'] else ''}"
    return [f"{rows:,}", *scores, difference, tokens]


def sample(table: Path, place: Path) -> tuple[Path, int]:
    """Write random rows of a large table; return a table to train on and its number of rows."""
    rows = pd.read_csv(table, dtype=str, keep_default_na=False)
    if len(rows) <= MAX_ROWS:
        return table, len(rows)
    chosen = sorted(random.Random(1).sample(range(len(rows)), SAMPLED_ROWS))  # noqa: S311 - no secret
    path = place / "train.csv"
    # A text may hold a carriage return, which pandas leaves bare without quotes.
    rows.iloc[chosen].to_csv(path, index=False, lineterminator="\n", quoting=csv.QUOTE_ALL)
    return path, SAMPLED_ROWS


def train(table: Path, public: PublicSet, seed: int, checkout: Path, run: Path) -> float:
    """The first score on the test rows of a training by a checkout."""
    settings = [f"seed={seed}", f"data.test={public.tested}"]
    if public.test == "dev.csv":  # otherwise the rows that are scored would also validate
        settings.append("data.validation=0.1")
    flags = [flag for setting in settings for flag in ("-s", setting)]
    options = ("--no-baseline", "-q", "-o", run)
    run_checkout(checkout, "-m", "embedclf", "train", table, *flags, *options)
    test = json.loads((run / "metrics.json").read_text(encoding="utf-8"))["test"]
    score: float = next(iter(test["scores"].values()))
    return score


if __name__ == "__main__":
    main()
