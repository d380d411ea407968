"""The operations of an export in NumPy, where they are quickest to check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.export.tensors.operations import CharacterRows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from embedclf.export.tensors.characters.character_table import CharacterTable
    from embedclf.system.arrays import Int64s

Array = np.ndarray[Any, Any]


class NumpyOperations:
    """Computes at once; the methods are those of `Operations`."""

    def constant(self, values: Array | np.generic) -> Array:
        return np.asarray(values)

    def read_characters(self, texts: Sequence[str], table: CharacterTable) -> CharacterRows:
        written = "".join(f" {text}" for text in texts)
        points = np.frombuffer(written.encode("utf-32-le"), np.uint32)
        numbers = np.repeat(np.arange(len(texts)), [len(text) + 1 for text in texts])
        return CharacterRows(table.rows[points].astype(np.int64), numbers)

    def size(self, tensor: Array) -> int:
        return len(tensor)

    def range(self, size: int) -> Array:
        return np.arange(size)

    def to_integers(self, tensor: Array) -> Array:
        return tensor.astype(np.int64)

    def to_floats(self, tensor: Array) -> Array:
        return tensor.astype(np.float32)

    def gather(self, table: Array, places: Array) -> Array:
        return table[places]

    def where(self, mask: Array, values: Array, others: Array) -> Array:
        return np.where(mask, values, others)

    def compress(self, tensor: Array, mask: Array) -> Array:
        return tensor[mask]

    def places(self, mask: Array) -> Array:
        return np.flatnonzero(mask)

    def cumulate(self, numbers: Array) -> Array:
        return np.cumsum(numbers)

    def shift(self, tensor: Array, places: int, fill: int) -> Array:
        filled = np.full(min(abs(places), len(tensor)), fill, tensor.dtype)
        if places > 0:
            return np.concatenate([filled, tensor[: len(tensor) - len(filled)]])
        return np.concatenate([tensor[len(filled) :], filled])

    def concatenate(self, tensors: Sequence[Array], axis: int = 0) -> Array:
        return np.concatenate(tensors, axis=axis)

    def scatter(self, size: int, places: Array, values: Array) -> Array:
        scattered = np.zeros(size, np.int64)
        scattered[places] = values
        return scattered

    def look_up(self, numbers: Array, keys: Int64s, values: Int64s, default: int) -> Array:
        if not len(keys):
            return np.full(len(numbers), default)
        order = np.argsort(keys)
        places = order[np.minimum(np.searchsorted(keys, numbers, sorter=order), len(keys) - 1)]
        return np.where(keys[places] == numbers, values[places], default)

    def reshape(self, tensor: Array, *sizes: int) -> Array:
        return tensor.reshape(sizes)

    def any(self, mask: Array) -> np.bool_:
        return np.bool_(mask.any())

    def repeat(
        self, condition: Callable[..., Any], step: Callable[..., Sequence[Array]], *state: Array
    ) -> Sequence[Array]:
        while condition(*state):
            state = tuple(step(*state))
        return state

    def sum(self, tensor: Array, axis: int, *, keep: bool = False) -> Array:
        summed: Array = tensor.sum(axis=axis, keepdims=keep)
        return summed

    def largest(self, tensor: Array, axis: int) -> Array:
        found: Array = tensor.max(axis=axis)
        return found

    def smaller(self, numbers: Array, others: Array) -> Array:
        return np.minimum(numbers, others)

    def larger(self, numbers: Array, others: Array) -> Array:
        return np.maximum(numbers, others)

    def multiply(self, features: Array, kernel: Array) -> Array:
        product: Array = features @ kernel
        return product

    def square_root(self, numbers: Array) -> Array:
        roots: Array = np.sqrt(numbers)
        return roots

    def sigmoid(self, logits: Array) -> Array:
        probabilities: Array = np.reciprocal(1 + np.exp(-logits))
        return probabilities

    def softmax(self, logits: Array) -> Array:
        powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
        probabilities: Array = powers / powers.sum(axis=-1, keepdims=True)
        return probabilities

    def best(self, numbers: Array) -> Array:
        places: Array = numbers.argmax(axis=-1)
        return places
