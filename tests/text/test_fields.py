"""Tokens of fields: categories, and numbers that are divided into quarters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.config.sections import TextConfig
from embedclf.system.arrow import text_column
from embedclf.text.fields import NumericField, bin_numbers, fit_numeric_fields
from embedclf.text.token_rules import TokenRules
from embedclf.text.tokenizer import Tokenizer
from embedclf.text.vocabulary import UNKNOWN

FIELDS = ("channel", "minutes")


def fit(texts: list[str], *, ngrams: int = 1, **rules: object) -> Tokenizer:
    config = TextConfig(sequence_length=8, min_count=1, ngrams=ngrams)
    made = TokenRules(**{"fields": FIELDS, **rules})  # type: ignore[arg-type]
    tokens = made.tokenize(text_column(texts))
    tokenizer = Tokenizer.fit([tokens.count()], made, config)
    return tokenizer.fit_ngrams([tokens], config) if ngrams > 1 else tokenizer


def numeric(cells: list[str]) -> tuple[NumericField, ...]:
    counts = np.ones(len(cells), np.int64)
    return fit_numeric_fields((text_column([f"m={cell}" for cell in cells]), counts), ["m"])


def bins(cells: list[str]) -> list[str]:
    """Bin the cells that the bins are learned from."""
    tokens = text_column([f"m={cell}" for cell in cells])
    return [token[2:] for token in bin_numbers(tokens, numeric(cells)).to_pylist()]


def test_fields_are_tokens_before_those_of_the_text() -> None:
    rules = TokenRules(fields=FIELDS)
    texts = ["channel=Web minutes=7.5 Good, product", "minutes=3 Good", "channel= =", "Good", None]
    assert rules.tokenize(text_column(texts)).to_lists() == [
        ["channel=web", "minutes=7.5", "good", "product"],
        ["minutes=3", "good"],
        ["channel="],
        ["good"],
        [],
    ]
    kept = TokenRules(fields=FIELDS, lowercase=False)
    assert kept.tokenize(text_column(["channel=Web A"])).to_lists() == [["channel=Web", "A"]]


def test_names_of_fields_keep_their_case() -> None:
    rules = TokenRules(fields=("Kanal", "kanal"))
    texts = text_column(["Kanal=A kanal=B Kanal=C"])
    assert rules.tokenize(texts).to_lists() == [["Kanal=a", "kanal=b", "kanal", "c"]]


def test_without_fields_their_words_are_text() -> None:
    assert TokenRules().tokenize(text_column(["channel=web x"])).to_lists() == [
        ["channel", "web", "x"]
    ]


def test_only_columns_of_many_numbers_are_numeric() -> None:
    assert numeric([str(number) for number in range(11)])
    assert numeric([*map(str, range(40)), "", "n/a", "-1.5e3", ".5"])
    assert not numeric([str(number % 10) for number in range(100)])
    assert not numeric([str(number) + ".0" * (number % 2) for number in [*range(10)] * 2])
    assert not numeric([*map(str, range(20)), *(f"A{number}" for number in range(3))])
    assert not numeric(["nan", "inf", "1_0", "", "-"])
    assert not numeric([])


def test_numbers_are_divided_into_quarters_of_the_rows() -> None:
    assert bins([str(number) for number in range(1, 13)]) == [
        *["q1"] * 3,
        *["q2"] * 3,
        *["q3"] * 3,
        *["q4"] * 3,
    ]
    assert bins([*map(str, range(12)), "n/a", ""])[-2:] == ["", ""]


@given(
    st.lists(st.floats(-1e9, 1e9).map(repr) | st.integers(-3, 9).map(str), min_size=11),
    st.floats(-1e10, 1e10),
)
def test_bins_are_ordered_and_never_empty(cells: list[str], new: float) -> None:
    fields = numeric(cells)
    if len({float(cell) for cell in cells}) < 11:
        assert fields == ()
        return
    names = bins(cells)
    ordered = [names[index] for index in np.argsort([float(cell) for cell in cells])]
    assert ordered == sorted(ordered)
    assert set(names) == {f"q{number}" for number in range(1, len(set(names)) + 1)}
    assert 2 <= len(set(names)) <= 4
    # A new number is in the bin of the numbers around it, or in an outer one.
    (binned,) = bin_numbers(text_column([f"m={new!r}"]), fields).to_pylist()
    below = [name for cell, name in zip(cells, names, strict=True) if float(cell) <= new]
    above = [name for cell, name in zip(cells, names, strict=True) if float(cell) >= new]
    assert max(below, default="q1") <= binned[2:] <= min(above, default=max(names))


def test_numbers_that_most_rows_share_make_fewer_bins() -> None:
    names = bins([*["0"] * 60, *map(str, range(1, 41))])
    assert names[:60] == ["q1"] * 60
    assert names[60:] == [*["q2"] * 15, *["q3"] * 25]
    assert bins([*["100"] * 80, *map(str, range(20))])[78:82] == ["q2", "q2", "q1", "q1"]


def test_equal_numbers_are_equal_only_in_numeric_fields() -> None:
    field = NumericField("m", (1.0, 2.0))
    tokens = text_column(["m=1", "m=1.0", "m=01", "m=2.5", "n=1", "n=1.0", "m=q2", "m=q4", "m"])
    assert bin_numbers(tokens, [field]).to_pylist() == [
        *["m=q1"] * 3,
        *["m=q3", "n=1", "n=1.0", "m=q2", "m=", "m"],
    ]


def test_the_vocabulary_has_bins_and_categories() -> None:
    tokenizer = fit([f"channel={'ab'[n % 2]} minutes={n} word" for n in range(20)])
    assert tokenizer.tokens == (
        "word",
        "channel=a",
        "channel=b",
        "minutes=q1",
        "minutes=q2",
        "minutes=q3",
        "minutes=q4",
    )
    texts = ["channel=a minutes=-5 word", "channel=new minutes=99", "minutes=x", "minutes=q1"]
    ids = [ids.tolist() for ids in tokenizer.encode(texts).ids]
    assert ids == [[3, 5, 2], [UNKNOWN, 8], [UNKNOWN], [5]]
    again = Tokenizer.from_json(tokenizer.to_json(), tokenizer.tokens, tokenizer.ngrams)
    assert again == tokenizer


@pytest.mark.parametrize("length", [2, 3])
def test_ngrams_begin_after_the_fields(length: int) -> None:
    texts = ["new york is big", "york", "new york is", ""]
    before = [f"channel={'ab'[n % 2]} minutes={n} {text}" for n, text in enumerate(texts * 5)]
    plain, fielded = fit(texts * 5, ngrams=length, fields=()), fit(before, ngrams=length)
    ends = range(plain.first_ngram_id, plain.vocabulary_rows)
    names = [*plain.decode(np.array(ends, np.int32))]
    ends = range(fielded.first_ngram_id, fielded.vocabulary_rows)
    assert sorted(fielded.decode(np.array(ends, np.int32))) == sorted(names)
    assert "<s> new york"[: 3 * length + 2].rstrip() in " ".join(names)
    ids, more = plain.encode(texts[:1]).ids.values, fielded.encode(before[:1]).ids.values
    assert fielded.decode(more[6:]) == plain.decode(ids[4:])
    # Each n-gram is two places further on.
    (begins, sizes), (later, same) = (
        each.locate_ngrams(each.tokenize(text_column(rows[:1])))
        for each, rows in ((plain, texts), (fielded, before))
    )
    assert (later.tolist(), same.tolist()) == ((begins + 2).tolist(), sizes.tolist())
