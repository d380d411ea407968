"""Measure time and memory for many labels; print a table.

Each label has two short rows, as in a table of product names, or each of 20,000 rows has 1 to 5
labels. Memory is the peak of the process, with the libraries that it maps. The last line is
scikit-learn's TF-IDF with a logistic regression on the smallest table, also as a process.

    python -m tests.benchmarks.labels
"""

from __future__ import annotations

import csv
import random
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.processes import embedclf, run

if TYPE_CHECKING:
    from tests.benchmarks.processes import Finished

CONFIG = """
data: {train: TABLE, label_separator: SEPARATOR}
text: {sequence_length: 20}
model: {embedding_dim: 16, pooling: average}
training: {epochs: 2}
"""
LABELS = (500, 2_000, 10_000)
SEVERAL_ROWS, SEVERAL_LABELS = 20_000, 3_000
TFIDF = """
import sys
import pandas
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
table = pandas.read_csv(sys.argv[1])
LogisticRegression(max_iter=200).fit(TfidfVectorizer().fit_transform(table.text), table.label)
"""


def main() -> None:
    """A row for each table and command."""
    print("| rows | labels | command | time | memory |")
    print("|---|---|---|---|---|")
    for labels in LABELS:
        with tempfile.TemporaryDirectory() as name:
            measure_commands(Path(name), product_rows(labels), labels, separator="null")
    with tempfile.TemporaryDirectory() as name:
        measure_commands(Path(name), several_rows(), SEVERAL_LABELS, separator='"|"')
    with tempfile.TemporaryDirectory() as name:
        table = write(Path(name) / "rows.csv", product_rows(LABELS[0]))
        report(2 * LABELS[0], LABELS[0], "TF-IDF", run(sys.executable, "-c", TFIDF, table))


def measure_commands(
    folder: Path, rows: list[tuple[str, str]], labels: int, *, separator: str
) -> None:
    """Train, evaluate and predict on a table; print a row for each."""
    table = write(folder / "rows.csv", rows)
    config, trained = folder / "labels.yaml", folder / "run"
    text = CONFIG.replace("TABLE", str(table)).replace("SEPARATOR", separator)
    config.write_text(text, encoding="utf-8")
    commands = {
        "train": (config, "-o", trained, "-q"),
        "evaluate": (trained, "--data", table),
        "predict": (table, "--run", trained, "-o", folder / "predicted.csv"),
    }
    for command, arguments in commands.items():
        report(len(rows), labels, command, embedclf(command, *arguments))


def product_rows(labels: int) -> list[tuple[str, str]]:
    """Two rows for each label."""
    return [
        (f"item number {n} sold as widget{n // 2} and gadget{n // 2}", f"class{n // 2}")
        for n in range(2 * labels)
    ]


def several_rows() -> list[tuple[str, str]]:
    """Rows of 1 to 5 labels, with a word for each."""
    rng = random.Random(0)  # noqa: S311 - only to draw rows
    rows = []
    for number in range(SEVERAL_ROWS):
        labels = rng.sample(range(SEVERAL_LABELS), rng.randint(1, 5))
        words = " ".join(f"word{label}" for label in labels)
        rows.append((f"{words} number {number}", "|".join(f"l{label}" for label in labels)))
    return rows


def write(path: Path, rows: list[tuple[str, str]]) -> Path:
    """A table of texts and labels."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows(rows)
    return path


def report(rows: int, labels: int, command: str, process: Finished) -> None:
    """A row of the table."""
    used = f"{process.seconds:.1f} s | {process.megabytes:.0f} MB"
    print(f"| {rows:,} | {labels:,} | {command} | {used} |", flush=True)


if __name__ == "__main__":
    main()
