"""Slices: rows that have something in common, each scored by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from embedclf.resampling import Resampler, intervals_of, resample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.data import CellColumn, Mask
    from embedclf.measures import Predicted
    from embedclf.resampling import Interval
    from embedclf.scoring import ScoredRows

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


def slices(scored: ScoredRows, predicted: Predicted, *, seed: int) -> list[Slice]:
    """Score rows by length, by their share of unknown tokens, and by each column that was read.

    Args:
        scored: The rows.
        predicted: The same, with what was decided.
        seed: Of the intervals.
    """
    found = []
    for by, name, mask in _masks(scored):
        some = predicted.take(mask)
        resampler = Resampler(some, (some.labels.score_name,))
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
            for column, cells in scored.labelled.beside.items()
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


def _by_cell(column: CellColumn) -> Iterator[tuple[str, Mask]]:
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
