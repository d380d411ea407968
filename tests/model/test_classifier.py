"""NumPy's scores beside Keras's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import embedclf
from embedclf.config.schema import ModelConfig
from embedclf.data.labels import Labels, Task
from embedclf.model import network
from embedclf.model.backend import keras
from embedclf.model.classifier import Classifier
from embedclf.model.weights import read_weights
from embedclf.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.runs.run import Run

ROWS, LENGTH = 30, 7


def build(config: ModelConfig, task: Task, seed: int, slots: int = LENGTH) -> tuple[Any, Labels]:
    names = ("a", "b") if task == "binary" else ("a", "b", "c")
    labels = Labels(task, names, (1,) * len(names))
    keras.utils.set_random_seed(seed)
    net = network.build(config, labels, rows=ROWS, slots=slots)
    rng = np.random.default_rng(seed)
    net.set_weights([rng.normal(0, 1, weight.shape) for weight in net.get_weights()])
    return net, labels


@settings(max_examples=25)
@given(
    pooling=st.sampled_from(["flatten", "average", "sqrt", "max"]),
    hidden=st.lists(st.integers(1, 5), max_size=2),
    dropout=st.sampled_from([0.0, 0.5]),
    task=st.sampled_from(["binary", "multiclass", "multilabel"]),
    seed=st.integers(0, 1000),
)
def test_numpy_scores_as_keras_does(
    tmp_path_factory: pytest.TempPathFactory,
    pooling: str,
    hidden: list[int],
    dropout: float,
    task: Task,
    seed: int,
) -> None:
    config = ModelConfig.model_validate(
        {"embedding_dim": 4, "pooling": pooling, "hidden_units": hidden, "dropout": dropout}
    )
    net, labels = build(config, task, seed)
    file = tmp_path_factory.mktemp("model") / "model.keras"
    net.save(file)
    tokenizer = Tokenizer("word", True, LENGTH, ())
    classifier = Classifier(tokenizer, labels, read_weights(file.read_bytes(), pooling))
    ids = np.random.default_rng(seed).integers(0, ROWS, (9, LENGTH)).astype(np.int32)
    ids[0] = 0
    ids[1, 3:] = 0
    scored = classifier.score(ids)
    assert scored.dtype == np.float32
    assert np.abs(scored - np.asarray(net(ids))).max() <= 1e-5
    loaded = keras.models.load_model(file)
    assert np.abs(scored - np.asarray(loaded(ids))).max() <= 1e-5


@pytest.mark.parametrize("pooling", ["flatten", "average"])
@pytest.mark.parametrize("hidden", [[], [3]])
def test_a_folded_table_scores_as_vectors_do(
    tmp_path: Path, pooling: str, hidden: list[int]
) -> None:
    config = ModelConfig(embedding_dim=4, pooling=pooling, hidden_units=hidden)
    net, _ = build(config, "binary", 2)
    net.save(tmp_path / "model.keras")
    weights = read_weights((tmp_path / "model.keras").read_bytes(), pooling)
    assert weights.folded is not None
    positions = LENGTH if pooling == "flatten" else 1
    assert weights.folded.shape == (positions, ROWS, hidden[0] if hidden else 1)
    ids = np.random.default_rng(2).integers(0, ROWS, (50, LENGTH)).astype(np.int32)
    plain = replace(weights, folded=None)
    assert np.abs(plain.logits(ids) - weights.logits(ids)).max() <= 1e-5


def test_a_table_is_folded_only_where_it_pays(tmp_path: Path) -> None:
    for pooling, hidden in (("max", []), ("average", [4]), ("flatten", [5])):
        net, _ = build(
            ModelConfig(embedding_dim=4, pooling=pooling, hidden_units=hidden), "binary", 2
        )
        net.save(tmp_path / "model.keras")
        assert read_weights((tmp_path / "model.keras").read_bytes(), pooling).folded is None


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_order_and_padding_count_for_nothing_but_in_flatten(pooling: str) -> None:
    net, _ = build(ModelConfig(embedding_dim=4, pooling=pooling), "binary", 1)
    ids = np.array([[5, 6, 7, 0, 0, 0, 0], [0, 7, 0, 6, 0, 0, 5]], np.int32)
    first, second = np.asarray(net(ids))
    assert first == pytest.approx(second, abs=1e-6)
    net, _ = build(ModelConfig(embedding_dim=4), "binary", 1)
    first, second = np.asarray(net(ids))
    assert abs(first - second) > 1e-3


def test_large_batches_are_scored_in_parts(runs: dict[str, Run]) -> None:
    classifier = runs["binary"].classifier()
    texts = [f"great hotel {n}" for n in range(5)] * 400
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("embedclf.model.weights._GATHERED_NUMBERS", 500)
        parts = classifier.predict_proba(texts)
    assert np.abs(parts - classifier.predict_proba(texts)).max() <= 1e-6


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_empty_null_and_unknown_texts_have_a_defined_answer(
    task: str, runs: dict[str, Run]
) -> None:
    classifier = runs[task].classifier()
    empty, null, blank, unknown = classifier.predict_proba(["", None, " \n", "ж ж"])
    assert (empty == null).all()
    assert (empty == blank).all()
    assert np.isfinite(unknown).all()
    assert ((empty >= 0) & (empty <= 1)).all()
    assert classifier.predict_proba([]).shape == (0, classifier.labels.outputs)


def test_columns_of_strings_are_texts_whoever_made_them(runs: dict[str, Run]) -> None:
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
def test_what_is_no_column_of_strings_is_refused(runs: dict[str, Run], column: Any) -> None:
    with pytest.raises(TypeError, match="must be"):
        runs["binary"].classifier().predict_proba(column)


def test_a_run_is_loaded_by_its_path(runs: dict[str, Run]) -> None:
    classifier = embedclf.load(runs["binary"].path)
    good, bad = classifier.predict_proba(["great hotel, it was great", "awful hotel, it was awful"])
    assert good > 0.5 > bad
