"""Predict how long a cluster needs for tables that no machine here can hold; print two tables.

What a row costs in each phase is measured: two tables of texts of 30 words are trained on with two
local processes. The difference between them is the price of the rows of the larger one, without the
start of processes. All else is arithmetic, in `Plan`.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.cluster_plan [--rows 60000]
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from embedclf.cluster.training.train import MAX_ROUNDS
from embedclf.runs.run import Run
from tests.benchmarks.processes import datasets, embedclf

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WORDS, PART_ROWS = 30, 20_000
FACTOR = 3
"""Rows of the larger table, in those of the smaller one."""
EPOCHS = 5
"""Of a training: the steps of one alone would be lost in what differs from process to process."""
CLUSTER = ("--cluster", "local:2")
CORES = 16
"""Of a machine."""
NETWORK = 1.25e9
"""Bytes a second of a machine, in and out: 10 Gbit/s."""
TABLE_BYTES = 32_000_000 * 3 * 4
"""The weights of the largest tables that `auto` chooses, and two averages of Adam for each."""
MACHINES = (4, 16, 64)
ROWS = (10**9, 10**10)
STEPS = "steps of training, an epoch"
PHASES = {
    "read, count words": ("read_part",),
    "count n-grams": ("count", "reduce_range"),
    "encode": ("encode_part",),
    "count ids of shards": ("measure_shard",),
    STEPS: ("train_round",),
}
"""Tasks whose CPU seconds grow with the rows."""


@dataclass(frozen=True)
class Plan:
    """What a training on many machines costs."""

    prepare: float
    """CPU seconds of a row, once."""
    step: float
    """CPU seconds of a row in an epoch."""
    merge: float
    """CPU seconds of a worker to add up its part of the changes of all shards, once a round."""

    def prepare_seconds(self, rows: int, machines: int) -> float:
        """Read, count and encode."""
        return rows * self.prepare / (machines * CORES)

    def step_seconds(self, rows: int, machines: int) -> float:
        """Steps of an epoch."""
        return rows * self.step / (machines * CORES)

    def exchange_seconds(self) -> float:
        """Exchange changes in all rounds of an epoch.

        A worker writes the changes of its shard, reads a part of those of each shard, and reads
        what all workers have added up. Each is as large as the changes of one shard: at this size
        of table, nearly all rows.
        """
        return MAX_ROUNDS * (3 * CORES * TABLE_BYTES / NETWORK + self.merge)


def main() -> None:
    """Measure, predict, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=60_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as made:
        folder, texts = Path(made), pieces()
        runs = []
        for number, count in enumerate((rows, FACTOR * rows)):
            table, run = folder / f"table-{number}", folder / f"run-{number}"
            write_table(table, texts[:count])
            embedclf("train", table, *CLUSTER, *settings(), "-q", "-o", run)
            runs.append(Run.open(run))
        added = (FACTOR - 1) * rows
        predict = predict_seconds(folder, runs[1].path) / added
        prices = {
            phase: sum(cpu(runs[1], task) - cpu(runs[0], task) for task in tasks) / added
            for phase, tasks in PHASES.items()
        }
        prices[STEPS] /= EPOCHS
        plan = make_plan(runs[1], prices)
    print("| phase | CPU, µs a row |\n|---|---|")
    for phase, price in (prices | {"predict": predict}).items():
        print(f"| {phase} | {price * 1e6:.1f} |")
    print(
        f"\nChanges of one shard in a round: {TABLE_BYTES / 1e6:,.0f} MB at most, "
        f"{plan.merge:.2f} CPU seconds to add them up; {MAX_ROUNDS} rounds an epoch.\n"
    )
    print("| rows | machines | predict | prepare | steps of an epoch | exchange of an epoch |")
    print("|---|---|---|---|---|---|")
    for count in ROWS:
        for machines in MACHINES:
            seconds = (
                count * predict / (machines * CORES),
                plan.prepare_seconds(count, machines),
                plan.step_seconds(count, machines),
                plan.exchange_seconds(),
            )
            hours = " | ".join(f"{each / 3600:,.2f} h" for each in seconds)
            print(f"| {count:,} | {machines} | {hours} |")


def settings() -> Iterator[str]:
    """Options of a training that takes all epochs."""
    for key in ("epochs", "early_stopping"):
        yield from ("-s", f"training.{key}={EPOCHS}")


def make_plan(run: Run, prices: Mapping[str, float]) -> Plan:
    """Return the plan for texts like those of a run."""
    used, (*once, step) = run.record["cluster"], prices.values()
    merge = cpu(run, "merge_round") / (used["bytes"] * used["rounds"] * EPOCHS) * TABLE_BYTES
    return Plan(sum(once), step, merge)


def cpu(run: Run, task: str) -> float:
    """CPU seconds of all tasks of one function."""
    return float(run.record["cluster"]["cpu_seconds"].get(task, 0.0))


def predict_seconds(folder: Path, run: Path) -> float:
    """CPU seconds by which the larger table takes longer to predict than the smaller one."""
    seconds = []
    for number in range(2):
        output = folder / f"predicted-{number}"
        command = ("predict", folder / f"table-{number}", "--run", run, *CLUSTER, "-q")
        seconds.append(embedclf(*command, "-o", output).cpu_seconds)
    return seconds[1] - seconds[0]


def pieces() -> pd.DataFrame:
    """Divide the reviews of IMDB into texts of 30 words, with the labels of the reviews."""
    reviews = pd.read_csv(datasets() / "imdb" / "train.csv")
    rows = [
        (" ".join(words[start : start + WORDS]), label)
        for words, label in zip(reviews["text"].str.split(), reviews["label"], strict=True)
        for start in range(0, len(words) - WORDS + 1, WORDS)
    ]
    return pd.DataFrame(rows, columns=["text", "label"]).sample(frac=1, random_state=0)


def write_table(folder: Path, rows: pd.DataFrame) -> None:
    """Write rows in parts."""
    folder.mkdir()
    for number, start in enumerate(range(0, len(rows), PART_ROWS)):
        rows[start : start + PART_ROWS].to_parquet(folder / f"{number:05}.parquet", index=False)


if __name__ == "__main__":
    main()
