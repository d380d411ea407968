r"""The expressions that find HTML in texts, for JavaScript, and the entities.

`embedclf.text.markup` writes them for Python. There, `\s`, `\b` and letters whose case is ignored
match other code points than in JavaScript, so each becomes the ranges that Python matches.
"""

from __future__ import annotations

import html
import itertools
import re
from functools import cache
from html.entities import html5
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.export.javascript.characters import all_characters, all_points, find_ranges
from embedclf.export.javascript.expressions import write_set
from embedclf.text.markup import SUBSTITUTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from embedclf.system.arrays import Mask

_ITEM = re.compile(
    r"\(\?P<(?P<name>\w+)>|\\(?P<escape>.)|\[\^?|\]|(?P<range>[a-z]-[a-z])|(?P<letter>[A-Za-z])|.",
    re.DOTALL,
)

_REFERENCED = re.compile(r"<\(\?P<name>(?P<names>[\w|]+)\)(?P<rest>.*)\Z", re.DOTALL)

_REFERENCE = "(?P=name)"

_NONCHARACTERS = (
    *range(0xFDD0, 0xFDF0),
    *(p for q in range(17) for p in (q << 16 | 0xFFFE, q << 16 | 0xFFFF)),
)


@cache
def describe_markup() -> dict[str, Any]:
    """Return what removes markup, for JSON: expressions, and the characters of entities.

    `word` is a class that stands for a `W` in an expression, since it is long.
    """
    entity, _, hidden, formatting, separating = (pattern.pattern for pattern, _ in SUBSTITUTIONS)
    return {
        "entity": _translate(entity),
        "hidden": _translate_hidden(hidden),
        "formatting": _translate(formatting),
        "separating": _translate(separating),
        "word": write_set(find_ranges(_match_all(r"\w"))),
        "names": {name.removesuffix(";"): text for name, text in html5.items() if name[-1] == ";"},
        "numbers": dict(_odd_numbers()),
    }


def _translate_hidden(source: str) -> str:
    """Translate an expression with a reference to a name, which is written out for each name."""
    referenced = _REFERENCED.search(source)
    if referenced is None:
        raise ValueError(source)
    rest = [_translate(part) for part in referenced["rest"].split(_REFERENCE)]
    alternatives = [
        f"<{name}" + name.join(rest)
        for written in referenced["names"].split("|")
        for name in _spellings(written)
    ]
    return _translate(source[: referenced.start()]) + "|".join(alternatives)


def _spellings(name: str) -> list[str]:
    """Return expressions of all spellings of a name; each matches those that refer to each other.

    A letter matches those that have the same lower case in a reference, but more of them elsewhere.
    """
    return ["".join(classes) for classes in itertools.product(*map(_case_classes, name))]


@cache
def _case_classes(letter: str) -> list[str]:
    classes: list[str] = []
    for character in (left := list(_cases(letter))):
        same = [other for other in left if re.fullmatch(r"(.)\1", character + other, re.IGNORECASE)]
        classes.append(f"[{''.join(same)}]")
    return list(dict.fromkeys(classes))


def _translate(source: str) -> str:
    """Translate an expression of Python, whose flags are IGNORECASE and DOTALL, for flags `su`."""
    translated: list[str] = []
    inside = False
    for item in _ITEM.finditer(source):
        translated.append(_write_item(item, inside=inside))
        inside = item[0].startswith("[") or (inside and item[0] != "]")
    return "".join(translated)


def _write_item(item: re.Match[str], *, inside: bool) -> str:
    if item["name"]:
        return f"(?<{item['name']}>"
    if item["escape"] == "s":
        spaces = write_set(find_ranges(_match_all(r"\s")))
        return spaces[1:-1] if inside else spaces
    if item["escape"] == "b":  # after a letter
        return "(?!W)"
    if item["range"]:  # of a class
        return write_set(find_ranges(_match_all(f"[{item[0]}]")))[1:-1]
    if item["letter"]:
        cases = _cases(item["letter"])
        return cases if inside else f"[{cases}]"
    return "\\/" if item[0] == "/" else item[0]


@cache
def _cases(letter: str) -> str:
    """Return the characters that Python matches with a letter if it ignores case."""
    mask = _match_all(letter)
    return "".join(map(chr, all_points()[mask].tolist()))


@cache
def _match_all(expression: str) -> Mask:
    """(n,) whether Python matches each of `all_points`, ignoring case."""
    mask = np.zeros(len(all_points()), np.bool_)
    mask[[found.start() for found in re.finditer(expression, _joined(), re.IGNORECASE)]] = True
    return mask


@cache
def _joined() -> str:
    """All characters in one text, which is faster to search than each alone."""
    return "".join(all_characters().to_pylist())


def _odd_numbers() -> Mapping[int, str]:
    """Return what `&#NUMBER;` is, where it is not the code point itself."""
    numbers = (*range(0x100), *_NONCHARACTERS)
    return {
        number: text for number in numbers if (text := html.unescape(f"&#{number};")) != chr(number)
    }
