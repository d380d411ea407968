"""Predict how long a cluster needs for tables that no machine here can hold; print two tables.

What a row costs in each phase is measured: two tables of made-up words, 30 in each text, are
trained on with two local processes. The difference between them is the price of the rows of the
larger one, without the start of processes. All else is arithmetic, in `Plan`.

    python -m tests.benchmarks.cluster_plan [--rows 250000]
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from embedclf.cluster.training.train import MAX_ROUNDS
from embedclf.runs.run import Run
from tests.benchmarks.processes import embedclf

if TYPE_CHECKING:
    from collections.abc import Mapping

WORDS, WORDS_OF_TEXT, PART_ROWS = 2_000_000, 30, 125_000
FACTOR = 3
"""Rows of the larger table, in those of the smaller one."""
CLUSTER = ("--cluster", "local:2")
CORES = 16
"""Of a machine."""
NETWORK = 1.25e9
"""Bytes a second of a machine, in and out: 10 Gbit/s."""
NUMBERS_PER_WEIGHT = 3
"""The weight, and two averages of Adam."""
MACHINES = (4, 16, 64)
ROWS = (10**9, 10**10)
PHASES = {
    "read, count words": ("read_part",),
    "count n-grams": ("count", "reduce_range"),
    "encode": ("encode_part",),
    "measure": ("measure_shard",),
    "step of training, an epoch": ("train_round",),
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
    moved: float
    """Bytes of the changes of a shard in a round, if it has moved all rows of the table."""

    def prepare_seconds(self, rows: int, machines: int) -> float:
        """Read, count and encode."""
        return rows * self.prepare / (machines * CORES)

    def step_seconds(self, rows: int, machines: int) -> float:
        """Steps of an epoch."""
        return rows * self.step / (machines * CORES)

    def exchange_seconds(self) -> float:
        """Exchange changes in all rounds of an epoch.

        A worker writes the changes of its shard, reads a part of those of each shard, and reads
        what all workers have added up. Each is as large as the changes of one shard.
        """
        return MAX_ROUNDS * (3 * CORES * self.moved / NETWORK + self.merge)


def main() -> None:
    """Measure, predict, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=250_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        runs = []
        for number, count in enumerate((rows, FACTOR * rows)):
            table, run = folder / f"table-{number}", folder / f"run-{number}"
            write_table(table, count)
            embedclf("train", table, *CLUSTER, "-s", "training.epochs=1", "-q", "-o", run)
            runs.append(Run.open(run))
        added = (FACTOR - 1) * rows
        predict = predict_seconds(folder, runs[1].path) / added
        prices = {
            phase: sum(cpu(runs[1], task) - cpu(runs[0], task) for task in tasks) / added
            for phase, tasks in PHASES.items()
        }
        plan = make_plan(runs[1], prices)
    print("| phase | CPU, µs a row |\n|---|---|")
    for phase, price in (prices | {"predict": predict}).items():
        print(f"| {phase} | {price * 1e6:.1f} |")
    print(
        f"\nChanges of one shard in a round: {plan.moved / 1e6:,.0f} MB at most, "
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


def make_plan(run: Run, prices: Mapping[str, float]) -> Plan:
    """Return the plan for texts like those of a run."""
    used, (*once, step) = run.record["cluster"], prices.values()
    row = 4.0 * run.config().model.embedding_dim * NUMBERS_PER_WEIGHT
    moved = row * run.classifier().tokenizer.vocabulary_rows
    merge = cpu(run, "merge_round") / (used["bytes"] * used["rounds"]) * moved
    return Plan(sum(once), step, merge, moved)


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


def write_table(folder: Path, rows: int) -> None:
    """Write texts of words whose frequencies follow Zipf's law, with two labels, in parts."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    words = np.array([f"{letters(number)}" for number in range(WORDS)])
    for part in range(-(-rows // PART_ROWS)):
        count = min(PART_ROWS, rows - part * PART_ROWS)
        places = np.minimum(rng.zipf(1.2, (count, WORDS_OF_TEXT)) - 1, WORDS - 1)
        share = (places % 7 == 0).mean(axis=1) + rng.normal(0, 0.05, count)
        labels = np.where(share > np.median(share), "yes", "no")
        texts = [" ".join(row) for row in words[places].tolist()]
        table = pa.table({"text": texts, "label": labels.tolist()})
        parquet.write_table(table, folder / f"{part:05}.parquet")


def letters(number: int) -> str:
    """Return a word for a number; frequent ones are short."""
    word = ""
    number += 26
    while number:
        number, letter = divmod(number, 26)
        word += chr(ord("a") + letter)
    return word


if __name__ == "__main__":
    main()
