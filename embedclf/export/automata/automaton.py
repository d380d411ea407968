"""Automata that match as backtracking does: the first alternative wins, then the longest run.

An expression becomes a program with an order of preference among its threads, and sets of threads
become the states of an automaton (Cox, Regular Expression Matching: the Virtual Machine Approach,
2009). That a match has ended is known one character later; so one character ahead can be asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from embedclf.export.automata.program import Operation, Program
from embedclf.export.automata.syntax import Node, UnsupportedExpressionError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from embedclf.system.arrays import Int32s, Int64s, Mask

_MAX_STATES = 4_000


@dataclass(frozen=True)
class Automaton:
    """Finds where the matches of expressions end that start at one place.

    The classes are those of characters, and the last one is the border of a text. The first states
    are final: no match can become longer.
    """

    classes: Int32s
    """(code points,) the class of each."""
    table: Int64s
    """(states, classes) the next state."""
    labels: Int64s
    """(states,) number of the expression, from 1, whose match ends before the character that led to
    the state; 0 for none."""
    finals: int
    """Number of final states."""
    initial: Int64s
    """(classes,) the state in which a match starts after a character."""

    @property
    def border(self) -> int:
        """The class of the border of a text."""
        return int(self.table.shape[1]) - 1

    @cached_property
    def first(self) -> Mask:
        """(classes,) whether a match can start with each."""
        states = np.unique(self.initial)
        first: Mask = np.logical_or.reduce(self.table[states] >= self.finals, axis=0)
        return first

    @cached_property
    def leaving(self) -> tuple[Mask, Int64s]:
        """Runs of characters in which a state stays.

        Returns:
            (sets, classes) what ends a run, and (states,) the number of the set of each state. In
            the set 0, every character ends the run.
        """
        leaves: Mask = np.not_equal(self.table, np.arange(len(self.table))[:, None])
        leaves[: self.finals] = True
        sets, numbers = np.unique(leaves, axis=0, return_inverse=True)
        numbers = numbers.reshape(-1)
        last = len(sets) - 1  # sorted, so that the set of all classes is the last
        return sets[::-1], last - numbers


class _State(NamedTuple):
    threads: tuple[int, ...]
    """In order of preference."""
    context: int
    """What was before, if a thread depends on it."""
    label: int


_OTHER, _WORD, _NEW_LINE, _START = range(4)
"""What was before a place."""


def compile_automaton(
    expressions: Sequence[Node], members: Callable[[str], Mask], *, word: str = r"\w"
) -> Automaton:
    """Compile expressions, earlier ones preferred, to one automaton.

    Args:
        expressions: Trees.
        members: Returns which code points (code points,) an item matches.
        word: The item of the characters of words, on which borders depend.

    Raises:
        UnsupportedExpressionError: No automaton of moderate size can do it.
    """
    program = Program()
    for label, node in enumerate(expressions, start=1):
        program.starts.append(program.add(node, program.append(Operation("match", label=label))))
    items = {op.item for op in program.ops if op.item}
    if program.has_context or not items:
        items |= {word, r"\n"}
    classes, sets = _classify({item: members(item) for item in sorted(items)})
    return _Construction(program, sets, word, int(classes.max()) + 1).build(classes)


def _classify(masks: dict[str, Mask]) -> tuple[Int32s, dict[str, Mask]]:
    """Return the class of each code point, and for each item the classes (classes,) it has."""
    classes = np.zeros(len(next(iter(masks.values()))), np.int64)
    for mask in masks.values():
        classes = classes * 2 + mask
        if classes.max() >= 1 << 61:
            classes = np.unique(classes, return_inverse=True)[1].reshape(-1)
    _, examples, numbers = np.unique(classes, return_index=True, return_inverse=True)
    return numbers.reshape(-1).astype(np.int32), {
        item: mask[examples] for item, mask in masks.items()
    }


class _Construction:
    """The states of an automaton, found one by one."""

    def __init__(self, program: Program, sets: dict[str, Mask], word: str, classes: int) -> None:
        self._ops = program.ops
        self._starts = tuple(program.starts)
        self._sets: dict[str, list[bool]] = {
            item: [*mask.tolist(), False] for item, mask in sets.items()
        }
        self._classes = classes  # and the border
        self._contexts = [_OTHER] * classes + [_START]
        if program.has_context:
            for each in range(classes):
                if self._sets[word][each]:
                    self._contexts[each] = _WORD
                elif self._sets[r"\n"][each]:
                    self._contexts[each] = _NEW_LINE
        self._looked_at = {op.item for op in program.ops if op.kind == "look"}
        self._asks_before = [self._reaches_context(place) for place in range(len(self._ops))]

    def build(self, classes: Int32s) -> Automaton:
        """Find all states."""
        initial = [self._state(self._starts, before, 0) for before in self._contexts]
        finals = [_State((), _OTHER, label) for label in range(len(self._starts) + 1)]
        numbers = {state: number for number, state in enumerate([*finals, *initial])}
        numbers = {state: number for number, state in enumerate(numbers)}
        todo = list(numbers)
        rows: list[list[int]] = []
        for state in todo:
            rows.append([])
            for following in self._follow(state):
                if following not in numbers:
                    numbers[following] = len(numbers)
                    todo.append(following)
                rows[-1].append(numbers[following])
            if len(todo) > _MAX_STATES:
                raise UnsupportedExpressionError(f"it needs more than {_MAX_STATES:,} states")
        return Automaton(
            classes=classes,
            table=np.array(rows, np.int64),
            labels=np.array([state.label for state in todo], np.int64),
            finals=len(finals),
            initial=np.array([numbers[state] for state in initial], np.int64),
        )

    def _follow(self, state: _State) -> list[_State]:
        """Return the next state for each class."""
        known: dict[tuple[int, ...], tuple[list[int], int]] = {}
        following = []
        for ahead in range(self._classes + 1):
            key = self._contexts[ahead], *(self._sets[item][ahead] for item in self._looked_at)
            if key not in known:
                known[key] = self._close(state, ahead)
            read, label = known[key]
            threads = [
                self._ops[place].targets[0]
                for place in read
                if self._sets[self._ops[place].item][ahead]
            ]
            following.append(self._state(threads, self._contexts[ahead], label))
        return following

    def _state(self, threads: Sequence[int], before: int, label: int) -> _State:
        threads = tuple(dict.fromkeys(threads))
        asks = any(self._asks_before[each] for each in threads)
        return _State(threads, before if asks else _OTHER, label)

    def _close(self, state: _State, ahead: int) -> tuple[list[int], int]:
        """Return the places that read the next character, and which expression ends before it."""
        seen: set[int] = set()
        read: list[int] = []
        stack = list(reversed(state.threads))
        while stack:
            place = stack.pop()
            if place in seen:
                continue
            seen.add(place)
            op = self._ops[place]
            if op.kind == "match":
                return read, op.label
            if op.kind == "read":
                read.append(place)
            elif self._holds(op, state.context, ahead):
                stack.extend(reversed(op.targets))
        return read, 0

    def _holds(self, op: Operation, before: int, ahead: int) -> bool:
        if op.kind == "look":
            return self._sets[op.item][ahead] != op.negative
        next_context = self._contexts[ahead]
        if op.kind == "border":
            return ((before == _WORD) != (next_context == _WORD)) != op.negative
        holding = {
            "split": True,
            "start": before == _START,
            "end": next_context == _START,
            "line start": before in {_START, _NEW_LINE},
            "line end": next_context in {_START, _NEW_LINE},
        }
        return holding[op.kind]

    def _reaches_context(self, place: int) -> bool:
        """Whether a thread asks what was before it, without reading a character."""
        seen: set[int] = set()
        stack = [place]
        while stack:
            each = stack.pop()
            op = self._ops[each]
            if op.kind in {"border", "start", "line start"}:
                return True
            if each not in seen and op.kind in {"split", "look", "end", "line end"}:
                stack.extend(op.targets)
            seen.add(each)
        return False
