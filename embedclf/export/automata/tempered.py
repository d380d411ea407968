r"""Expressions whose inside must not begin again: `<!--(?:(?!<!--).)*?-->`.

An automaton for all of it would read every character in between. It is enough to know the places of
what opens, of what must not come again, and of what closes.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from embedclf.export.automata.automaton import Automaton, compile_automaton
from embedclf.export.automata.dialects import match_in_python
from embedclf.export.automata.syntax import (
    Characters,
    Choice,
    Look,
    Node,
    Repeat,
    Sequence,
    UnsupportedExpressionError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedclf.system.arrays import Mask

_REFERENCED = re.compile(r"<\(\?P<name>(?P<names>[\w|]+)\)(?P<rest>.*)\Z", re.DOTALL)

_REFERENCE = "(?P=name)"


class Referenced(NamedTuple):
    """An expression whose last alternative refers to the name that it begins with."""

    before: str
    """The other alternatives."""
    rest: list[str]
    """What is before, between and after the references."""
    spellings: list[str]
    """Expressions, which heed case, of all spellings of the names; each matches those that can
    stand for each other."""

    @classmethod
    def read(cls, source: str) -> Referenced:
        """Read an expression of Python that ignores case.

        Raises:
            UnsupportedExpressionError: It has another form.
        """
        found = _REFERENCED.search(source)
        if found is None:
            raise UnsupportedExpressionError(repr(source))
        spellings = [each for name in found["names"].split("|") for each in _spellings(name)]
        return cls(source[: found.start()], found["rest"].split(_REFERENCE), spellings)

    def write_out(self) -> str:
        """Write the expression without references."""
        names = [f"(?-i:{spelling})" for spelling in self.spellings]
        return self.before + "|".join(f"<{name}{name.join(self.rest)}" for name in names)


@dataclass(frozen=True)
class TemperedAutomaton:
    """Finds the parts of alternatives, which are numbered from 1."""

    opening: Automaton
    """Its labels are the numbers of alternatives."""
    is_complete: Mask
    """(alternatives + 1,) whether the opening is all of an alternative."""
    inside: Automaton
    """Its labels are twice the number of an alternative for what closes it, and one less for what
    must not be inside."""


def compile_tempered(node: Node, members: Callable[[str], Mask]) -> TemperedAutomaton:
    """Compile alternatives that begin in different ways.

    Raises:
        UnsupportedExpressionError: One of them has another form.
    """
    openings: list[Node] = []
    complete = [False]
    inside: list[Node] = []
    for option in node.options if isinstance(node, Choice) else [node]:
        opening, forbidden, closing = _split(option)
        openings.append(opening)
        complete.append(closing is None)
        inside += [forbidden or Choice(()), closing or Choice(())]
    return TemperedAutomaton(
        compile_automaton(openings, members),
        np.array(complete),
        compile_automaton(inside, members),
    )


def _split(option: Node) -> tuple[Node, Node | None, Node | None]:
    """Return what opens, what must not come again, and what closes; None where there is nothing."""
    parts = option.parts if isinstance(option, Sequence) else (option,)
    for place, part in enumerate(parts):
        match part:
            case Repeat(Sequence((Look(forbidden, True), Characters())), 0, None, True):
                opening, closing = parts[:place], parts[place + 1 :]
                return Sequence(opening), forbidden, Sequence(closing)
    return option, None, None


def _spellings(name: str) -> list[str]:
    # In a reference, a letter matches those that have the same lower case; elsewhere, more of them
    return ["".join(classes) for classes in itertools.product(*map(_case_classes, name))]


@cache
def _case_classes(letter: str) -> list[str]:
    matching = "".join(map(chr, np.flatnonzero(match_in_python(f"(?i:{letter})")).tolist()))
    classes = [
        "".join(other for other in matching if re.fullmatch(r"(.)\1", each + other, re.IGNORECASE))
        for each in matching
    ]
    return [f"[{letters}]" for letters in dict.fromkeys(classes)]
