from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.config.schema import TextConfig
from embedclf.system import arrow as room
from embedclf.system.arrow import in_pieces
from embedclf.text.tokenizer import Tokenizer
from embedclf.text.tokens import normalize, tokenize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.text.tokens import Tokens

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
TEXTS = st.lists(st.one_of(st.none(), ANY_TEXT), max_size=30)


def parts_of(texts: Sequence[str | None], config: TextConfig) -> list[Tokens]:
    """Texts, cut part by part."""
    pieces = in_pieces(pa.array(texts, pa.string()))
    return [tokenize(normalize(one, lowercase=config.lowercase), config.unit) for one in pieces]


def fit(texts: list[str | None], **text: Any) -> Tokenizer:
    config = TextConfig.model_validate({"sequence_length": 5, **text})
    return Tokenizer.fit([part.count() for part in parts_of(texts, config)], config)


def tokens(text: str, **config: Any) -> list[str]:
    """The tokens of a text, in order."""
    learned = fit([text], sequence_length=50, **config)
    return [token for token in learned.decode(learned.encode([text]).ids[0]) if token]


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


def test_characters_are_all_code_points_but_white_space() -> None:
    assert tokens("好 吃！\u3000A😀", unit="character") == ["好", "吃", "！", "a", "😀"]


def test_case_is_kept_on_request() -> None:
    assert tokens("Ab ab", lowercase=False) == ["Ab", "ab"]


def test_the_vocabulary_is_by_frequency_then_code_point() -> None:
    learned = fit(["b a c", "c é z", "c b"], vocabulary_size=6)
    assert learned.tokens == ("c", "b", "a", "z")
    assert learned.rows == 6
    assert fit(["a"], vocabulary_size=100).rows == 3


def test_padding_unknown_and_cut_tokens_are_told() -> None:
    learned = fit(["a a b"], vocabulary_size=4)
    encoding = learned.encode(["a x b", None, "", "??", "a a a a a a x"])
    assert encoding.ids.tolist() == [[2, 1, 3, 0, 0], [0] * 5, [0] * 5, [0] * 5, [2] * 5]
    assert encoding.lengths.tolist() == [3, 0, 0, 0, 7]
    assert encoding.unknown.tolist() == [1, 0, 0, 0, 1]


@given(ANY_TEXT)
def test_composed_and_decomposed_texts_are_the_same_tokens(text: str) -> None:
    forms = [unicodedata.normalize(form, text) for form in ("NFC", "NFD")]
    learned = fit([text], sequence_length=60, unit="character")
    first, second = learned.encode(forms).ids.tolist()
    assert first == second


def test_no_texts_are_no_rows() -> None:
    assert fit(["a"]).encode([]).ids.shape == (0, 5)


@pytest.mark.parametrize("unit", ["word", "character"])
@given(texts=TEXTS, seed=st.randoms(use_true_random=False))
def test_a_vocabulary_does_not_depend_on_order_or_chunks(
    unit: str, texts: list[str | None], seed: Any
) -> None:
    shuffled = texts[:]
    seed.shuffle(shuffled)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "BATCH_ROWS", 3)
        assert fit(texts, unit=unit) == fit(shuffled, unit=unit)


@pytest.mark.parametrize("unit", ["word", "character"])
@given(learned=TEXTS, given_texts=TEXTS, size=st.integers(3, 12))
def test_a_tokenizer_survives_json_and_encodes_as_before(
    unit: str, learned: list[str | None], given_texts: list[str | None], size: int
) -> None:
    first = fit(learned, unit=unit, vocabulary_size=size)
    written = json.dumps(first.to_json(), ensure_ascii=False).encode()
    again = Tokenizer.from_json(json.loads(written))
    assert again == first
    before, after = first.encode(given_texts), again.encode(given_texts)
    assert (before.ids == after.ids).all()
    assert before.ids.shape == (len(given_texts), 5)
    assert before.ids.max(initial=0) < first.rows
    assert (before.unknown <= before.lengths).all()


@pytest.mark.parametrize("unit", ["word", "character"])
@given(texts=TEXTS)
def test_rows_are_encoded_alike_alone_and_together(unit: str, texts: list[str | None]) -> None:
    learned = fit(texts, unit=unit)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "BATCH_ROWS", 2)
        together = learned.encode(texts).ids.tolist()
    assert together == [learned.encode([text]).ids[0].tolist() for text in texts]


@pytest.mark.parametrize("unit", ["word", "character"])
@given(texts=TEXTS)
def test_what_was_learned_is_known(unit: str, texts: list[str | None]) -> None:
    encoding = fit(texts, unit=unit, vocabulary_size=10_000).encode(texts)
    assert not encoding.unknown.any()
