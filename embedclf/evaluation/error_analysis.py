"""Error analysis: scores of slices, and the worst mistakes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from embedclf.evaluation.bootstrap import confidence_intervals, resample
from embedclf.evaluation.weighted_metrics import WeightedMetrics
from embedclf.inference.explain import explain
from embedclf.model.probabilities import row_blocks
from embedclf.system.progress import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.data.labeled import CategoricalColumn
    from embedclf.evaluation.bootstrap import Interval
    from embedclf.evaluation.predictions import Predictions
    from embedclf.evaluation.scored_rows import ScoredRows
    from embedclf.inference.explanation import Explanation
    from embedclf.system.arrays import Doubles, Int64s, Mask, Rows

_QUARTILES = (25, 50, 75)

_OOV_RATES = (0.0, 0.1, 0.25)
"""Upper edges of the slices by out-of-vocabulary (OOV) tokens; one more slice lies above."""

_MAX_CATEGORIES = 10
"""Values of a column that get their own slice; the others share one."""


@dataclass(frozen=True)
class Slice:
    """A subset of the rows, and its score."""

    by: str
    """The property sliced by: `length`, `OOV tokens`, or a column."""
    name: str
    rows: int
    score: float
    """Accuracy; in a multi-label task, micro F1."""
    interval: Interval


@dataclass(frozen=True)
class Mistake:
    """A row whose prediction is wrong."""

    location: str
    """`file:line`"""
    actual: tuple[str, ...]
    predicted: tuple[str, ...]
    explanation: Explanation
    """Of the wrongly predicted label; in a multi-label task, of the most wrong one, which can also
    be a label that the prediction lacks."""


def score_slices(
    scored: ScoredRows, predictions: Predictions, columns: Sequence[str] = (), *, seed: int
) -> list[Slice]:
    """Score rows by length, by rate of out-of-vocabulary tokens, and by some columns.

    Args:
        scored: The rows.
        predictions: For the same rows.
        columns: Columns that were read with the rows.
        seed: For the intervals.
    """
    return [
        _score_slice(by, name, predictions.filter(mask), seed)
        for by, slices in _slices(scored, columns)
        for name, mask in slices
        if (mask & predictions.is_counted).any()
    ]


def find_worst_mistakes(scored: ScoredRows, predictions: Predictions, count: int) -> list[Mistake]:
    """Find the most confident mistakes, the worst first.

    These are the rows whose actual label has the lowest probability. In a multi-label task, a row
    counts by its most wrong label: an improbable actual label, or a probable other one. Rows with
    labels that do not occur in training are skipped, and so are rows of weight 0.

    Args:
        scored: The rows.
        predictions: For the same rows.
        count: Maximum number of mistakes.
    """
    rows, label_ids = _rank_mistakes(predictions, count)
    # `read_texts` needs ascending rows; the lookup below restores the ranking.
    ascending = np.sort(rows)
    texts = dict(zip(ascending.tolist(), scored.read_texts(ascending), strict=True))
    labels = predictions.labels
    mistakes = []
    pairs = zip(rows.tolist(), label_ids.tolist(), strict=True)
    name = "explaining the worst mistakes"
    for row, label_id in counted(pairs, name, total=len(rows), unit="mistakes"):
        location, text = texts[row]
        (explanation,) = explain(scored.classifier, [text], labels.names[label_id])
        if scored.before_refit:
            explanation = _with_prediction(explanation, predictions, row, label_id)
        mistakes.append(
            Mistake(
                location,
                labels.decode(predictions.y_true, row),
                labels.decode(predictions.y_pred, row),
                explanation,
            )
        )
    return mistakes


def _with_prediction(
    explanation: Explanation, predictions: Predictions, row: int, label_id: int
) -> Explanation:
    """Replace what the classifier after a refit predicts for a row; contributions stay its own."""
    labels = predictions.labels
    predicted = labels.decode(predictions.y_pred, row)
    by_label = labels.label_probabilities(np.asarray(predictions.y_prob[row : row + 1]))
    return replace(
        explanation,
        prediction=predicted if labels.task == "multilabel" else predicted[0],
        predicted=explanation.label in predicted,
        probability=float(by_label[0, label_id]),
    )


def _score_slice(by: str, name: str, predictions: Predictions, seed: int) -> Slice:
    rows = len(predictions)
    metrics = WeightedMetrics(predictions, (predictions.labels.score_name,))
    draws = resample([metrics], cells=predictions.cells, seed=seed)
    (interval,) = confidence_intervals(metrics, draws, seed=seed)
    score = float(metrics(predictions.row_weights)[0])
    # Rows of a single group say nothing about others: any score is possible.
    return Slice(by, name, rows, score, interval or (0.0, 1.0))


def _slices(
    scored: ScoredRows, columns: Sequence[str]
) -> Iterator[tuple[str, Iterator[tuple[str, Mask]]]]:
    """The properties to slice by, with the name and the mask (n,) of each slice."""
    yield "length", _slice_by_length(scored)
    yield "OOV tokens", _slice_by_oov_rate(scored)
    for name in dict.fromkeys(columns):
        yield name, _slice_by_category(scored.labeled.other_columns[name])


def _slice_by_length(scored: ScoredRows) -> Iterator[tuple[str, Mask]]:
    """Slice into quarters by length, then add the truncated texts."""
    lengths = scored.lengths
    sequence_length = scored.classifier.tokenizer.sequence_length
    # Quartiles coincide if many texts have the same length, which leaves fewer slices.
    edges = np.unique(np.percentile(lengths, _QUARTILES).astype(np.int64))
    quarters = np.searchsorted(edges, lengths)  # an edge belongs to the slice below
    for number in range(len(edges) + 1):
        yield _length_range(edges, number), quarters == number
    yield f"truncated (> {sequence_length:,} tokens)", lengths > sequence_length


def _length_range(edges: Int64s, number: int) -> str:
    if number == len(edges):
        return f"more than {edges[-1]:,} tokens"
    if number == 0:
        return f"up to {edges[0]:,} tokens"
    first, last = edges[number - 1] + 1, edges[number]
    return f"{last:,} tokens" if first == last else f"{first:,} to {last:,} tokens"


def _slice_by_oov_rate(scored: ScoredRows) -> Iterator[tuple[str, Mask]]:
    rates = scored.unknown / np.maximum(scored.lengths, 1)
    numbers = np.searchsorted(_OOV_RATES, rates)  # slice 0 is a rate of exactly 0
    names = ["none", *(f"up to {100 * rate:.0f}%" for rate in _OOV_RATES[1:])]
    for number, name in enumerate([*names, f"more than {100 * _OOV_RATES[-1]:.0f}%"]):
        yield name, numbers == number


def _slice_by_category(column: CategoricalColumn) -> Iterator[tuple[str, Mask]]:
    """Slice by the most frequent values of a column, then by all others together."""
    rows = np.bincount(column.codes, minlength=len(column.categories))
    ranked = np.argsort(-rows, kind="stable")
    ranked = ranked[rows[ranked] > 0]  # the dictionary may hold unused values
    categories = column.categories.to_pylist()
    for code in ranked[:_MAX_CATEGORIES].tolist():
        yield categories[code] or "(empty)", column.codes == code
    others = ranked[_MAX_CATEGORIES:]
    if len(others):
        yield f"({len(others):,} others)", np.isin(column.codes, others)


def _rank_mistakes(predictions: Predictions, count: int) -> tuple[Rows, Int64s]:
    """(k,) the rows of the worst mistakes, and the id of the label to explain for each."""
    worst = np.full(len(predictions), -1.0)
    label_ids = np.zeros(len(predictions), np.int64)
    for block in row_blocks(predictions.y_prob.shape):
        worst[block], label_ids[block] = _rank_errors(predictions, block)
    worst = np.where(predictions.is_counted, worst, -1.0)
    rows = np.argsort(-worst, kind="stable")[:count]
    rows = rows[worst[rows] >= 0.0]
    return rows, label_ids[rows]


def _rank_errors(predictions: Predictions, rows: slice) -> tuple[Doubles, Int64s]:
    """(block,) how wrong each row is, from 0, or -1 if it is correct; and the most wrong label."""
    labels, y_true = predictions.labels, predictions.y_true[rows]
    y_pred = predictions.y_pred[rows]
    probabilities = labels.label_probabilities(np.asarray(predictions.y_prob[rows]))
    if labels.task == "multilabel":
        actual = labels.binarize(y_true)  # (block, labels)
        wrong = actual != labels.binarize(y_pred)
        # -1 ranks correct labels below all errors.
        errors = np.where(wrong, np.where(actual, 1.0 - probabilities, probabilities), -1.0)
        return errors.max(axis=1), errors.argmax(axis=1)
    wrong = predictions.is_known[rows] & (y_true != y_pred)
    # -1 (unknown) would index the last label; `wrong` excludes these rows anyway.
    actual_ids = np.maximum(y_true, 0)[:, None]
    of_actual = np.take_along_axis(probabilities, actual_ids, axis=1)[:, 0]
    return np.where(wrong, 1.0 - of_actual, -1.0), y_pred.astype(np.int64)
