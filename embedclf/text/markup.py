"""HTML in texts: entities are decoded and tags removed."""

from __future__ import annotations

import html
import re
from html.entities import html5
from typing import TYPE_CHECKING

from embedclf.system.arrow import pc, text_column
from embedclf.text.normalization import replace_where

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

Substitution = tuple[re.Pattern[str], "Callable[[re.Match[str]], str]"]
"""A pattern, and what replaces a match."""

_FORMATTING = "abbr|b|big|code|del|em|font|i|ins|kbd|mark|s|small|strike|strong|sub|sup|tt|u|wbr"
"""Tags of formatting, which can be inside a word."""

_SEPARATING = (
    "a|acronym|article|aside|blockquote|body|br|button|caption|center|cite|dd|div|dl|dt|embed|"
    "fieldset|figcaption|figure|footer|form|h1|h2|h3|h4|h5|h6|head|header|hr|html|iframe|img|input|"
    "li|main|meta|nav|noscript|ol|p|pre|q|samp|script|section|span|style|svg|table|tbody|td|"
    "textarea|tfoot|th|thead|tr|ul|video"
)
"""Tags that separate words. Names that are often placeholders, such as <address>, are missing."""

_ATTRIBUTE = r"""\s+[a-z_:@][^\s=<>"'/]*\s*=\s*(?:"[^"<]*"|'[^'<]*'|[^\s<>"']+)"""

_FLAG = r"\s+(?:allowfullscreen|async|checked|compact|controls|defer|disabled|hidden|loop|nowrap)"


def _tag(names: str) -> str:
    # Attributes are matched exactly: `a<b and c>d` has no tag.
    return rf"</?(?:{names})(?:{_ATTRIBUTE}|{_FLAG})*\s*/?>"


def _decode(match: re.Match[str]) -> str:
    name = match["name"]
    # html.unescape would also decode the beginning of an unknown name: &notable;
    return html.unescape(match[0]) if name is None else html5.get(f"{name};", match[0])


# Python refuses to read numbers of thousands of digits.
_ENTITY = re.compile(
    r"&(?:#[0-9]{1,20}(?![0-9]);?|#x[0-9a-f]{1,20};"
    r"|(?P<name>[a-z][a-z0-9]*(?=;)|(?:amp|gt|lt|nbsp|quot)(?![a-z0-9=]));?)",
    re.IGNORECASE,
)

_HIDDEN = re.compile(
    r"<!--(?:(?!<!--).)*?-->|<!doctype[^<>]*>|<(?P<name>script|style)\b[^<>]*>"
    r"(?:(?!<(?P=name)\b).)*?</(?P=name)\s*>",
    re.IGNORECASE | re.DOTALL,
)

SUBSTITUTIONS: tuple[Substitution, ...] = (
    (_ENTITY, _decode),
    (_ENTITY, _decode),  # &amp;#39; was escaped twice
    (_HIDDEN, lambda _match: " "),
    (re.compile(_tag(_FORMATTING), re.IGNORECASE), lambda _match: ""),
    (re.compile(_tag(_SEPARATING), re.IGNORECASE), lambda _match: " "),
)
"""What removes the markup of a text, in order."""


def remove_markup(texts: pa.Array) -> pa.Array:
    """Decode the entities of texts (n,) without nulls, and remove comments and tags.

    Only names of HTML are tags: `<NAME>`, `a < b` and `<3` stay as they are.
    """
    return replace_where(pc.match_substring_regex(texts, "[&<]"), texts, _remove)


def _remove(texts: pa.Array) -> pa.Array:
    return text_column([_remove_from(text) for text in texts.to_pylist()])


def _remove_from(text: str) -> str:
    for pattern, replace in SUBSTITUTIONS:
        text = pattern.sub(replace, text)
    return text
