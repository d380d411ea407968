"""Maps of vectors: where points are, and names that do not overlap."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from embedclf.inference.projection import (
    CHARACTER_WIDTH,
    HEIGHT,
    LINE_HEIGHT,
    WIDTH,
    RankBy,
    build_word_map,
)
from tests.inference.test_embeddings import make_embeddings

Box = tuple[float, float, float, float]


def apart(one: Box, other: Box, slack: float = 1e-6) -> bool:
    return (
        one[0] >= other[2] - slack
        or one[2] <= other[0] + slack
        or one[1] >= other[3] - slack
        or one[3] <= other[1] + slack
    )


@settings(max_examples=40)
@given(
    seed=st.integers(0, 1000),
    limit=st.integers(3, 30),
    by=st.sampled_from(["push", "count"]),
    ngrams=st.booleans(),
    alike=st.booleans(),
)
def test_names_cover_neither_each_other_nor_points(
    seed: int, limit: int, by: Any, ngrams: bool, alike: bool
) -> None:
    embeddings = make_embeddings("multiclass", seed=seed, ngrams=3)
    if alike:
        embeddings.weights.embedding[:] = embeddings.weights.embedding[0]
    drawn = build_word_map(embeddings, limit, by=by, ngrams=ngrams)
    boxes: list[Box] = []
    for point in drawn.points:
        assert 0 <= point.x <= WIDTH
        assert 0 <= point.y <= HEIGHT
        if point.name_position is not None:
            left, middle = point.name_position
            right = left + CHARACTER_WIDTH * cell_len(point.entry.name)
            boxes.append((left, middle - LINE_HEIGHT / 2, right, middle + LINE_HEIGHT / 2))
            assert left >= 0
            assert right <= WIDTH
    assert alike or boxes
    assert all(apart(one, other) for one, other in combinations(boxes, 2))
    positions = [(point.x, point.y, point.x, point.y) for point in drawn.points]
    assert all(apart(box, position) for box in boxes for position in positions)
    assert sum(drawn.explained_variance_ratios) <= 1 + 1e-9


def test_the_map_shows_the_largest_contributions_with_the_last_label_on_the_right() -> None:
    embeddings = make_embeddings(seed=3)
    drawn = build_word_map(embeddings, 6)
    strongest = [point.entry.label_contributions[point.entry.top_label] for point in drawn.points]
    rows = np.arange(2, embeddings.tokenizer.vocabulary_rows, dtype=np.int32)
    expected = sorted(
        (max(entry.label_contributions.values()) for entry in embeddings.entries(rows)),
        reverse=True,
    )
    assert strongest == pytest.approx(expected[:6])
    sides = np.array([(point.x, point.entry.label_contributions["yes"]) for point in drawn.points])
    assert np.corrcoef(sides.T)[0, 1] >= 0
    frequent = build_word_map(embeddings, 6, by="count")
    assert [point.entry.name for point in frequent.points] == list(embeddings.tokenizer.tokens[:6])
    assert build_word_map(embeddings, 6) == drawn


@pytest.mark.parametrize("by", ["push", "count"])
def test_words_known_by_their_vectors_only_are_not_drawn(by: RankBy) -> None:
    embeddings = make_embeddings(seed=3)
    tokenizer = replace(embeddings.tokenizer, vector_words=2)
    drawn = build_word_map(replace(embeddings, tokenizer=tokenizer), 100, by=by)
    assert {point.entry.name for point in drawn.points} == set(tokenizer.tokens[:-2])
