"""A few texts have the tokens and ids that they have among many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.config.sections import TextConfig
from embedclf.system.arrow import text_column
from embedclf.text.few_texts import split_texts
from embedclf.text.token_rules import TokenRules
from embedclf.text.tokenizer import Tokenizer
from tests.text.test_tokens import WRITTEN

RULES = st.builds(
    TokenRules,
    st.sampled_from(["word", "character"]),
    st.booleans(),
    st.sampled_from(["words", "words_and_symbols", "classic"]),
    st.booleans(),
)

MARKS = st.text("aAdDxX3:;=-'+#<!.,(_ ’", max_size=14)
"""Texts of which many have emoticons, C++, repeated marks, or apostrophes inside of words."""


@given(RULES, st.lists(st.one_of(WRITTEN, MARKS), max_size=4))
def test_the_tokens_are_those_of_many_texts(rules: TokenRules, texts: list[str]) -> None:
    found = split_texts(texts, rules)
    assert found is None or found == rules.tokenize(text_column(texts)).to_lists()


@pytest.mark.parametrize("pattern", ["words", "words_and_symbols", "classic"])
@pytest.mark.parametrize("unit", ["word", "character"])
def test_usual_texts_do_not_need_the_way_of_many(unit: str, pattern: str) -> None:
    rules = TokenRules(unit, pattern=pattern, html=True)
    texts = ["It’s 5 < 6 &amp; so on :-D", "Ärger mit C++", "好！", None, ""]
    assert split_texts(texts, rules) is not None


@given(
    RULES,
    st.lists(st.one_of(WRITTEN, MARKS), min_size=1, max_size=5),
    st.integers(1, 3),
    st.integers(1, 6),
    st.lists(st.sampled_from(["a", "aa", "x"]), max_size=2),
)
def test_the_ids_are_those_of_many_texts(
    rules: TokenRules, texts: list[str], ngrams: int, sequence_length: int, vector_words: list[str]
) -> None:
    config = TextConfig(ngrams=ngrams, sequence_length=sequence_length, vocabulary_size=9)
    learned = rules.tokenize(text_column(texts[1:]))
    tokenizer = Tokenizer.fit([learned.count()], rules, config, vector_words=vector_words)
    tokenizer = tokenizer.fit_ngrams([learned], config)
    few = tokenizer.encode(texts)
    many = tokenizer.encode_tokens(tokenizer.tokenize(text_column(texts)))
    for found, expected in [
        (few.ids.values, many.ids.values),
        (few.ids.ends, many.ids.ends),
        (few.lengths, many.lengths),
        (few.unknown, many.unknown),
    ]:
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype
