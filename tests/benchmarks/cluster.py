"""Time work on a cluster of two local processes beside the same work without; print a table.

Whole processes in turn, medians of three rounds. Rows are those of the bundled reviews, again and
again, in files of 125,000 rows.

    python -m tests.benchmarks.cluster [--rows 5000000]
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from tests.benchmarks.processes import embedclf
from tests.conftest import ROOT

if TYPE_CHECKING:
    from tests.benchmarks.processes import Finished

ROUNDS = 3
PART_ROWS = 125_000
CLUSTER = "local:2"


def main() -> None:
    """Time predictions with and without a cluster."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        run = folder / "run"
        embedclf("train", ROOT / "data" / "reviews.csv", "-q", "--no-baseline", "-o", run)
        write_parts(folder / "in", rows)
        plain: list[Finished] = []
        spread: list[Finished] = []
        for _ in range(ROUNDS):
            command = ("predict", folder / "in", "--run", run, "-q", "-o")
            plain.append(embedclf(*command, folder / "out.parquet"))
            spread.append(embedclf(*command, folder / "out", "--cluster", CLUSTER))
            shutil.rmtree(folder / "out")
        print(f"{rows:,} rows in Parquet files of {PART_ROWS:,}\n")
        print("| | seconds | CPU seconds | peak memory of a process |\n|---|---|---|---|")
        for name, times in (("predict", plain), (f"predict --cluster {CLUSTER}", spread)):
            print(
                f"| `{name}` | {median([each.seconds for each in times]):.1f} "
                f"| {median([each.cpu_seconds for each in times]):.1f} "
                f"| {median([each.megabytes for each in times]):,.0f} MB |"
            )
        ratios = [one.seconds / two.seconds for one, two in zip(spread, plain, strict=True)]
        print(f"\nRatio of seconds: {median(ratios):.2f}")


def write_parts(folder: Path, rows: int) -> None:
    """Write the parts of a table."""
    folder.mkdir()
    texts = pd.read_csv(ROOT / "data" / "reviews.csv")["text"].tolist()
    repeated = (texts * (PART_ROWS // len(texts) + 1))[:PART_ROWS]
    for number in range(max(1, rows // PART_ROWS)):
        ids = range(number * PART_ROWS, (number + 1) * PART_ROWS)
        table = pa.table({"id": ids, "text": repeated})
        parquet.write_table(table, folder / f"{number:05}.parquet")


def median(values: list[float]) -> float:
    """Return the median."""
    return statistics.median(values)


if __name__ == "__main__":
    main()
