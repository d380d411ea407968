"""Expressions as programs: instructions that read a character, split, or ask what is around."""

from __future__ import annotations

from typing import NamedTuple

from embedclf.export.automata.syntax import (
    Border,
    Characters,
    Choice,
    Edge,
    Look,
    Node,
    Repeat,
    Sequence,
    UnsupportedExpressionError,
)

_MAX_OPERATIONS = 20_000


class Operation(NamedTuple):
    """An instruction of a program."""

    kind: str
    targets: tuple[int, ...] = ()
    item: str = ""
    negative: bool = False
    label: int = 0


class Program:
    """The instructions of expressions."""

    def __init__(self) -> None:
        self.ops: list[Operation] = []
        self.starts: list[int] = []
        self.has_context = False

    def append(self, op: Operation) -> int:
        """Add an instruction and return its place."""
        if len(self.ops) == _MAX_OPERATIONS:
            raise UnsupportedExpressionError("it is too long")
        self.ops.append(op)
        return len(self.ops) - 1

    def add(self, node: Node, then: int) -> int:
        """Add the instructions of an expression and return where they start."""
        match node:
            case Sequence(parts):
                for part in reversed(parts):
                    then = self.add(part, then)
                return then
            case Choice(options):
                return self.append(
                    Operation("split", tuple(self.add(each, then) for each in options))
                )
            case Repeat():
                return self._add_repeat(node, then)
        return self.append(self._simple(node, then))

    def _simple(self, node: Node, then: int) -> Operation:
        """Return the instruction that one item is."""
        match node:
            case Characters(item):
                return Operation("read", (then,), item)
            case Look(Characters(item), negative):
                return Operation("look", (then,), item, negative)
            case Border(negative):
                self.has_context = True
                return Operation("border", (then,), negative=negative)
            case Edge(at_start, of_line):
                self.has_context = True
                kind = ("line " if of_line else "") + ("start" if at_start else "end")
                return Operation(kind, (then,))
        raise UnsupportedExpressionError("it looks ahead at more than one character")

    def _add_repeat(self, node: Repeat, then: int) -> int:
        def split(more: int) -> Operation:
            return Operation("split", (then, more) if node.lazy else (more, then))

        start = then
        if node.most is None:
            start = self.append(Operation("split"))
            self.ops[start] = split(self.add(node.part, start))
        for _ in range((node.most or node.least) - node.least):
            start = self.append(split(self.add(node.part, start)))
        for _ in range(node.least):
            start = self.add(node.part, start)
        return start
