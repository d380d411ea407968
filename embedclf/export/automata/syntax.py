r"""Regular expressions of Python and RE2, read into a tree.

Both prefer the first alternative and then the longest repetition. They differ in what a single
item matches, such as `\d` or a letter whose case is ignored. So an item stays as it is written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

_ITEM = re.compile(
    r"""(?P<quoted>\\Q.*?(?:\\E|\Z))
    |(?P<edge>\\[Az]|[\^$])|(?P<border>\\[bB])
    |(?P<set>\\[dDwWsS]|\\[pP](?:[A-Z]|\{\^?\w+\})|\.
      |\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\])
    |(?P<escaped>\\(?:x[0-9A-Fa-f]{2}|x\{[0-9A-Fa-f]{1,6}\}|[aftnrv]|[^A-Za-z0-9]))
    |(?P<look>\(\?(?P<sign>[=!]))
    |(?P<group>\((?:\?P?<\w+>|\?(?P<on>[ims]*)(?:-(?P<off>[ims]+))?(?P<colon>[:)]))?)
    |(?P<close>\))|(?P<bar>\|)
    |(?P<repeat>(?:[*+?]|\{(?P<least>\d+)(?:,(?P<most>\d*))?\})(?P<lazy>\??))
    |(?P<letter>[^\\()\[])""",
    re.VERBOSE | re.DOTALL,
)

_MOST_REPEATS = 1000
"""As RE2 limits it."""


class UnsupportedExpressionError(ValueError):
    """An expression, or an item of it, that no automaton can stand for."""


@dataclass(frozen=True)
class Characters:
    """One character of a set."""

    item: str
    """An expression that matches one character: `[a-z]`, `(?i:a)`."""


@dataclass(frozen=True)
class Sequence:
    """Expressions one after the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Choice:
    """Alternatives; earlier ones are preferred."""

    options: tuple[Node, ...]


@dataclass(frozen=True)
class Repeat:
    """An expression several times."""

    part: Node
    least: int
    most: int | None
    """None is any number."""
    lazy: bool
    """Whether fewer times are preferred."""


@dataclass(frozen=True)
class Look:
    """What comes next, without being part of the match."""

    part: Node
    negative: bool


@dataclass(frozen=True)
class Border:
    r"""A border of a word, or with `\B` none."""

    negative: bool


@dataclass(frozen=True)
class Edge:
    """The start or the end of the text, or of a line."""

    at_start: bool
    of_line: bool


Node: TypeAlias = Characters | Sequence | Choice | Repeat | Look | Border | Edge


def parse(expression: str, flags: str = "") -> Node:
    """Read an expression.

    Args:
        expression: Of RE2, or of Python without references.
        flags: `i` ignores case, `m` has lines, and with `s` a dot is any character.

    Raises:
        UnsupportedExpressionError: It has an item that automata lack; the message names it.
    """
    return _Reader(expression).read(frozenset(flags))


def can_be_empty(node: Node) -> bool:
    """Whether an expression can match nothing."""
    match node:
        case Characters():
            return False
        case Sequence(parts):
            return all(map(can_be_empty, parts))
        case Choice(options):
            return any(map(can_be_empty, options))
        case Repeat(part, least):
            return not least or can_be_empty(part)
        case _:
            return True


class _Reader:
    """Reads an expression from left to right."""

    def __init__(self, expression: str) -> None:
        self._expression = expression
        self._place = 0

    def read(self, flags: frozenset[str]) -> Node:
        """Read all of it."""
        node = self._read_choice(flags)
        if self._place < len(self._expression):
            raise UnsupportedExpressionError(repr(self._expression[self._place :][:3]))
        return node

    def _next(self) -> re.Match[str] | None:
        if self._place == len(self._expression):
            return None
        item = _ITEM.match(self._expression, self._place)
        if item is None:
            raise UnsupportedExpressionError(repr(self._expression[self._place :][:3]))
        return item

    def _read_choice(self, flags: frozenset[str]) -> Node:
        """Read alternatives up to a closing bracket, or the end."""
        options: list[Node] = []
        parts: list[Node] = []
        while (item := self._next()) is not None and not item["close"]:
            self._place = item.end()
            if item["bar"]:
                options.append(_join(parts))
                parts = []
            elif item["repeat"]:
                parts[-1:] = [_repeat(parts, item)]
            elif item["colon"] == ")":
                flags = _change(flags, item)
            else:
                parts += self._read_part(item, flags)
        options.append(_join(parts))
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def _read_part(self, item: re.Match[str], flags: frozenset[str]) -> list[Node]:
        text = item[0]
        if item["group"] or item["look"]:
            inner = self._read_choice(_change(flags, item))
            if self._place == len(self._expression):
                raise UnsupportedExpressionError(repr(text))
            self._place += 1  # the closing bracket
            return [Look(inner, item["sign"] == "!") if item["look"] else inner]
        if item["border"]:
            return [Border(text == r"\B")]
        if item["edge"]:
            return [Edge(text in {r"\A", "^"}, "m" in flags and text in {"^", "$"})]
        if item["quoted"]:
            quoted = text.removeprefix(r"\Q").removesuffix(r"\E")
            return [_characters(re.escape(each), flags) for each in quoted]
        return [_characters(text, flags)]


def _characters(text: str, flags: frozenset[str]) -> Node:
    if text in "*+?{}]":  # braces that do not repeat stand for themselves
        text = f"\\{text}"
    written = "".join(sorted(flags & {"i", "s"}))
    return Characters(f"(?{written}:{text})" if written else text)


def _change(flags: frozenset[str], item: re.Match[str]) -> frozenset[str]:
    return flags.union(item["on"] or "").difference(item["off"] or "")


def _join(parts: list[Node]) -> Node:
    return parts[0] if len(parts) == 1 else Sequence(tuple(parts))


def _repeat(parts: list[Node], item: re.Match[str]) -> Node:
    if not parts:
        raise UnsupportedExpressionError(repr(item[0]))
    if can_be_empty(parts[-1]):
        # After a round that matches nothing, engines end a loop in different ways
        fault = f"what {item[0]!r} repeats can match nothing"
        raise UnsupportedExpressionError(fault)
    least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(item[0][0], (0, 0))
    if item["least"]:
        least = int(item["least"])
        most = least if item["most"] is None else int(item["most"]) if item["most"] else None
    if max(least, most or 0) > _MOST_REPEATS:
        raise UnsupportedExpressionError(repr(item[0]))
    return Repeat(parts[-1], least, most, bool(item["lazy"]))
