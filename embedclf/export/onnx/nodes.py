"""An ONNX graph that is built node by node, with Python's operators."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from onnx import NodeProto

BOOL, INT, FLOAT, STRING = (
    TensorProto.BOOL,
    TensorProto.INT64,
    TensorProto.FLOAT,
    TensorProto.STRING,
)

_DTYPES: dict[int, Any] = {BOOL: np.bool_, INT: np.int64, FLOAT: np.float32}

_END = np.iinfo(np.int64).max
"""Stands for the end of an axis in `Slice`."""


@dataclass(eq=False)
class Graph:
    """Nodes in their order, and the numbers that they use."""

    nodes: list[NodeProto] = field(default_factory=list)
    constants: dict[str, TensorProto] = field(default_factory=dict)
    domains: set[str] = field(default_factory=set)
    """Of all nodes."""
    _names: dict[tuple[Any, ...], str] = field(default_factory=dict)
    _read: set[str] = field(default_factory=set)
    _count: int = 0

    def add(self, op: str, inputs: Sequence[Node], kind: int, **attributes: Any) -> Node:
        """Add a node with one output of a type."""
        name = self._name(op)
        self._append(op, inputs, [name], name, **attributes)
        return Node(self, name, kind)

    def loop(
        self,
        condition: Callable[..., Node],
        step: Callable[..., Sequence[Node]],
        state: Sequence[Node],
    ) -> list[Node]:
        """Add a loop over vectors, which ends when a condition no longer holds."""
        name = self._name("Loop")
        outside, self.nodes = self.nodes, []
        inputs = [
            Node(self, f"{name}_input_{number}", each.type) for number, each in enumerate(state)
        ]
        following = step(*inputs)
        results = [condition(*following), *following]
        for number, each in enumerate(results):
            self.output(each, f"{name}_result_{number}")
        body = helper.make_graph(
            self.nodes,
            name,
            [
                helper.make_tensor_value_info(f"{name}_round", INT, []),
                helper.make_tensor_value_info(f"{name}_condition", BOOL, []),
                *(helper.make_tensor_value_info(each.name, each.type, [None]) for each in inputs),
            ],
            [
                helper.make_tensor_value_info(
                    f"{name}_result_{number}", each.type, [None] if number else []
                )
                for number, each in enumerate(results)
            ],
        )
        self.nodes = outside
        names = [f"{name}_{number}" for number in range(len(state))]
        unlimited = Node(self, "", INT)
        self._append("Loop", [unlimited, condition(*state), *state], names, name, body=body)
        return [Node(self, each, before.type) for each, before in zip(names, state, strict=True)]

    def output(self, node: Node, name: str) -> None:
        """Give a node's output a name."""
        self._append("Identity", [node], [name], name)

    def constant(self, values: Any) -> Node:
        """Return numbers, masks or strings as a node; equal small ones are kept once."""
        array = np.asarray(values)
        if array.dtype.kind == "O":
            array = array.astype(object)
        key = (array.dtype.str, array.shape, array.tobytes() if array.size <= 16 else id(array))
        name = self._names.get(key) if array.dtype.kind != "O" else None
        if name is None:
            name = f"constant_{len(self.constants)}"
            self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
            self.constants[name].dims[:] = array.shape
            if array.size <= 16:
                self._names[key] = name
        return Node(self, name, self.constants[name].data_type)

    def used_constants(self) -> list[TensorProto]:
        """Return the constants that nodes read."""
        return [tensor for name, tensor in self.constants.items() if name in self._read]

    def like(self, value: Any, node: Node) -> Node:
        """Return a number as a constant of the type of a node; a node is returned as it is."""
        return value if isinstance(value, Node) else self.constant(_DTYPES[node.type](value))

    def size(self, node: Node, axis: int = 0) -> Node:
        """Return the length of an axis, a scalar."""
        shape = self.add("Shape", [node], INT)
        return self.add("Gather", [shape, self.constant(np.int64(axis))], INT, axis=0)

    def reshape(self, node: Node, *sizes: Node | int) -> Node:
        """Return the same numbers in another shape."""
        if all(isinstance(size, int) for size in sizes):
            shape = self.constant(np.array(sizes, np.int64))
        else:
            one = self.constant(np.array([1], np.int64))
            parts = [
                self.add("Reshape", [size, one], INT)
                if isinstance(size, Node)
                else self.constant(np.array([size], np.int64))
                for size in sizes
            ]
            shape = parts[0] if len(parts) == 1 else self.add("Concat", parts, INT, axis=0)
        return self.add("Reshape", [node, shape], node.type)

    def zeros(self, shape: Node) -> Node:
        """Return zeros of a shape (dimensions,)."""
        value = helper.make_tensor("value", INT, [1], [0])
        return self.add("ConstantOfShape", [shape], INT, value=value)

    def _name(self, op: str) -> str:
        self._count += 1
        return f"{op}_{self._count}"

    def _append(
        self, op: str, inputs: Sequence[Node], outputs: list[str], name: str, **attributes: Any
    ) -> None:
        names = [each.name for each in inputs]
        self.nodes.append(helper.make_node(op, names, outputs, name=name, **attributes))
        self.domains.add(attributes.get("domain", ""))
        self._read.update(names)


@dataclass(eq=False)
class Node:
    """The output of a node, or a constant."""

    graph: Graph
    name: str
    type: int

    def _binary(self, op: str, other: Any, kind: int | None = None) -> Node:
        operands = [self, self.graph.like(other, self)]
        return self.graph.add(op, operands, self.type if kind is None else kind)

    __hash__ = None  # type: ignore[assignment] # as of arrays

    def __add__(self, other: Any) -> Node:
        return self._binary("Add", other)

    def __sub__(self, other: Any) -> Node:
        return self._binary("Sub", other)

    def __mul__(self, other: Any) -> Node:
        return self._binary("Mul", other)

    def __truediv__(self, other: Any) -> Node:
        return self._binary("Div", other)

    def __floordiv__(self, other: Any) -> Node:
        """Divide integers that are not negative."""
        return self._binary("Div", other)

    def __mod__(self, other: Any) -> Node:
        return self._binary("Mod", other)

    def __eq__(self, other: object) -> Node:  # type: ignore[override] # as in NumPy
        return self._binary("Equal", other, BOOL)

    def __ne__(self, other: object) -> Node:  # type: ignore[override] # as in NumPy
        return ~(self == other)

    def __lt__(self, other: Any) -> Node:
        return self._binary("Less", other, BOOL)

    def __le__(self, other: Any) -> Node:
        return self._binary("LessOrEqual", other, BOOL)

    def __gt__(self, other: Any) -> Node:
        return self._binary("Greater", other, BOOL)

    def __ge__(self, other: Any) -> Node:
        return self._binary("GreaterOrEqual", other, BOOL)

    def __and__(self, other: Any) -> Node:
        return self._binary("And", other)

    def __or__(self, other: Any) -> Node:
        return self._binary("Or", other)

    def __invert__(self) -> Node:
        return self.graph.add("Not", [self], BOOL)

    def __getitem__(self, index: slice | tuple[slice, int]) -> Node:
        """Select a range of the first axis; or all rows of a column."""
        if isinstance(index, tuple):
            column = self.graph.constant(np.int64(index[1]))
            return self.graph.add("Gather", [self, column], self.type, axis=1)
        bounds = (index.start or 0, _END if index.stop is None else index.stop, 0)
        ranges = [self.graph.constant(np.array([each], np.int64)) for each in bounds]
        return self.graph.add("Slice", [self, *ranges], self.type)
