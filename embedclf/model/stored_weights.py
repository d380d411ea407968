"""The weights in a `.keras` file: saved by Keras, mapped or read without it.

The file is a zip archive. Its `model.weights.h5` names a layer by its class and its number among
the layers of that class, in the order of `config.json`; the layer names that embedclf gives do not
appear there.
"""

from __future__ import annotations

import io
import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from embedclf.model.weights import VECTORS_LAYER, Weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from embedclf.system.arrays import Floats

    Value = TypeVar("Value")

    Place = dict[str, Any]
    """`offset` of an array in the file, in bytes, and its `shape`."""

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"

_ALIGNMENT = 64
"""Bytes of a cache line, of which mapped rows should touch as few as possible."""


class _Variables(NamedTuple):
    """The variables of a network, as datasets of its HDF5 file."""

    embedding: Any
    vectors: Any
    """Kept word vectors, or None."""
    dense: list[tuple[Any, Any]]
    """Kernel and bias of each layer."""


def save_network(network: Any, file: Path) -> dict[str, Any]:
    """Save a `keras.Model`, so that its weights can be mapped into memory.

    Returns:
        Plain values for `map_weights`: where the arrays lie in the file.
    """
    network.save(file)
    start, places = _weights_offset(file), _locate(file)
    padding = -(start + places["embedding"]["offset"]) % _ALIGNMENT
    if padding:
        _pad_config(file, padding)
        start = _weights_offset(file)
    for place in _all(places):
        place["offset"] += start
    return places


def map_weights(model: memoryview, places: dict[str, Any], pooling: str) -> Weights:
    """Return the weights in a `.keras` file that `save_network` wrote, without copying them.

    Args:
        model: Content of the file, mapped.
        places: As `save_network` returned them.
        pooling: Pooling of the network.
    """

    def array(place: Place) -> Floats:
        numbers = np.frombuffer(model, np.float32, math.prod(place["shape"]), place["offset"])
        return numbers.reshape(place["shape"])

    dense = tuple((array(each["kernel"]), array(each["bias"])) for each in places["dense"])
    kept = array(places["vectors"]) if "vectors" in places else None
    return Weights.from_layers(pooling, array(places["embedding"]), dense, kept=kept)


def read_weights(model: bytes, pooling: str) -> Weights:
    """Read the weights from any `.keras` file of embedclf, without Keras.

    Args:
        model: Content of the file.
        pooling: Pooling of the network.
    """

    def read(variables: _Variables) -> Weights:
        kept = None if variables.vectors is None else _read(variables.vectors)
        dense = tuple((_read(kernel), _read(bias)) for kernel, bias in variables.dense)
        return Weights.from_layers(pooling, _read(variables.embedding), dense, kept=kept)

    return _with_variables(io.BytesIO(model), read)


def _read(dataset: Any) -> Floats:
    return np.asarray(dataset, np.float32)


def _weights_offset(file: Path) -> int:
    """Return where the weights begin in a `.keras` file."""
    import struct
    import zipfile  # here: predicting does without it

    with zipfile.ZipFile(file) as archive:
        header = archive.getinfo(_WEIGHTS).header_offset
    with file.open("rb") as content:
        content.seek(header)
        # A header of 30 bytes ends with the lengths of a name and of extra fields, which follow it
        name, extra = struct.unpack("<HH", content.read(30)[26:])
    return header + 30 + int(name) + int(extra)


def _locate(file: Path) -> dict[str, Any]:
    """Return the place of each array in the weights of a `.keras` file."""

    def place(dataset: Any) -> Place:
        return {"offset": dataset.id.get_offset(), "shape": list(dataset.shape)}

    def locate(variables: _Variables) -> dict[str, Any]:
        kept = {} if variables.vectors is None else {"vectors": place(variables.vectors)}
        dense = [{"kernel": place(kernel), "bias": place(bias)} for kernel, bias in variables.dense]
        return {"embedding": place(variables.embedding), **kept, "dense": dense}

    return _with_variables(file, locate)


def _all(places: dict[str, Any]) -> Iterator[Place]:
    yield from (places[name] for name in ("embedding", "vectors") if name in places)
    for layer in places["dense"]:
        yield from (layer["kernel"], layer["bias"])


def _with_variables(file: Any, use: Callable[[_Variables], Value]) -> Value:
    """Open a `.keras` file, and pass its variables to a function."""
    import zipfile

    import h5py

    with zipfile.ZipFile(file) as archive:
        config = json.loads(archive.read(_CONFIG))
        # In memory: h5py seeks back, and a zip archive computes its checksum from the start again
        weights = io.BytesIO(archive.read(_WEIGHTS))
    layers = [
        (layer["class_name"], layer["config"]["name"]) for layer in config["config"]["layers"]
    ]
    with h5py.File(weights, "r") as stored:
        rows = {name: values[0] for name, values in _layers(stored, layers, "Embedding")}
        dense = [(kernel, bias) for _, (kernel, bias) in _layers(stored, layers, "Dense")]
        return use(_Variables(rows["embedding"], rows.get(VECTORS_LAYER), dense))


def _layers(
    stored: Any, layers: list[tuple[str, str]], class_name: str
) -> Iterator[tuple[str, list[Any]]]:
    """Yield the name that embedclf gave to each layer of a class, and its variables."""
    names = [name for kind, name in layers if kind == class_name]
    for number, name in enumerate(names):
        group = f"{class_name.lower()}_{number}" if number else class_name.lower()
        values = stored["layers"][group]["vars"]  # by number; HDF5 sorts "10" before "2"
        yield name, [values[key] for key in sorted(values, key=int)]


def _pad_config(file: Path, size: int) -> None:
    """Move the weights in a `.keras` file back, by spaces at the end of its `config.json`."""
    import shutil
    import zipfile

    draft = file.with_suffix(".padded")
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(draft, "w") as padded:
        for info in archive.infolist():
            copy = zipfile.ZipInfo(info.filename, info.date_time)
            copy.file_size = info.file_size  # above 2 GiB, its header is another
            with archive.open(info) as source, padded.open(copy, "w") as target:
                shutil.copyfileobj(source, target, 1 << 20)
                target.write(b" " * size if info.filename == _CONFIG else b"")
    draft.replace(file)
