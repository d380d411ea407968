"""Forward pass and training step, compiled.

Keras's own step moves the whole embedding for a batch that uses a thousandth of its rows. Here a
batch's rows are taken out once each, the network runs on them, and they alone are put back, so that
a step costs the same whatever the vocabulary. It is the same arithmetic in another order; tests
compare it with Keras's `fit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from embedclf.model.backend import tf
from embedclf.model.optimizers import RULES, Updater
from embedclf.model.weights import AVERAGES
from embedclf.text.vocabulary import PADDING

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedclf.config.schema import Config
    from embedclf.system.arrays import Floats, Int32s
    from embedclf.text.tokenizer import TokenIds


class StepBlock(NamedTuple):
    """The rows of several steps, one behind the other."""

    tokens: Int32s
    """(tokens,) ids of all rows."""
    segments: Int32s
    """(tokens,) the row of each, counted from the beginning of its step; (0,) where all rows are
    of one length."""
    sizes: Int32s
    """(steps,) tokens of each step."""
    targets: Int32s | Floats
    """(rows,) class ids, or (rows, outputs) of 0 and 1."""
    weights: Floats
    """(rows, 1) or (rows, outputs) what the slope of each cell counts in the mean of its step."""
    rates: Floats
    """(steps,) what the change of each step is multiplied by."""


class TrainSteps:
    """Trains a network in place; the first call compiles."""

    def __init__(
        self, network: Any, config: Config, row_learning_rates: Floats | None = None
    ) -> None:
        """Choose the way by the shapes.

        Args:
            network: As `network.build` makes it.
            config: Tells its pooling, the optimizer and the batch size.
            row_learning_rates: (rows,) factors for the steps of each row of the embedding.
        """
        self._batch_size = config.training.batch_size
        self._length = network.input_shape[1]
        self._ragged = config.model.pooling in AVERAGES
        embedding = network.get_layer("embedding")
        self._embedding = embedding.embeddings.value
        self._frozen = not embedding.trainable
        self._kernel = kernel(network, config.model.pooling)
        self._dense = [
            one.value for one in network.trainable_variables if one.value is not self._embedding
        ]
        self._softmax = network.get_layer("output").activation.__name__ == "softmax"
        self._outputs = network.output_shape[1]
        rule = RULES[config.training.optimizer]
        moved = None if self._frozen else self._embedding
        self._updater = Updater(rule, moved, self._dense, row_learning_rates)
        self._run = tf.function(self.run, autograph=False, input_signature=self._signature())

    @property
    def state(self) -> list[Any]:
        """The variables that tell, beside the network's own, where the training stands."""
        return self._updater.state

    def block(
        self, ids: TokenIds, targets: Int32s | Floats, weights: Floats, rates: Floats
    ) -> StepBlock:
        """Lay out rows for the steps that take them.

        Args:
            ids: (rows, sequence_length).
            targets: (rows,) class ids, or (rows, outputs) of 0 and 1.
            weights: (rows, 1) or (rows, outputs) of the loss's cells.
            rates: (steps,) what the change of each step is multiplied by.
        """
        firsts = np.arange(len(rates)) * self._batch_size
        rows = np.diff(firsts, append=len(ids))  # of each step
        cells = np.repeat(rows, rows) * (1 if self._softmax else self._outputs)
        shares = (weights / cells[:, None]).astype(np.float32)
        if self._ragged:
            real = ids != PADDING
            lengths = np.count_nonzero(real, axis=1)
            tokens = ids[real].astype(np.int32)
            of = np.arange(len(ids), dtype=np.int32) % self._batch_size
            segments = np.repeat(of, lengths)
        else:
            lengths = np.full(len(ids), ids.shape[1])
            tokens, segments = ids.astype(np.int32).reshape(-1), np.zeros(0, np.int32)
        sizes = np.add.reduceat(lengths, firsts).astype(np.int32)
        return StepBlock(tokens, segments, sizes, targets, shares, rates)

    def __call__(self, block: StepBlock) -> Floats:
        """Take the steps of a block.

        Returns:
            (rows, outputs) logits, each row's before its own step.
        """
        logits: Floats = self._run(*block).numpy()
        return logits

    def run(self, *block: Any) -> Any:
        """Take the steps of a block, whose fields are tensors; returns logits (rows, outputs)."""
        tokens, segments, sizes, targets, weights, rates = block
        steps = tf.shape(rates)[0]
        rows = tf.fill([steps], self._batch_size)
        rows = tf.minimum(rows, tf.shape(targets)[0] - tf.range(steps) * self._batch_size)
        none = tf.zeros_like(sizes)
        parts = [
            _parted(tokens, sizes),
            _parted(segments, sizes if self._ragged else none),
            _parted(targets, rows),
            _parted(weights, rows),
        ]

        def body(number: Any, logits: Any) -> tuple[Any, Any]:
            tensors = [part.read(number) for part in parts]
            told = self.step(*tensors, rates[number])  # type: ignore[call-arg]
            return number + 1, logits.write(number, told)

        empty = tf.TensorArray(
            tf.float32, steps, element_shape=(None, self._outputs), infer_shape=False
        )
        loop = tf.while_loop(
            lambda number, _: number < steps, body, (0, empty), parallel_iterations=1
        )
        return loop[1].concat()

    def step(self, tokens: Any, segments: Any, targets: Any, weights: Any, rate: Any) -> Any:
        """Take one step; a plain function of tensors, which `strategy.run` can take.

        Returns:
            (rows, outputs) logits before it.
        """
        used, places = tf.unique(tokens)  # (used,), (tokens,)
        vectors = tf.gather(self._embedding, used)  # (used, embedding_dim)
        rows = tf.shape(targets)[0]
        moved = [] if self._frozen else [vectors]
        with tf.GradientTape() as tape:
            tape.watch(moved)
            logits = self._kernel(vectors, places, TokenBatch(tokens, segments, rows))
        slopes = self._slopes(logits, targets) * weights
        gradients = tape.gradient(logits, [*moved, *self._dense], slopes)
        for of_vectors in gradients[: len(moved)]:
            self._updater.move_rows(used, vectors, _summed(of_vectors, used), rate)
        self._updater.move_dense(gradients[len(moved) :], rate)
        return logits

    def _slopes(self, logits: Any, targets: Any) -> Any:
        """How the cross-entropy of each cell changes with its logit: probability - target."""
        if self._softmax:
            return tf.nn.softmax(logits) - tf.one_hot(targets, self._outputs)
        return tf.sigmoid(logits) - targets

    def _signature(self) -> list[Any]:
        integers, numbers = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((None,), tf.float32)
        cells = tf.TensorSpec((None, None), tf.float32)
        targets = integers if self._softmax else tf.TensorSpec((None, self._outputs), tf.float32)
        return [integers, integers, integers, targets, cells, numbers]


