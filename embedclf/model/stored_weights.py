"""The weights in a `.keras` file: saved by Keras, mapped or read without it.

The file is a zip archive. Its `model.weights.h5` names a layer by its class and its number among
the layers of that class, in the order of `config.json`; the layer names that embedclf gives do not
appear there.
"""

from __future__ import annotations

import io
import json
import math
import shutil
import struct
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

_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"

_HEADER_BYTES = 30
"""Size of the header of a file in a zip archive, without its name and extra fields."""

_PADDING_FIELD = 0xD935
"""Type of the extra field of a ZIP header by which Android aligns files."""

_FAULTS = (EOFError, KeyError, MemoryError, OSError, RuntimeError, TypeError)
"""What reading a file raises if it is not as Keras writes it, beside ValueError."""

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
    folder = file.with_suffix(".unpacked")
    network.save(folder, zipped=False)
    places = _with_stored(folder / _WEIGHTS, (folder / _CONFIG).read_bytes(), _locate)
    start = _pack(folder, file, places["embedding"]["offset"])
    shutil.rmtree(folder)
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

    Raises:
        ValueError: The file is damaged, or is not as Keras writes it.
    """
    from zipfile import BadZipFile  # here: runs since format 8 are read without it

    def read(variables: _Variables) -> Weights:
        kept = None if variables.vectors is None else _read(variables.vectors)
        dense = tuple((_read(kernel), _read(bias)) for kernel, bias in variables.dense)
        return Weights.from_layers(pooling, _read(variables.embedding), dense, kept=kept)

    try:
        return _with_variables(io.BytesIO(model), read)
    except (BadZipFile, *_FAULTS) as error:
        raise ValueError("not as Keras writes it") from error


def _read(dataset: Any) -> Floats:
    """Read a dataset whose numbers all lie in this file, uncompressed.

    HDF5 would also read them from other files, invent them, or unpack them from very few bytes.
    """
    is_whole = dataset.id.get_storage_size() == dataset.nbytes
    if dataset.external or dataset.is_virtual or dataset.chunks or not is_whole:
        raise ValueError("other storage")
    if dataset.dtype != np.float32:
        raise ValueError("other numbers")
    return np.asarray(dataset)


def _pack(folder: Path, file: Path, aligned: int) -> int:
    """Put the files that Keras wrote into an archive, with an offset in the weights aligned.

    Keras itself would refuse to write an archive while the clock is before 1980.

    Returns:
        Where the weights begin in the archive.
    """
    import zipfile  # here: predicting does without it

    with zipfile.ZipFile(file, "w") as archive:
        for name in (_WEIGHTS, _CONFIG, _METADATA):  # the weights first, so they begin at 0
            info = zipfile.ZipInfo(name)  # of 1980
            info.file_size = (folder / name).stat().st_size  # above 2 GiB, its header is longer
            if name == _WEIGHTS:
                start = _HEADER_BYTES + len(name) + len(_extra_field(0))
                info.extra = _extra_field(-(start + aligned) % _ALIGNMENT)
            with (folder / name).open("rb") as source, archive.open(info, "w") as target:
                shutil.copyfileobj(source, target, 1 << 20)
    with file.open("rb") as content:
        # It ends with the lengths of a name and of extra fields, which follow it
        name_size, extra_size = struct.unpack("<HH", content.read(_HEADER_BYTES)[-4:])
    return _HEADER_BYTES + int(name_size) + int(extra_size)


def _extra_field(size: int) -> bytes:
    """Return an extra field of a ZIP header that holds nothing, as Android's zipalign does."""
    return struct.pack("<HH", _PADDING_FIELD, size) + bytes(size)


def _locate(variables: _Variables) -> dict[str, Any]:
    """Return the place of each array in a file of weights."""

    def place(dataset: Any) -> Place:
        return {"offset": dataset.id.get_offset(), "shape": list(dataset.shape)}

    kept = {} if variables.vectors is None else {"vectors": place(variables.vectors)}
    dense = [{"kernel": place(kernel), "bias": place(bias)} for kernel, bias in variables.dense]
    return {"embedding": place(variables.embedding), **kept, "dense": dense}


def _all(places: dict[str, Any]) -> Iterator[Place]:
    yield from (places[name] for name in ("embedding", "vectors") if name in places)
    for layer in places["dense"]:
        yield from (layer["kernel"], layer["bias"])


def _with_variables(file: Any, use: Callable[[_Variables], Value]) -> Value:
    """Open a `.keras` file, and pass its variables to a function."""
    import zipfile

    with zipfile.ZipFile(file) as archive:
        if any(archive.getinfo(name).compress_type for name in (_CONFIG, _WEIGHTS)):
            raise ValueError("compressed")  # Keras only stores; a few bytes could become gigabytes
        # In memory: h5py seeks back, and a zip archive computes its checksum from the start again
        return _with_stored(io.BytesIO(archive.read(_WEIGHTS)), archive.read(_CONFIG), use)


def _with_stored(weights: Any, config: bytes, use: Callable[[_Variables], Value]) -> Value:
    """Open a file of weights, and pass its variables to a function."""
    import h5py

    layers = [
        (layer["class_name"], layer["config"]["name"])
        for layer in json.loads(config)["config"]["layers"]
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
        values = _child(_child(_child(stored, "layers"), group), "vars")
        yield name, [_child(values, str(number)) for number in range(len(values))]


def _child(group: Any, name: str) -> Any:
    """Return a group or dataset in this file; a link could lead to another file."""
    import h5py

    is_here = isinstance(group.get(name, getlink=True), h5py.HardLink)
    if not is_here:
        raise ValueError("a link")
    return group[name]
