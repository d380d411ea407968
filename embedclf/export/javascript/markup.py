r"""The expressions that find HTML in texts, for JavaScript, and the entities.

`embedclf.text.markup` writes them for Python. There, `\s`, `\b` and letters whose case is ignored
match other code points than in JavaScript, so each becomes the ranges that Python matches.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from embedclf.export.automata.dialects import match_in_python
from embedclf.export.automata.tempered import Referenced
from embedclf.export.entities import entity_names, odd_numbers
from embedclf.export.javascript.characters import all_points, find_ranges
from embedclf.export.javascript.expressions import write_set
from embedclf.text.markup import SUBSTITUTIONS

if TYPE_CHECKING:
    from embedclf.system.arrays import Mask

_ITEM = re.compile(
    r"\(\?P<(?P<name>\w+)>|\\(?P<escape>.)|\[\^?|\]|(?P<range>[a-z]-[a-z])|(?P<letter>[A-Za-z])|.",
    re.DOTALL,
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
        "names": dict(entity_names()),
        "numbers": dict(odd_numbers()),
    }


def _translate_hidden(source: str) -> str:
    """Translate an expression with a reference to a name, which is written out for each name."""
    before, rest, spellings = Referenced.read(source)
    translated = [_translate(part) for part in rest]
    alternatives = [f"<{name}" + name.join(translated) for name in spellings]
    return _translate(before) + "|".join(alternatives)


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


def _match_all(expression: str) -> Mask:
    """(n,) whether Python matches each of `all_points`, ignoring case."""
    return match_in_python(f"(?i:{expression})")[all_points()]
