"""The entities of HTML, as an export needs them."""

from __future__ import annotations

import html
from functools import cache
from html.entities import html5
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NONCHARACTERS = (
    *range(0xFDD0, 0xFDF0),
    *(p for q in range(17) for p in (q << 16 | 0xFFFE, q << 16 | 0xFFFF)),
)


@cache
def entity_names() -> Mapping[str, str]:
    """Return what `&NAME;` is."""
    return {name.removesuffix(";"): text for name, text in html5.items() if name[-1] == ";"}


@cache
def odd_numbers() -> Mapping[int, str]:
    """Return what `&#NUMBER;` is, where it is not the code point itself."""
    numbers = (*range(0x100), *_NONCHARACTERS)
    return {
        number: text for number in numbers if (text := html.unescape(f"&#{number};")) != chr(number)
    }
