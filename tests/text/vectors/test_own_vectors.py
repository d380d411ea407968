"""Word vectors that are learned from texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from embedclf.system.arrow import text_column
from embedclf.text.token_rules import TokenRules
from embedclf.text.vectors.own_vectors import OwnVectors, learn_vectors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.system.arrays import Floats
    from embedclf.text.tokens import Tokens

FOODS, PLACES = ["apple", "bread", "cheese"], ["paris", "rome", "oslo"]


def chunks_of(texts: Sequence[str], rows: int = 1000) -> list[Tokens]:
    starts = range(0, len(texts), rows)
    return [TokenRules().tokenize(text_column(texts[start : start + rows])) for start in starts]


def learn(texts: Sequence[str], rows: int = 1000, fields: Sequence[str] = ()) -> OwnVectors:
    return learn_vectors(lambda: chunks_of(texts, rows), fields, seed=0)


def cosine(a: Floats, b: Floats) -> float:
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-9))


def sentences() -> list[str]:
    eaten = [f"we eat fresh {food} for lunch {n}" for food in FOODS for n in range(8)]
    visited = [f"they travel north to {place} by train {n}" for place in PLACES for n in range(8)]
    return eaten + visited


def test_words_in_the_same_surroundings_have_similar_vectors() -> None:
    own = learn(sentences())
    rows = own.read(text_column([*FOODS, *PLACES])).rows
    assert min(cosine(rows[0], rows[1]), cosine(rows[3], rows[4])) > 0.9
    assert abs(cosine(rows[0], rows[3])) < 0.5


def test_a_word_that_occurs_once_or_never_has_no_vector() -> None:
    own = learn([*sentences(), "a unique sight"])
    vectors = own.read(text_column(["unique", "apple", "zebra"]))
    assert vectors.found.tolist() == [False, True, False]
    assert not vectors.rows[[0, 2]].any()


def test_words_of_different_texts_are_no_neighbors() -> None:
    together, apart = (["left right"] * 5, ["left", "right"] * 5)
    assert learn(together).rows.any()
    assert not learn(apart).rows.any()


def test_tokens_of_fields_are_no_words() -> None:
    texts = ["author=ann good book"] * 3
    rules = TokenRules(pattern=r"[\w=]+")
    own = learn_vectors(lambda: [rules.tokenize(text_column(texts))], ["author"], 0)
    assert set(own.words) == {"good", "book"}


@given(
    st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=9).map(" ".join), max_size=30),
    st.integers(1, 40),
)
def test_chunks_of_any_size_give_the_same_vectors(texts: list[str], rows: int) -> None:
    whole, split = learn(texts), learn(texts, rows)
    assert whole.words == split.words
    # Sums in another order round differently, and directions of equal weight can mix
    products = [vectors.rows @ vectors.rows.T for vectors in (whole, split)]
    np.testing.assert_allclose(products[0], products[1], atol=1e-3)


@given(st.lists(st.lists(st.sampled_from("ab"), max_size=3).map(" ".join), max_size=4))
def test_a_tiny_table_gives_finite_vectors(texts: list[str]) -> None:
    own = learn(texts)
    vectors = own.read(text_column(["a", "b"]))
    assert vectors.rows.shape == (2, own.embedding_dim)
    assert own.embedding_dim >= 1
    assert np.isfinite(vectors.rows).all()
    assert vectors.found.all() or own.words != ("a", "b")
