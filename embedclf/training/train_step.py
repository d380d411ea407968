"""Forward pass and training step, compiled.

Keras's own step updates the whole embedding for a batch that uses a thousandth of its rows. Here
the rows of a batch are gathered once each, the network runs on them, and they alone are written
back. A step then costs the same whatever the size of the vocabulary. The arithmetic is the same in
another order; tests compare it with Keras's `fit`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from embedclf.model.backend import tf
from embedclf.model.forward_pass import TokenBatch, forward_pass
from embedclf.model.network import find_vectors_layer
from embedclf.model.optimizers import OPTIMIZERS, Updater
from embedclf.model.weights import AVERAGING_POOLINGS
from embedclf.text.vocabulary import PADDING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.config.schema import Config
    from embedclf.system.arrays import Floats, Int32s
    from embedclf.text.encodings import TokenIds
    from embedclf.training.losses import LossTargets


class StepBlock(NamedTuple):
    """The rows of several steps, one step after the other."""

    tokens: Int32s
    """(tokens,) ids of all rows."""
    segments: Int32s
    """(tokens,) the row of each token, counted from the start of its step; (0,) if all rows have
    the same length."""
    sizes: Int32s
    """(steps,) tokens of each step."""
    targets: LossTargets
    """(rows,) class ids, or (rows, outputs) from 0 to 1."""
    weights: Floats
    """(rows, 1) or (rows, outputs) weights of the gradient, already divided by the step's size."""
    rates: Floats
    """(steps,) learning rate of each step."""


