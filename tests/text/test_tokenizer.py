from __future__ import annotations

import json
import unicodedata
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.config.sections import TextConfig
from embedclf.system.arrow import text_column
from embedclf.text.token_rules import TokenRules
from embedclf.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.text.encodings import Encoding
    from embedclf.text.tokens import Tokens

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
TEXTS = st.lists(st.one_of(st.none(), ANY_TEXT), max_size=30)


def batches_of(texts: Sequence[str | None], rows: int) -> list[pa.StringArray]:
    """Split texts into batches of some rows."""
    starts = range(0, len(texts), rows)
    return [pa.array(texts[start : start + rows], pa.string()) for start in starts]


def rules_of(config: TextConfig) -> TokenRules:
    """The rules of a config without fields."""
    return TokenRules(config.unit, config.lowercase, config.token_pattern, config.html)


def chunks_of(texts: Sequence[str | None], config: TextConfig, rows: int = 1 << 13) -> list[Tokens]:
    """Tokenize texts batch by batch."""
    batches = batches_of(texts, rows)
    return [rules_of(config).tokenize(batch) for batch in batches]


def fit(texts: list[str | None], *, rows: int = 1 << 13, **text: Any) -> Tokenizer:
    """Fit a tokenizer on chunks of some rows."""
    config = TextConfig.model_validate({"sequence_length": 5, **text})
    return Tokenizer.fit(
        [chunk.count() for chunk in chunks_of(texts, config, rows)],
        rules_of(config),
        config,
    )


def ids_of(encoding: Encoding) -> list[list[int]]:
    """The ids of each text."""
    return [ids.tolist() for ids in encoding.ids]


def tokens(text: str, **config: Any) -> list[str]:
    """The tokens of a text, in order."""
    tokenizer = fit([text], sequence_length=50, **config)
    return tokenizer.decode(tokenizer.encode([text]).ids.values)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Good,bad ÉTÉ “hi” it's", ["good", "bad", "été", "hi", "it's"]),
        ("rock 'n' roll, 'quoted' dogs' ' '' x", ["rock", "n", "roll", "quoted", "dogs", "x"]),
        ("don’t", ["don't"]),
        ("cafe\u0301", ["café"]),
        ("ПРИВЕТ мир 2024 ½", ["привет", "мир", "2024", "½"]),
        ("<br />a_b-c.d", ["br", "a", "b", "c", "d"]),
        ("हिन्दी เขา", ["हिन्दी", "เขา"]),
        ("\u2028\x00\t !?", []),
    ],
)
def test_words_are_runs_of_letters_numbers_marks_and_inner_apostrophes(
    text: str, expected: list[str]
) -> None:
    assert tokens(text) == expected


def test_characters_are_all_code_points_except_white_space() -> None:
    assert tokens("好 吃！\u3000A😀", unit="character") == ["好", "吃", "！", "a", "😀"]


def test_case_is_kept_on_request() -> None:
    assert tokens("Ab ab", lowercase=False) == ["Ab", "ab"]


def test_the_vocabulary_is_by_frequency_then_code_point() -> None:
    tokenizer = fit(["b a c", "c é z", "c b"], vocabulary_size=6)
    assert tokenizer.tokens == ("c", "b", "a", "z")
    assert tokenizer.vocabulary_rows == 6
    assert fit(["a"], vocabulary_size=100).vocabulary_rows == 3


def test_unknown_and_truncated_tokens_are_counted() -> None:
    tokenizer = fit(["a a b"], vocabulary_size=4)
    encoding = tokenizer.encode(["a x b", None, "", "??", "a a a a a a x"])
    assert ids_of(encoding) == [[2, 1, 3], [], [], [], [2] * 5]
    assert encoding.has_known_token.tolist() == [True, False, False, False, True]
    assert encoding.lengths.tolist() == [3, 0, 0, 0, 7]
    assert encoding.unknown.tolist() == [1, 0, 0, 0, 1]


@given(ANY_TEXT)
def test_composed_and_decomposed_texts_have_the_same_tokens(text: str) -> None:
    forms = [unicodedata.normalize(form, text) for form in ("NFC", "NFD")]
    tokenizer = fit([text], sequence_length=60, unit="character")
    first, second = ids_of(tokenizer.encode(forms))
    assert first == second


def test_without_texts_there_are_no_rows() -> None:
    assert ids_of(fit(["a"]).encode([])) == []


@pytest.mark.parametrize("unit", ["word", "character"])
@given(texts=TEXTS, seed=st.randoms(use_true_random=False))
def test_a_vocabulary_does_not_depend_on_order_or_chunks(
    unit: str, texts: list[str | None], seed: Any
) -> None:
    shuffled = texts[:]
    seed.shuffle(shuffled)
    whole = fit(texts, unit=unit)
    assert fit(texts, rows=3, unit=unit) == fit(shuffled, rows=3, unit=unit) == whole


