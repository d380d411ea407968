from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from embedclf.config.sections import TextConfig
from embedclf.system.arrow import text_column
from embedclf.text.ngram_counts import fit_ngrams
from embedclf.text.ngrams import Ngrams, pad_texts
from embedclf.text.token_rules import TokenRules
from embedclf.text.tokenizer import Tokenizer
from embedclf.text.vocabulary import UNKNOWN
from tests.text.test_tokenizer import ANY_TEXT, chunks_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.system.arrays import Int32s

FIRST = 6
TEXTS = st.lists(st.lists(st.integers(1, FIRST - 1), max_size=7), max_size=12)


def padded_chunks(texts: list[list[int]], size: int = 3) -> Iterator[Int32s]:
    """Texts in chunks, with padding around each."""
    for start in range(0, len(texts), size):
        chunk = texts[start : start + size]
        ends = np.cumsum([len(text) for text in chunk], dtype=np.int64)
        ids, before = pad_texts(np.array([one for text in chunk for one in text], np.int32), ends)
        assert ids.tolist() == [one for text in chunk for one in (0, *text)] + [0]
        assert not ids[before].any()
        yield ids


def ngrams_of(text: list[int], length: int) -> Iterator[tuple[int, ...]]:
    """The n-gram that begins at each position of a padded text; () if the text ends before."""
    padded = (0, *text, 0)
    for start in range(len(text) + 1):
        ngram = padded[start : start + length]
        yield ngram if len(ngram) == length and any(ngram) else ()


def count(texts: list[list[int]], max_n: int) -> Counter[tuple[int, ...]]:
    """Count the n-grams of known tokens; 1 is unknown."""
    return Counter(
        ngram
        for text in texts
        for length in range(2, max_n + 1)
        for ngram in ngrams_of(text, length)
        if ngram and 1 not in ngram
    )


def token_ids_of(ngrams: Ngrams) -> list[tuple[int, ...]]:
    return [tuple(ngrams.token_ids(FIRST + number, FIRST)) for number in range(len(ngrams))]


@settings(max_examples=200)
@given(texts=TEXTS, max_n=st.integers(2, 4), min_count=st.integers(1, 3))
def test_all_frequent_ngrams_are_learned(
    texts: list[list[int]], max_n: int, min_count: int
) -> None:
    ngrams = fit_ngrams(padded_chunks(texts), FIRST, max_n=max_n, size=10_000, min_count=min_count)
    often = {ngram for ngram, times in count(texts, max_n).items() if times >= min_count}
    assert len(ngrams) == len(often)
    assert set(token_ids_of(ngrams)) == often
    assert ngrams.max_n == max_n


@settings(max_examples=200)
@given(texts=TEXTS, max_n=st.integers(2, 4), size=st.integers(1, 12))
def test_the_most_frequent_ngrams_are_kept_with_the_shorter_ones_they_begin_with(
    texts: list[list[int]], max_n: int, size: int
) -> None:
    counts = count(texts, max_n)
    kept = token_ids_of(
        fit_ngrams(padded_chunks(texts), FIRST, max_n=max_n, size=size, min_count=1)
    )
    assert len(kept) == min(size, len(counts))
    lost = set(counts) - set(kept)
    assert min((counts[ngram] for ngram in kept), default=9) >= max(
        (counts[ngram] for ngram in lost), default=0
    )
    assert all(ngram[:-1] in kept for ngram in kept if len(ngram) > 2)


@settings(max_examples=200)
@given(fitted=TEXTS, texts=TEXTS, max_n=st.integers(2, 4))
def test_known_ngrams_are_found_where_they_begin(
    fitted: list[list[int]], texts: list[list[int]], max_n: int
) -> None:
    known = fit_ngrams(padded_chunks(fitted), FIRST, max_n=max_n, size=10_000, min_count=1)
    numbers = {ngram: FIRST + number for number, ngram in enumerate(token_ids_of(known))}
    ids, *_ = [*padded_chunks(texts, 99), np.zeros(1, np.int32)]
    for length, found in enumerate(known.find(ids, FIRST), start=2):
        expected = [numbers.get(ngram, 0) for text in texts for ngram in ngrams_of(text, length)]
        assert found.tolist() == [*expected, 0]


