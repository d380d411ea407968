"""From the rows of the embedding that a batch uses to its logits.

Three ways, chosen by the shapes (`kernel`):

* `means`: average pooling sums rows by segments, so that padding costs nothing and no array of
  (batch, sequence_length, embedding_dim) is made;
* `projected_…`: where the network is linear and a token gives fewer numbers than its vector has
  (one an output, with flatten at each position), each row is multiplied by the output's weights
  first and those numbers are summed. It is exact, and so is its gradient;
* `gathered`: vectors side by side through the network's own layers: all else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from embedclf.backend import tf
from embedclf.weights import AVERAGES

if TYPE_CHECKING:
    from collections.abc import Callable


class Batch(NamedTuple):
    """Where the tokens of some rows stand; all are tensors."""

    tokens: Any
    """(tokens,) ids, row by row."""
    segments: Any
    """(tokens,) the row of each; (0,) where all rows have `sequence_length` tokens."""
    rows: Any
    """How many rows there are."""


def kernel(network: Any, pooling: str) -> Callable[[Any, Any, Batch], Any]:
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

    def projected_means(self, vectors: Any, places: Any, batch: Batch) -> Any:
        numbers = vectors @ self.output.kernel.value  # (used, outputs)
        return self._means(numbers, places, batch) + self.output.bias.value

    def projected_places(self, vectors: Any, places: Any, batch: Batch) -> Any:
        outputs = self.output.units
        kernel = tf.reshape(self.output.kernel.value, (self.length, self.width, outputs))
        flat = tf.reshape(tf.transpose(kernel, (1, 0, 2)), (self.width, -1))
        numbers = tf.reshape(vectors @ flat, (-1, outputs))  # (used · length, outputs)
        positions = tf.tile(tf.range(self.length), [batch.rows])  # (tokens,)
        added = tf.gather(numbers, places * self.length + positions)  # (tokens, outputs)
        by_row = tf.reshape(added, (-1, self.length, outputs))
        return tf.reduce_sum(by_row, axis=1) + self.output.bias.value

    def means(self, vectors: Any, places: Any, batch: Batch) -> Any:
        return self._head(self._means(vectors, places, batch))

    def gathered(self, vectors: Any, places: Any, batch: Batch) -> Any:
        gathered = tf.reshape(tf.gather(vectors, places), (-1, self.length, self.width))
        if self.pool.name == "flatten":
            return self._head(self.pool(gathered))
        ids = tf.reshape(batch.tokens, (-1, self.length))
        return self._head(self.pool([gathered, ids]))

    def _means(self, rows: Any, places: Any, batch: Batch) -> Any:
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
