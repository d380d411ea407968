"""Measure the peak memory of each process of a cluster while tables grow; print a table.

A table and another of eight times as many files of the same size are predicted, and trained on. The
peaks are those that embedclf prints.

    python -m tests.benchmarks.cluster_memory [--rows 5000000] [--training-rows 400000]
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable

PREDICTED_ROWS, TRAINED_ROWS = 125_000, 25_000
"""Rows of a file."""
FACTOR = 8
CLUSTER = ("--cluster", "local:2")
TRAINING = (
    *("-s", "training.refit=false", "-s", "training.epochs=1"),
    *("-s", "training.epochs_by=validation", "-s", "model.vectors=none"),
    *("-s", "data.validation=0.01"),
)


def main() -> None:
    """Predict and train with tables of two sizes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--training-rows", type=int, default=400_000)
    options = parser.parse_args()
    print("| command | rows | files | largest worker | command itself |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        run = folder / "run"
        embedclf("train", ROOT / "data" / "reviews.csv", "--no-baseline", "-o", run)
        for rows in (options.rows, FACTOR * options.rows):
            files = max(1, rows // PREDICTED_ROWS)
            table = write_files(folder / f"predicted-{files}", files, PREDICTED_ROWS)
            output = folder / f"output-{files}"
            printed = embedclf("predict", table, "--run", run, *CLUSTER, "-v", "-o", output)
            show("predict", files, PREDICTED_ROWS, printed)
        for rows in (options.training_rows, FACTOR * options.training_rows):
            files = max(1, rows // TRAINED_ROWS)
            table = write_files(folder / f"trained-{files}", files, TRAINED_ROWS)
            printed = embedclf("train", table, *CLUSTER, *TRAINING, "-o", folder / f"run-{files}")
            show("train", files, TRAINED_ROWS, printed)


def embedclf(*arguments: Any) -> str:
    """Run a command; return what it prints for people."""
    command = [sys.executable, "-m", "embedclf", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stderr


def show(command: str, files: int, rows: int, printed: str) -> None:
    """Print a line of the table."""
    name = " ".join((command, *CLUSTER))
    words = " ".join(printed.split())
    worker, client = re.findall(r"a worker ([\d,]+ MB), this process ([\d,]+ MB)", words)[0]
    print(f"| `{name}` | {files * rows:,} | {files:,} | {worker} | {client} |", flush=True)


def write_files(folder: Path, count: int, rows: int) -> Path:
    """Write a table: one file, under as many names as it has files."""
    folder.mkdir()
    reviews = pd.read_csv(ROOT / "data" / "reviews.csv")
    repeated = pd.concat([reviews] * (rows // len(reviews) + 1)).head(rows)
    first, *others = (folder / f"{number:06}.parquet" for number in range(count))
    parquet.write_table(pa.Table.from_pandas(repeated, preserve_index=False), first)
    link(first, others)
    return folder


def link(file: Path, names: Iterable[Path]) -> None:
    """Give a file other names."""
    for name in names:
        os.link(file, name)


if __name__ == "__main__":
    main()
