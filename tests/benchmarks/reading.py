"""Measure how fast tables are read, as CSV, JSON Lines and Parquet; print a table.

Each table is read completely by a new process, its columns text and label, with the bytes in the
system's cache. With another checkout, the two take turns; the figures are medians. Memory is the
process's peak, with Python and its libraries.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.reading [--base CHECKOUT] [--runs 7]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import NamedTuple

from embedclf.tables.tables import open_table
from tests.benchmarks.processes import datasets, run_checkout
from tests.conftest import ROOT

SETS = ("imdb", "arxiv_title_primary")
COLUMNS = ("text", "label")
TIMES = 3

PROGRAM = """
import json, re, sys, time
try:
    from embedclf.tables.tables import open_table
except ImportError:  # before tables had a package of their own
    from pathlib import Path as Location
    from embedclf.data.tables import open_table
else:
    Location = str
path, *columns = sys.argv[1:-1]
seconds = []
for _ in range(int(sys.argv[-1])):
    began = time.perf_counter()
    table = open_table(Location(path), columns)
    rows = sum(len(batch) for batch, _ in table.iter_batches(columns))
    seconds.append(time.perf_counter() - began)
status = open("/proc/self/status").read()
print(json.dumps([min(seconds), int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) / 1e3, rows]))
"""


class Reading(NamedTuple):
    """A table read by one process."""

    seconds: float
    megabytes: float
    rows: int


def main() -> None:
    """A row for each table and format."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, help="another checkout to compare with")
    parser.add_argument("--runs", type=int, default=7, help="processes for each figure")
    options = parser.parse_args()
    print("| table | rows | size | reading | memory | base | memory | speed |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name in SETS:
            for path in write_formats(name, Path(folder)):
                print_row(path, options.base, options.runs)


def write_formats(name: str, folder: Path) -> list[Path]:
    """The training table of a set as CSV, JSON Lines and Parquet."""
    from pyarrow import parquet

    source = datasets() / name / "train.csv"
    rows = open_table(str(source), COLUMNS).read(COLUMNS)
    paths = [folder / f"{name}.{suffix}" for suffix in ("jsonl", "parquet")]
    with paths[0].open("w", encoding="utf-8", newline="\n") as file:
        for row in rows.to_pylist():
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    parquet.write_table(rows, paths[1])
    return [source, *paths]


def print_row(path: Path, base: Path | None, runs: int) -> None:
    """The figures of one table."""
    checkouts = [ROOT] if base is None else [ROOT, base]
    readings = {checkout: list[Reading]() for checkout in checkouts}
    for _ in range(runs):
        for checkout in checkouts:
            readings[checkout].append(read(path, checkout))
    seconds = [statistics.median(one.seconds for one in each) for each in readings.values()]
    memory = [statistics.median(one.megabytes for one in each) for each in readings.values()]
    size = path.stat().st_size / 1e9
    figures = [
        f"{size / seconds:.3f} GB/s | {megabytes:.0f} MB"
        for seconds, megabytes in zip(seconds, memory, strict=True)
    ]
    ratio = f"{seconds[1] / seconds[0]:.2f}" if base else "–"
    rows = readings[ROOT][0].rows
    cells = [f"{path.parent.name}/{path.name}" if path.suffix == ".csv" else path.name, f"{rows:,}"]
    print("|", " | ".join([*cells, f"{size * 1e3:.1f} MB", *figures, ratio]), "|", flush=True)


def read(path: Path, checkout: Path) -> Reading:
    """Read a table with the code of a checkout."""
    return Reading(*json.loads(run_checkout(checkout, "-c", PROGRAM, path, *COLUMNS, TIMES)))


if __name__ == "__main__":
    main()
