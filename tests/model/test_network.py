"""The Keras model: masks, and what it is built from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from embedclf.config.sections import ModelConfig
from embedclf.data.labels import Labels, Task
from embedclf.model import network
from embedclf.model.backend import keras

ROWS, LENGTH = 30, 7


def build_random(
    config: ModelConfig, task: Task, seed: int, input_length: int = LENGTH, *, kept_dim: int = 0
) -> tuple[Any, Labels]:
    """Build a network with random weights; 10 of its rows are n-grams if it keeps vectors."""
    names = ("a", "b") if task == "binary" else ("a", "b", "c")
    labels = Labels(task, names, (1,) * len(names))
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    kept = rng.normal(0, 1, (ROWS - 10, kept_dim)).astype(np.float32) if kept_dim else None
    net = network.build(config, labels, vocabulary_rows=ROWS, input_length=input_length, kept=kept)
    net.set_weights([rng.normal(0, 1, weight.shape) for weight in net.get_weights()])
    if kept is not None:
        kept[0] = 0.0  # as padding has no vector, n-grams have none
        net.get_layer("vectors").set_weights([kept])
    return net, labels


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_order_and_padding_matter_with_flatten_pooling_only(pooling: str) -> None:
    net, _ = build_random(ModelConfig(embedding_dim=4, pooling=pooling), "binary", 1)
    ids = np.array([[5, 6, 7, 0, 0, 0, 0], [0, 7, 0, 6, 0, 0, 5]], np.int32)
    first, second = np.asarray(net(ids))
    assert first == pytest.approx(second, abs=1e-6)
    net, _ = build_random(ModelConfig(embedding_dim=4), "binary", 1)
    first, second = np.asarray(net(ids))
    assert abs(first - second) > 1e-3


def test_the_layers_of_a_network_with_kept_vectors_are_those_of_keras() -> None:
    net, _ = build_random(ModelConfig(embedding_dim=4, pooling="sqrt"), "binary", 1, kept_dim=3)
    layers = {layer.name: layer for layer in network.list_layers(net)}
    assert [*layers] == [
        *("token_ids", "word_ids", "vectors", "embedding", "joined_rows", "sqrt", "output")
    ]
    assert layers["vectors"].parameters == (ROWS - 10) * 3
    assert layers["joined_rows"].output_shape == (LENGTH, 7)
    assert network.count_trainable_parameters(net) == ROWS * 4 + 7 + 1


@pytest.mark.parametrize("pooling", ["flatten", "average", "sqrt", "max"])
def test_an_ngram_has_no_kept_vector(pooling: str) -> None:
    config = ModelConfig.model_validate({"embedding_dim": 4, "pooling": pooling})
    net, _ = build_random(config, "binary", 1, kept_dim=3)
    ids = np.array([[5, 6, 25, 0, 0, 0, 0]], np.int32)
    before = np.asarray(net(ids))
    kept = net.get_layer("vectors").get_weights()[0]
    kept[1:5], kept[7:] = 9.0, 9.0  # those of all other tokens
    net.get_layer("vectors").set_weights([kept])
    assert (np.asarray(net(ids)) == before).all()
    kept[5] += 1.0
    net.get_layer("vectors").set_weights([kept])
    assert (np.asarray(net(ids)) != before).all()