@pytest.mark.parametrize("unit", ["word", "character"])
@given(fitted=TEXTS, encoded=TEXTS, size=st.integers(3, 12))
def test_a_tokenizer_survives_json_and_encodes_as_before(
    unit: str, fitted: list[str | None], encoded: list[str | None], size: int
) -> None:
    first = fit(fitted, unit=unit, vocabulary_size=size)
    written = json.dumps(first.to_json(), ensure_ascii=False).encode()
    again = Tokenizer.from_json(json.loads(written), first.tokens, first.ngrams)
    assert again == first
    before, after = first.encode(encoded), again.encode(encoded)
    assert ids_of(before) == ids_of(after)
    assert len(before.ids) == len(encoded)
    assert before.ids.values.max(initial=0) < first.vocabulary_rows
    assert (before.unknown <= before.lengths).all()


@pytest.mark.parametrize("unit", ["word", "character"])
@given(texts=TEXTS)
def test_a_text_is_encoded_alone_as_among_others(unit: str, texts: list[str | None]) -> None:
    tokenizer = fit(texts, unit=unit)
    together = ids_of(tokenizer.encode(texts))
    in_twos = ids_of(tokenizer.encode(pa.chunked_array(batches_of(texts, 2), pa.string())))
    assert together == in_twos == [*chain(*(ids_of(tokenizer.encode([text])) for text in texts))]


@given(texts=TEXTS, longer=st.integers(100, 100_000))
def test_a_larger_sequence_length_costs_short_texts_nothing(
    texts: list[str | None], longer: int
) -> None:
    short, long = (
        fit(texts, unit="character", sequence_length=length).encode(texts)
        for length in (100, longer)
    )
    assert ids_of(short) == ids_of(long)
    assert short.ids.values.nbytes == long.ids.values.nbytes


@pytest.mark.parametrize("unit", ["word", "character"])
@given(texts=TEXTS)
def test_no_token_of_a_training_text_is_unknown(unit: str, texts: list[str | None]) -> None:
    encoding = fit(texts, unit=unit, vocabulary_size=10_000).encode(texts)
    assert not encoding.unknown.any()


WORD_LISTS = st.lists(st.text("abcd", min_size=1, max_size=3), max_size=8)


def fit_with(texts: list[str], words: Sequence[str], start: Tokenizer | None = None) -> Tokenizer:
    """Fit tokens and bigrams, with words that have vectors."""
    config = TextConfig(sequence_length=8, ngrams=2, min_count=2)
    chunks, rules = chunks_of(texts, config), rules_of(config)
    counts = [chunk.count() for chunk in chunks]
    tokenizer = Tokenizer.fit(counts, rules, config, start=start, vector_words=words)
    return tokenizer.fit_ngrams(chunks, config)


@given(st.lists(WORD_LISTS.map(" ".join), max_size=8), WORD_LISTS)
def test_words_with_vectors_follow_those_learned_and_are_in_no_ngram(
    texts: list[str], words: list[str]
) -> None:
    plain, tokenizer = fit_with(texts, []), fit_with(texts, words)
    assert tokenizer.learned_tokens == plain.tokens
    added = tokenizer.tokens[len(plain.tokens) :]
    assert added == tuple(dict.fromkeys(word for word in words if word not in plain.tokens))
    assert tokenizer.vector_words == len(added)

    def names_of_ngrams(of: Tokenizer) -> list[str]:
        return of.decode(np.arange(of.first_ngram_id, of.vocabulary_rows, dtype=np.int32))

    assert names_of_ngrams(tokenizer) == names_of_ngrams(plain)
    found = (each.locate_ngrams(each.tokenize(text_column(texts))) for each in (tokenizer, plain))
    for ours, theirs in zip(*found, strict=True):
        assert ours.tolist() == theirs.tolist()
    values = json.loads(json.dumps(tokenizer.to_json()))
    assert Tokenizer.from_json(values, tokenizer.tokens, tokenizer.ngrams) == tokenizer


def test_a_word_is_known_by_its_vector_only() -> None:
    tokenizer = fit_with(["good book", "good film"], ["superb", "good", "superb"])
    assert tokenizer.tokens == ("good", "superb")
    assert tokenizer.first_vector_id == 3
    encoding = tokenizer.encode(["superb film"])
    assert ids_of(encoding) == [[3, 1]]
    assert encoding.unknown.tolist() == [1]


@given(
    st.lists(WORD_LISTS.map(" ".join), max_size=8),
    WORD_LISTS,
    st.lists(WORD_LISTS.map(" ".join), max_size=8),
    WORD_LISTS,
)
def test_a_tokenizer_continued_with_vectors_keeps_every_name(
    texts: list[str], words: list[str], more_texts: list[str], more_words: list[str]
) -> None:
    start = fit_with(texts, words)
    continued = fit_with(more_texts, more_words, start)
    learned = len(start.learned_tokens)
    assert continued.tokens[:learned] == start.learned_tokens
    assert not set(continued.learned_tokens) & set(
        continued.tokens[continued.first_vector_id - 2 :]
    )
    ids = np.arange(start.vocabulary_rows, dtype=np.int32)
    new_ids = start.ids_in(continued)
    assert continued.decode(new_ids.astype(np.int32)) == start.decode(ids)
