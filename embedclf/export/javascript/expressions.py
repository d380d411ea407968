r"""Regular expressions of RE2 -> those of JavaScript that match the same.

Both prefer the first alternative and then the longest repetition, so the structure stays. What a
single item matches is different: `\d`, `\pL`, a dot, letters whose case is ignored. Each such item
becomes the ranges of code points that RE2 itself matches. Whatever may differ is refused.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from embedclf.export.automata.dialects import match_in_re2
from embedclf.export.automata.syntax import (
    Border,
    Characters,
    Choice,
    Edge,
    Node,
    Repeat,
    Sequence,
    UnsupportedExpressionError,
    can_be_empty,
    parse,
)
from embedclf.export.javascript.characters import all_points, find_ranges

if TYPE_CHECKING:
    from collections.abc import Iterable


@cache
def translate(expression: str) -> str:
    """Translate an expression of RE2 for the flag `u`; its groups capture nothing.

    Raises:
        UnsupportedExpressionError: It may match other texts in JavaScript; the message names the
            item.
    """
    node = parse(expression)
    if can_be_empty(node):
        raise UnsupportedExpressionError("it can match nothing")
    return _write(node)


def write_set(ranges: Iterable[tuple[int, int]]) -> str:
    """Write ranges of code points as a class of JavaScript."""
    written = (
        _write_point(first) + (f"-{_write_point(last)}" if last > first else "")
        for first, last in ranges
    )
    return f"[{''.join(written)}]"


def _write(node: Node) -> str:
    match node:
        case Characters(item):
            return _write_characters(item)
        case Sequence(parts):
            return "".join(map(_write, parts))
        case Choice(options):
            return f"(?:{'|'.join(map(_write, options))})"
        case Repeat():
            return _write_repeat(node)
        case Border(negative):
            return r"\B" if negative else r"\b"
        case Edge(at_start, of_line):
            return _write_edge(at_start=at_start, of_line=of_line)
    raise UnsupportedExpressionError("it looks ahead")


@cache
def _write_characters(item: str) -> str:
    """Return the code points that RE2 matches with an item."""
    ranges = find_ranges(match_in_re2(item)[all_points()])
    is_one = len(ranges) == 1 and ranges[0][0] == ranges[0][1]
    return _write_point(ranges[0][0]) if is_one else write_set(ranges)


def _write_repeat(node: Repeat) -> str:
    part = _write(node.part)
    if not isinstance(node.part, Characters | Choice):
        part = f"(?:{part})"
    most = "" if node.most is None else node.most
    return f"{part}{{{node.least},{most}}}{'?' if node.lazy else ''}"


def _write_edge(*, at_start: bool, of_line: bool) -> str:
    if of_line:
        return r"(?<![^\n])" if at_start else r"(?![^\n])"
    return "^" if at_start else "$"


def _write_point(point: int) -> str:
    character = chr(point)
    if character.isascii() and character.isalnum():
        return character
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{{{point:x}}}"
