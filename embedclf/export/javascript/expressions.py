r"""Regular expressions of RE2 -> those of JavaScript that match the same.

Both prefer the first alternative and then the longest repetition, so the structure stays. What a
single item matches is different: `\d`, `\pL`, a dot, letters whose case is ignored. Each such item
becomes the ranges of code points that RE2 itself matches. Whatever may differ is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from embedclf.export.javascript.characters import find_ranges, match_points

if TYPE_CHECKING:
    from collections.abc import Iterable

_ITEM = re.compile(
    r"""(?P<quoted>\\Q.*?(?:\\E|\Z))
    |(?P<start>\\A)|(?P<end>\\z)|(?P<border>\\[bB])
    |(?P<set>\\[dDwWsS]|\\[pP](?:[A-Z]|\{\^?\w+\})|\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\])
    |(?P<point>\\(?:x[0-9A-Fa-f]{2}|x\{[0-9A-Fa-f]{1,6}\}|[aftnrv]|[^A-Za-z0-9]))
    |(?P<group>\((?:\?P?<\w+>|\?(?P<flags>[ims]*)(?:-(?P<off>[ims]+))?(?P<colon>[:)]))?)
    |(?P<close>\))|(?P<bar>\|)
    |(?P<repeat>(?:[*+?]|\{\d+(?:,\d*)?\})\??)
    |(?P<caret>\^)|(?P<dollar>\$)|(?P<dot>\.)
    |(?P<letter>[^\\()\[])""",
    re.VERBOSE | re.DOTALL,
)

_ESCAPES = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}


class UntranslatableError(ValueError):
    """An expression, or an item of it, that JavaScript may match differently."""


@dataclass
class _Group:
    """A group while its items are read."""

    flags: frozenset[str]
    written: list[str] = field(default_factory=list)
    can_be_empty: bool = True
    """Whether the alternative that is read can match the empty text so far."""
    any_empty: bool = False
    """Whether an alternative before can."""
    last: tuple[int, bool] | None = None
    """Where the item that can be repeated starts in `written`, and whether it can be empty."""
    before_last: bool = True
    """`can_be_empty` without that item."""

    def add(self, item: str, *, empty: bool, repeats: bool = True) -> None:
        """Add an item that can be empty, or not; and can be repeated, or not."""
        self.last = (len(self.written), empty) if repeats else None
        self.before_last = self.can_be_empty
        self.can_be_empty &= empty
        self.written.append(item)


@cache
def translate(expression: str) -> str:
    """Translate an expression of RE2 for the flag `u`; its groups capture nothing.

    Raises:
        UntranslatableError: It may match other texts in JavaScript; the message names the item.
    """
    translated, can_be_empty = _Translation(expression).finish()
    if can_be_empty:
        raise UntranslatableError("it can match nothing")
    return translated


def write_set(ranges: Iterable[tuple[int, int]]) -> str:
    """Write ranges of code points as a class of JavaScript."""
    written = (
        _write_point(first) + (f"-{_write_point(last)}" if last > first else "")
        for first, last in ranges
    )
    return f"[{''.join(written)}]"


class _Translation:
    """The translation of one expression, item by item."""

    def __init__(self, expression: str) -> None:
        self._groups = [_Group(frozenset())]
        position = 0
        while position < len(expression):
            item = _ITEM.match(expression, position)
            if item is None:
                raise UntranslatableError(repr(expression[position : position + 3]))
            position = item.end()
            kind = next(name for name, text in item.groupdict().items() if text is not None)
            self._read(kind, item)

    def finish(self) -> tuple[str, bool]:
        """Return the expression, and whether it can match nothing."""
        [group] = self._groups  # RE2 has read it before: groups are closed
        return "".join(group.written), group.any_empty or group.can_be_empty

    def _read(self, kind: str, item: re.Match[str]) -> None:
        group, text = self._groups[-1], item[0]
        if kind in {"start", "end", "border", "caret", "dollar"}:
            group.add(self._assertion(kind, text), empty=True)
        elif kind in {"set", "dot"}:
            group.add(_set(text, group.flags), empty=False)
        elif kind == "quoted":
            for character in text.removeprefix(r"\Q").removesuffix(r"\E"):
                group.add(_character(character, group.flags), empty=False)
        elif kind in {"point", "letter"}:
            group.add(_character(_unescape(text), group.flags), empty=False)
        elif kind == "repeat":
            self._repeat(text)
        elif kind == "bar":
            group.any_empty |= group.can_be_empty
            group.can_be_empty = True
            group.add("|", empty=True, repeats=False)
        else:
            self._open_or_close(kind, item)

    def _open_or_close(self, kind: str, item: re.Match[str]) -> None:
        group = self._groups[-1]
        if kind == "close":
            self._groups.pop()
            inner = f"(?:{''.join(group.written)})"
            self._groups[-1].add(inner, empty=group.any_empty or group.can_be_empty)
            return
        flags = group.flags
        if item["colon"]:
            flags = flags.union(item["flags"]).difference(item["off"] or "")
        if item["colon"] == ")":
            group.flags = flags
            group.last = None
        else:
            self._groups.append(_Group(flags))

    def _assertion(self, kind: str, text: str) -> str:
        if kind == "border":
            return text
        is_start = kind in {"start", "caret"}
        if "m" in self._groups[-1].flags and kind in {"caret", "dollar"}:
            return r"(?<![^\n])" if is_start else r"(?![^\n])"
        return "^" if is_start else "$"

    def _repeat(self, text: str) -> None:
        group = self._groups[-1]
        if group.last is None:
            raise UntranslatableError(repr(text))
        place, empty = group.last
        if empty:
            # After an iteration that matches nothing, the two end a loop in different ways
            fault = f"what {text!r} repeats can match nothing"
            raise UntranslatableError(fault)
        group.written[place:] = ["".join(group.written[place:]) + text]
        group.can_be_empty = group.before_last and re.match(r"[*?]|\{0", text) is not None
        group.last = None


def _set(text: str, flags: frozenset[str]) -> str:
    r"""Return the class of a set: `\d`, `[a-z]`, a dot."""
    if text == ".":
        return r"[\s\S]" if "s" in flags else r"[^\n]"
    return _expand(f"(?i){text}" if "i" in flags else text)


def _character(character: str, flags: frozenset[str]) -> str:
    if "i" in flags and (character.isalpha() or not character.isascii()):
        return _expand(f"(?i)\\x{{{ord(character):x}}}")
    return _write_point(ord(character))


def _unescape(text: str) -> str:
    if not text.startswith("\\"):
        return text
    if text.startswith("\\x"):
        return chr(int(text[2:].strip("{}"), 16))
    return _ESCAPES.get(text[1:], text[1:])


@cache
def _expand(item: str) -> str:
    """Return the class of the code points that RE2 matches with an item."""
    return write_set(find_ranges(match_points(item)))


def _write_point(point: int) -> str:
    character = chr(point)
    if character.isascii() and character.isalnum():
        return character
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{{{point:x}}}"
