"""Measure the memory of `embedclf train` for ten times the rows; print a table.

Rows are sentences of IMDB's reviews, drawn at random, with the label of the review. Memory is
the peak of the process's own (anonymous) pages, as Linux counts them. Mapped scratch files are left
out, because the system may drop their pages at any time.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.memory
"""

from __future__ import annotations

import csv
import random
import re
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from tests.benchmarks.processes import datasets

CONFIG = """
data: {train: TABLE}
text: {vocabulary_size: 50000, sequence_length: 50, ngrams: 1}
model: {embedding_dim: 16, pooling: average, initialization: random}
training: {epochs: 2, batch_size: 256}
"""
ROWS = (100_000, 1_000_000)


def main() -> None:
    """A row for each number of rows."""
    print("| rows | table | train | own memory | in that of a tenth |")
    print("|---|---|---|---|---|")
    before = None
    for rows in ROWS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            table = write_rows(folder / "rows.csv", rows)
            (folder / "memory.yaml").write_text(CONFIG.replace("TABLE", "rows.csv"))
            seconds, megabytes = watched(folder)
            size = table.stat().st_size / 1e6
        ratio = f"{megabytes / before:.2f}" if before else "–"
        print(f"| {rows:,} | {size:.0f} MB | {seconds:.1f} s | {megabytes:.0f} MB | {ratio} |")
        before = megabytes


def watched(folder: Path) -> tuple[float, float]:
    """Train; seconds, and megabytes held at most."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "embedclf", "train", "memory.yaml", "-o", "run", "-q"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    most = 0
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        if found := re.search(r"RssAnon:\s+(\d+) kB", status):
            most = max(most, int(found[1]))
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.02)
    if process.returncode:
        sys.exit(process.returncode)
    return time.perf_counter() - began, most / 1e3


def write_rows(path: Path, rows: int) -> Path:
    """A table of sentences."""
    with (datasets() / "imdb" / "train.csv").open(encoding="utf-8", newline="") as file:
        reviews = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    sentences = [
        (part.strip(), label) for text, label in reviews for part in text.split(".") if part.strip()
    ]
    rng = random.Random(0)  # noqa: S311 - only to draw rows
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows(rng.choice(sentences) for _ in range(rows))
    return path


if __name__ == "__main__":
    main()
