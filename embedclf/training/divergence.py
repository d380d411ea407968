"""How much tokens and n-grams say about labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from embedclf.data.label_sets import rows_by_label
from embedclf.data.row_columns import normalize_weights

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from embedclf.data.dataset import Dataset
    from embedclf.system.arrays import Doubles, Floats, Int64s, Rows

_SMOOTHING = 0.5
"""Occurrences added to each token, distributed over labels like all tokens. A token seen once then
says little about a label."""

_TINY = float(np.finfo(np.float64).tiny)

_ROUNDING = 1e-12
"""A lower divergence is a rounding error."""


def label_divergence(dataset: Dataset) -> Floats:
    """Measure how much the ids of a dataset say about its labels, as `divergence_of_counts`."""
    return divergence_of_counts(_count_all(dataset), count_by_output(dataset))


def count_by_output(dataset: Dataset) -> Iterator[tuple[Int64s, Doubles]]:
    """Yield, for each output, the ids that texts with its label have, and how often.

    Taught texts are read once per label.
    """
    labels = dataset.labels
    rows_of_outputs = rows_by_label(dataset.train.targets, len(labels.names))[-labels.outputs :]
    for output, rows in enumerate(rows_of_outputs):
        yield _count_in(dataset, rows, output)


def divergence_of_counts(counts: Doubles, by_output: Iterable[tuple[Int64s, Doubles]]) -> Floats:
    """Measure how far the labels of texts with an id are from the labels of all texts.

    This is the root of a divergence (Kullback and Leibler, On Information and Sufficiency, 1951),
    summed over labels. It compares the fraction of an id's occurrences in texts with a label to the
    fraction of all occurrences. Where the two differ little, the root grows like the logarithm of
    their ratio, which is Wang and Manning's measure for two labels. With many labels that measure
    takes the largest of many ratios, and rare tokens have a large one at random.

    Time grows with the tokens, not with labels times vocabulary: ids of equal counts share what
    they get from the labels that they never occur with.

    Args:
        counts: (vocabulary_rows,) occurrences of each id.
        by_output: As `count_by_output` yields them.

    Returns:
        (vocabulary_rows,) from 0, for an id that says nothing.
    """
    divergence, total = np.zeros(len(counts)), counts.sum() or 1
    usual = list[float]()  # the fraction of all occurrences, by output
    for ids, occurrences in by_output:
        usual.append(occurrences.sum() / total)
        divergence[ids] += _diverge(occurrences, counts[ids], usual[-1])
        divergence[ids] -= _diverge(0.0, counts[ids], usual[-1])
    distinct, places = np.unique(counts, return_inverse=True)
    without_label = np.zeros(len(distinct))
    for fraction, outputs in zip(*np.unique(usual, return_counts=True), strict=True):
        without_label += outputs * _diverge(0.0, distinct, fraction)
    divergence += without_label[places]
    return np.sqrt(np.where(divergence > _ROUNDING, divergence, 0.0)).astype(np.float32)


def _diverge(occurrences: Doubles | float, counts: Doubles, usual: float) -> Doubles:
    """Return the divergence of ids with these occurrences in texts with a label, out of counts."""
    # An id that never occurs gets the usual fraction, hence a divergence of 0
    fractions = (occurrences + _SMOOTHING * usual) / (counts + _SMOOTHING)
    return _divergence_term(fractions, usual) + _divergence_term(1.0 - fractions, 1.0 - usual)


def _divergence_term(fractions: Doubles, usual: float) -> Doubles:
    """Return fractions · log(fractions / usual), 0 where a fraction is 0.

    `scipy.special.rel_entr` does the same, but importing it took 0.2 s of a training of 4 s.
    """
    term: Doubles = fractions * np.log(np.maximum(fractions, _TINY) / max(usual, _TINY))
    return term


def _count_all(dataset: Dataset) -> Doubles:
    """Count the occurrences (vocabulary_rows,) of each id; a row counts by its weight."""
    train, taught, size = dataset.train, dataset.taught, dataset.tokenizer.vocabulary_rows
    if train.weights is None:
        return dataset.counts.astype(np.float64)
    counts = train.weigh_ids(size, normalize_weights(train.weights))
    return counts if taught is None else counts + taught.count_ids(size)


def _count_in(dataset: Dataset, rows: Rows, output: int) -> tuple[Int64s, Doubles]:
    """Return the ids (found,) that texts with a label have, and how often; rows count by weight.

    Args:
        dataset: For its training texts.
        rows: The labeled rows with the label.
        output: That of the label. A taught text counts by its probability.
    """
    found, counts = _count_in_labeled(dataset, rows)
    if dataset.taught is None:
        return found, counts
    y_prob = dataset.taught.probabilities[:, output].astype(np.float64)
    totals = dataset.taught.weigh_ids(dataset.tokenizer.vocabulary_rows, y_prob)
    totals[found] += counts
    found = np.flatnonzero(totals)
    return found, totals[found]


def _count_in_labeled(dataset: Dataset, rows: Rows) -> tuple[Int64s, Doubles]:
    train, size = dataset.train, dataset.tokenizer.vocabulary_rows
    weights = None if train.weights is None else normalize_weights(train.weights)
    if len(rows) * dataset.tokenizer.input_length < size:  # less than to go through the vocabulary
        ids = train.ids[rows]
        distinct, places = np.unique(ids.values, return_inverse=True)
        found = distinct.astype(np.int64)
        of_ids = None if weights is None else np.repeat(weights[rows], ids.lengths)
        counts = np.bincount(places, of_ids, len(found)).astype(np.float64)
    else:
        mask = np.zeros(len(train), np.bool_)
        mask[rows] = True
        found = np.arange(size)
        if weights is None:
            counts = train.count_ids(size, mask).astype(np.float64)
        else:
            counts = train.weigh_ids(size, weights, mask)
    return found[counts > 0.0], counts[counts > 0.0]
