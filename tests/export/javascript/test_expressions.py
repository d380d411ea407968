"""A translated expression finds what RE2 finds, or is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedclf.config.token_patterns import find_pattern_fault
from embedclf.export.automata.syntax import UnsupportedExpressionError
from embedclf.export.javascript.expressions import translate
from embedclf.system.arrow import text_column
from embedclf.text.tokens import MATCH_END, mark_matches
from tests.export.expressions import EXPRESSIONS, TEXTS
from tests.export.javascript.engines import Node, in_node


def matches_of_re2(expression: str, text: str) -> list[str]:
    (marked,) = mark_matches(text_column([text]), expression).to_pylist()
    return [piece for piece in marked.split(MATCH_END) if piece]


@in_node
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_finds_what_re2_finds(expression: str, node: Node) -> None:
    source = translate(expression)
    expected = [matches_of_re2(expression, text) for text in TEXTS]
    assert node.match([(source, text) for text in TEXTS]) == expected


ATOMS = st.sampled_from(
    ["a", "b", "k", "[a-c]", "[^b]", r"\w", r"\S", ".", r"\pL", "'", r"\.", "\u00e9", "1", r"\d"]
)
REPEATS = st.sampled_from(["", "", "+", "*", "?", "+?", "*?", "{2}", "{1,2}", "{2,}"])
FLAGS = st.sampled_from(["(?:", "(?i:", "(?s:", "("])


def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.builds("{0}{1}){2}".format, FLAGS, inner, REPEATS),
        st.builds("{0}|{1}".format, inner, inner),
    )


@in_node
@settings(deadline=None, max_examples=150)
@given(
    expression=st.recursive(st.builds("{0}{1}".format, ATOMS, REPEATS), grow, max_leaves=6),
    texts=st.lists(st.text("abcABkK\u212a\u00e9'.1 \n\u2028", max_size=12), min_size=5, max_size=9),
)
def test_any_expression_is_refused_or_finds_the_same(
    expression: str, texts: list[str], node: Node
) -> None:
    if find_pattern_fault(expression):
        return
    try:
        source = translate(expression)
    except UnsupportedExpressionError:
        return
    expected = [matches_of_re2(expression, text) for text in texts]
    assert node.match([(source, text) for text in texts]) == expected


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        (r"(a*)*b", "what '*' repeats can match nothing"),
        (r"(?:\b)+a", "what '+' repeats can match nothing"),
        (r"a*\b", "it can match nothing"),
        (r"(?U)a+", "'?'"),
        (r"\C+", r"'\\C+'"),
    ],
)
def test_what_may_differ_is_refused(expression: str, fault: str) -> None:
    with pytest.raises(UnsupportedExpressionError) as raised:
        translate(expression)
    assert str(raised.value) == fault
