"""TensorFlow and Keras: the backend, the device, the seed."""

from __future__ import annotations

import os
import random
import subprocess
import sys

import numpy as np

from embedclf.model import backend


def import_backend(code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_another_keras_backend_in_the_environment_does_not_matter() -> None:
    code = """
import os
from embedclf.model.tensorflow_import import light_imports
with light_imports():
    from embedclf.model.backend import keras
print(keras.backend.backend(), os.environ["KERAS_BACKEND"])
"""
    assert import_backend(code).stdout == "tensorflow jax\n"


def test_keras_on_another_backend_is_refused() -> None:
    code = """
import sys, types
keras = types.ModuleType("keras")
keras.backend = types.SimpleNamespace(backend=lambda: "jax")
sys.modules.update(keras=keras, tensorflow=types.ModuleType("tensorflow"))
import embedclf.model.backend
"""
    done = import_backend(code)
    assert "TrainingError: Keras runs on jax in this process" in done.stderr


def test_the_device_is_described() -> None:
    device = backend.start("cpu")
    assert device.kind == "cpu"
    assert device.name
    assert device.cores >= 1


def test_a_seed_gives_the_same_network_and_leaves_other_generators_alone() -> None:
    def kernel() -> np.ndarray:
        with backend.seeded(7):
            layer = backend.keras.layers.Dense(3)
            layer.build((None, 4))
        return np.asarray(layer.get_weights()[0])

    state = random.getstate()
    first = kernel()
    assert random.getstate() == state
    assert np.array_equal(first, kernel())
