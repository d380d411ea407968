"""What kept word vectors cost: seconds of training and prediction, and the size of a run."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.few_labels_sets import (
    SETS,
    LabeledSet,
    read_table,
    write_subset,
    write_table,
)
from tests.benchmarks.processes import Finished, bytes_of, embedclf, median_seconds
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

ROUNDS = 5
SIZES = ("100", "1000")
SCORED_ROWS = 100_000
VECTORS = ("none", "glove", "use")


def measure_costs(base: Path | None, folder: str = "ag_news") -> None:
    """Print a row for the checkout before, if it is named, and for each source of vectors.

    Whole processes, which take turns; the median of five rounds.
    """
    ways: dict[str, tuple[Path, list[str]]] = {} if base is None else {"before": (base, [])}
    for vectors in VECTORS:
        keys = [f"model.vectors={vectors}", "training.teacher=none"]
        ways[vectors] = (ROOT, [flag for key in keys for flag in ("-s", key)])
    with tempfile.TemporaryDirectory() as place:
        rounds: dict[str, list[list[Finished]]] = {way: [] for way in ways}
        table = _write_scored(SETS[folder], Path(place))
        for number in range(ROUNDS):
            for way, (checkout, flags) in ways.items():
                runs = Path(place) / f"{way}-{number}"
                rounds[way].append(_measure(SETS[folder], checkout, flags, table, runs))
        _print(rounds, Path(place))


def _measure(
    labeled_set: LabeledSet, checkout: Path, flags: Sequence[str], table: Path, runs: Path
) -> list[Finished]:
    """Train on each size, then predict a text and a table."""
    processes = []
    for size in SIZES:
        subset = write_subset(labeled_set, size, 1, table.parent)
        if subset is None:
            sys.exit(f"{labeled_set.train}: fewer than {size} rows")
        columns = ("--text", "text", "--label", "label")
        options = ("--no-baseline", "-q", "-o", runs / size)
        arguments = ("train", subset.train, *columns, *options, *flags)
        processes.append(embedclf(*arguments, checkout=checkout))
    last = ("--run", runs / SIZES[-1], "-q")
    sentence = "Oil prices rose again this week."
    text = embedclf("predict", "-t", sentence, *last, checkout=checkout)
    scored = embedclf("predict", table, *last, "-o", runs / "predicted.csv", checkout=checkout)
    return [*processes, text, scored]


def _write_scored(labeled_set: LabeledSet, place: Path) -> Path:
    """Write the texts of the test rows again and again."""
    texts = read_table(labeled_set.tested)[["text"]]
    path = place / "many.csv"
    write_table(texts.sample(SCORED_ROWS, replace=True, random_state=1), path)
    return path


def _print(rounds: dict[str, list[list[Finished]]], place: Path) -> None:
    sizes = [f"train, {int(size):,} rows" for size in SIZES]
    columns = ("vectors", *sizes, "run", "one text", f"predict, {SCORED_ROWS:,} rows")
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for way, measured in rounds.items():
        by_step = list(zip(*measured, strict=True))
        seconds = [f"{median_seconds(step):.2f} s" for step in by_step]
        size = bytes_of(place / f"{way}-0" / SIZES[-1]) / 1e6
        cells = (way, *seconds[: len(SIZES)], f"{size:.1f} MB", *seconds[len(SIZES) :])
        print(f"| {' | '.join(cells)} |", flush=True)
