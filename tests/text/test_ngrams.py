from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from embedclf.config.schema import TextConfig
from embedclf.system.arrow import text_column
from embedclf.text import ngrams as room
from embedclf.text.ngrams import Ngrams, framed, learn
from embedclf.text.tokenizer import Tokenizer
from tests.text.test_tokenizer import ANY_TEXT, parts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from embedclf.system.arrays import Int32s

FIRST = 6
TEXTS = st.lists(st.lists(st.integers(1, FIRST - 1), max_size=7), max_size=12)


def joined(texts: list[list[int]], size: int = 3) -> Iterator[Int32s]:
    """Texts in parts, padding around each."""
    for start in range(0, len(texts), size):
        part = texts[start : start + size]
        ends = np.cumsum([len(text) for text in part], dtype=np.int64)
        ids, before = framed(np.array([one for text in part for one in text], np.int32), ends)
        assert ids.tolist() == [one for text in part for one in (0, *text)] + [0]
        assert not ids[before].any()
        yield ids


def runs(text: list[int], length: int) -> Iterator[tuple[int, ...]]:
    """What begins at each place of a text and the padding before it; () where it has an end."""
    padded = (0, *text, 0)
    for start in range(len(text) + 1):
        run = padded[start : start + length]
        yield run if len(run) == length and any(run) else ()


def counted(texts: list[list[int]], longest: int) -> Counter[tuple[int, ...]]:
    """How often each run of known tokens is there; 1 is unknown."""
    return Counter(
        run
        for text in texts
        for length in range(2, longest + 1)
        for run in runs(text, length)
        if run and 1 not in run
    )


def spelt(learned: Ngrams) -> list[tuple[int, ...]]:
    return [tuple(learned.spell(FIRST + number, FIRST)) for number in range(len(learned))]


@settings(max_examples=200)
@given(texts=TEXTS, longest=st.integers(2, 4), min_count=st.integers(1, 3))
def test_what_is_there_often_enough_is_known(
    texts: list[list[int]], longest: int, min_count: int
) -> None:
    learned = learn(lambda: joined(texts), FIRST, longest=longest, size=10_000, min_count=min_count)
    often = {run for run, times in counted(texts, longest).items() if times >= min_count}
    assert len(learned) == len(often)
    assert set(spelt(learned)) == often
    assert learned.longest == longest


@settings(max_examples=200)
@given(texts=TEXTS, longest=st.integers(2, 4), size=st.integers(1, 12))
def test_the_most_frequent_are_kept_and_all_that_they_begin_with(
    texts: list[list[int]], longest: int, size: int
) -> None:
    counts = counted(texts, longest)
    kept = spelt(learn(lambda: joined(texts), FIRST, longest=longest, size=size, min_count=1))
    assert len(kept) == min(size, len(counts))
    lost = set(counts) - set(kept)
    assert min((counts[run] for run in kept), default=9) >= max(
        (counts[run] for run in lost), default=0
    )
    assert all(run[:-1] in kept for run in kept if len(run) > 2)


@settings(max_examples=200)
@given(learned=TEXTS, texts=TEXTS, longest=st.integers(2, 4))
def test_known_runs_are_found_where_they_begin(
    learned: list[list[int]], texts: list[list[int]], longest: int
) -> None:
    known = learn(lambda: joined(learned), FIRST, longest=longest, size=10_000, min_count=1)
    numbers = {run: FIRST + number for number, run in enumerate(spelt(known))}
    ids, *_ = [*joined(texts, 99), np.zeros(1, np.int32)]
    for length, found in enumerate(known.find(ids, FIRST), start=2):
        expected = [numbers.get(run, 0) for text in texts for run in runs(text, length)]
        assert found.tolist() == [*expected, 0]


def test_the_frequent_are_known_whatever_can_be_held(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(0)
    rare = chance.integers(2, 2000, (300, 8))
    texts = [[3, 4, 5, *row, 3, 4, 5] for row in rare.tolist()]
    monkeypatch.setattr(room, "_MOST_COUNTED", 500)
    learned = learn(lambda: joined(texts), 2000, longest=3, size=50, min_count=2)
    found = {tuple(learned.spell(2000 + number, 2000)) for number in range(len(learned))}
    assert {(3, 4), (4, 5), (3, 4, 5)} <= found


def fit(texts: list[str], **text: object) -> Tokenizer:
    config = TextConfig.model_validate({"sequence_length": 4, "ngrams": 2, **text})
    parts = parts_of(texts, config)
    learned = Tokenizer.fit([part.count() for part in parts], config)
    return learned.fit_ngrams(lambda: parts, config)


def test_ngrams_stand_behind_the_tokens_of_a_text() -> None:
    learned = fit(["a b a b c"], ngrams=3)
    assert learned.slots == 4 + 5 + 5
    assert learned.rows == 2 + 3 + 5 + 5
    rows = learned.encode(["a b c", "b a x b a b", "a b a b", ""]).ids
    pairs, threes = ["<s> a", "a b", "b c", "c </s>"], ["<s> a b", "a b c", "b c </s>"]
    assert [one for one in learned.decode(rows[0]) if one] == ["a", "b", "c", *pairs, *threes]
    assert learned.decode(rows[1]) == ["b", "a", " ", "b", "", "b a", *[""] * 8]
    assert [one for one in learned.decode(rows[2]) if one] == [
        *("a", "b", "a", "b", "<s> a", "a b", "b a", "a b", "<s> a b", "a b a", "b a b")
    ]
    assert not rows[3].any()


def test_what_a_text_is_cut_at_is_not_its_end() -> None:
    learned = fit(["a b", "a"], sequence_length=1)
    assert learned.decode(learned.encode(["a b"]).ids[0]) == ["a", "<s> a", ""]
    assert learned.decode(learned.encode(["a"]).ids[0]) == ["a", "<s> a", "a </s>"]


def test_no_texts_are_no_rows() -> None:
    learned = fit(["a b"])
    assert learned.encode([]).ids.shape == (0, 9)
    assert learned.encode_tokens(learned.tokenize(text_column([]))).ids.shape == (0, 9)


def test_runs_of_characters_have_no_blanks() -> None:
    learned = fit(["好吃好吃"], unit="character")
    told = set(learned.decode(learned.encode(["好吃"]).ids[0]))
    assert told == {"好", "吃", "<s> 好", "好吃", "吃 </s>", ""}


@given(texts=st.lists(ANY_TEXT, min_size=1, max_size=9), longest=st.integers(1, 3))
def test_ngrams_survive_json(texts: list[str], longest: int) -> None:
    learned = fit(texts, unit="character", ngrams=longest)
    again = Tokenizer.from_json(learned.to_json())
    assert again == learned
    assert hash(again) == hash(learned)
    assert (again.encode(texts).ids == learned.encode(texts).ids).all()
    assert learned.encode(texts).ids.max(initial=0) < learned.rows


def test_rare_tokens_and_runs_are_left_out() -> None:
    learned = fit(["a b", "a b", "a c"], min_count=2)
    assert learned.tokens == ("a", "b")
    assert learned.decode(learned.encode(["a b", "a c"]).ids.reshape(-1)) == [
        *("a", "b", "", "", "<s> a", "a b", "b </s>", "", ""),
        *("a", " ", "", "", "<s> a", "", "", "", ""),
    ]
