"""Text files of any encoding, compressed or not, read as UTF-8 bytes."""

from __future__ import annotations

import codecs
import io
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from embedclf.errors import DataError
from embedclf.system.arrow import BLOCK_BYTES
from embedclf.system.compression import open_unpacked
from embedclf.system.encodings.names import (
    codec_name,
    encoding_hint,
    is_utf8,
    marked_encoding,
    unknown_encoding,
    wide_encoding,
)
from embedclf.system.storage import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.system.encodings.detection import LikelyEncodings

_HEAD_BYTES = 1 << 10
"""Bytes at the beginning to search for a byte-order mark, or for the NUL bytes of UTF-16."""

_UTF8 = {"utf-8", "utf-8-sig"}


@dataclass(frozen=True)
class Utf8Stream:
    """An open text file."""

    decoded: Any
    """Stream of the UTF-8 bytes, with the methods of a file."""
    stored: Any
    """Arrow file of the bytes as they are stored."""

    def read(self, size: int | None = None) -> bytes:
        """Return the next bytes as UTF-8; without a size, all remaining bytes."""
        content: bytes = self.decoded.read(size)
        return content

    @property
    def fraction_read(self) -> float:
        """Fraction of the file read so far, from 0 to 1."""
        return float(self.stored.tell() / max(1, self.stored.size()))


@dataclass(frozen=True)
class TextFile:
    """A text file: where it is, its name in messages, and its encoding."""

    location: str
    """Its path, or its URI."""
    name: str
    encoding: str = "utf-8"
    is_detected: bool = False
    """Whether nobody named the encoding. Then bytes that are not UTF-8 are read as cp1252 if this
    is the only sensible reading of the whole file."""
    _likely: list[LikelyEncodings] = field(default_factory=list, compare=False, repr=False)
    """What the whole file looks like, once it had to be examined."""

    @property
    def assumed_encoding(self) -> str | None:
        """The encoding assumed instead of UTF-8; None until a byte has been read that is not."""
        return self._likely[0].only if self.is_detected and self._likely else None

    @property
    def described_encoding(self) -> str:
        """The encoding as it is shown: `utf-8`, or `cp1252 (assumed)`."""
        return f"{self.assumed_encoding} (assumed)" if self.assumed_encoding else self.encoding

    @contextmanager
    def open(self) -> Iterator[Utf8Stream]:
        """Open the file as a stream of UTF-8 bytes; a compressed file is unpacked.

        Raises:
            DataError: The encoding is unknown, or the file cannot be read or decoded (also inside
                the block); the message begins with the line.
        """
        codec = self._codec_name()
        with open_unpacked(self.location, self.name) as (stored, unpacked):
            try:
                yield Utf8Stream(self._decoded(unpacked, codec), stored)
            except UnicodeError as error:
                fault = self.find_decode_error()
                raise fault or DataError(f"{self.name}: {error}") from error

    def find_decode_error(self) -> DataError | None:
        """Locate the first byte that is not in the file's encoding; None if there is none."""
        decoder = codecs.getincrementaldecoder(self.encoding)()
        line = 1
        for chunk in self.iter_stored():
            try:
                # The last chunk is empty; it makes an incomplete character an error.
                line += decoder.decode(chunk, final=not chunk).count("\n")
            except UnicodeDecodeError as error:
                before = error.object[: error.start].decode(self.encoding, errors="replace")
                return self._decode_error(error, line + before.count("\n"))
            except UnicodeError as error:  # for example no byte-order mark in UTF-16
                return DataError(
                    f"{self.name}: not {self.encoding}: {one_line(error)}; name the encoding: "
                    f"{encoding_hint(self.likely_encodings().names)}"
                )
        return None

    def with_assumed_encoding(self) -> TextFile:
        """Return the file with the encoding that it is read with, assumed or not, as if named."""
        if self.is_detected and self.find_decode_error() is not None:
            return replace(self, encoding=self.assumed_encoding or self.encoding, is_detected=False)
        return self

    def likely_encodings(self) -> LikelyEncodings:
        """Return what the bytes of the whole file look like; they are read only once."""
        from embedclf.system.encodings.detection import likely_encodings

        if not self._likely:
            self._likely.append(likely_encodings(self.iter_stored()))
        return self._likely[0]

    def iter_stored(self) -> Iterator[bytes]:
        """Yield the bytes of the whole file, unpacked but not decoded; the last chunk is empty."""
        with open_unpacked(self.location, self.name) as (_, unpacked):
            while chunk := unpacked.read(BLOCK_BYTES):
                yield chunk
        yield b""

    def _codec_name(self) -> str:
        try:
            return codec_name(self.encoding)
        except LookupError as error:
            raise DataError(f"{self.name}: {unknown_encoding(self.encoding)}") from error

    def _decoded(self, unpacked: Any, codec: str) -> Any:
        if codec != "utf-8":
            if not isinstance(unpacked, pa.NativeFile):
                unpacked = pa.PythonFile(unpacked, mode="r")
            return pa.transcoding_input_stream(unpacked, self.encoding, "utf-8")
        # UTF-8 passes through unchecked; the parser reports invalid bytes.
        return _DetectingStream(unpacked, self) if self.is_detected else unpacked

    def _decode_error(self, error: UnicodeDecodeError, line: int) -> DataError:
        likely = self.likely_encodings()
        fault = f"{self.name}:{line}: byte 0x{error.object[error.start]:02x} is not {self.encoding}"
        if likely.is_utf8 and codec_name(self.encoding) in _UTF8:
            return DataError(
                f"{fault}, but other characters are; correct such lines, or save the file as UTF-8"
            )
        return DataError(f"{fault}; name the encoding: {encoding_hint(likely.names)}")


def open_text(location: str, name: str, encoding: str | None) -> TextFile:
    """Return a text file; without an encoding, that of its byte-order mark, or UTF-8.

    Raises:
        DataError: The file cannot be read, or is UTF-16 or UTF-32 without a byte-order mark.
    """
    if encoding is not None:
        return TextFile(location, name, encoding)
    with TextFile(location, name).open() as stream:
        head = stream.read(_HEAD_BYTES)
    if marked := marked_encoding(head):
        return TextFile(location, name, marked)
    if wide := wide_encoding(head):
        raise DataError(
            f"{name}: this looks like {wide} without a byte-order mark; name the encoding: "
            f"{encoding_hint((wide,))}"
        )
    return TextFile(location, name, is_detected=True)


class _DetectingStream(io.RawIOBase):
    """Passes UTF-8 through; bytes that are not UTF-8 become UTF-8 if their encoding is sure.

    It is decided at the first byte that is not ASCII, since ASCII is the same in both encodings.
    """

    def __init__(self, stored: Any, file: TextFile) -> None:
        self._stored, self._file = stored, file
        self._is_decided = False
        self._encoding: str | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes, which can be more than `size` after decoding."""
        chunk: bytes = self._stored.read(None if size == -1 else size)
        if not self._is_decided and not chunk.isascii():
            self._decide(chunk)
        return chunk if self._encoding is None else chunk.decode(self._encoding).encode()

    def readinto(self, buffer: Any) -> int:
        # A character of cp1252 becomes three bytes at most.
        chunk = self.read(max(1, len(buffer) // 3))
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def _decide(self, chunk: bytes) -> None:
        complete = chunk.decode("utf-8", errors="ignore")
        # Only an incomplete character at the end says nothing of the encoding.
        if not is_utf8(chunk) or complete.isascii():
            self._encoding = self._file.likely_encodings().only
        self._is_decided = True