class TrainSteps:
    """Trains a network in place; the first call compiles."""

    def __init__(
        self,
        network: Any,
        config: Config,
        row_learning_rates: Floats | None = None,
        dense_learning_rates: Sequence[Floats] | None = None,
        *,
        soft_targets: bool = False,
    ) -> None:
        """Choose the forward pass by the shapes.

        Args:
            network: As `network.build` makes it.
            config: For its pooling, optimizer and batch size.
            row_learning_rates: (vocabulary_rows,) factors for the steps of the embedding's rows.
            dense_learning_rates: Factors for the steps of the kernels and biases, in their order.
            soft_targets: Whether targets are probabilities (rows, outputs), even of a softmax.
        """
        self._batch_size = config.training.batch_size
        self._ragged = config.model.pooling in AVERAGING_POOLINGS
        embedding = network.get_layer("embedding")
        self._embedding = embedding.embeddings.value
        vectors = find_vectors_layer(network)
        self._kept = None if vectors is None else vectors.embeddings.value
        self._frozen = not embedding.trainable
        self._forward = forward_pass(network, config.model.pooling)
        self._dense = [
            weight.value
            for weight in network.trainable_variables
            if weight.value is not self._embedding
        ]
        self._softmax = network.get_layer("output").activation.__name__ == "softmax"
        self._class_ids = self._softmax and not soft_targets
        self._outputs = network.output_shape[1]
        optimizer = OPTIMIZERS[config.training.optimizer]
        trained = None if self._frozen else self._embedding
        rates = row_learning_rates, dense_learning_rates
        self._updater = Updater(optimizer, trained, self._dense, *rates)
        # The loop is written in TensorFlow's operations, so there is no Python to convert
        self._run = tf.function(self.run, autograph=False, input_signature=self._signature())

    @property
    def state(self) -> list[Any]:
        """The variables of the optimizer."""
        return self._updater.state

    def block(
        self, ids: TokenIds, targets: LossTargets, weights: Floats, rates: Floats
    ) -> StepBlock:
        """Prepare rows for the steps that take them.

        Args:
            ids: (rows, input_length).
            targets: (rows,) class ids, or (rows, outputs) from 0 to 1.
            weights: (rows, 1) or (rows, outputs) of the loss.
            rates: (steps,) learning rate of each step.
        """
        starts = np.arange(len(rates)) * self._batch_size
        rows = np.diff(starts, append=len(ids))  # (steps,)
        # (rows,) Keras's loss is a mean over rows and, after sigmoids, over outputs, too
        cells = np.repeat(rows, rows) * (1 if self._softmax else self._outputs)
        mean_weights = (weights / cells[:, None]).astype(np.float32)
        if self._ragged:
            real = ids != PADDING
            lengths = np.count_nonzero(real, axis=1)
            # A split with a small vocabulary stores ids as uint16; the signature is int32
            tokens = ids[real].astype(np.int32)
            row_of_step = np.arange(len(ids), dtype=np.int32) % self._batch_size
            segments = np.repeat(row_of_step, lengths)
        else:
            lengths = np.full(len(ids), ids.shape[1])
            tokens, segments = ids.astype(np.int32).reshape(-1), np.zeros(0, np.int32)
        # Every step has a row, so no range is empty, which reduceat would not sum to 0
        sizes = np.add.reduceat(lengths, starts).astype(np.int32)
        return StepBlock(tokens, segments, sizes, targets, mean_weights, rates)

    def __call__(self, block: StepBlock) -> Floats:
        """Take the steps of a block.

        Returns:
            (rows, outputs) logits, each row's before its own step.
        """
        logits: Floats = self._run(*block).numpy()
        return logits

    def run(self, *block: Any) -> Any:
        """Take the steps of a block, given as tensors; return logits (rows, outputs)."""
        tokens, segments, sizes, targets, weights, rates = block
        steps = tf.shape(rates)[0]
        rows = tf.fill([steps], self._batch_size)
        # The last step of an epoch has what is left of the rows
        rows = tf.minimum(rows, tf.shape(targets)[0] - tf.range(steps) * self._batch_size)
        arrays = [
            _split_by_step(tokens, sizes),
            # Sizes must sum to the length, and there are no segments unless ragged
            _split_by_step(segments, sizes if self._ragged else tf.zeros_like(sizes)),
            _split_by_step(targets, rows),
            _split_by_step(weights, rows),
        ]

        def body(number: Any, logits: Any) -> tuple[Any, Any]:
            tensors = [array.read(number) for array in arrays]
            step_logits = self.step(*tensors, rates[number])  # type: ignore[call-arg]
            return number + 1, logits.write(number, step_logits)

        # No shape is inferred from the first step: the last one may have fewer rows
        empty = tf.TensorArray(
            tf.float32, steps, element_shape=(None, self._outputs), infer_shape=False
        )
        # One after the other: each step starts from the weights that the one before it left
        loop = tf.while_loop(
            lambda number, _: number < steps, body, (0, empty), parallel_iterations=1
        )
        return loop[1].concat()

    def step(self, tokens: Any, segments: Any, targets: Any, weights: Any, rate: Any) -> Any:
        """Take one step; a plain function of tensors.

        Returns:
            (rows, outputs) logits before the step.
        """
        used, places = tf.unique(tokens)  # (used,), (tokens,)
        # Outside the tape: the gradient is wanted for these rows, not for the whole table
        vectors = tf.gather(self._embedding, used)  # (used, embedding_dim)
        rows = tf.shape(targets)[0]
        watched = [] if self._frozen else [vectors]
        with tf.GradientTape() as tape:
            tape.watch(watched)  # a tape watches variables by itself, but no tensors
            whole = self._with_kept(vectors, used)
            logits = self._forward(whole, places, TokenBatch(tokens, segments, rows))
        slopes = self._slopes(logits, targets) * weights
        # The loss is not computed here: its known gradient at the logits is passed on from there
        gradients = tape.gradient(logits, [*watched, *self._dense], slopes)
        for gradient in gradients[: len(watched)]:  # none if the embedding is frozen
            self._updater.update_rows(used, vectors, _densify(gradient, used), rate)
        self._updater.update_dense(gradients[len(watched) :], rate)
        return logits

    def _with_kept(self, vectors: Any, used: Any) -> Any:
        """Put the kept numbers of ids (used,) before their trained ones: (used, numbers)."""
        if self._kept is None:
            return vectors
        # As the network does: n-grams share the row of padding, which is zeros
        rows = tf.where(used < self._kept.shape[0], used, PADDING)
        return tf.concat([tf.gather(self._kept, rows), vectors], axis=1)

    def _slopes(self, logits: Any, targets: Any) -> Any:
        """The gradient of the cross-entropy with respect to the logits: probability - target."""
        if self._class_ids:
            targets = tf.one_hot(targets, self._outputs)
        return (tf.nn.softmax(logits) if self._softmax else tf.sigmoid(logits)) - targets

    def _signature(self) -> list[Any]:
        """The shapes that `run` is compiled for, so that it is compiled once."""
        integers, numbers = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((None,), tf.float32)
        cells = tf.TensorSpec((None, None), tf.float32)
        targets = integers if self._class_ids else tf.TensorSpec((None, self._outputs), tf.float32)
        return [integers, integers, integers, targets, cells, numbers]


def _densify(gradient: Any, used: Any) -> Any:
    """The gradient of the rows (used, embedding_dim), summed if it came in slices."""
    if isinstance(gradient, tf.IndexedSlices):
        return tf.math.unsorted_segment_sum(gradient.values, gradient.indices, tf.shape(used)[0])
    return gradient


def _split_by_step(values: Any, sizes: Any) -> Any:
    """Split values by step, so that each step reads its own by one operation."""
    arrays = tf.TensorArray(
        values.dtype, 0, dynamic_size=True, element_shape=values.shape, infer_shape=False
    )
    return arrays.split(values, sizes)
