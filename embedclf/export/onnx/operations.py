"""The operations of an export as nodes of an ONNX graph; `Operations` documents them."""

# ruff: noqa: D102

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import numpy_helper

from embedclf.export.onnx.characters import read_characters
from embedclf.export.onnx.nodes import BOOL, FLOAT, INT, Graph, Node

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from embedclf.export.tensors.characters.character_table import CharacterTable
    from embedclf.export.tensors.operations import CharacterRows
    from embedclf.system.arrays import Int64s


class OnnxOperations:
    """Adds nodes to a graph; the methods are those of `Operations`."""

    def __init__(self, graph: Graph) -> None:
        """Add to this graph."""
        self.graph = graph

    def constant(self, values: Any) -> Node:
        return self.graph.constant(values)

    def read_characters(self, texts: Node, table: CharacterTable) -> CharacterRows:
        return read_characters(self.graph, texts, table)

    def size(self, tensor: Node) -> Node:
        return self.graph.size(tensor)

    def range(self, size: Node | int) -> Node:
        if isinstance(size, int):
            return self.constant(np.arange(size, dtype=np.int64))
        zero, one = (self.constant(np.int64(each)) for each in (0, 1))
        return self.graph.add("Range", [zero, size, one], INT)

    def to_integers(self, tensor: Node) -> Node:
        return self._cast(tensor, INT)

    def to_floats(self, tensor: Node) -> Node:
        return self._cast(tensor, FLOAT)

    def gather(self, table: Node, places: Node) -> Node:
        return self.graph.add("Gather", [table, places], table.type, axis=0)

    def where(self, mask: Node, values: Node | int, others: Node | int) -> Node:
        if isinstance(values, Node):
            others = self.graph.like(others, values)
        elif isinstance(others, Node):
            values = self.graph.like(values, others)
        both = [each for each in (values, others) if isinstance(each, Node)]
        return self.graph.add("Where", [mask, *both], both[0].type)

    def compress(self, tensor: Node, mask: Node) -> Node:
        return self.graph.add("Compress", [tensor, mask], tensor.type, axis=0)

    def places(self, mask: Node) -> Node:
        return self.reshape(self.graph.add("NonZero", [mask], INT), -1)

    def cumulate(self, numbers: Node) -> Node:
        return self.graph.add("CumSum", [numbers, self.constant(np.int64(0))], INT)

    def shift(self, tensor: Node, places: int, fill: int) -> Node:
        dtype = np.bool_ if tensor.type == BOOL else np.int64
        filled = self.constant(np.full(abs(places), fill, dtype))
        if places > 0:
            return self.concatenate([filled, tensor])[:-places]
        return self.concatenate([tensor, filled])[-places:]

    def concatenate(self, tensors: Sequence[Node], axis: int = 0) -> Node:
        if len(tensors) == 1:
            return tensors[0]
        return self.graph.add("Concat", tensors, tensors[0].type, axis=axis)

    def scatter(self, size: Node, places: Node, values: Node) -> Node:
        zeros = self.graph.zeros(self.reshape(size, 1))
        return self.graph.add("ScatterElements", [zeros, places, values], INT, axis=0)

    def look_up(self, numbers: Node, keys: Int64s, values: Int64s, default: int) -> Node:
        if not len(keys):
            return numbers * 0 + default
        return self.graph.add(
            "LabelEncoder",
            [numbers],
            INT,
            domain="ai.onnx.ml",
            keys_tensor=numpy_helper.from_array(np.asarray(keys, np.int64)),
            values_tensor=numpy_helper.from_array(np.asarray(values, np.int64)),
            default_tensor=numpy_helper.from_array(np.array([default], np.int64)),
        )

    def reshape(self, tensor: Node, *sizes: Node | int) -> Node:
        return self.graph.reshape(tensor, *sizes)

    def any(self, mask: Node) -> Node:
        return self.sum(self.to_integers(mask), 0) > 0

    def repeat(
        self,
        condition: Callable[..., Node],
        step: Callable[..., Sequence[Node]],
        *state: Node,
    ) -> Sequence[Node]:
        return self.graph.loop(condition, step, state)

    def sum(self, tensor: Node, axis: int, *, keep: bool = False) -> Node:
        axes = self.constant(np.array([axis], np.int64))
        return self.graph.add("ReduceSum", [tensor, axes], tensor.type, keepdims=int(keep))

    def largest(self, tensor: Node, axis: int) -> Node:
        axes = self.constant(np.array([axis], np.int64))
        return self.graph.add("ReduceMax", [tensor, axes], tensor.type, keepdims=0)

    def smaller(self, numbers: Node, others: Node | int) -> Node:
        return self.graph.add("Min", [numbers, self.graph.like(others, numbers)], numbers.type)

    def larger(self, numbers: Node, others: Node | int) -> Node:
        return self.graph.add("Max", [numbers, self.graph.like(others, numbers)], numbers.type)

    def multiply(self, features: Node, kernel: Node) -> Node:
        return self.graph.add("MatMul", [features, kernel], features.type)

    def square_root(self, numbers: Node) -> Node:
        return self.graph.add("Sqrt", [numbers], numbers.type)

    def sigmoid(self, logits: Node) -> Node:
        return self.graph.add("Sigmoid", [logits], logits.type)

    def softmax(self, logits: Node) -> Node:
        return self.graph.add("Softmax", [logits], logits.type, axis=-1)

    def best(self, numbers: Node) -> Node:
        return self.graph.add("ArgMax", [numbers], INT, axis=-1, keepdims=0)

    def _cast(self, tensor: Node, kind: int) -> Node:
        if tensor.type == kind:
            return tensor
        return self.graph.add("Cast", [tensor], kind, to=kind)