def test_many_known_ngrams_are_found_among_as_many_others() -> None:
    rng = np.random.default_rng(0)
    keys = np.unique(rng.integers(2, 3_000, 40_000) << 32 | rng.integers(2, 3_000, 40_000))
    known = Ngrams(2, keys[::2])
    for step in (1, 1_000):  # many at once are found in another way than few
        pairs = [[int(key >> 32), int(key & 0xFFFFFFFF)] for key in keys[::step].tolist()]
        ids, before = pad_texts(
            np.array(pairs, np.int32).ravel(), np.arange(2, 2 * len(pairs) + 1, 2)
        )
        (found,) = known.find(ids, 3_000)
        places = np.searchsorted(known.keys, keys[::step])
        expected = np.where(np.isin(keys[::step], known.keys), 3_000 + places, 0)
        assert found[before + 1].tolist() == expected.tolist()


def test_frequent_ngrams_are_learned_even_if_few_can_be_counted_at_once() -> None:
    rng = np.random.default_rng(0)
    rare = rng.integers(2, 2000, (300, 8))
    texts = [[3, 4, 5, *row, 3, 4, 5] for row in rare.tolist()]
    ngrams = fit_ngrams(padded_chunks(texts), 2000, max_n=3, size=50, min_count=2, max_counted=500)
    found = {tuple(ngrams.token_ids(2000 + number, 2000)) for number in range(len(ngrams))}
    assert {(3, 4), (4, 5), (3, 4, 5)} <= found


def fit(texts: list[str], **text: object) -> Tokenizer:
    config = TextConfig.model_validate({"sequence_length": 4, "ngrams": 2, **text})
    chunks = chunks_of(texts, config)
    tokenizer = Tokenizer.fit([chunk.count() for chunk in chunks], TokenRules(config.unit), config)
    return tokenizer.fit_ngrams(chunks, config)


def test_the_ids_of_ngrams_follow_those_of_tokens() -> None:
    tokenizer = fit(["a b a b c"], ngrams=3)
    assert tokenizer.input_length == 4 + 5 + 5
    assert tokenizer.vocabulary_rows == 2 + 3 + 5 + 5
    rows = [*tokenizer.encode(["a b c", "b a x b a b", "a b a b", ""]).ids]
    pairs, threes = ["<s> a", "a b", "b c", "c </s>"], ["<s> a b", "a b c", "b c </s>"]
    assert tokenizer.decode(rows[0]) == ["a", "b", "c", *pairs, *threes]
    assert tokenizer.decode(rows[1]) == ["b", "a", " ", "b", "b a"]
    assert tokenizer.decode(rows[2]) == [
        *("a", "b", "a", "b", "<s> a", "a b", "b a", "a b", "<s> a b", "a b a", "b a b")
    ]
    assert not len(rows[3])


def test_where_a_text_is_truncated_is_not_its_end() -> None:
    tokenizer = fit(["a b", "a"], sequence_length=1)
    assert tokenizer.decode(tokenizer.encode(["a b"]).ids.values) == ["a", "<s> a"]
    assert tokenizer.decode(tokenizer.encode(["a"]).ids.values) == ["a", "<s> a", "a </s>"]


def test_without_texts_there_are_no_rows() -> None:
    tokenizer = fit(["a b"])
    assert [*tokenizer.encode([]).ids] == []
    assert [*tokenizer.encode_tokens(tokenizer.tokenize(text_column([]))).ids] == []


def test_ngrams_of_characters_have_no_spaces() -> None:
    tokenizer = fit(["好吃好吃"], unit="character")
    names = set(tokenizer.decode(tokenizer.encode(["好吃"]).ids.values))
    assert names == {"好", "吃", "<s> 好", "好吃", "吃 </s>"}


