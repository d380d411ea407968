from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.text.encodings import TokenIds

# Some texts are long enough to be copied as a whole, others are copied id by id.
TEXTS = st.lists(
    st.lists(st.integers(1, 9), max_size=4) | st.lists(st.integers(1, 9), min_size=40, max_size=70),
    max_size=9,
)


def token_ids(texts: list[list[int]]) -> TokenIds:
    values = [one for text in texts for one in text]
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
    return TokenIds(np.array(values, np.uint16), ends)


def lists(ids: TokenIds) -> list[list[int]]:
    return [text.tolist() for text in ids]


@given(TEXTS, st.data())
def test_texts_are_selected_like_the_items_of_a_list(
    texts: list[list[int]], data: st.DataObject
) -> None:
    ids = token_ids(texts)
    some = data.draw(st.slices(len(texts)))
    assert lists(ids[some]) == texts[some]
    rows = data.draw(st.lists(st.integers(0, len(texts) - 1)) if texts else st.just([]))
    assert lists(ids[np.array(rows, np.int64)]) == [texts[row] for row in rows]
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(texts), max_size=len(texts))))
    chosen = [text for text, is_chosen in zip(texts, mask, strict=True) if is_chosen]
    assert lists(ids[mask.astype(np.bool_)]) == chosen


def test_a_slice_copies_no_ids() -> None:
    ids = token_ids([[1, 2], [3], [], [4, 5]])
    assert np.shares_memory(ids[1:].values, ids.values)


@given(TEXTS, st.integers(0, 50))
def test_texts_are_truncated_padded_and_counted(texts: list[list[int]], length: int) -> None:
    ids = token_ids(texts)
    truncated = ids.truncate(length)
    assert lists(truncated) == [text[:length] for text in texts]
    padded = [(text[:length] + [0] * length)[:length] for text in texts]
    assert truncated.pad(length).tolist() == padded
    assert ids.count(ids.values == 3).tolist() == [text.count(3) for text in texts]
    assert ids.lengths.tolist() == list(map(len, texts))


@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_parts_are_put_one_after_the_other(parts: list[list[list[int]]]) -> None:
    joined = TokenIds.concatenate([token_ids(part) for part in parts])
    assert lists(joined) == [text for part in parts for text in part]


@pytest.mark.parametrize("count", [1, 2, 3])
@given(TEXTS)
def test_the_ids_of_a_text_are_joined_in_the_order_of_the_parts(
    count: int, texts: list[list[int]]
) -> None:
    parts = [token_ids(texts[number:] + texts[:number]) for number in range(count)]
    together = zip(*map(lists, parts), strict=True)
    assert lists(TokenIds.join(parts)) == [[*chain(*text)] for text in together]
