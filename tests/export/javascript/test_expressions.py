"""A translated expression finds what RE2 finds, or is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedclf.config.token_patterns import find_pattern_fault
from embedclf.export.javascript.expressions import UntranslatableError, translate
from embedclf.system.arrow import text_column
from embedclf.text.tokens import MATCH_END, mark_matches
from tests.export.javascript.engines import Node, in_node

EXPRESSIONS = [
    "[a-z]+",
    r"\w+",
    r"\b\w\w+\b",
    r"(?i)k+|[\x{e9}s]",
    r"\pL+(?:['-]\pL+)*|\p{Nd}+",
    r"\p{Greek}|\P{L}",
    r"[[:upper:]][[:^space:]]*",
    r"[]a^-]+|[^]a]",
    ".",
    "(?s).",
    r"(?m)^.|.$",
    r"\A.|.\z",
    r"a{2,3}?|b{2}|c{1,}",
    r"a{x}|\Q.+\E|\x41\x{1f600}|\t",
    r"(?P<name>a)|(?<other>b)|(c)|(?:d)",
    r"a(?i:b)c|a(?i)b|c",
    r"(?i)a(?-i)b",
    r"#\w+|@\w+|https?://\S+|\$\d+(?:\.\d+)?",
    "a|ab|abc",
    "(?:a|ab)(?:c|bcd)",
    r"[^\s\pP]+",
]
TEXTS = [
    "abc ABC \u212aKk \u00e9\u00c9 s\u017fS 12\u0663 it's well-known",
    "aaaaa bb cc a{x} .+ A\U0001f600\t]^-",
    "line\nnext\r\u2028\u2029\x85 end\n",
    "\u0391\u03b2\u03b3 #tag @me https://a.b/c?d $12.50 abcd abbcd",
    "",
    "\U0001f600\u0301 _x",
]


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
    except UntranslatableError:
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
    with pytest.raises(UntranslatableError) as raised:
        translate(expression)
    assert str(raised.value) == fault
