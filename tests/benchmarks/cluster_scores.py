"""Compare the test scores of trainings on a cluster with those of one machine; print a table.

EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.cluster_scores [NAME ...]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from tests.benchmarks.cluster_training import SETS, train
from tests.benchmarks.processes import datasets, embedclf


def main() -> None:
    """Train with several seeds and numbers of shards."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", default=SETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--shards", nargs="+", type=int, default=[2, 4, 8])
    options = parser.parse_args()
    print("| set | seed | one machine |", *(f"{count} shards |" for count in options.shards))
    print("|---" * (3 + len(options.shards)) + "|")
    for name in options.names:
        for seed in options.seeds:
            with tempfile.TemporaryDirectory() as made:
                folder = Path(made)
                table = datasets() / name / "train.csv"
                embedclf("init", table, "-q", "-o", folder / "config.yaml")
                ways = [("--no-baseline",), *(cluster(count) for count in options.shards)]
                scores = [score_of_test_rows(folder, seed, way) for way in ways]
            print(f"| {name} | {seed} |", *(f"{score:.4f} |" for score in scores), flush=True)


def cluster(shards: int) -> tuple[str, ...]:
    """Options of a training with a process for each shard."""
    return ("--cluster", f"local:{shards}")


def score_of_test_rows(folder: Path, seed: int, way: tuple[str, ...]) -> float:
    """Train, and return the first score of the test rows: accuracy or micro F1."""
    _, run = train(folder, way[-1].replace(":", "-").strip("-"), "-s", f"seed={seed}", *way)
    scores = json.loads((run.path / "metrics.json").read_bytes())["test"]["scores"]
    return float(next(iter(scores.values())))


if __name__ == "__main__":
    main()
