"""The operations of an export in TensorFlow; `Operations` documents them."""

# ruff: noqa: D102

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.export.tensors.characters.character_table import PAGE
from embedclf.export.tensors.operations import CharacterRows
from embedclf.model.backend import tf
from embedclf.text.words import SPACE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from embedclf.export.tensors.characters.character_table import CharacterTable
    from embedclf.export.tensors.operations import Tensor
    from embedclf.system.arrays import Int64s

_FEW = 16
"""Numbers up to which a constant is no variable."""


class TensorFlowOperations:
    """Builds a graph while a function is traced. Long constants are variables of a module."""

    def __init__(self, *, variables: bool = True) -> None:
        """Prepare to build one graph.

        Args:
            variables: Whether long constants become variables; else they are in the graph.
        """
        self.resources: list[Any] = []
        """Variables and tables, which the module has to keep."""
        self._variables = variables
        self._used = 0

    def begin(self) -> None:
        """Begin to trace a function; if it is traced again, it takes the same resources."""
        self._used = 0

    def constant(self, values: Any) -> Tensor:
        array = np.asarray(values)
        if array.dtype.kind == "O":
            return tf.constant(array.tolist())
        if array.size <= _FEW or not self._variables:
            return tf.constant(array)
        return self._keep(lambda: tf.Variable(array, trainable=False))

    def read_characters(self, texts: Tensor, table: CharacterTable) -> CharacterRows:
        rows_of_pages, pages = table.pages
        spaced = tf.strings.join([chr(SPACE), texts])
        points = tf.strings.unicode_decode(spaced, "UTF-8", errors="replace")
        flat = tf.cast(points.flat_values, tf.int64)
        page = tf.gather(self.constant(pages), flat // PAGE)
        rows = tf.gather(self.constant(rows_of_pages), page * PAGE + flat % PAGE)
        return CharacterRows(rows, points.value_rowids())

    def size(self, tensor: Tensor) -> Tensor:
        return tf.shape(tensor, out_type=tf.int64)[0]

    def range(self, size: Tensor | int) -> Tensor:
        return tf.range(tf.cast(size, tf.int64))

    def to_integers(self, tensor: Tensor) -> Tensor:
        return tf.cast(tensor, tf.int64)

    def to_floats(self, tensor: Tensor) -> Tensor:
        return tf.cast(tensor, tf.float32)

    def gather(self, table: Tensor, places: Tensor) -> Tensor:
        return tf.gather(table, places)

    def where(self, mask: Tensor, values: Tensor, others: Tensor) -> Tensor:
        known = others if isinstance(values, int) else values
        return tf.where(mask, *(tf.cast(each, known.dtype) for each in (values, others)))

    def compress(self, tensor: Tensor, mask: Tensor) -> Tensor:
        return tf.boolean_mask(tensor, mask)

    def places(self, mask: Tensor) -> Tensor:
        return tf.where(mask)[:, 0]

    def cumulate(self, numbers: Tensor) -> Tensor:
        return tf.cumsum(numbers)

    def shift(self, tensor: Tensor, places: int, fill: int) -> Tensor:
        filled = tf.cast(tf.fill([abs(places)], fill), tensor.dtype)
        if places > 0:
            return tf.concat([filled, tensor], 0)[:-places]
        return tf.concat([tensor, filled], 0)[-places:]

    def concatenate(self, tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
        return tf.concat(tensors, axis)

    def scatter(self, size: Tensor, places: Tensor, values: Tensor) -> Tensor:
        return tf.scatter_nd(places[:, None], values, tf.reshape(size, [1]))

    def look_up(self, numbers: Tensor, keys: Int64s, values: Int64s, default: int) -> Tensor:
        if not len(keys):
            return numbers * 0 + default

        def create() -> Any:
            pairs = tf.lookup.KeyValueTensorInitializer(
                np.asarray(keys, np.int64), np.asarray(values, np.int64)
            )
            return tf.lookup.StaticHashTable(pairs, default)

        return self._keep(create).lookup(numbers)

    def reshape(self, tensor: Tensor, *sizes: Tensor | int) -> Tensor:
        return tf.reshape(tensor, tf.stack([tf.cast(size, tf.int64) for size in sizes]))

    def any(self, mask: Tensor) -> Tensor:
        return tf.reduce_any(mask)

    def repeat(
        self,
        condition: Callable[..., Tensor],
        step: Callable[..., Sequence[Tensor]],
        *state: Tensor,
    ) -> Sequence[Tensor]:
        any_length = [tf.TensorShape([None])] * len(state)
        repeated: Sequence[Tensor] = tf.while_loop(condition, step, list(state), any_length)
        return repeated

    def sum(self, tensor: Tensor, axis: int, *, keep: bool = False) -> Tensor:
        return tf.reduce_sum(tensor, axis, keepdims=keep)

    def largest(self, tensor: Tensor, axis: int) -> Tensor:
        return tf.reduce_max(tensor, axis)

    def smaller(self, numbers: Tensor, others: Tensor) -> Tensor:
        return tf.minimum(numbers, others)

    def larger(self, numbers: Tensor, others: Tensor) -> Tensor:
        return tf.maximum(numbers, others)

    def multiply(self, features: Tensor, kernel: Tensor) -> Tensor:
        return tf.matmul(features, kernel)

    def square_root(self, numbers: Tensor) -> Tensor:
        return tf.sqrt(numbers)

    def sigmoid(self, logits: Tensor) -> Tensor:
        return tf.sigmoid(logits)

    def softmax(self, logits: Tensor) -> Tensor:
        return tf.nn.softmax(logits)

    def best(self, numbers: Tensor) -> Tensor:
        return tf.argmax(numbers, -1)

    def _keep(self, create: Callable[[], Any]) -> Any:
        """Return the next resource, which is created outside of the graph if it is new."""
        if self._used == len(self.resources):
            with tf.init_scope():
                self.resources.append(create())
        self._used += 1
        return self.resources[self._used - 1]
