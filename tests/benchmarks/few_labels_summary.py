"""Scores of methods on few rows, and what each gains over the config of the checkout before."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.benchmarks.few_labels_sets import SIZES, Subset, read_table, split_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BASE = "base"


@dataclass(frozen=True)
class Result:
    """The scores of a method on a subset."""

    folder: str
    size: str
    number: int
    method: str
    rows: int
    accuracy: float
    """Micro-averaged F1 where a row can have several labels."""
    macro_f1: float
    """Over the labels of the scored rows."""
    seconds: float
    bytes: int
    """Of the run; 0 of a peer."""


def score(
    subset: Subset, method: str, predictions: list[str], *, seconds: float, size: int
) -> Result:
    """Compare predicted labels with those of the scored rows."""
    from sklearn.metrics import accuracy_score, f1_score
    from sklearn.preprocessing import MultiLabelBinarizer

    separator = subset.labeled_set.separator
    actual = list(read_table(subset.tested)["label"])
    if separator:
        true, predicted = (
            [split_labels(cell, separator) for cell in cells] for cells in (actual, predictions)
        )
        marks = MultiLabelBinarizer().fit(true + predicted)
        matrices = marks.transform(true), marks.transform(predicted)
        occurring = matrices[0].any(axis=0).nonzero()[0]
        accuracy = f1_score(*matrices, average="micro", zero_division=0)
        macro = f1_score(*matrices, average="macro", labels=occurring, zero_division=0)
    else:
        accuracy = accuracy_score(actual, predictions)
        macro = f1_score(
            actual, predictions, average="macro", labels=sorted(set(actual)), zero_division=0
        )
    return Result(
        subset.labeled_set.folder,
        subset.size,
        subset.number,
        method,
        subset.rows,
        round(float(accuracy), 5),
        round(float(macro), 5),
        round(seconds, 2),
        size,
    )


def print_summary(results: Sequence[Result]) -> None:
    """Print gains by method and size, then the scores of each set."""
    methods = list(dict.fromkeys(one.method for one in results))
    sizes = [size for size in SIZES if any(one.size == size for one in results)]
    scores = {"accuracy": lambda one: one.accuracy, "macro F1": lambda one: one.macro_f1}
    for name, of in scores.items():
        print(f"\n{name}: points over {BASE}, mean (standard error; sets)\n")
        _print_row("method", *sizes)
        print(f"|{'---|' * (len(sizes) + 1)}")
        for method in methods:
            _print_row(method, *(_gain(results, method, size, of) for size in sizes))
    for name, of in scores.items():
        print(f"\n{name}: mean of the subsets\n")
        _print_row("set", "rows", *methods)
        print(f"|{'---|' * (len(methods) + 2)}")
        for size in sizes:
            for folder in dict.fromkeys(one.folder for one in results):
                _print_set(results, folder, size, methods, of)


def _print_set(
    results: Sequence[Result],
    folder: str,
    size: str,
    methods: list[str],
    of: Callable[[Result], float],
) -> None:
    here = [one for one in results if (one.folder, one.size) == (folder, size)]
    cells = []
    for method in methods:
        scores = [100 * of(one) for one in here if one.method == method]
        cells.append(f"{statistics.mean(scores):.1f}" if scores else "–")
    if here:
        _print_row(folder, size, *cells)


def _gain(results: Sequence[Result], method: str, size: str, of: Callable[[Result], float]) -> str:
    """Return the mean gain over sets of a method on the same rows; of the base, its mean score."""
    here = [one for one in results if one.size == size]
    bases = {(one.folder, one.number): 100 * of(one) for one in here if one.method == BASE}
    gains: dict[str, list[float]] = defaultdict(list)
    for one in here:
        base = bases.get((one.folder, one.number))
        if one.method == method and base is not None:
            gains[one.folder].append(100 * of(one) - (0 if method == BASE else base))
    if not gains:
        return "–"
    means = [statistics.mean(values) for values in gains.values()]
    mean = f"{statistics.mean(means):{'.1f' if method == BASE else '+.1f'}}"
    error = f"{statistics.stdev(means) / len(means) ** 0.5:.1f}; " if len(means) > 1 else ""
    return f"{mean} ({error}{len(means)})"


def _print_row(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)
