"""Automata match what the engines match."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedclf.export.automata.automaton import Automaton, compile_automaton
from embedclf.export.automata.dialects import match_in_python, parse_pattern
from embedclf.export.automata.syntax import UnsupportedExpressionError, parse
from embedclf.export.automata.tempered import Referenced

if TYPE_CHECKING:
    from embedclf.system.arrays import Mask

ATOMS = ["a", "b", "[ab]", "[^a]", r"\w", r"\b", r"\B", "(?=b)", "(?!a)", "a|ab", "ab|a"]


def expressions() -> st.SearchStrategy[str]:
    def extend(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        repeat = st.sampled_from(["*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{0,2}?"])
        return st.one_of(
            st.lists(inner, min_size=1, max_size=3).map("".join),
            st.lists(inner, min_size=2, max_size=3).map(lambda each: f"(?:{'|'.join(each)})"),
            st.tuples(inner, repeat).map(lambda each: f"(?:{each[0]}){each[1]}"),
        )

    return st.recursive(st.sampled_from(ATOMS).map(lambda atom: f"(?:{atom})"), extend)


def match_ascii(item: str) -> Mask:
    return match_in_python(item)[:128]


def match_at(automaton: Automaton, text: str, place: int) -> int | None:
    """Where the match ends that starts at a place."""
    border = automaton.border
    classes = [border, *automaton.classes[list(map(ord, text))].tolist(), border, border]
    state, end = int(automaton.initial[classes[place]]), None
    for step in range(place, len(text) + 1):
        state = int(automaton.table[state, classes[step + 1]])
        if automaton.labels[state]:
            end = step
        if state < automaton.finals:
            break
    return end


@given(expressions(), st.text("abA .\n", min_size=1, max_size=8))
@settings(max_examples=100)
def test_a_match_ends_where_it_does_in_python(expression: str, text: str) -> None:
    pattern = re.compile(expression)
    try:
        automaton = compile_automaton([parse_pattern(pattern)], match_in_python)
    except UnsupportedExpressionError:
        return
    for place in range(len(text) + 1):
        found = pattern.match(text, place)
        assert match_at(automaton, text, place) == (found.end() if found else None)


def test_alternatives_have_their_number() -> None:
    automaton = compile_automaton([parse("ab"), parse("a")], match_in_python)
    state = automaton.table[automaton.initial[0], automaton.classes[ord("a")]]
    following = automaton.table[state, automaton.classes[ord("b")]]
    assert automaton.labels[automaton.table[following, automaton.border]] == 1
    assert automaton.labels[automaton.table[state, automaton.border]] == 2


@pytest.mark.parametrize(
    "expression", ["(a*)*", "*a", "(?=ab)a", "a)", "(a", "a{2000}", r"(a)\1", "(?<!a)b"]
)
def test_what_no_automaton_can_do_is_refused(expression: str) -> None:
    with pytest.raises(UnsupportedExpressionError):
        compile_automaton([parse(expression)], match_in_python)


def test_references_are_written_out() -> None:
    source = "x|<(?P<name>b|is)>.*</(?P=name)>"
    pattern, written = (
        re.compile(each, re.IGNORECASE) for each in (source, Referenced.read(source).write_out())
    )
    names = ["b", "B", "is", "IS", "ıs", "iſ", "İs", "iS"]
    texts = [f"<{one}> x </{other}>" for one in names for other in names]
    for text in texts:
        assert [each.span() for each in written.finditer(text)] == [
            each.span() for each in pattern.finditer(text)
        ]
