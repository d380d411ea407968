from __future__ import annotations

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from embedclf.audit.minhash import (
    CandidatePairs,
    ShingleSets,
    build_shingle_sets,
    compute_signatures,
    find_candidates,
    jaccard_similarity,
    sign_texts,
)
from embedclf.system.arrow import text_column
from embedclf.text.token_rules import TokenRules

TEXTS = st.lists(st.text("ab é漢 ", max_size=30), min_size=1, max_size=12)


def sets_of(texts: list[str], unit: str = "word") -> ShingleSets:
    return build_shingle_sets(TokenRules(unit).tokenize(text_column(texts)), unit)


def shingles(text: str, unit: str) -> set[str]:
    """The set of shingles, in plain Python."""
    if unit == "word":
        return set(text.split())
    letters = text.replace(" ", "")
    return {letters[start : start + 3] for start in range(len(letters) - 2)}


def similarity(one: set[str], other: set[str]) -> float:
    return len(one & other) / max(len(one | other), 1)


@given(TEXTS, TEXTS, st.sampled_from(["word", "character"]))
def test_the_similarity_is_that_of_the_sets(left: list[str], right: list[str], unit: str) -> None:
    pairs = [(one, other) for one in range(len(left)) for other in range(len(right))]
    ours, theirs = np.array(pairs, np.int64).T
    found = jaccard_similarity(
        sets_of(left, unit),
        sets_of(right, unit),
        CandidatePairs(ours, theirs, np.zeros(0, np.int64)),
    )
    for (one, other), similar in zip(pairs, found.tolist(), strict=True):
        expected = similarity(shingles(left[one], unit), shingles(right[other], unit))
        assert abs(similar - expected) < 1e-12


@given(TEXTS, st.sampled_from(["word", "character"]))
def test_a_set_holds_each_shingle_of_its_text_once(texts: list[str], unit: str) -> None:
    sets = sets_of(texts, unit)
    assert sets.sizes.tolist() == [len(shingles(text, unit)) for text in texts]
    assert len(sets.shingles) == sets.sizes.sum()


def candidates(left: list[str], right: list[str], min_shingles: int = 10) -> CandidatePairs:
    ours, theirs = (
        compute_signatures(sets_of(texts), min_shingles=min_shingles) for texts in (left, right)
    )
    assert len(ours.sets) == len(left)
    return find_candidates(ours, theirs)


def test_99_percent_of_pairs_at_the_minimum_similarity_are_found() -> None:
    left, right = [], []
    rng = random.Random(3)  # noqa: S311 - texts, no secrets
    for number in range(3000):
        words = [f"w{number}x{place}" for place in range(18)]
        left.append(" ".join(words[:17]))
        right.append(" ".join(rng.sample([*words[:15], words[17]], 16)))
    similar = similarity(set(left[0].split()), set(right[0].split()))
    assert 0.8 < similar < 0.85
    found = candidates(left, right)
    assert (found.left == found.right).sum() >= 2970


def test_dissimilar_pairs_are_rarely_candidates() -> None:
    rng = random.Random(5)  # noqa: S311 - texts, no secrets
    words = [f"w{number}" for number in range(150)]
    left, right = ([" ".join(rng.sample(words, 50)) for _ in range(1000)] for _ in range(2))
    assert len(candidates(left, right).left) < 1000  # of a million


def test_equal_texts_are_always_candidates() -> None:
    texts = [" ".join(f"w{number}x{place}" for place in range(12)) for number in range(500)]
    found = candidates(texts, texts)
    assert (found.left == found.right).sum() == 500


def test_texts_with_too_many_candidates_are_reported() -> None:
    text = " ".join(f"w{place}" for place in range(12))
    found = candidates([text, text.replace("w", "v")], [text] * 3000)
    assert found.crowded.tolist() == [0]
    assert 0 < len(found.left) < 3000


def test_small_sets_have_no_signature() -> None:
    signatures = compute_signatures(sets_of(["a b c", "a b c d", ""]), min_shingles=4)
    assert signatures.sets.tolist() == [1]
    assert len(compute_signatures(sets_of([""]), min_shingles=4).bits) == 0


def test_a_signature_does_not_depend_on_the_other_texts_and_their_lengths() -> None:
    texts = [" ".join(f"w{number}x{place}" for place in range(number)) for number in range(1, 60)]
    together = sign_texts(TokenRules().tokenize(text_column(texts)), "word", min_shingles=1)
    for number, text in enumerate(texts):
        alone = sign_texts(TokenRules().tokenize(text_column([text])), "word", min_shingles=1)
        assert together.bits[number] == alone.bits[0]
        assert [of_band[number] for of_band in together.buckets] == [
            of_band[0] for of_band in alone.buckets
        ]


def test_sets_that_share_no_bucket_are_left_out_before_the_search() -> None:
    texts = [" ".join(f"w{number}x{place}" for place in range(12)) for number in range(50)]
    signatures = compute_signatures(sets_of(texts), min_shingles=10)
    others = compute_signatures(sets_of(texts[7:9]), min_shingles=10)
    assert signatures.sharing_buckets(others).sets.tolist() == [7, 8]


def test_no_texts_have_no_candidates() -> None:
    none = compute_signatures(
        ShingleSets(np.zeros(0, np.uint64), np.zeros(0, np.int64)), min_shingles=1
    )
    assert len(find_candidates(none, none).left) == 0
