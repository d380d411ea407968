"""The sample of candidates."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from embedclf.inference.suggesting.candidates import CandidatePool, sampling_keys
from embedclf.system.arrow import Batch, text_column
from embedclf.text.fingerprints import fingerprint_strings


def batch_of(texts: list[str]) -> Batch:
    column = text_column(texts)
    return Batch(column, pa.RecordBatch.from_arrays([column], ["text"]))


def sample(texts: list[str], cuts: list[int], size: int, excluded: list[str]) -> list[str]:
    """The texts that a pool keeps if they arrive in batches that begin at cuts."""
    pool = CandidatePool(size)
    for start, end in zip([0, *cuts], [*cuts, len(texts)], strict=True):
        part = texts[start:end]
        fingerprints = fingerprint_strings(text_column(part))
        keys = sampling_keys(fingerprints, np.array([1.0 + len(text) for text in part]))
        pool.add(batch_of(part), keys, fingerprints)
    kept = pool.finish(fingerprint_strings(text_column(excluded)))
    assert kept.rows.column(0).equals(kept.texts)
    return [*kept.texts.to_pylist()]


@given(st.data())
def test_batches_make_no_difference_to_the_sample(data: st.DataObject) -> None:
    texts = data.draw(st.lists(st.text("abc", max_size=3), max_size=60))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(texts)), max_size=6)))
    size = data.draw(st.integers(1, 12))
    found = sample(texts, cuts, size, [])
    assert found == sample(sorted(set(texts)), [], size, [])
    assert len(found) == min(size, len(set(texts)))


def test_excluded_texts_are_left_out() -> None:
    assert set(sample(["a", "b", "c", "b"], [2], 9, ["b", "d"])) == {"a", "c"}


def test_a_text_is_sampled_as_often_as_its_weight_says() -> None:
    texts = [f"text {number}" for number in range(20_000)]
    fingerprints = fingerprint_strings(text_column(texts))
    weights = np.tile([1.0, 3.0], 10_000)
    first = np.argsort(sampling_keys(fingerprints, weights))[:1_000]
    assert 0.70 < (first % 2).mean() < 0.79  # 3 of 4
    assert abs(first.mean() - 10_000) < 1_000  # from the whole table


def test_a_text_that_the_network_is_sure_of_comes_last() -> None:
    fingerprints = fingerprint_strings(text_column(["a", "b", "c"]))
    keys = sampling_keys(fingerprints, np.array([0.5, 0.0, 1.0]))
    assert np.isfinite(keys).all()
    assert keys.argmax() == 1
