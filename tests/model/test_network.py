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
    config: ModelConfig, task: Task, seed: int, input_length: int = LENGTH
) -> tuple[Any, Labels]:
    names = ("a", "b") if task == "binary" else ("a", "b", "c")
    labels = Labels(task, names, (1,) * len(names))
    keras.utils.set_random_seed(seed)
    net = network.build(config, labels, vocabulary_rows=ROWS, input_length=input_length)
    rng = np.random.default_rng(seed)
    net.set_weights([rng.normal(0, 1, weight.shape) for weight in net.get_weights()])
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
