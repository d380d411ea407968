"""The tables of an export give every code point the class and the lower case that the run gives."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedclf.export.javascript import exporter
from embedclf.export.javascript.characters import all_points
from embedclf.export.javascript.model_files import write_model
from embedclf.model.weights import Weights
from embedclf.system.arrow import text_column
from embedclf.text.token_rules import TokenRules
from embedclf.text.tokenizer import Tokenizer
from tests.export.javascript.engines import Chromium, Node, in_node
from tests.reports.html.pages import in_chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULE = Path(exporter.__file__).parent / "files" / "classifier.mjs"
RULES = {
    "classic": TokenRules(),
    "words": TokenRules(pattern="words", lowercase=False),
    "symbols": TokenRules(pattern="words_and_symbols", html=True),
    "characters": TokenRules("character"),
    "emoji": TokenRules("character", pattern="words_and_symbols"),
    "characters-of-words": TokenRules("character", pattern="words", html=True),
    "expression": TokenRules(pattern=r"\pL+(?:['-]\pL+)*|\d+|\S"),
    "characters-of-expression": TokenRules("character", pattern=r"(?i)[a-z\x{e9}]+|[^\s\w]\b"),
    "fields": TokenRules(pattern="words", fields=("a b", "n")),
}
PIECES = st.one_of(
    st.characters(codec="utf-8"),
    st.sampled_from(
        "aAbzZ09 '\u2019.,:;-=DPxd3<+#!?*&/>\t\n\x1f\x85\xa0\u3000\u200b\u200c\u200d\ufe0f"
    ),
    st.sampled_from(
        "\u20e3\xad\u0301\u0308\u0307\xe9\u0130\u0131\u017f\u212a\u03a3\u1e9e\u1112\ud55c"
    ),
    st.sampled_from("\U0001f600\U0001f44d\U0001f3fd\U0001f1e9\U0001f3f4\U000e0067\U000e007f\u2764"),
    st.sampled_from(["<b>", "</p>", "<scr\u0130pt>", "</script >", "<\u017ftyle>", "</style>"]),
    st.sampled_from(["<!--", "-->", "&amp;", "&lt;", "&#39;", "&#x80;", "&notin;", "&nbsp", "&#"]),
    st.sampled_from(["a_b=", "n=", "don't", "C++", "<a href='x'>", "<!doctype html>"]),
)

EXCEPTIONS: set[int] = set()
"""Code points that the engines read in another way, because they know another version of Unicode
than `embedclf`: none today."""


def write_tokenizer(folder: Path, rules: TokenRules) -> Path:
    """Write an export with rules of tokens and nothing learned."""
    kernel, bias = np.zeros((2, 1), np.float32), np.zeros(1, np.float32)
    weights = Weights.from_layers("average", np.zeros((3, 2), np.float32), ((kernel, bias),))
    columns = {"text": ["text"], "fields": [], "constants": {}}
    description = {"task": "binary", "labels": ["a", "b"], "thresholds": [0.5], "columns": columns}
    folder.mkdir(parents=True)
    tokenizer = Tokenizer(rules, 10, ("a",))
    write_model(folder, description | {"calibration": None}, tokenizer, weights)
    shutil.copy(MODULE, folder)
    shutil.copy(MODULE.with_name("classifier.d.ts"), folder)
    return folder


@pytest.fixture(scope="module")
def exports(root: Path) -> dict[str, Path]:
    return {name: write_tokenizer(root / name, rules) for name, rules in RULES.items()}


def tokens(rules: TokenRules, texts: list[str]) -> list[list[str]]:
    return rules.tokenize(text_column(texts)).to_lists()


def points_to_test() -> list[int]:
    """Every code point, but of large blocks of equal characters (Han, private use) only some."""
    large = ((0x3400, 0xA000), (0xAC00, 0xF900), (0x17000, 0x18D00), (0x20000, 0xE0000))
    in_large = [first <= point < end for point in all_points().tolist() for first, end in large]
    alike = np.array(in_large).reshape(-1, len(large)).any(axis=1) | (all_points() >= 0xE1000)
    points: list[int] = all_points()[~alike | (all_points() % 101 == 0)].tolist()
    return points


def long_texts() -> Iterator[str]:
    """Yield texts with every tested code point alone and inside a word, a thousand in each text."""
    characters = list(map(chr, points_to_test()))
    for start in range(0, len(characters), 1000):
        block = characters[start : start + 1000]
        yield " \n ".join(block)
        yield " ".join(f"ab{each}cd" for each in block)


def differing(engine: Node | Chromium, folder: Path, rules: TokenRules) -> set[int]:
    """Find the code points that get other tokens than in the run."""
    texts = list(long_texts())
    found, expected = engine.call(folder, "tokens", texts), tokens(rules, texts)
    suspects = {
        point
        for text, each, other in zip(texts, found, expected, strict=True)
        if each != other
        for point in map(ord, set(text))
    }
    alone = [f"ab{chr(point)}cd" for point in sorted(suspects)]
    pairs = zip(alone, engine.call(folder, "tokens", alone), tokens(rules, alone), strict=True)
    return {ord(text[2]) for text, each, other in pairs if each != other}


@in_node
@pytest.mark.parametrize("name", ["classic", "symbols", "characters-of-words"])
def test_every_code_point_is_read_as_in_the_run(
    name: str, node: Node, exports: dict[str, Path]
) -> None:
    assert differing(node, exports[name], RULES[name]) == EXCEPTIONS


@in_chromium
def test_every_code_point_is_read_in_a_browser_as_in_the_run(
    chromium: Chromium, exports: dict[str, Path]
) -> None:
    assert differing(chromium, exports["symbols"], RULES["symbols"]) == EXCEPTIONS


@in_node
@pytest.mark.parametrize("name", RULES)
@settings(deadline=None, max_examples=15)
@given(texts=st.lists(st.lists(PIECES, max_size=14).map("".join), min_size=20, max_size=60))
def test_any_text_is_split_as_in_the_run(
    name: str, texts: list[str], node: Node, exports: dict[str, Path]
) -> None:
    assert node.call(exports[name], "tokens", texts) == tokens(RULES[name], texts)
