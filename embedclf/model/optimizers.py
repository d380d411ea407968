"""SGD, Adagrad, RMSprop, Adam on sparse rows.

They are Keras's rules with Keras's constants. A row of a table that a step does not touch is
neither read nor written, so that a step costs the same whatever the table's length. For SGD and
Adagrad that is the same as touching it with a gradient of zeros. For Adam and RMSprop it is lazy:
the running means of a row stand still while it is not used (as in LazyAdam of TensorFlow Addons).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embedclf.model.backend import tf

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Numbers = npt.NDArray[np.floating]

_EPSILON = 1e-7


class OptimizerRule(NamedTuple):
    """A rule, and the numbers that its running sums and means begin with."""

    begin: tuple[float, ...]
    move: Callable[[Any, list[Any]], tuple[Any, list[Any]]]
    """(gradient, sums and means) → what to subtract times the rate, the new sums and means."""
    factor: Callable[[Numbers], Numbers]
    """Numbers of steps, from 1 → what their rates are multiplied by."""


class Updater:
    """Moves an embedding and the weights of dense layers by a rule.

    Its methods are to be called in a `tf.function`.
    """

    def __init__(
        self,
        rule: OptimizerRule,
        embedding: Any | None,
        dense: Sequence[Any],
        row_learning_rates: Numbers | None = None,
    ) -> None:
        """Begin with the sums and means of a first step.

        Args:
            rule: How to move them.
            embedding: Variable (rows, width); None where it stays what it is.
            dense: Variables of any shape.
            row_learning_rates: (rows,) factors for the changes of each row; None is 1 for all.
        """
        self._move = rule.move
        self._embedding, self._dense = embedding, dense
        numbers = [math.prod(one.shape) for one in dense]
        self._numbers = numbers
        self._paces = (
            None
            if row_learning_rates is None
            else tf.constant(row_learning_rates[:, None], tf.float32)
        )
        self._row_sums = (
            [tf.Variable(tf.fill(embedding.shape, x)) for x in rule.begin]
            if embedding is not None
            else []
        )
        self._dense_sums = [tf.Variable(tf.fill([sum(numbers)], x)) for x in rule.begin]

    @property
    def state(self) -> list[Any]:
        """All sums and means."""
        return [*self._row_sums, *self._dense_sums]

    def move_rows(self, at: Any, rows: Any, gradient: Any, rate: Any) -> None:
        """Move some rows of the embedding.

        Args:
            at: (used,) row numbers, each once.
            rows: (used, width) what is there.
            gradient: (used, width).
            rate: What to multiply the change by.
        """
        sums = self._row_sums
        change, moved = self._move(gradient, [tf.gather(one, at) for one in sums])
        if self._paces is not None:
            change *= tf.gather(self._paces, at)
        pairs = zip([*sums, self._embedding], [*moved, rows - rate * change], strict=True)
        for one, values in pairs:
            one.scatter_update(tf.IndexedSlices(values, at))

    def move_dense(self, gradients: Sequence[Any], rate: Any) -> None:
        """Move all dense weights, as one long vector: a few operations however many there are."""
        gradient = tf.concat([tf.reshape(one, [-1]) for one in gradients], axis=0)
        sums = self._dense_sums
        change, moved = self._move(gradient, [one.read_value() for one in sums])
        for one, values in zip(sums, moved, strict=True):
            one.assign(values)
        changes = tf.split(rate * change, self._numbers)
        for one, values in zip(self._dense, changes, strict=True):
            one.assign_sub(tf.reshape(values, one.shape))


def _sgd(gradient: Any, _sums: list[Any]) -> tuple[Any, list[Any]]:
    return gradient, []


def _adagrad(gradient: Any, sums: list[Any]) -> tuple[Any, list[Any]]:
    """Duchi, Hazan and Singer, Adaptive Subgradient Methods, 2011."""
    total = sums[0] + tf.square(gradient)
    return gradient * tf.math.rsqrt(total + _EPSILON), [total]


def _rmsprop(gradient: Any, sums: list[Any]) -> tuple[Any, list[Any]]:
    """Tieleman and Hinton, Neural Networks for Machine Learning, lecture 6.5, 2012."""
    mean = 0.9 * sums[0] + 0.1 * tf.square(gradient)
    return gradient * tf.math.rsqrt(mean + _EPSILON), [mean]


def _adam(gradient: Any, sums: list[Any]) -> tuple[Any, list[Any]]:
    """Kingma and Ba, Adam, 2015, in the order of section 2's last paragraph."""
    mean = sums[0] + 0.1 * (gradient - sums[0])
    square = sums[1] + 0.001 * (tf.square(gradient) - sums[1])
    return mean / (tf.sqrt(square) + _EPSILON), [mean, square]


def _unbiased(steps: Numbers) -> Numbers:
    """What takes the zeros that Adam's means began with out of them."""
    factors: Numbers = np.sqrt(1.0 - 0.999**steps) / (1.0 - 0.9**steps)
    return factors


def _unchanged(steps: Numbers) -> Numbers:
    return np.ones_like(steps)


RULES = {
    "sgd": OptimizerRule((), _sgd, _unchanged),
    "adagrad": OptimizerRule((0.1,), _adagrad, _unchanged),
    "rmsprop": OptimizerRule((0.0,), _rmsprop, _unchanged),
    "adam": OptimizerRule((0.0, 0.0), _adam, _unbiased),
}
"""By the name of the optimizer."""