def _summed(gradient: Any, used: Any) -> Any:
    """The gradient of rows (used, embedding_dim), where it came in parts of them too."""
    if isinstance(gradient, tf.IndexedSlices):
        return tf.math.unsorted_segment_sum(gradient.values, gradient.indices, tf.shape(used)[0])
    return gradient


def _parted(values: Any, sizes: Any) -> Any:
    """Values cut into the parts of each step, so that a step takes its own by one operation."""
    parts = tf.TensorArray(
        values.dtype, 0, dynamic_size=True, element_shape=values.shape, infer_shape=False
    )
    return parts.split(values, sizes)


class TokenBatch(NamedTuple):
    """Where the tokens of some rows stand; all are tensors."""

    tokens: Any
    """(tokens,) ids, row by row."""
    segments: Any
    """(tokens,) the row of each; (0,) where all rows have `sequence_length` tokens."""
    rows: Any
    """How many rows there are."""


def kernel(network: Any, pooling: str) -> Callable[[Any, Any, TokenBatch], Any]:
    """Choose the way through a network.

    Returns:
        A function: vectors (used, embedding_dim), the place (tokens,) of each token's vector among
        them, and the batch → logits (rows, outputs).
    """
    ways = _Ways.of(network, pooling)
    numbers = (ways.length if pooling == "flatten" else 1) * ways.output.units  # of a projected row
    if pooling != "max" and not ways.above and numbers < ways.width:
        return ways.projected_means if pooling in AVERAGES else ways.projected_places
    return ways.means if pooling in AVERAGES else ways.gathered


@dataclass(frozen=True)
class _Ways:
    """A network's parts, and the ways through them."""

    pool: Any
    above: list[Any]
    """The layers between pooling and output."""
    output: Any
    length: int
    width: int

    @classmethod
    def of(cls, network: Any, pooling: str) -> _Ways:
        names = [layer.name for layer in network.layers]
        *above, output = network.layers[names.index(pooling) + 1 :]
        width = network.get_layer("embedding").output_dim
        return cls(network.get_layer(pooling), above, output, network.input_shape[1], width)

    def projected_means(self, vectors: Any, places: Any, batch: TokenBatch) -> Any:
        numbers = vectors @ self.output.kernel.value  # (used, outputs)
        return self._means(numbers, places, batch) + self.output.bias.value

    def projected_places(self, vectors: Any, places: Any, batch: TokenBatch) -> Any:
        outputs = self.output.units
        kernel = tf.reshape(self.output.kernel.value, (self.length, self.width, outputs))
        flat = tf.reshape(tf.transpose(kernel, (1, 0, 2)), (self.width, -1))
        numbers = tf.reshape(vectors @ flat, (-1, outputs))  # (used · length, outputs)
        positions = tf.tile(tf.range(self.length), [batch.rows])  # (tokens,)
        added = tf.gather(numbers, places * self.length + positions)  # (tokens, outputs)
        by_row = tf.reshape(added, (-1, self.length, outputs))
        return tf.reduce_sum(by_row, axis=1) + self.output.bias.value

    def means(self, vectors: Any, places: Any, batch: TokenBatch) -> Any:
        return self._head(self._means(vectors, places, batch))

    def gathered(self, vectors: Any, places: Any, batch: TokenBatch) -> Any:
        gathered = tf.reshape(tf.gather(vectors, places), (-1, self.length, self.width))
        if self.pool.name == "flatten":
            return self._head(self.pool(gathered))
        ids = tf.reshape(batch.tokens, (-1, self.length))
        return self._head(self.pool([gathered, ids]))

    def _means(self, rows: Any, places: Any, batch: TokenBatch) -> Any:
        """(batch.rows, numbers); zeros where a row has no token."""
        pool = _MEANS[self.pool.name]
        return pool(data=rows, indices=places, segment_ids=batch.segments, num_segments=batch.rows)

    def _head(self, features: Any) -> Any:
        for layer in self.above:
            features = layer(features, training=True)
        return features @ self.output.kernel.value + self.output.bias.value


_MEANS = {
    "average": tf.raw_ops.SparseSegmentMeanWithNumSegments,
    "sqrt": tf.raw_ops.SparseSegmentSqrtNWithNumSegments,
}
