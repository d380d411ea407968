"""Measure the memory of each process of a cluster while tables grow; print a table.

Two local workers predict, and train on, a table; then the same rows in eight times as many files,
and eight times as many rows. Own memory is the peak of anonymous pages, as Linux counts them. The
peak is that of all pages, which `-v` prints: with libraries, and with mapped files, whose pages the
system may drop at any time.

    python -m tests.benchmarks.cluster_memory [--rows 5000000] [--training-rows 400000]
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from tests.benchmarks.processes import embedclf, run, started_by
from tests.conftest import ROOT

FILES, FACTOR = 8, 8
CLUSTER = ("--cluster", "local:2", "-q")
TRAINING = (
    *("-s", "training.refit=false", "-s", "training.epochs=1"),
    *("-s", "training.epochs_by=validation", "-s", "model.vectors=none"),
    *("-s", "data.validation=0.01"),
)
_WORKER, _COMMAND = "worker", "command"


class Peaks(NamedTuple):
    """The most memory of a role, in kilobytes."""

    own: int = 0
    all_pages: int = 0

    def cells(self) -> str:
        """Return the cells of a table."""
        return f"{self.own / 1e3:,.0f} MB | {self.all_pages / 1e3:,.0f} MB"


def main() -> None:
    """Predict and train with tables of two sizes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--training-rows", type=int, default=400_000)
    options = parser.parse_args()
    print("| command | rows | files | a worker | peak | the command | peak |")
    print(f"|{'---|' * 7}")
    with tempfile.TemporaryDirectory() as made:
        run_folder = Path(made) / "run"
        embedclf("train", ROOT / "data" / "reviews.csv", "-q", "--no-baseline", "-o", run_folder)
        for rows, *arguments in (
            (options.rows, "predict", "--run", run_folder),
            (options.training_rows, "train", *TRAINING),
        ):
            measure(Path(made), rows, arguments)


def measure(folder: Path, rows: int, arguments: list[Any]) -> None:
    """Print the rows of a command, for three tables."""
    for files, total in (
        (FILES, rows),
        (FACTOR * FILES, rows),
        (FACTOR * FILES, FACTOR * rows),
    ):
        table, output = write_files(folder / "in", files, total // files), folder / "out"
        name, *options = arguments
        peaks = watch(name, table, *options, *CLUSTER, "-o", output)
        cells = f"{peaks[_WORKER].cells()} | {peaks[_COMMAND].cells()}"
        print(f"| `{name} --cluster local:2` | {total:,} | {files:,} | {cells} |", flush=True)
        shutil.rmtree(output)
        shutil.rmtree(table)


def watch(*arguments: Any) -> dict[str, Peaks]:
    """Run a command; return the peaks of the command and of its largest worker."""
    peaks: dict[str, Peaks] = defaultdict(Peaks)

    def look(pid: int) -> None:
        for started in started_by(pid):
            role, used = look_at(started)
            own, all_pages = map(max, peaks[role], used)
            peaks[role] = Peaks(own, all_pages)

    run(sys.executable, "-m", "embedclf", *arguments, look=look)
    return peaks


def look_at(pid: int) -> tuple[str, Peaks]:
    """Return the role of a process, and its memory."""
    with suppress(OSError, TypeError):  # it may have ended
        folder = Path(f"/proc/{pid}")
        status, command = (folder / "status").read_text("ascii"), (folder / "cmdline").read_bytes()
        own, all_pages = (
            int(re.search(rf"{name}:\s+(\d+)", status)[1])  # type: ignore[index]
            for name in ("RssAnon", "VmHWM")
        )
        return (_WORKER if b"spawn_main" in command else _COMMAND), Peaks(own, all_pages)
    return _COMMAND, Peaks()


def write_files(folder: Path, count: int, rows: int) -> Path:
    """Write a table: one file, under as many names as it has files."""
    folder.mkdir()
    reviews = pd.read_csv(ROOT / "data" / "reviews.csv")
    repeated = pd.concat([reviews] * (rows // len(reviews) + 1)).head(rows)
    first, *others = (folder / f"{number:06}.parquet" for number in range(count))
    parquet.write_table(pa.Table.from_pandas(repeated, preserve_index=False), first)
    for other in others:
        os.link(first, other)
    return folder


if __name__ == "__main__":
    main()
