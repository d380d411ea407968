from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from embedclf.text import vocabulary
from embedclf.text.vocabulary import most_frequent

if TYPE_CHECKING:
    import pytest

    from embedclf.text.tokens import Counted

PARTS = st.lists(st.dictionaries(st.text("abé", max_size=3), st.integers(0, 9)), max_size=5)


def counted(part: dict[str, int]) -> Counted:
    return pa.array([*part], pa.string()), np.array([*part.values()], np.int64)


@given(parts=PARTS, size=st.integers(1, 20))
def test_the_most_frequent_come_first_and_ties_in_code_point_order(
    parts: list[dict[str, int]], size: int
) -> None:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    there = [token for token in total if total[token]]
    expected = sorted(there, key=lambda token: (-total[token], token))[:size]
    assert most_frequent(map(counted, parts), size) == tuple(expected)


def test_what_is_frequent_everywhere_is_found_in_bounded_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vocabulary, "MOST_COUNTED", 500)
    held: list[int] = []
    added_up = vocabulary._added_up

    def watched(parts: list[Counted]) -> Counted:
        held.append(sum(len(tokens) for tokens, _ in parts))
        return added_up(parts)

    monkeypatch.setattr(vocabulary, "_added_up", watched)
    frequent = {f"often{number:02}": 40 - number for number in range(30)}
    parts = [frequent | {f"once{part}-{number}": 1 for number in range(100)} for part in range(200)]
    assert most_frequent(map(counted, parts), 30) == tuple(frequent)
    assert max(held) <= 500 + 130
