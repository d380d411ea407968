from __future__ import annotations

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from embedclf.audit.minhash import Candidates, Sets, candidates, jaccard, shingle_sets, sketch
from embedclf.system.arrow import text_column
from embedclf.text.tokens import normalize, tokenize

TEXTS = st.lists(st.text("ab é漢 ", max_size=30), min_size=1, max_size=12)


def sets_of(texts: list[str], unit: str = "word") -> Sets:
    return shingle_sets(tokenize(normalize(text_column(texts), lowercase=True), unit), unit)


def shingles(text: str, unit: str) -> set[str]:
    """What the sets stand for, written down plainly."""
    if unit == "word":
        return set(text.split())
    letters = text.replace(" ", "")
    return {letters[at : at + 3] for at in range(len(letters) - 2)}


def similarity(one: set[str], other: set[str]) -> float:
    return len(one & other) / max(len(one | other), 1)


@given(TEXTS, TEXTS, st.sampled_from(["word", "character"]))
def test_the_share_of_the_union_is_that_of_the_sets(
    left: list[str], right: list[str], unit: str
) -> None:
    pairs = [(one, other) for one in range(len(left)) for other in range(len(right))]
    ours, theirs = np.array(pairs, np.int64).T
    found = jaccard(
        sets_of(left, unit), sets_of(right, unit), Candidates(ours, theirs, np.zeros(0, np.int64))
    )
    for (one, other), share in zip(pairs, found.tolist(), strict=True):
        expected = similarity(shingles(left[one], unit), shingles(right[other], unit))
        assert abs(share - expected) < 1e-12


@given(TEXTS, st.sampled_from(["word", "character"]))
def test_a_set_holds_each_shingle_of_its_text_once(texts: list[str], unit: str) -> None:
    sets = sets_of(texts, unit)
    assert sets.sizes.tolist() == [len(shingles(text, unit)) for text in texts]
    assert len(sets.numbers) == sets.sizes.sum()


def found_pairs(left: list[str], right: list[str], least: int = 10) -> Candidates:
    ours, theirs = (sketch(sets_of(texts), least=least) for texts in (left, right))
    assert ours.large.all()
    return candidates(ours, theirs)


def test_pairs_of_the_least_similarity_are_found_but_for_one_in_a_hundred() -> None:
    left, right = [], []
    chance = random.Random(3)  # noqa: S311 - texts, no secrets
    for number in range(3000):
        words = [f"w{number}x{place}" for place in range(18)]
        left.append(" ".join(words[:17]))
        right.append(" ".join(chance.sample([*words[:15], words[17]], 16)))
    share = similarity(set(left[0].split()), set(right[0].split()))
    assert 0.8 < share < 0.85
    found = found_pairs(left, right)
    assert (found.left == found.right).sum() >= 2970


def test_pairs_that_share_little_are_hardly_ever_compared() -> None:
    chance = random.Random(5)  # noqa: S311 - texts, no secrets
    words = [f"w{number}" for number in range(150)]
    left, right = ([" ".join(chance.sample(words, 50)) for _ in range(1000)] for _ in range(2))
    assert len(found_pairs(left, right).left) < 1000  # of a million


def test_equal_texts_are_always_found() -> None:
    texts = [" ".join(f"w{number}x{place}" for place in range(12)) for number in range(500)]
    found = found_pairs(texts, texts)
    assert (found.left == found.right).sum() == 500


def test_the_texts_of_a_crowd_are_named() -> None:
    text = " ".join(f"w{place}" for place in range(12))
    found = found_pairs([text, text.replace("w", "v")], [text] * 3000)
    assert found.crowded.tolist() == [0]
    assert 0 < len(found.left) < 3000


def test_small_sets_have_no_sketch() -> None:
    assert sketch(sets_of(["a b c", "a b c d", ""]), least=4).large.tolist() == [False, True, False]
    assert not sketch(sets_of([""]), least=4).bits.any()


def test_no_texts_have_no_pairs() -> None:
    none = sketch(Sets(np.zeros(0, np.uint64), np.zeros(0, np.int64)), least=1)
    assert len(candidates(none, none).left) == 0
