"""SGD, Adagrad, RMSprop, Adam on sparse rows.

These are Keras's rules with Keras's constants. A step reads and writes only the rows of the
embedding that it uses. Its cost does not depend on the vocabulary size. For SGD and
Adagrad, this equals a gradient of zeros for the other rows. For Adam and RMSprop it is lazy: the
moving averages of a row do not decay while the row is not used (as in LazyAdam of TensorFlow
Addons).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embedclf.model.backend import tf

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RealNumbers = npt.NDArray[np.floating]

_EPSILON = 1e-7


class OptimizerRule(NamedTuple):
    """The rule by which an optimizer turns gradients into updates."""

    initial_state: tuple[float, ...]
    """First value of each of its accumulators (sums or moving averages)."""
    compute_update: Callable[[Any, list[Any]], tuple[Any, list[Any]]]
    """(gradient, accumulators) → update to subtract times the learning rate, new accumulators."""
    rate_factors: Callable[[RealNumbers], RealNumbers]
    """Step numbers, from 1 → factors for their learning rates."""


class Updater:
    """Updates an embedding and the weights of dense layers by a rule.

    Call its methods in a `tf.function`.
    """

    def __init__(
        self,
        rule: OptimizerRule,
        embedding: Any | None,
        dense: Sequence[Any],
        row_learning_rates: RealNumbers | None = None,
        dense_learning_rates: Sequence[RealNumbers] | None = None,
    ) -> None:
        """Create the accumulators for a first step.

        Args:
            rule: Of the optimizer.
            embedding: Variable (rows, embedding_dim); None if it is not trained.
            dense: Variables of any shape.
            row_learning_rates: (rows,) factors for the updates of each row; None is 1 for all.
            dense_learning_rates: Factors for the updates of each variable of the dense layers, of
                its shape or one that broadcasts to it; None is 1 for all.
        """
        self._compute_update = rule.compute_update
        self._embedding, self._dense = embedding, dense
        self._sizes = [math.prod(variable.shape) for variable in dense]
        self._row_learning_rates = (
            None
            if row_learning_rates is None
            # (rows, 1), to multiply the numbers of each row
            else tf.constant(row_learning_rates[:, None], tf.float32)
        )
        self._dense_learning_rates = None
        if dense_learning_rates is not None:
            pairs = zip(dense_learning_rates, dense, strict=True)
            factors = [np.broadcast_to(rates, weight.shape).ravel() for rates, weight in pairs]
            self._dense_learning_rates = tf.constant(np.concatenate(factors), tf.float32)
        self._row_state = (
            [tf.Variable(tf.fill(embedding.shape, value)) for value in rule.initial_state]
            if embedding is not None
            else []
        )
        self._dense_state = [
            tf.Variable(tf.fill([sum(self._sizes)], value)) for value in rule.initial_state
        ]

    @property
    def state(self) -> list[Any]:
        """All accumulators, as a checkpoint keeps them."""
        return [*self._row_state, *self._dense_state]

    def update_rows(self, indices: Any, rows: Any, gradient: Any, learning_rate: Any) -> None:
        """Update some rows of the embedding.

        Args:
            indices: (used,) row numbers without duplicates: a scatter keeps only one of them.
            rows: (used, embedding_dim) current values.
            gradient: (used, embedding_dim).
            learning_rate: Of this step.
        """
        gathered = [tf.gather(accumulator, indices) for accumulator in self._row_state]
        update, new_state = self._compute_update(gradient, gathered)
        # Scales the update, not the gradient: Adam and RMSprop would divide the factor out again
        if self._row_learning_rates is not None:
            update *= tf.gather(self._row_learning_rates, indices)
        variables = [*self._row_state, self._embedding]
        for variable, values in zip(
            variables, [*new_state, rows - learning_rate * update], strict=True
        ):
            variable.scatter_update(tf.IndexedSlices(values, indices))

    def update_dense(self, gradients: Sequence[Any], learning_rate: Any) -> None:
        """Update all dense weights as one long vector: few operations, however many layers."""
        gradient = tf.concat([tf.reshape(one, [-1]) for one in gradients], axis=0)
        current = [accumulator.read_value() for accumulator in self._dense_state]
        update, new_state = self._compute_update(gradient, current)
        if self._dense_learning_rates is not None:
            update *= self._dense_learning_rates
        for accumulator, values in zip(self._dense_state, new_state, strict=True):
            accumulator.assign(values)
        updates = tf.split(learning_rate * update, self._sizes)
        for variable, values in zip(self._dense, updates, strict=True):
            variable.assign_sub(tf.reshape(values, variable.shape))


def _sgd(gradient: Any, _state: list[Any]) -> tuple[Any, list[Any]]:
    return gradient, []


def _adagrad(gradient: Any, state: list[Any]) -> tuple[Any, list[Any]]:
    """Duchi, Hazan and Singer, Adaptive Subgradient Methods, 2011."""
    total = state[0] + tf.square(gradient)
    # As in Keras, epsilon is under the root here and in RMSprop, but outside it in Adam
    return gradient * tf.math.rsqrt(total + _EPSILON), [total]


def _rmsprop(gradient: Any, state: list[Any]) -> tuple[Any, list[Any]]:
    """Tieleman and Hinton, Neural Networks for Machine Learning, lecture 6.5, 2012."""
    mean = 0.9 * state[0] + 0.1 * tf.square(gradient)
    return gradient * tf.math.rsqrt(mean + _EPSILON), [mean]


def _adam(gradient: Any, state: list[Any]) -> tuple[Any, list[Any]]:
    """Kingma and Ba, Adam, 2015, in the order of section 2's last paragraph.

    The bias correction is part of the learning rate (`_correct_bias`), not of the moments.
    """
    mean = state[0] + 0.1 * (gradient - state[0])
    square = state[1] + 0.001 * (tf.square(gradient) - state[1])
    return mean / (tf.sqrt(square) + _EPSILON), [mean, square]


def _correct_bias(steps: RealNumbers) -> RealNumbers:
    """Correct the bias towards 0, from which Adam's moments start."""
    factors: RealNumbers = np.sqrt(1.0 - 0.999**steps) / (1.0 - 0.9**steps)
    return factors


def _constant(steps: RealNumbers) -> RealNumbers:
    return np.ones_like(steps)


OPTIMIZERS = {
    "sgd": OptimizerRule((), _sgd, _constant),
    "adagrad": OptimizerRule((0.1,), _adagrad, _constant),  # Keras's initial_accumulator_value
    "rmsprop": OptimizerRule((0.0,), _rmsprop, _constant),
    "adam": OptimizerRule((0.0, 0.0), _adam, _correct_bias),
}
"""Rules by the name of the optimizer in the config."""
