"""Token ids by tensors are those of the tokenizer."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from html.entities import html5
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedclf.config.sections import TextConfig
from embedclf.export.tensors.token_ids import TokenIdGraph
from embedclf.system.arrow import text_column
from embedclf.text.fields import NumericField
from embedclf.text.token_rules import TokenRules
from embedclf.text.tokenizer import Tokenizer
from tests.export.tensors.numpy_operations import NumpyOperations
from tests.export.tensors.texts import (
    CHARACTERS,
    MARKUP,
    all_characters,
    fit_tokenizer,
    make_cells,
    make_markup,
    make_texts,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

RULES = [
    TokenRules("word", lowercase, pattern, fields=fields)
    for pattern, lowercase, fields in (
        ("words_and_symbols", True, ("tïtle", "b c")),
        ("words_and_symbols", False, ()),
        ("words", True, ()),
        ("classic", False, ("Title",)),
    )
]
OF_HTML = [
    TokenRules("word", True, "words_and_symbols", html=True, fields=("tïtle", "b c")),
    TokenRules("word", False, "words", html=True),
    TokenRules("character", True, "words_and_symbols", html=True),
]
OF_CHARACTERS = [
    TokenRules("character", True, pattern) for pattern in ("words_and_symbols", "words", "classic")
]


def name(rules: TokenRules) -> str:
    return f"{rules.unit}-{rules.pattern}"


@cache
def graph_of(rules: TokenRules) -> TokenIdGraph:
    return TokenIdGraph(fit_tokenizer(rules))


def find_ids(graph: TokenIdGraph, texts: Sequence[str]) -> list[list[int]]:
    """The ids of texts by tensors, which have padding only at the end."""
    ids = graph.build(NumpyOperations(), texts)
    lengths = (ids > 0).sum(axis=1)
    assert not ids[np.arange(ids.shape[1]) >= lengths[:, None]].any()
    return [row[:length].tolist() for row, length in zip(ids, lengths, strict=True)]


def expected_ids(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    return [ids.tolist() for ids in tokenizer.encode(texts).ids]


def differing(graph: TokenIdGraph, texts: Sequence[str]) -> list[str]:
    found, expected = find_ids(graph, texts), expected_ids(graph.tokenizer, texts)
    rows = zip(texts, found, expected, strict=True)
    return [ascii(text) for text, ids, others in rows if ids != others]


@pytest.mark.parametrize("rules", RULES, ids=name)
def test_words_are_the_same_however_they_are_written(rules: TokenRules) -> None:
    texts = [*make_texts(4000, rules.fields), "’", "don’t", "ΟΔΟΣ", "", "="]
    graph = graph_of(rules)
    assert len(graph.tokenizer.tokens) > 500
    assert differing(graph, texts) == []


@given(st.lists(st.text(), min_size=1, max_size=4), st.sampled_from([*RULES, *OF_CHARACTERS]))
@settings(max_examples=60)
def test_any_text_has_the_same_ids(texts: list[str], rules: TokenRules) -> None:
    assert differing(graph_of(rules), texts) == []


@given(
    st.lists(st.text("aADdx3:;=-'+#<!.,(_ ’¡é中", max_size=14), min_size=1, max_size=4),
    st.sampled_from([*RULES, *OF_CHARACTERS]),
)
@settings(max_examples=60)
def test_emoticons_and_apostrophes_have_the_same_ids(texts: list[str], rules: TokenRules) -> None:
    assert differing(graph_of(rules), texts) == []


@pytest.mark.parametrize("rules", OF_HTML, ids=name)
def test_markup_is_removed(rules: TokenRules) -> None:
    assert differing(graph_of(rules), [*make_markup(4000), *make_texts(500, rules.fields)]) == []


@given(
    st.lists(st.lists(st.sampled_from(MARKUP), max_size=30).map("".join), min_size=1, max_size=4),
    st.sampled_from(OF_HTML),
)
@settings(max_examples=60)
def test_any_markup_is_removed(texts: list[str], rules: TokenRules) -> None:
    assert differing(graph_of(rules), texts) == []


def test_every_entity_is_decoded() -> None:
    names = [f"a&{name} b" for name in html5]
    numbers = [*range(0x300), *range(0xD7FE, 0xE002), *range(0xFDC0, 0x10000), 0x10FFFE, 0x110000]
    texts = [*names, *(f"a&#{number};b&#x{number:x}; c" for number in numbers)]
    assert differing(graph_of(OF_HTML[2]), texts) == []


EDGES = (-1.5, 0.1, 1e300)


@cache
def graph_of_numbers() -> TokenIdGraph:
    tokenizer = fit_tokenizer(TokenRules("word", True, "words", html=True, fields=("Title",)))
    tokens = ("Title=", *(f"Title=q{number}" for number in range(1, 5)))
    known = (*tokens, *(each for each in tokenizer.tokens if each not in tokens))
    numeric = (NumericField("Title", EDGES),)
    return TokenIdGraph(replace(tokenizer, tokens=known, numeric_fields=numeric))


@given(st.lists(st.floats().map(repr) | st.decimals().map(str) | st.text(max_size=4), min_size=1))
@settings(max_examples=60)
def test_any_number_of_a_field_has_its_bin(cells: list[str]) -> None:
    texts = [f"Title={cell} a" for cell in cells if len(cell) <= 60]
    assert differing(graph_of_numbers(), [*texts, "Title=1"]) == []


def test_numbers_next_to_an_edge_have_their_bin() -> None:
    texts = [f"Title={cell} a" for cell in make_cells(5000, EDGES)]
    assert differing(graph_of_numbers(), texts) == []


def test_a_capital_of_a_field_is_composed_with_its_mark() -> None:
    rules = TokenRules("character", True, "words", fields=("Title",))
    graph = graph_of(rules)
    assert differing(graph, ["T\u0327 T\u0301", "t\u0327 E\u0301"]) == []


@pytest.mark.parametrize("rules", OF_CHARACTERS, ids=name)
def test_characters_are_the_same_with_up_to_three_marks_in_any_order(rules: TokenRules) -> None:
    precomposed = set("éÅ≠\u212b\ufb1d\u0958")  # with a mark before their own, they are taken apart
    kept = [character for character in CHARACTERS if character not in precomposed]
    marks = ["", "\u0301", "\u0323\u0301", "\u0301\u0323", "\u0338\u0307\u0323", "\u0302\u0301"]
    texts = [f"{one}{mark}{other}" for one in kept for mark in marks for other in "a中"]
    assert differing(graph_of(rules), texts) == []


def test_what_is_not_composed_as_in_the_tokenizer_is_rare() -> None:
    """A precomposed letter whose next mark belongs before its own, and more than three marks."""
    texts = ["é\u0327", "é\u0301", "a\u0301\u0301\u0301\u0301\u0323", "a\u0327\u0301\u0323"]
    assert differing(graph_of(OF_CHARACTERS[0]), texts) == [ascii(texts[0]), ascii(texts[2])]


def test_the_order_of_marks_above_a_character_counts() -> None:
    learned = ["ấ ế a\u0301\u0302 x\u0301\u0300 x\u0300\u0301", "ấ"]
    config = TextConfig(vocabulary_size=90)
    rules = TokenRules(pattern="words")
    tokens = rules.tokenize(text_column(learned))
    graph = TokenIdGraph(Tokenizer.fit([tokens.count()], rules, config))
    texts = [
        "a\u0302\u0301 e\u0302\u0301",
        "á\u0302 â\u0301 x\u0301\u0300 x\u0300\u0301",
        "é\u0302",
    ]
    assert len(np.unique(graph.keys)) == len(graph.keys) == 5
    assert differing(graph, texts) == []


def test_every_code_point_has_the_same_ids() -> None:
    rules = OF_CHARACTERS[1]
    texts = [f"{character} a{character}b" for character in all_characters()]
    learned = rules.tokenize(text_column(texts[::5]))
    config = TextConfig(vocabulary_size=200_000, sequence_length=9)
    graph = TokenIdGraph(Tokenizer.fit([learned.count()], rules, config))
    assert differing(graph, texts) == []


def test_a_batch_without_tokens_has_one_column() -> None:
    ids = graph_of(RULES[2]).build(NumpyOperations(), ["", " ", "..."])
    assert ids.tolist() == [[0], [0], [0]]
