"""Slices and worst mistakes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from embedclf.evaluation.bootstrap import Bootstrap, intervals_of, resample
from embedclf.inference.explain import explain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.data.labeled import CategoricalColumn
    from embedclf.evaluation.bootstrap import Interval
    from embedclf.evaluation.metrics import Predictions
    from embedclf.evaluation.scored_rows import ScoredRows
    from embedclf.inference.explain import Explanation
    from embedclf.system.arrays import Mask


@dataclass(frozen=True)
class Mistake:
    """A row whose decision is wrong."""

    place: str
    """`file:line`"""
    true: tuple[str, ...]
    given: tuple[str, ...]
    explanation: Explanation
    """Of the label that is wrongly given; of several labels the most wrong one, which may also be
    one that is wrongly not given."""


def worst(scored: ScoredRows, predicted: Predictions, most: int) -> list[Mistake]:
    """Find the mistakes that were made with most confidence, the worst first.

    That is where the true label has the lowest probability; of several labels in a row, where one
    that is true has the lowest or one that is not the highest. Rows of unknown labels are left out.

    Args:
        scored: The rows.
        predicted: The same, with what was decided.
        most: How many to find.
    """
    rows, labels = _ranked(predicted, most)
    ascending = np.sort(rows)
    shown = dict(zip(ascending.tolist(), scored.shown(ascending), strict=True))
    return [
        _mistake(scored, predicted, row, label, *shown[row])
        for row, label in zip(rows.tolist(), labels.tolist(), strict=True)
    ]


def _ranked(
    predicted: Predictions, most: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(k,) the rows of the worst mistakes, and the label that each is about."""
    labels = predicted.labels
    shares = labels.shares(predicted.probabilities)  # (n, labels)
    if labels.task == "multilabel":
        names = len(labels.names)
        true = predicted.targets[:, :names] == 1
        wrong = true != (predicted.decided[:, :names] == 1)
        error = np.where(wrong, np.where(true, 1.0 - shares, shares), -1.0)
        about, worst = error.argmax(axis=1), error.max(axis=1)
    else:
        wrong = predicted.known & (predicted.targets != predicted.decided)
        of_true = np.take_along_axis(shares, np.maximum(predicted.targets, 0)[:, None], axis=1)
        about, worst = predicted.decided, np.where(wrong, 1.0 - of_true[:, 0], -1.0)
    rows = np.argsort(-worst, kind="stable")[:most]
    rows = rows[worst[rows] >= 0.0]
    return rows, about[rows].astype(np.int64)


def _mistake(
    scored: ScoredRows, predicted: Predictions, row: int, label: int, place: str, text: str
) -> Mistake:
    labels = predicted.labels
    name = labels.names[label]
    (explanation,) = explain(scored.classifier, [text], name)
    true, given = labels.named(predicted.targets[row]), labels.named(predicted.decided[row])
    return Mistake(place, true, given, explanation)


_QUARTERS = (25, 50, 75)

_UNKNOWN = (0.0, 0.1, 0.25)

_MOST_CELLS = 10
"""Of a column that are slices; the rest are one."""


@dataclass(frozen=True)
class Slice:
    """Some of the rows, and the first score of them."""

    by: str
    """What they have in common: `length`, `unknown tokens`, or a column."""
    name: str
    rows: int
    score: float
    """Accuracy, or micro F1 of several labels."""
    interval: Interval


def slices(scored: ScoredRows, predicted: Predictions, *, seed: int) -> list[Slice]:
    """Score rows by length, by their share of unknown tokens, and by each column that was read.

    Args:
        scored: The rows.
        predicted: The same, with what was decided.
        seed: Of the intervals.
    """
    found = []
    for by, name, mask in _masks(scored):
        some = predicted.take(mask)
        resampler = Bootstrap(some, (some.labels.score_name,))
        rows = len(some.targets)
        draws = resample([resampler], rows, cells=some.probabilities.size, seed=seed)
        (interval,) = intervals_of(resampler, draws, seed=seed)
        score = float(resampler(np.ones(rows))[0])
        found.append(Slice(by, name, rows, score, interval or (score, score)))
    return found


def _masks(scored: ScoredRows) -> Iterator[tuple[str, str, Mask]]:
    """What the rows of a slice have in common, its name, and (n,) which they are."""
    named = [
        *(("length", *one) for one in _by_length(scored)),
        *(("unknown tokens", *one) for one in _by_unknown(scored)),
        *(
            (column, *one)
            for column, cells in scored.labeled.beside.items()
            for one in _by_cell(cells)
        ),
    ]
    return ((by, name, mask) for by, name, mask in named if mask.any())


def _by_length(scored: ScoredRows) -> Iterator[tuple[str, Mask]]:
    """Quarters of the rows, and those that are longer than the network reads."""
    lengths, read = scored.lengths, scored.classifier.tokenizer.sequence_length
    edges = np.unique(np.percentile(lengths, _QUARTERS).astype(np.int64))
    at = np.searchsorted(edges, lengths)
    for number in range(len(edges) + 1):
        yield _between(edges, number), at == number
    yield f"cut, more than {read:,} tokens", lengths > read


def _between(edges: npt.NDArray[np.int64], number: int) -> str:
    if number == len(edges):
        return f"more than {edges[-1]:,} tokens"
    if number == 0:
        return f"up to {edges[0]:,} tokens"
    first, last = edges[number - 1] + 1, edges[number]
    return f"{last:,} tokens" if first == last else f"{first:,} to {last:,} tokens"


def _by_unknown(scored: ScoredRows) -> Iterator[tuple[str, Mask]]:
    shares = scored.unknown / np.maximum(scored.lengths, 1)
    at = np.searchsorted(_UNKNOWN, shares)
    names = ["none", *(f"up to {100 * share:.0f} %" for share in _UNKNOWN[1:])]
    for number, name in enumerate([*names, f"more than {100 * _UNKNOWN[-1]:.0f} %"]):
        yield name, at == number


def _by_cell(column: CategoricalColumn) -> Iterator[tuple[str, Mask]]:
    """The cells of most rows, and all others."""
    rows = np.bincount(column.codes, minlength=len(column.cells))
    ranked = np.argsort(-rows, kind="stable")
    ranked = ranked[rows[ranked] > 0]
    names = column.cells.to_pylist()
    for code in ranked[:_MOST_CELLS].tolist():
        yield names[code] or "(empty)", column.codes == code
    if len(ranked) > _MOST_CELLS:
        others = ranked[_MOST_CELLS:]
        yield f"({len(others):,} others)", np.isin(column.codes, others)
