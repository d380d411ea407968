"""The weights in a `.keras` file, read by h5py."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING

import numpy as np

from embedclf.model.weights import VECTORS_LAYER, Weights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.system.arrays import Floats


def read_weights(model: bytes, pooling: str) -> Weights:
    """Read the weights from a `.keras` file, without Keras.

    The file is a zip archive. Its `model.weights.h5` names a layer by its class and its number
    among the layers of that class, in the order of `config.json`; the layer names that embedclf
    gives do not appear there.

    Args:
        model: Content of the file.
        pooling: Pooling of the network.
    """
    import h5py

    with zipfile.ZipFile(io.BytesIO(model)) as archive:
        config = json.loads(archive.read("config.json"))
        weights = io.BytesIO(archive.read("model.weights.h5"))
    layers = [
        (layer["class_name"], layer["config"]["name"]) for layer in config["config"]["layers"]
    ]
    with h5py.File(weights, "r") as file:
        stored = file["layers"]

        def variables(class_name: str) -> Iterator[tuple[str, list[Floats]]]:
            """Yield the name that embedclf gave to each layer of a class, and its variables."""
            names = [name for kind, name in layers if kind == class_name]
            for number, name in enumerate(names):
                group = stored[f"{class_name.lower()}_{number}" if number else class_name.lower()]
                values = group["vars"]  # by number; HDF5 sorts "10" before "2"
                yield name, [np.asarray(values[key], np.float32) for key in sorted(values, key=int)]

        rows = {name: values[0] for name, values in variables("Embedding")}
        dense = tuple((kernel, bias) for _, (kernel, bias) in variables("Dense"))
    return Weights.from_layers(pooling, rows["embedding"], dense, kept=rows.get(VECTORS_LAYER))
