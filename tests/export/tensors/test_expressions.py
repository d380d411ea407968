"""Tokens of regular expressions by tensors are those of the tokenizer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedclf.config.sections import TextConfig
from embedclf.config.token_patterns import find_pattern_fault
from embedclf.export.automata.syntax import UnsupportedExpressionError
from embedclf.export.tensors.token_ids import TokenIdGraph
from embedclf.system.arrow import text_column
from embedclf.text.token_rules import TokenRules
from embedclf.text.tokenizer import Tokenizer
from tests.export.expressions import EXPRESSIONS, TEXTS
from tests.export.tensors.test_token_ids import differing
from tests.export.tensors.texts import make_texts

ITEMS = ["a", "b", "é", " ", r"\s", r"\w", r"\b", "[^a]", r"\pL", "1", "(?i)B", "^", "$", "[ab ]"]
REPEATS = ["", "+", "*", "?", "+?", "{2}"]


def fit_graph(pattern: str, unit: str = "word") -> TokenIdGraph:
    rules = TokenRules(unit, True, pattern)
    config = TextConfig(ngrams=2, sequence_length=30, vocabulary_size=3000)
    tokens = rules.tokenize(text_column([*TEXTS, *make_texts(300), "a b ab éa 1a  b"]))
    tokenizer = Tokenizer.fit([tokens.count()], rules, config)
    return TokenIdGraph(tokenizer.fit_ngrams([tokens], config))


@pytest.mark.parametrize(
    ("pattern", "unit"),
    [
        *((pattern, "word") for pattern in (*EXPRESSIONS[1::2], r"\w+\s+\w+", r"[\s\S]{1,3}")),
        *((pattern, "character") for pattern in (*EXPRESSIONS[5::5], r"[\s\S]{1,3}")),
    ],
)
def test_an_expression_finds_the_same_tokens(pattern: str, unit: str) -> None:
    texts = [*TEXTS, *make_texts(300), "e\u0301 \t\x1f a  b\u00a0", " ", "\x1f"]
    assert differing(fit_graph(pattern, unit), texts) == []


@given(
    st.lists(st.tuples(st.sampled_from(ITEMS), st.sampled_from(REPEATS)), min_size=1, max_size=4),
    st.lists(st.text("aAbBé 1\n\x1f\u0301"), min_size=1, max_size=4),
)
@settings(max_examples=12)
def test_any_expression_is_refused_or_finds_the_same(
    items: list[tuple[str, str]], texts: list[str]
) -> None:
    pattern = "".join(f"(?:{item}){repeat}" for item, repeat in items)
    if find_pattern_fault(pattern) is not None:
        return
    try:
        graph = fit_graph(pattern)
        assert differing(graph, texts) == []
    except UnsupportedExpressionError:
        pass
