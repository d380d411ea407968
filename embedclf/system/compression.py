"""Compressed files, recognized by their first bytes whatever their name."""

from __future__ import annotations

import io
import shlex
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from embedclf.errors import DataError
from embedclf.system.arrow import BLOCK_BYTES
from embedclf.system.storage import open_file, system_fault
from embedclf.system.terminal import format_count, join_shortened

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator

Compression = Literal["gzip", "bz2", "zstd", "xz", "zip"]

_UNPACK_COMMANDS: dict[Compression, str] = {
    "gzip": "gunzip",
    "bz2": "bunzip2",
    "zstd": "unzstd",
    "xz": "unxz",
    "zip": "unzip",
}
_EMPTY_ZIP = b"PK\x05\x06"

_MAGIC: tuple[tuple[bytes, Compression], ...] = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"PK\x03\x04", "zip"),
    (_EMPTY_ZIP, "zip"),
    *((b"BZh%d1AY&SY" % level, "bz2") for level in range(1, 10)),
    *((b"BZh%d\x17\x72\x45\x38\x50\x90" % level, "bz2") for level in range(1, 10)),  # empty
)

_MAGIC_BYTES = 10

_DOCUMENT_MEMBERS = {"[Content_Types].xml", "mimetype"}
"""Members that only a workbook or a document has."""

_MAX_RATIO = 200
"""How many times its size a file may unpack to; text is 3 to 20 times as large."""

_ANY_RATIO_BYTES = 1 << 26
"""Files that unpack to less may do so at any ratio."""

_MAX_MEMBER_LIST = 120
"""Characters of a list of members in a message."""


@contextmanager
def open_unpacked(location: str, name: str) -> Iterator[tuple[pa.NativeFile, Any]]:
    """Open a file, and yield it as it is stored, and a stream of it as it is unpacked.

    Both are the same if it is not compressed, or is a workbook or document, which is a zip archive
    inside. Memory stays constant, however much a file unpacks to. Only what its unpacked size shows
    to be made for filling memories and disks is refused.

    Args:
        location: Its path, or its URI.
        name: Its name in messages.

    Raises:
        DataError: It cannot be read, is damaged, or unpacks to 200 times its size and more than
            64 MB (also inside the block); or a zip archive is encrypted or has not exactly one file
            in it.
    """
    try:
        with open_file(location) as stored:
            try:
                unpacked = _decompressed(stored, name)
                if unpacked is not stored:
                    unpacked = _BoundedStream(unpacked, stored, name)
                yield stored, unpacked
            except _decompression_errors() as error:
                raise DataError(f"{name}: {_describe_damage(stored, error)}") from error
    except OSError as error:  # it cannot be opened
        raise DataError(f"{name}: cannot be read: {system_fault(error)}") from error


def unpack_command(stored: pa.NativeFile, name: str) -> str:
    """Return the command that unpacks an open compressed file: `gunzip table.xlsx.gz`."""
    compression = _find_compression(stored)
    return f"{_UNPACK_COMMANDS[compression]} {shlex.quote(name)}" if compression else ""


class _BoundedStream(io.RawIOBase):
    """Passes unpacked bytes through, as long as they are not far more than the file can mean."""

    def __init__(self, unpacked: pa.NativeFile, stored: pa.NativeFile, name: str) -> None:
        self._unpacked, self._stored, self._name = unpacked, stored, name
        self._left = max(_ANY_RATIO_BYTES, _MAX_RATIO * stored.size())

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes, all without a size; raises DataError if there were too many."""
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(BLOCK_BYTES), b""))
        chunk: bytes = self._unpacked.read(size)
        self._left -= len(chunk)
        if self._left < 0:
            raise DataError(
                f"{self._name}: unpacks to more than {_MAX_RATIO} times its size; if you trust it, "
                f"unpack it: {unpack_command(self._stored, self._name)}"
            )
        return chunk


def _decompressed(stored: pa.NativeFile, name: str) -> pa.NativeFile:
    """Return a stream of the unpacked bytes; raises DataError for a zip archive of many files."""
    compression = _find_compression(stored)
    if compression is None:
        return stored
    if compression == "xz":
        import lzma

        return pa.PythonFile(lzma.LZMAFile(stored), mode="r")
    if compression == "zip":
        member = _open_only_member(stored, name)
        return stored if member is None else pa.PythonFile(member, mode="r")
    return pa.CompressedInputStream(stored, compression)


def _find_compression(stored: pa.NativeFile) -> Compression | None:
    """Return the compression of an open file, and go back to its beginning."""
    stored.seek(0)
    head = stored.read(_MAGIC_BYTES)
    stored.seek(0)
    return next((name for magic, name in _MAGIC if head.startswith(magic)), None)


def _decompression_errors() -> tuple[type[Exception], ...]:
    """Return what reading a damaged or truncated compressed file raises."""
    import lzma
    import zipfile
    import zlib

    # Arrow raises OSError.
    return OSError, EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile


def _describe_damage(stored: pa.NativeFile, error: Exception) -> str:
    """Describe why a file cannot be read: a fault of the disk, or of its compression."""
    is_system_fault = isinstance(error, OSError) and error.errno is not None
    compression = _find_compression(stored)
    if compression is None or is_system_fault:
        return f"cannot be read: {system_fault(error)}"
    return f"damaged or incomplete {compression} file; download or copy it again"


def _open_only_member(stored: pa.NativeFile, name: str) -> Any:
    """Open the only file in a zip archive; None if the archive is a workbook or document."""
    import zipfile

    if stored.read(len(_EMPTY_ZIP)) == _EMPTY_ZIP:
        raise DataError(f"{name}: the zip archive is empty")
    try:
        archive = zipfile.ZipFile(stored)
    # The search for the directory went before the beginning of a very small file.
    except pa.ArrowInvalid as error:
        raise zipfile.BadZipFile from error
    if _DOCUMENT_MEMBERS & set(archive.namelist()):
        stored.seek(0)
        return None
    member = _find_only_member(archive, name)
    if member.flag_bits & 0x1:
        raise DataError(f"{name}: the zip archive is encrypted; unpack it first")
    try:
        return archive.open(member)
    # The directory of a damaged archive names a place that the file does not have.
    except pa.ArrowInvalid as error:
        raise zipfile.BadZipFile from error
    except NotImplementedError as error:  # for example Deflate64
        raise DataError(f"{name}: cannot be unpacked: {error}; unpack it first") from error


def _find_only_member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    members = [
        member
        for member in archive.infolist()
        # macOS adds a folder of its own, and hidden files.
        if not member.is_dir()
        and not member.filename.startswith("__MACOSX/")
        and not PurePosixPath(member.filename).name.startswith(".")
    ]
    if len(members) == 1:
        return members[0]
    if not members:
        raise DataError(f"{name}: the zip archive is empty")
    listed = join_shortened([member.filename for member in members], _MAX_MEMBER_LIST)
    raise DataError(
        f"{name}: the zip archive has {format_count(len(members), 'file')} ({listed}); unpack it, "
        "and name the table"
    )
