"""Token ids to labels and probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from embedclf.data.labels import THRESHOLD
from embedclf.text.vocabulary import PADDING

if TYPE_CHECKING:
    from embedclf.export.tensors.operations import Operations, Tensor
    from embedclf.model.classifier import Calibration, Classifier
    from embedclf.model.weights import Weights
    from embedclf.system.arrays import Doubles, Floats


class Predictions(NamedTuple):
    """What is computed for texts."""

    labels: Tensor
    """(n,) the name of the predicted label; if texts can have several, (n, labels) masks."""
    probabilities: Tensor
    """(n, labels) of each label, calibrated; a binary task has both labels."""


@dataclass(frozen=True)
class ScoreGraph:
    """Computes predictions from token ids for a classifier."""

    classifier: Classifier

    @property
    def width(self) -> int | None:
        """Ids that a text must have, padding included; None if any number will do."""
        flat = self.classifier.weights.pooling == "flatten"
        return self.classifier.tokenizer.input_length if flat else None

    def build(self, ops: Operations, ids: Tensor) -> Predictions:
        """Return the predictions for ids (n, width), where 0 is padding."""
        labels, weights = self.classifier.labels, self.classifier.weights
        logits = _first_units(ops, ids, weights)
        for kernel, bias in weights.dense[1:]:
            units = ops.larger(logits, ops.constant(np.float32(0)))
            logits = ops.multiply(units, ops.constant(kernel)) + ops.constant(bias)
        exclusive = labels.task == "multiclass"
        probabilities = ops.softmax(logits) if exclusive else ops.sigmoid(logits)
        if self.classifier.calibration is not None:
            probabilities = _calibrate(
                ops, probabilities, self.classifier.calibration, exclusive=exclusive
            )
        return self._decide(ops, probabilities)

    def _decide(self, ops: Operations, probabilities: Tensor) -> Predictions:
        labels = self.classifier.labels
        names = ops.constant(np.array(labels.names, np.object_))
        if labels.task == "multiclass":
            return Predictions(ops.gather(names, ops.best(probabilities)), probabilities)
        # A float32 is at least a float64 if it is at least the next float32
        thresholds = ops.constant(_round_up(np.array(labels.thresholds or (THRESHOLD,))))
        predicted = probabilities >= thresholds
        if labels.task == "multilabel":
            return Predictions(predicted, probabilities)
        one = ops.constant(np.float32(1))
        both = ops.concatenate([one - probabilities, probabilities], axis=1)
        return Predictions(ops.gather(names, ops.to_integers(predicted[:, 0])), both)


def _first_units(ops: Operations, ids: Tensor, weights: Weights) -> Tensor:
    """Return the units (n, units) of the first dense layer, before its ReLU if it is hidden."""
    kernel, bias = (ops.constant(each) for each in weights.dense[0])
    if weights.fused is None:
        return ops.multiply(_pool(ops, ids, weights), kernel) + bias
    positions, rows, units = weights.fused.shape
    if weights.pooling == "flatten":
        table = ops.constant(weights.fused.reshape(-1, units))
        places = ids + ops.constant(np.arange(positions, dtype=np.int64) * rows)
        return ops.sum(ops.gather(table, places), 1) + bias
    return _sum(ops, weights.fused[0], ids) / _divisors(ops, ids, weights) + bias


def _pool(ops: Operations, ids: Tensor, weights: Weights) -> Tensor:
    """Return the features (n, features) of texts; zeros without tokens."""
    if weights.pooling == "flatten":
        vectors = ops.gather(ops.constant(weights.embedding), ids)
        return ops.reshape(vectors, -1, len(weights.dense[0][0]))
    tables = [(weights.trained, ids)]
    if weights.kept is not None:  # n-grams, which have no kept numbers, have zeros as padding has
        of_words = ops.where(ids < len(weights.kept), ids, PADDING)
        tables.insert(0, (weights.kept, of_words))
    if weights.pooling != "max":
        sums = ops.concatenate([_sum(ops, *each) for each in tables], axis=1)
        return sums / _divisors(ops, ids, weights)
    return ops.concatenate([_largest(ops, table, own, ids) for table, own in tables], axis=1)


def _sum(ops: Operations, table: Floats, ids: Tensor) -> Tensor:
    """Sum the vectors (n, numbers) of texts."""
    return ops.sum(ops.gather(ops.constant(_without_padding(table)), ids), 1)


def _largest(ops: Operations, table: Floats, own_ids: Tensor, ids: Tensor) -> Tensor:
    """Return the largest numbers (n, numbers) of the vectors of texts; 0 without tokens."""
    vectors = ops.gather(ops.constant(_without_padding(table)), own_ids)
    lowest = ops.constant(np.float32(-np.inf))
    added = ops.constant(np.array([[-np.inf], [0]], np.float32))
    of_tokens = ops.to_integers(ids != PADDING)
    largest = ops.largest(vectors + ops.gather(added, of_tokens), 1)
    return ops.where(largest > lowest, largest, ops.constant(np.float32(0)))


def _divisors(ops: Operations, ids: Tensor, weights: Weights) -> Tensor:
    """Return the divisors (n, 1) of the sums of texts."""
    counts = ops.sum(ops.to_integers(ids != PADDING), 1, keep=True)
    counts = ops.to_floats(ops.larger(counts, 1))
    return counts if weights.pooling == "average" else ops.square_root(counts)


def _without_padding(table: Floats) -> Floats:
    """Return a table (rows, numbers) with zeros for padding."""
    table = table.copy()
    table[PADDING] = 0
    return table


def _calibrate(
    ops: Operations, probabilities: Tensor, calibration: Calibration, *, exclusive: bool
) -> Tensor:
    """Return what `Calibration.apply` does, (n, outputs), from float32 alone."""
    curves = _Curves.from_calibration(calibration)
    outputs, width = curves.knots.shape
    firsts = ops.constant(np.arange(outputs, dtype=np.int64) * width)
    knots = ops.constant(_round_up(curves.knots).ravel())
    places = ops.to_integers(probabilities) * 0 + firsts
    step = width // 2
    while step:  # a binary search for the last knot up to a probability
        further = places + step
        places = ops.where(ops.gather(knots, further) <= probabilities, further, places)
        step //= 2
    # A knot as the sum of two numbers: steep curves need more digits than float32 has
    high = curves.knots.astype(np.float32)
    low, value, slope = (
        ops.gather(ops.constant(each.astype(np.float32).ravel()), places)
        for each in (curves.knots - high, curves.values, curves.slopes)
    )
    distance = probabilities - ops.gather(ops.constant(high.ravel()), places) - low
    calibrated = value + slope * distance
    return calibrated / ops.sum(calibrated, 1, keep=True) if exclusive else calibrated


class _Curves(NamedTuple):
    """Piecewise linear curves, one per output; arrays are (outputs, a power of 2)."""

    knots: Doubles
    """Ascending; those that fill a row are beyond any probability."""
    values: Doubles
    """Value at each knot."""
    slopes: Doubles
    """Slope after each knot: 0 before the first knot, and after the last one."""

    @classmethod
    def from_calibration(cls, calibration: Calibration) -> _Curves:
        width = 1 << max(map(len, calibration.predicted)).bit_length()
        shape = len(calibration.predicted), width
        curves = cls(np.full(shape, 2.0), np.zeros(shape), np.zeros(shape))
        pairs = zip(calibration.predicted, calibration.observed, strict=True)
        for row, (predicted, observed) in enumerate(pairs):
            count = len(predicted)
            curves.knots[row, : count + 1] = -1.0, *predicted
            curves.values[row, : count + 1] = observed[0], *observed
            curves.slopes[row, 1:count] = np.diff(observed) / np.diff(predicted)
        return curves


def _round_up(thresholds: Doubles) -> Floats:
    """Return the least float32 that is at least each threshold."""
    rounded = thresholds.astype(np.float32)
    return np.where(rounded < thresholds, np.nextafter(rounded, np.float32(2)), rounded)
