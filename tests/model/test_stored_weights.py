"""Weights are mapped from a `.keras` file as Keras reads them."""

from __future__ import annotations

import json
import time
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest

from embedclf.config.sections import ModelConfig
from embedclf.model.backend import keras
from embedclf.model.stored_weights import map_weights, read_weights, save_network
from embedclf.system.files import map_file
from tests.model.test_network import LENGTH, ROWS, build_random
from tests.model.test_pooling import draw_ids

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("pooling", "hidden", "kept_dim"), [("flatten", [], 0), ("sqrt", [5, 4], 3), ("max", [], 3)]
)
def test_mapped_weights_are_those_that_keras_loads(
    tmp_path: Path, pooling: str, hidden: list[int], kept_dim: int
) -> None:
    config = ModelConfig(embedding_dim=4, pooling=pooling, hidden_units=hidden)
    net, _ = build_random(config, "multiclass", 3, kept_dim=kept_dim)
    file = tmp_path / "model.keras"
    places = json.loads(json.dumps(save_network(net, file)))
    assert [each.name for each in tmp_path.iterdir()] == ["model.keras"]
    mapped = map_weights(map_file(file)[0], places, pooling)
    read = read_weights(file.read_bytes(), pooling)
    loaded = keras.models.load_model(file)
    for weights in (mapped, read):
        assert np.array_equal(weights.trained, loaded.get_layer("embedding").get_weights()[0])
        names = [*(f"hidden_{number}" for number in range(1, len(hidden) + 1)), "output"]
        for name, layer in zip(names, weights.dense, strict=True):
            for array, expected in zip(layer, loaded.get_layer(name).get_weights(), strict=True):
                assert np.array_equal(array, expected)
        assert (weights.kept is None) == (kept_dim == 0)
        if weights.kept is not None:
            assert np.array_equal(weights.kept, loaded.get_layer("vectors").get_weights()[0])
    ids = draw_ids(1, 9, vocabulary_rows=ROWS, longest=LENGTH)
    assert np.array_equal(mapped.logits(ids), read.logits(ids))
    probabilities = np.asarray(loaded(ids.pad(LENGTH)))
    assert np.array_equal(probabilities, np.asarray(net(ids.pad(LENGTH))))


def test_mapped_rows_begin_at_a_cache_line(tmp_path: Path) -> None:
    file = tmp_path / "model.keras"
    # Names of the layers differ in length, and so does the place of the weights
    for hidden in ([], [5], [5, 4], [5, 4, 3]):
        net, _ = build_random(ModelConfig(embedding_dim=4, hidden_units=hidden), "binary", 2)
        places = save_network(net, file)
        assert places["embedding"]["offset"] % 64 == 0
        with zipfile.ZipFile(file) as archive:
            assert archive.testzip() is None
            assert json.loads(archive.read("config.json"))["class_name"] == "Functional"


def test_a_clock_before_1980_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1e8)  # in 1973, before the first date of ZIP
    net, _ = build_random(ModelConfig(embedding_dim=4), "binary", 2)
    save_network(net, tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
