"""Reads pages for the tests: by their tags, and in a browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

CHROMIUM = shutil.which("chromium") or ""
_VOID_ELEMENTS = {"meta", "link", "input", "wbr", "br", "hr"}

in_chromium = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")


class Outline(HTMLParser):
    """Parses a page as strictly as XML, and keeps its tags with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID_ELEMENTS:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, self.getpos()

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def shown_cards(page: str) -> list[list[str]]:
    """The texts of each figure on top: its title, the figure, and the lines below."""
    cards = re.findall(r'<div class="card.*?</div>', page, re.DOTALL)
    return [
        [text for text in re.sub(r"<[^>]*>", "\n", unescape(card)).split("\n") if text.strip()]
        for card in cards
    ]


def chromium(*flags: str, profile: Path) -> str:
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--user-data-dir={profile}", *flags]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
