"""Forward passes through a network, for vectors that are gathered once per step.

`forward_pass` chooses one of three by the shapes:

* `pooled`: average pooling sums rows by segments, so that padding costs nothing and no array of
  (batch, input_length, numbers) is made.
* `projected_...`: each row is multiplied by the output's weights first, and the products are
  summed. That is exact, and so is its gradient. It is chosen if the network is linear and a token
  has fewer outputs than numbers in its vector (with flatten: outputs at each position).
* `gathered`: vectors side by side through the network's own layers, for everything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from embedclf.model.backend import tf
from embedclf.model.network import count_numbers
from embedclf.model.weights import AVERAGING_POOLINGS

if TYPE_CHECKING:
    from collections.abc import Callable


class TokenBatch(NamedTuple):
    """The tokens of the rows of a step, as tensors."""

    tokens: Any
    """(tokens,) ids, row by row."""
    segments: Any
    """(tokens,) the row of each; (0,) if every row has `input_length` ids."""
    rows: Any
    """How many rows there are."""


def forward_pass(network: Any, pooling: str) -> Callable[[Any, Any, TokenBatch], Any]:
    """Choose the forward pass of a network.

    Returns:
        A function: vectors (used, numbers), the position (tokens,) of each token's vector
        among them, and the batch -> logits (rows, outputs).
    """
    passes = _ForwardPasses.of(network, pooling)
    positions = passes.length if pooling == "flatten" else 1
    projected_width = positions * passes.output.units
    averages = pooling in AVERAGING_POOLINGS
    if pooling != "max" and not passes.hidden and projected_width < passes.width:
        return passes.projected_pooled if averages else passes.projected_positions
    return passes.pooled if averages else passes.gathered


# WithNumSegments: the other forms would drop texts without tokens at the end of a step
_SEGMENT_POOLS = {
    "average": tf.raw_ops.SparseSegmentMeanWithNumSegments,
    "sqrt": tf.raw_ops.SparseSegmentSqrtNWithNumSegments,
}


@dataclass(frozen=True)
class _ForwardPasses:
    """The layers of a network, and the forward passes through them."""

    pool: Any
    hidden: list[Any]
    """The layers between pooling and output."""
    output: Any
    length: int
    width: int
    """Numbers in a vector."""

    @classmethod
    def of(cls, network: Any, pooling: str) -> _ForwardPasses:
        names = [layer.name for layer in network.layers]
        *hidden, output = network.layers[names.index(pooling) + 1 :]
        length, width = network.input_shape[1], count_numbers(network)
        return cls(network.get_layer(pooling), hidden, output, length, width)

    def projected_pooled(self, vectors: Any, places: Any, batch: TokenBatch) -> Any:
        projected = vectors @ self.output.kernel.value  # (used, outputs)
        return self._pool(projected, places, batch) + self.output.bias.value

    def projected_positions(self, vectors: Any, places: Any, batch: TokenBatch) -> Any:
        outputs = self.output.units
        kernel = tf.reshape(self.output.kernel.value, (self.length, self.width, outputs))
        # (width, length * outputs): one product serves a vector at every position
        by_width = tf.reshape(tf.transpose(kernel, (1, 0, 2)), (self.width, -1))
        projected = tf.reshape(vectors @ by_width, (-1, outputs))  # (used * length, outputs)
        positions = tf.tile(tf.range(self.length), [batch.rows])  # (tokens,)
        of_tokens = tf.gather(projected, places * self.length + positions)  # (tokens, outputs)
        by_row = tf.reshape(of_tokens, (-1, self.length, outputs))  # (rows, length, outputs)
        return tf.reduce_sum(by_row, axis=1) + self.output.bias.value

    def pooled(self, vectors: Any, places: Any, batch: TokenBatch) -> Any:
        return self._head(self._pool(vectors, places, batch))

    def gathered(self, vectors: Any, places: Any, batch: TokenBatch) -> Any:
        gathered = tf.reshape(tf.gather(vectors, places), (-1, self.length, self.width))
        if self.pool.name == "flatten":
            return self._head(self.pool(gathered))
        ids = tf.reshape(batch.tokens, (-1, self.length))
        return self._head(self.pool([gathered, ids]))

    def _pool(self, rows: Any, places: Any, batch: TokenBatch) -> Any:
        """Pool rows to (batch.rows, numbers); a row without tokens gives zeros."""
        pool = _SEGMENT_POOLS[self.pool.name]
        return pool(data=rows, indices=places, segment_ids=batch.segments, num_segments=batch.rows)

    def _head(self, features: Any) -> Any:
        """Logits of pooled features. The output's activation is left out: `_slopes` has it."""
        for layer in self.hidden:
            features = layer(features, training=True)  # True: dropout is active
        return features @ self.output.kernel.value + self.output.bias.value
