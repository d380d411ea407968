"""Time `embedclf predict` next to other tools; print two tables.

Whole processes in turn, the median of five rounds. The folder of the sets is named by
EMBEDCLF_DATASETS and holds `imdb/train.csv` and `imdb/test.csv`. Peers that are not installed are
skipped by name: fastText is the command `fasttext`.

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.prediction
"""

from __future__ import annotations

import csv
import os
import random
import shutil
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.processes import (
    Finished,
    datasets,
    embedclf,
    median_seconds,
    peer,
    run,
    together,
)
from tests.benchmarks.public_sets import FLATTEN

if TYPE_CHECKING:
    from collections.abc import Callable

AVERAGE = (
    *FLATTEN,
    "text.ngrams=1",
    "model.pooling=average",
    "model.dropout=0.0",
    "training.epochs=2",
    "training.learning_rate=0.02",
    "training.schedule=linear",
)
SENTENCE = "The plot was not bad at all."
ROUNDS = 5


@dataclass(frozen=True)
class Way:
    """A way to score: all rows of a table, and one sentence."""

    name: str
    table: Callable[[], list[Finished]]
    """Scores the table; more than one process where one writes what another reads."""
    sentence: Callable[[], Finished] | None


def main() -> None:
    """Prepare the ways, measure them in turn, print both tables."""
    imdb = datasets() / "imdb"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ways = [*embedclf_ways(imdb, folder), *peer_ways(imdb, folder)]
        rounds: dict[tuple[str, str], list[Finished]] = defaultdict(list)
        for _ in range(ROUNDS):
            for way in ways:
                rounds[way.name, "table"].append(together(way.table()))
                if way.sentence is not None:
                    rounds[way.name, "sentence"].append(way.sentence())
        print_times(ways, rounds)
        print()
        print_memory(folder)


def embedclf_ways(imdb: Path, folder: Path) -> list[Way]:
    """Train the runs: with the settings that are chosen, and with two simple ones."""
    ways = []
    for title, flags in (("default", ()), ("average", AVERAGE), ("flatten", FLATTEN)):
        made = folder / title
        overrides = [flag for one in ("data.test=null", *flags) for flag in ("-s", one)]
        embedclf("train", imdb / "train.csv", *overrides, "--no-baseline", "-o", made, "-q")

        def table(made: Path = made) -> list[Finished]:
            out = folder / "out.csv"
            return [embedclf("predict", imdb / "test.csv", "--run", made, "-o", out, "-q")]

        def sentence(made: Path = made) -> Finished:
            return embedclf("predict", "-t", SENTENCE, "--run", made, "-q")

        ways.append(Way(f"embedclf, {title}", table, sentence))
    return ways


def peer_ways(imdb: Path, folder: Path) -> list[Way]:
    """Fit the installed peers."""
    out, model = folder / "out.csv", folder / "tfidf.pickle"
    peer("tfidf-fit", imdb / "train.csv", model)
    ways = [
        Way(
            "scikit-learn, TF-IDF and logistic regression",
            lambda: [peer("tfidf-predict", model, imdb / "test.csv", out)],
            None,
        ),
        Way(
            "Keras, the run of embedclf with average",
            lambda: [peer("keras-predict", folder / "average", imdb / "test.csv", out)],
            None,
        ),
    ]
    if shutil.which("fasttext") is None:
        print("skipped: fastText: no command fasttext", file=sys.stderr)
        return ways
    return [fasttext_way(imdb, folder), *ways]


def fasttext_way(imdb: Path, folder: Path) -> Way:
    """Train fastText; its conversion of the table counts, that of its answers is left out."""
    lines, model = folder / "lines.txt", folder / "fasttext"
    peer("fasttext-lines", imdb / "train.csv", lines)
    threads = os.cpu_count()
    training = ("-input", lines, "-output", model, "-dim", 10, "-thread", threads, "-verbose", 0)
    run("fasttext", "supervised", *training)

    def table() -> list[Finished]:
        converted = peer("fasttext-lines", imdb / "test.csv", lines)
        return [converted, run("fasttext", "predict-prob", f"{model}.bin", lines)]

    def sentence() -> Finished:
        return run("fasttext", "predict-prob", f"{model}.bin", "-", stdin=f"{SENTENCE}\n")

    return Way("fastText", table, sentence)


def print_times(ways: list[Way], rounds: dict[tuple[str, str], list[Finished]]) -> None:
    """A row for each way."""
    base = rounds.get(("fastText", "table"))
    print("| tool | time | relative to fastText | peak memory | one sentence |")
    print("|---|---|---|---|---|")
    for way in ways:
        table, sentence = rounds[way.name, "table"], rounds.get((way.name, "sentence"))
        seconds = median_seconds(table)
        cells = [
            way.name,
            f"{seconds:.2f} s",
            f"{seconds / median_seconds(base):.2f}" if base else "–",
            f"{max(one.megabytes for one in table):.0f} MB",
            f"{median_seconds(sentence):.2f} s" if sentence else "–",
        ]
        print(f"| {' | '.join(cells)} |")


def print_memory(folder: Path) -> None:
    """Tables of ten times the rows, with both runs."""
    print("| rows | average | rows/s | peak memory | flatten | rows/s | peak memory |")
    print("|---|---|---|---|---|---|---|")
    for rows in (100_000, 1_000_000):
        table = write_rows(folder / f"{rows}.csv", rows)
        cells = [f"{rows:,}"]
        for title in ("average", "flatten"):
            out = folder / "out.csv"
            done = embedclf("predict", table, "--run", folder / title, "-o", out, "-q")
            speed = rows / done.seconds
            cells += [f"{done.seconds:.1f} s", f"{speed:,.0f}", f"{done.megabytes:.0f} MB"]
        print(f"| {' | '.join(cells)} |")


def write_rows(path: Path, rows: int) -> Path:
    """A table of short sentences, drawn from sentences of reviews."""
    imdb = datasets() / "imdb" / "test.csv"
    with imdb.open(encoding="utf-8", newline="") as file:
        reviews = [row["text"] for row, _ in zip(csv.DictReader(file), range(2000), strict=False)]
    sentences = [part.strip() for review in reviews for part in review.split(".") if part.strip()]
    rng = random.Random(0)  # noqa: S311 - only to draw rows
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows((number, rng.choice(sentences)) for number in range(rows))
    return path


if __name__ == "__main__":
    main()
