"""Time `embedclf train` beside peers, and how its cost grows; print tables.

Whole processes in turn, from a CSV to a model, medians of three rounds. What takes minutes is run
once, and left out for sets with many rows. The first table compares tools; test accuracy is
measured separately, except for scikit-learn and Keras, whose scripts score the test table, too.
fastText's time includes the conversion of the table. The second table is about training alone: rows
per second from the second epoch on, with the defaults of both, and the best validation accuracy of
any epoch. The third shows how the time of a step grows with each size.

EMBEDCLF_DATASETS names the folder of the sets. Missing sets and peers are skipped by name. Two
tables of your own, with the columns `text` and `label`, can be compared with a config:

    EMBEDCLF_DATASETS=~/datasets python -m tests.benchmarks.training
    python -m tests.benchmarks.training TRAIN.csv TEST.csv CONFIG.yaml
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks import sweep
from tests.benchmarks.processes import (
    Finished,
    datasets,
    embedclf,
    median_seconds,
    peer,
    run,
    together,
)

if TYPE_CHECKING:
    from collections.abc import Callable

CLASSIC_CONFIG = Path(__file__).parents[2] / "configs" / "classic.yaml"
ROUNDS = 3
CLASSIC = {"vocabulary_size": 10_000, "sequence_length": 10, "embedding_dim": 128, "epochs": 5}


@dataclass(frozen=True)
class Task:
    """A table to learn from, one to be tested on, and our config if it is not chosen."""

    name: str
    train: Path
    test: Path
    config: Path | None = None
    slow: tuple[str, ...] = ("tfidf", "keras")
    """The slow ways that are measured too."""


@dataclass(frozen=True)
class Way:
    """A way from a table to a classifier."""

    name: str
    train: Callable[[], list[Finished]]
    """More than one process where one writes what another reads."""
    accuracy: Callable[[], float]
    once: bool = False


def main(given: list[str]) -> None:
    """Compare on the sets, or on two tables of your own."""
    if given:
        train, test, config = (Path(one) for one in given)
        compare([Task(train.stem, train, test, config)])
        return
    tasks = []
    for title, folder, slow in (
        ("IMDB", "imdb", ("tfidf", "keras")),
        ("arXiv titles", "arxiv_title_primary", ()),
        ("NSMC", "nsmc_korean_binary", ("tfidf",)),
    ):
        place = datasets() / folder
        if (place / "train.csv").is_file():
            tasks.append(Task(title, place / "train.csv", place / "test.csv", slow=slow))
        else:
            print(f"skipped: {title}: no {place}", file=sys.stderr)
    compare(tasks)
    print()
    classic(datasets() / "sst2_glue")
    print()
    sweep.main()


def compare(tasks: list[Task]) -> None:
    """A row for each task and way."""
    print("| set | tool | time | relative to fastText | memory | test accuracy |")
    print("|---|---|---|---|---|---|")
    for task in tasks:
        with tempfile.TemporaryDirectory() as name:
            ways = ways_of(task, Path(name))
            done: dict[str, list[Finished]] = {way.name: [] for way in ways}
            for number in range(ROUNDS):
                for way in ways:
                    if number == 0 or not way.once:
                        done[way.name].append(together(way.train()))
            base = median_seconds(done["fastText"]) if "fastText" in done else None
            for way in ways:
                seconds = median_seconds(done[way.name])
                ratio = f"{seconds / base:.2f}" if base else "–"
                memory = max(one.megabytes for one in done[way.name])
                cells = (task.name, way.name, f"{seconds:.1f} s", ratio, f"{memory:,.0f} MB")
                print(f"| {' | '.join(cells)} | {way.accuracy():.4f} |", flush=True)


def ways_of(task: Task, folder: Path) -> list[Way]:
    """Ours first, then fastText, if it is installed, then the slow ones."""
    ways = [ours(task, folder)]
    if shutil.which("fasttext") is None:
        print("skipped: fastText: no command fasttext", file=sys.stderr)
    else:
        ways.append(fasttext(task, folder))
    scripts = {
        "tfidf": ("scikit-learn, TF-IDF and logistic regression", "tfidf-accuracy", ()),
        "keras": ("Keras, as tutorials have it", "keras-classic", (10_000, 400, 16, 5)),
    }
    return [*ways, *(script(task, *scripts[name]) for name in task.slow)]


def script(task: Task, name: str, command: str, options: tuple[int, ...]) -> Way:
    """A peer that learns and is tested in one go; it prints its accuracy in JSON."""
    measured: list[float] = []

    def train() -> list[Finished]:
        done = peer(command, task.train, task.test, *options)
        measured.append(json.loads(done.stdout)["accuracy"])
        return [done]

    return Way(name, train, lambda: measured[-1], once=True)


def ours(task: Task, folder: Path) -> Way:
    """`embedclf train`."""
    made = folder / "run"

    def train() -> list[Finished]:
        shutil.rmtree(made, ignore_errors=True)
        source: list[object] = [task.train]
        if task.config is not None:
            source = [task.config, "-s", f"data.train={task.train}"]
        options = ("-s", "data.test=null", "--no-baseline", "-o", made, "-q")
        return [embedclf("train", *source, *options)]

    def accuracy() -> float:
        measured = embedclf("evaluate", "--run", made, "--data", task.test, "--json", "-q").stdout
        return float(json.loads(measured)["scores"]["accuracy"])

    return Way("embedclf", train, accuracy)


def fasttext(task: Task, folder: Path) -> Way:
    """fastText with ten dimensions and all cores, else its defaults."""
    lines, model = folder / "lines.txt", folder / "fasttext"

    def train() -> list[Finished]:
        converted = peer("fasttext-lines", task.train, lines)
        options = ("-dim", 10, "-thread", os.cpu_count(), "-verbose", 0)
        return [
            converted,
            run("fasttext", "supervised", "-input", lines, "-output", model, *options),
        ]

    def accuracy() -> float:
        peer("fasttext-lines", task.test, lines)
        measured = run("fasttext", "test", f"{model}.bin", lines).stdout
        return float(dict(line.split() for line in measured.splitlines())["P@1"])

    return Way("fastText", train, accuracy)


def classic(place: Path) -> None:
    """Rows a second of the classic network, here and in Keras's `fit`."""
    if not (place / "train.csv").is_file():
        print(f"skipped: SST-2: no {place}", file=sys.stderr)
        return
    tables = (place / "train.csv", place / "dev.csv")
    rounds = [(own_classic(*tables), keras_classic(*tables)) for _ in range(ROUNDS)]
    speeds = [statistics.median(one[at]["rows_per_second"] for one in rounds) for at in (0, 1)]
    scores = [statistics.median(one[at]["accuracy"] for one in rounds) for at in (0, 1)]
    print("| trained by | rows per second | relative to Keras | best validation accuracy |")
    print("|---|---|---|---|")
    for name, speed, score in zip(("embedclf", "Keras's `fit`"), speeds, scores, strict=True):
        print(f"| {name} | {speed:,.0f} | {speed / speeds[1]:.1f} × | {score:.4f} |")


def own_classic(train: Path, validation: Path) -> dict[str, float]:
    """Rows a second from the second epoch on, and the best validation accuracy of any epoch."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "run"
        overrides = [f"data.train={train}", f"data.validation={validation}"]
        overrides.append(f"training.epochs={CLASSIC['epochs']}")
        flags = [flag for override in overrides for flag in ("-s", override)]
        embedclf("train", CLASSIC_CONFIG, *flags, "--no-baseline", "-o", made, "-q")
        with (made / "history.csv").open(encoding="utf-8", newline="") as file:
            table = list(csv.DictReader(file))
    return {
        "rows_per_second": statistics.median(float(row["rows_per_second"]) for row in table[1:]),
        "accuracy": max(float(row["val_accuracy"]) for row in table),
    }


def keras_classic(train: Path, validation: Path) -> dict[str, float]:
    """The same, written as in tutorials."""
    measured: dict[str, float] = json.loads(
        peer("keras-classic", train, validation, *CLASSIC.values()).stdout
    )
    return measured


if __name__ == "__main__":
    main(sys.argv[1:])
