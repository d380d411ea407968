"""Train on a cluster of two local processes beside the same training without; print a table.

Whole processes in turn, medians of some rounds. CPU seconds are those of all processes.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.cluster_training [NAME ...]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from embedclf.runs.run import Run
from tests.benchmarks.processes import datasets, embedclf

if TYPE_CHECKING:
    from tests.benchmarks.processes import Finished

CLUSTER = "local:2"
SETS = ("imdb", "nsmc_korean_binary", "arxiv_title_primary")


def main() -> None:
    """Time trainings with and without a cluster."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", default=SETS)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    print("| set | command | seconds | CPU seconds | peak memory | written a round | test |")
    print("|---|---|---|---|---|---|---|")
    for name in options.names:
        plain: list[tuple[Finished, Run]] = []
        spread: list[tuple[Finished, Run]] = []
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            table = datasets() / name / "train.csv"
            embedclf("init", table, "-q", "-o", folder / "config.yaml")
            for number in range(options.rounds):
                plain.append(train(folder, f"plain-{number}", "--no-baseline"))
                spread.append(train(folder, f"spread-{number}", "--cluster", CLUSTER))
            print(row(name, "train", plain), flush=True)
            print(row(name, f"train --cluster {CLUSTER}", spread), flush=True)
        pairs = [(one[0], two[0]) for one, two in zip(spread, plain, strict=True)]
        seconds = median([one.seconds / two.seconds for one, two in pairs])
        cpu_seconds = median([one.cpu_seconds / two.cpu_seconds for one, two in pairs])
        print(f"| {name} | ratio | {seconds:.2f} | {cpu_seconds:.2f} | | | |", flush=True)


def train(folder: Path, name: str, *options: str) -> tuple[Finished, Run]:
    """Train as the config says; rows are held out by their texts, as a cluster does."""
    config, output = folder / "config.yaml", folder / name
    finished = embedclf("train", config, "-q", "-s", "data.split=hash", "-o", output, *options)
    return finished, Run.open(output)


def figures(finished: Finished) -> tuple[float, float, float]:
    """Seconds, CPU seconds and megabytes."""
    return finished.seconds, finished.cpu_seconds, finished.megabytes


def row(name: str, command: str, trained: list[tuple[Finished, Run]]) -> str:
    """A row of the table."""
    seconds, cpu_seconds, megabytes = (
        median(each) for each in zip(*(figures(one) for one, _ in trained), strict=True)
    )
    run = trained[-1][1]
    scores = json.loads((run.path / "metrics.json").read_bytes())["test"]["scores"]
    score = next(iter(scores.values()))
    written = run.record.get("cluster", {}).get("bytes")
    return (
        f"| {name} | `{command}` | {seconds:.1f} | {cpu_seconds:.1f} | {megabytes:,.0f} MB "
        f"| {'' if written is None else f'{written / 1e6:,.1f} MB'} | {score:.4f} |"
    )


if __name__ == "__main__":
    main()