@given(texts=st.lists(ANY_TEXT, min_size=1, max_size=9), max_n=st.integers(1, 3))
def test_ngrams_survive_heads_and_tails(texts: list[str], max_n: int) -> None:
    tokenizer = fit(texts, unit="character", ngrams=max_n)
    pairs = Ngrams.from_pairs(max_n, tokenizer.ngrams.heads, tokenizer.ngrams.tails)
    again = Tokenizer.from_json(tokenizer.to_json(), tokenizer.tokens, pairs)
    assert again == tokenizer
    assert hash(again) == hash(tokenizer)
    ids = tokenizer.encode(texts).ids.values
    assert again.encode(texts).ids.values.tolist() == ids.tolist()
    assert ids.max(initial=0) < tokenizer.vocabulary_rows


def test_rare_tokens_and_ngrams_are_left_out() -> None:
    tokenizer = fit(["a b", "a b", "a c"], min_count=2)
    assert tokenizer.tokens == ("a", "b")
    names = [tokenizer.decode(ids) for ids in tokenizer.encode(["a b", "a c"]).ids]
    assert names == [["a", "b", "<s> a", "a b", "b </s>"], ["a", " ", "<s> a"]]


def places_of(tokenizer: Tokenizer, texts: list[str]) -> Iterator[set[tuple[object, int]]]:
    """Yield the known ids of each text, with their places."""
    for text in texts:
        tokens = tokenizer.tokenize(text_column([text]))
        ids = tokenizer.encode_tokens(tokens).ids.values.tolist()
        begins, sizes = (each.tolist() for each in tokenizer.locate_ngrams(tokens))
        places = [*range(len(ids) - len(begins)), *zip(begins, sizes, strict=True)]
        yield {(place, one) for place, one in zip(places, ids, strict=True) if one > UNKNOWN}


@settings(max_examples=150, deadline=None)
@given(
    first=st.lists(ANY_TEXT, min_size=1, max_size=8),
    second=st.lists(ANY_TEXT, min_size=1, max_size=8),
    max_n=st.integers(1, 4),
)
def test_a_tokenizer_fitted_from_another_keeps_its_tokens_ngrams_and_their_order(
    first: list[str], second: list[str], max_n: int
) -> None:
    config = TextConfig(unit="character", ngrams=max_n, sequence_length=6, vocabulary_size=500)
    rules = TokenRules(config.unit, config.lowercase)

    def fit(
        texts: list[str], start: Tokenizer | None = None, config: TextConfig = config
    ) -> Tokenizer:
        chunks = chunks_of(texts, config)
        fitted = Tokenizer.fit([chunk.count() for chunk in chunks], rules, config, start=start)
        return fitted.fit_ngrams(chunks, config) if max_n > 1 else fitted

    old, alone = fit(first), fit(second)
    new = fit(second, old)
    ids = old.ids_in(new)
    assert ids[: old.first_ngram_id].tolist() == list(range(old.first_ngram_id))
    assert (np.diff(ids) > 0).all()
    names = new.decode(np.arange(new.vocabulary_rows, dtype=np.int32))
    before = old.decode(np.arange(old.vocabulary_rows, dtype=np.int32))
    assert [names[each] for each in ids.tolist()] == before
    assert len(set(names)) == len(names)
    # Nothing else is known than to one of the two, since there is no limit.
    added = alone.decode(np.arange(alone.vocabulary_rows, dtype=np.int32))
    assert set(names) == {*before, *added}
    # What the old tokenizer finds in a text, the new one finds in the same place.
    for encoded, again in zip(
        *(places_of(each, first + second) for each in (old, new)), strict=True
    ):
        assert {(place, ids[one]) for place, one in encoded} <= again
    # With a limit that is reached, nothing is added, and nothing lost.
    size, ngrams = max(3, old.first_ngram_id), max(1, len(old.ngrams))
    full = config.model_copy(update={"vocabulary_size": size, "ngram_vocabulary_size": ngrams})
    limited = fit(second, old, full)
    assert limited.tokens[: len(old.tokens)] == old.tokens
    assert len(limited.tokens) <= max(1, len(old.tokens))
    assert len(limited.ngrams) <= ngrams
