"""Texts of any kind get probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import embedclf

if TYPE_CHECKING:
    from embedclf.runs.run import Run


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_empty_null_and_unknown_texts_have_probabilities(task: str, runs: dict[str, Run]) -> None:
    classifier = runs[task].classifier()
    empty, null, blank, unknown = classifier.predict_proba(["", None, " \n", "ж ж"])
    assert (empty == null).all()
    assert (empty == blank).all()
    assert np.isfinite(unknown).all()
    assert ((empty >= 0) & (empty <= 1)).all()
    assert classifier.predict_proba([]).shape == (0, classifier.labels.outputs)


def test_columns_of_strings_of_any_library_are_accepted(runs: dict[str, Run]) -> None:
    classifier = runs["binary"].classifier()
    texts = ["great hotel, it was great", "awful film"]
    expected = classifier.predict_proba(texts)
    for column in (
        tuple(texts),
        iter(texts),
        np.array(texts),
        np.array(texts, object),
        pd.Series(texts),
        pd.Series(texts, dtype="category"),
        pa.array(texts),
        pa.chunked_array([texts]),
        pa.array(texts, pa.large_string()),
        pa.array(texts).dictionary_encode(),
    ):
        assert (classifier.predict_proba(column) == expected).all()
    missing = classifier.predict_proba(pd.Series(["great", None, float("nan")]))
    assert (missing[1:] == classifier.predict_proba(["", ""])).all()
    assert classifier.predict_proba(np.array([None, float("nan")], object)).shape == (2, 1)


@pytest.mark.parametrize(
    "column",
    [
        "one text",
        b"bytes",
        {"text": 1},
        [1],
        ["a", float("nan")],
        np.array([1.5]),
        np.array([b"a"]),
        np.array([["a"]]),
        np.array(["a", 1], object),
        pd.Series([1, 2]),
        pd.DataFrame({"text": ["a"]}),
        pa.array([1, 2]),
        pa.array([b"a"]),
        pa.array([True]),
    ],
    ids=str,
)
def test_anything_but_a_column_of_strings_is_refused(runs: dict[str, Run], column: Any) -> None:
    with pytest.raises(TypeError, match="must be"):
        runs["binary"].classifier().predict_proba(column)


def test_a_run_is_loaded_by_its_path(runs: dict[str, Run]) -> None:
    classifier = embedclf.load(runs["binary"].path)
    good, bad = classifier.predict_proba(["great hotel, it was great", "awful hotel, it was awful"])
    assert good > 0.5 > bad
