"""Tokens are found in the text as it was written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedclf.system.arrow import text_column
from embedclf.text.spans import Span, find_token_spans
from embedclf.text.token_rules import TokenRules
from tests.text.test_tokens import ENGLAND, GERMANY, KISS, PATTERNS, THUMB, TONE, WRITTEN

RULES = st.builds(
    TokenRules,
    unit=st.sampled_from(["word", "character"]),
    lowercase=st.booleans(),
    pattern=st.sampled_from(PATTERNS),
    html=st.booleans(),
)
SYMBOLS = TokenRules(pattern="words_and_symbols", html=True)


def tokens_of(text: str, rules: TokenRules) -> list[str]:
    (tokens,) = rules.tokenize(text_column([text])).to_lists()
    return tokens


def slices(text: str, rules: TokenRules) -> list[str]:
    return [text[slice(*span)] for span in find_token_spans(text, tokens_of(text, rules), rules)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A Wonderful, little place!", ["A", "Wonderful", "little", "place"]),
        ("don’t 'quote' ROCK''n''roll", ["don’t", "quote", "ROCK''n''roll"]),
        ("Cafe\u0301 – E\u0301clair, İzmir", ["Cafe\u0301", "E\u0301clair", "İzmir"]),
        ("\u1112\u1161\u11ab\u1100\u116e\u11a8 ok", ["\u1112\u1161\u11ab\u1100\u116e\u11a8", "ok"]),
        ("😀 \u0958\u0958? \u212bngström", ["\u0958\u0958", "\u212bngström"]),
        ("", []),
        (" \n!", []),
    ],
)
def test_words_keep_their_case_and_accents(text: str, words: list[str]) -> None:
    assert slices(text, TokenRules()) == words


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("It&#39;s AT&amp;T", ["It&#39;s", "AT", "&amp;", "T"]),
        ("one<br />won<b>der</b>ful", ["one", "won<b>der</b>ful"]),
        ("&amp;lt;3 &amp;#39;t", ["&amp;lt;3", "t"]),
        ("won\u00adder\u00adful \ufeffGood", ["won\u00adder\u00adful", "Good"]),
        ("1\ufe0f\u20e3\u2764\ufe0f\u2764", ["1\ufe0f\u20e3", "\u2764\ufe0f", "\u2764"]),
        (
            f"{GERMANY}{KISS}{THUMB}{TONE}x{ENGLAND}",
            [GERMANY, KISS, THUMB + TONE, "x", ENGLAND],
        ),
        ("Oh!!!!!!!? C++, :D ####\u20e3", ["Oh", "!!!", "?", "C++", ":D", "###", "#\u20e3"]),
    ],
)
def test_decoded_and_removed_characters_belong_to_their_token(
    text: str, written: list[str]
) -> None:
    assert slices(text, SYMBOLS) == written


def test_a_regular_expression_is_found_where_it_matches() -> None:
    text = "foobar foo, o foo"
    rules = TokenRules(pattern=r"\bfoo\b")
    assert find_token_spans(text, tokens_of(text, rules), rules) == [(7, 10), (14, 17)]
    assert slices(" Red wine ,\twhite ", TokenRules(pattern="[^,]+")) == ["Red wine", "white"]
    letters = TokenRules("character", pattern=r"\bfoo\b")
    assert find_token_spans(text, ["f", "o"], letters) == [(7, 8), (8, 9)]


def test_a_character_of_two_tokens_belongs_to_the_first() -> None:
    rules = TokenRules("character", lowercase=False)
    assert slices("\u0958!", rules) == ["\u0958", "", "!"]  # two code points in NFC


@settings(max_examples=300)
@given(text=WRITTEN, rules=RULES)
def test_spans_ascend_within_the_text(text: str, rules: TokenRules) -> None:
    tokens = tokens_of(text, rules)
    spans: list[Span] = find_token_spans(text, tokens, rules)
    assert len(spans) == len(tokens)
    edges = [0, *(edge for span in spans for edge in span), len(text)]
    assert edges == sorted(edges)
    kept = spans[: len(spans) // 2]
    assert find_token_spans(text, tokens[: len(kept)], rules) == kept


@settings(max_examples=300)
@given(text=WRITTEN, rules=RULES)
def test_the_text_of_a_span_gives_its_token(text: str, rules: TokenRules) -> None:
    tokens, found = tokens_of(text, rules), slices(text, rules)
    # A match can depend on what is around it, and one character can become several tokens.
    if rules.unit == "word" and not rules.is_expression:
        assert rules.tokenize(text_column(found)).to_lists() == [[token] for token in tokens]
