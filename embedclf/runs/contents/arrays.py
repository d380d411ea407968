"""Arrays in files of a run: Arrow columns and NumPy archives, which claim sizes of their own."""

from __future__ import annotations

import io
import struct
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from embedclf.runs.contents.byte_planes import MAX_PLANES, join_planes, plane_name
from embedclf.runs.contents.values import damaged
from embedclf.system.arrow import to_numpy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from zipfile import ZipFile

    import numpy.typing as npt

_FREE_BYTES, _MAX_RATIO = 1 << 28, 32
"""A file may become 256 MiB, or 32 times as large as it is. Ids compress to a half or a third of
their size, tokens to a third; only long runs of equal counts to less, and these fit into the first.
"""

_FILE_START = 8
"""Bytes before the messages of an Arrow file."""

_FAULTS = (
    pa.ArrowException,
    EOFError,
    KeyError,
    MemoryError,
    OSError,
    RuntimeError,
    StopIteration,
    TypeError,
    ValueError,
    struct.error,
)
"""What Arrow, NumPy and Python's archives raise for content that does not fit its description."""


def read_tokens(content: memoryview, file: Path | str) -> list[str]:
    """Read `tokens.arrow`.

    Raises:
        RunError: It is damaged, or claims to be far larger than it can be.
    """
    tokens: list[str] = _read_columns(content, {"token": pa.types.is_string}, file)[
        "token"
    ].to_pylist()
    return tokens


def read_numbers(
    content: memoryview, file: Path | str, *names: str, factors: str | None = None
) -> list[npt.NDArray[Any]]:
    """Read columns (n,) of integers.

    Args:
        content: Of a file that `embedclf.system.arrow.write_columns` wrote.
        file: For the error.
        *names: Of the columns.
        factors: Name of a last column of fractions, which may be missing.

    Raises:
        RunError: As `read_tokens`.
    """
    kinds = dict.fromkeys(names, pa.types.is_integer)
    optional = {} if factors is None else {factors: pa.types.is_floating}
    return [to_numpy(column) for column in _read_columns(content, kinds, file, optional).values()]


def read_fractions(content: memoryview, file: Path | str, name: str) -> npt.NDArray[np.floating]:
    """Read a column (n,) of fractions; arguments and errors as for `read_numbers`."""
    return to_numpy(_read_columns(content, {name: pa.types.is_floating}, file)[name])


def read_integers(
    content: memoryview, file: Path | str, *names: str
) -> list[npt.NDArray[np.signedinteger]]:
    """Read columns (n,) that `embedclf.runs.contents.byte_planes.write_integers` wrote.

    Raises:
        RunError: As `read_tokens`.
    """
    first = {plane_name(name, 0): pa.types.is_uint8 for name in names}
    others = {
        plane_name(name, number): pa.types.is_uint8
        for name in names
        for number in range(1, MAX_PLANES)
    }
    columns = _read_columns(content, first, file, others)
    integers = []
    for name in names:
        planes = [plane_name(name, number) for number in range(MAX_PLANES)]
        present = [columns[plane] for plane in planes if plane in columns]
        if planes[len(present) - 1] not in columns:
            raise damaged(file)
        integers.append(join_planes([to_numpy(plane) for plane in present]))
    return integers


def read_archive(
    content: memoryview, file: Path | str, *names: set[str]
) -> dict[str, npt.NDArray[Any]]:
    """Read arrays of numbers from an archive that `numpy.savez` wrote.

    Args:
        content: Of the archive.
        file: For the error.
        *names: Of the arrays; one set for each form of the file.

    Raises:
        RunError: It is damaged or compressed, has other arrays, or a number is not finite.
    """
    import zipfile  # here: predicting does without it

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _require_stored(archive, len(content))
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = dict(stored)
        if set(arrays) not in names or not all(map(is_finite, arrays.values())):
            raise ValueError("other arrays")
    except (zipfile.BadZipFile, *_FAULTS) as error:
        raise damaged(file) from error
    return arrays


def is_finite(numbers: npt.NDArray[Any]) -> bool:
    """Whether an array holds numbers only, none of which is infinite or NaN."""
    if numbers.dtype.kind not in "iuf":
        return False
    # Both are NaN if any number is; `np.isfinite` would need an array as long.
    return not numbers.size or bool(np.isfinite(numbers.min()) and np.isfinite(numbers.max()))


def _read_columns(
    content: memoryview,
    kinds: dict[str, Any],
    file: Path | str,
    optional: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, pa.Array]:
    """Return the columns with these names, whose types satisfy functions of `pyarrow.types`."""
    try:
        batch = _read_batch(pa.py_buffer(content)[_FILE_START:])
        expected = kinds | {name: optional[name] for name in batch.schema.names[len(kinds) :]}
        columns: list[pa.Array] = batch.columns
        fits = all(kind(each.type) for kind, each in zip(expected.values(), columns, strict=True))
        if not fits or batch.schema.names != list(expected) or any(c.null_count for c in columns):
            raise ValueError("other columns")
        batch.validate(full=True)  # else, wrong offsets lead out of the file
    except _FAULTS as error:
        raise damaged(file) from error
    return dict(zip(expected, columns, strict=True))


def _read_batch(stream: pa.Buffer) -> pa.RecordBatch:
    """Read a schema and a record batch; what follows in the file is not looked at."""
    messages = pa.ipc.MessageReader.open_stream(stream)
    messages.read_next_message()  # the schema
    batch = messages.read_next_message()
    limit = max(_FREE_BYTES, _MAX_RATIO * stream.size)
    if batch.type != "record batch" or sum(_declared_bytes(batch)) > limit:
        raise ValueError("too large")
    return pa.ipc.open_stream(stream).read_next_batch()


def _declared_bytes(message: pa.ipc.Message) -> Iterator[int]:
    """Yield how long each buffer of a record batch claims to be once it is decompressed.

    Arrow believes it, and allocates as much. Fields are numbered as in Message.fbs of the Arrow
    format, version 1.4; a compressed buffer begins with its length, or -1 if it is stored.
    """
    metadata, body = bytes(message.metadata), message.body
    batch = _follow(metadata, _field(metadata, _follow(metadata, 0), 2))
    buffers = _follow(metadata, _field(metadata, batch, 2))
    (count,) = struct.unpack_from("<I", metadata, buffers)
    for number in range(count):
        offset, length = struct.unpack_from("<qq", metadata, buffers + 4 + 16 * number)
        stored = struct.unpack("<q", bytes(body[offset : offset + 8]))[0] if length >= 8 else 0
        yield max(length, stored if _has_field(metadata, batch, 3) else 0)


def _follow(table: bytes, position: int) -> int:
    return position + int(struct.unpack_from("<I", table, position)[0])


def _field(content: bytes, table: int, number: int) -> int:
    """Return the position of a field of a FlatBuffers table; the table itself if it is missing."""
    vtable = table - int(struct.unpack_from("<i", content, table)[0])
    (size,) = struct.unpack_from("<H", content, vtable)
    place = 4 + 2 * number
    if place >= size:
        return table
    return table + int(struct.unpack_from("<H", content, vtable + place)[0])


def _has_field(content: bytes, table: int, number: int) -> bool:
    return _field(content, table, number) != table


def _require_stored(archive: ZipFile, size: int) -> None:
    """Refuse an archive with compressed members, which could be of any size."""
    members = archive.infolist()
    compressed = any(member.compress_type for member in members)
    if compressed or sum(member.file_size for member in members) > size:
        raise ValueError("compressed")
