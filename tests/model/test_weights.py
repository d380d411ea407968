"""NumPy gives the scores of Keras."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedclf.config.sections import ModelConfig
from embedclf.model.backend import keras
from embedclf.model.classifier import Classifier
from embedclf.model.network import extract_weights
from embedclf.model.stored_weights import read_weights
from embedclf.text.token_rules import TokenRules
from embedclf.text.tokenizer import Tokenizer
from tests.model.test_network import LENGTH, ROWS, build_random
from tests.model.test_pooling import draw_ids

if TYPE_CHECKING:
    from pathlib import Path

    from embedclf.data.labels import Task
    from embedclf.runs.run import Run


@settings(max_examples=25)
@given(
    pooling=st.sampled_from(["flatten", "average", "sqrt", "max"]),
    hidden=st.lists(st.integers(1, 5), max_size=2),
    dropout=st.sampled_from([0.0, 0.5]),
    task=st.sampled_from(["binary", "multiclass", "multilabel"]),
    kept_dim=st.integers(0, 5),
    seed=st.integers(0, 1000),
)
def test_numpy_gives_the_probabilities_of_keras(
    tmp_path_factory: pytest.TempPathFactory,
    pooling: str,
    hidden: list[int],
    dropout: float,
    task: Task,
    kept_dim: int,
    seed: int,
) -> None:
    config = ModelConfig.model_validate(
        {"embedding_dim": 4, "pooling": pooling, "hidden_units": hidden, "dropout": dropout}
    )
    net, labels = build_random(config, task, seed, kept_dim=kept_dim)
    file = tmp_path_factory.mktemp("model") / "model.keras"
    net.save(file)
    tokenizer = Tokenizer(TokenRules(), LENGTH, ())
    classifier = Classifier(tokenizer, labels, read_weights(file.read_bytes(), pooling))
    ids = draw_ids(seed, 9, vocabulary_rows=ROWS, longest=LENGTH)
    scored = classifier.predict_proba_ids(ids)
    assert scored.dtype == np.float32
    assert np.abs(scored - np.asarray(net(ids.pad(LENGTH)))).max() <= 1e-5
    loaded = keras.models.load_model(file)
    assert np.abs(scored - np.asarray(loaded(ids.pad(LENGTH)))).max() <= 1e-5
    contributions = np.stack([classifier.weights.unit_contributions(text).sum(0) for text in ids])
    units = contributions + classifier.weights.dense[0][1]
    logits = classifier.weights.logits(ids)
    assert np.abs(classifier.weights.logits_from_units(units) - logits).max() <= 1e-4


@pytest.mark.parametrize("pooling", ["flatten", "average"])
@pytest.mark.parametrize("hidden", [[], [3]])
@pytest.mark.parametrize("kept_dim", [0, 3])
def test_a_fused_table_scores_as_the_vectors_do(
    tmp_path: Path, pooling: str, hidden: list[int], kept_dim: int
) -> None:
    config = ModelConfig(embedding_dim=4, pooling=pooling, hidden_units=hidden)
    net, _ = build_random(config, "binary", 2, kept_dim=kept_dim)
    net.save(tmp_path / "model.keras")
    weights = read_weights((tmp_path / "model.keras").read_bytes(), pooling)
    assert weights.fused is not None
    positions = LENGTH if pooling == "flatten" else 1
    assert weights.fused.shape == (positions, ROWS, hidden[0] if hidden else 1)
    ids = draw_ids(2, 50, vocabulary_rows=ROWS, longest=LENGTH)
    plain = replace(weights, fused=None)
    assert np.abs(plain.logits(ids) - weights.logits(ids)).max() <= 1e-5


def test_a_table_is_fused_only_where_it_pays(tmp_path: Path) -> None:
    for pooling, hidden in (("max", []), ("average", [4]), ("flatten", [5])):
        net, _ = build_random(
            ModelConfig(embedding_dim=4, pooling=pooling, hidden_units=hidden), "binary", 2
        )
        net.save(tmp_path / "model.keras")
        assert read_weights((tmp_path / "model.keras").read_bytes(), pooling).fused is None


def test_the_rows_of_the_embedding_are_kept_numbers_then_trained_ones(tmp_path: Path) -> None:
    net, _ = build_random(ModelConfig(embedding_dim=4), "binary", 2, kept_dim=3)
    net.save(tmp_path / "model.keras")
    weights = read_weights((tmp_path / "model.keras").read_bytes(), "flatten")
    extracted = extract_weights(net, "flatten")
    assert weights.kept_dim == extracted.kept_dim == 3
    assert (weights.embedding == extracted.embedding).all()
    kept, trained = (net.get_layer(name).get_weights()[0] for name in ("vectors", "embedding"))
    assert (weights.embedding[:, 3:] == trained).all()
    assert (weights.embedding[: len(kept), :3] == kept).all()
    assert not weights.embedding[len(kept) :, :3].any()


def test_large_batches_are_scored_in_pieces(runs: dict[str, Run]) -> None:
    classifier = runs["binary"].classifier()
    texts = [f"great hotel {n}" for n in range(7)] * 50_000
    assert (
        len(texts) * classifier.tokenizer.sequence_length > 1 << 21
    )  # gathered in two calls or more
    probabilities = classifier.predict_proba(texts).reshape(50_000, 7, -1)
    assert np.abs(probabilities - classifier.predict_proba(texts[:7])).max() <= 1e-6
