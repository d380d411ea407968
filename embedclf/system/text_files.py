"""Text files of any encoding, compressed or not, read as UTF-8 bytes."""

from __future__ import annotations

import codecs
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from embedclf.errors import DataError
from embedclf.system.arrow import BLOCK_BYTES
from embedclf.system.formats import is_compressed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NOT_FILE_ENCODINGS = {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}

_BYTE_ORDER_MARKS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Utf8Stream:
    """An open text file."""

    decoded: Any
    """Arrow stream of the UTF-8 bytes."""
    stored: Any
    """Arrow file of the bytes on disk."""

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
    """A text file: its path, its name in messages, and its encoding."""

    path: Path
    name: str
    encoding: str = "utf-8"

    @contextmanager
    def open(self) -> Iterator[Utf8Stream]:
        """Open the file as a stream of UTF-8 bytes; files in `.gz` are decompressed.

        Raises:
            DataError: The encoding is unknown, or the file cannot be read or decoded (also inside
                the block); the message begins with the line.
        """
        try:
            codec = codec_name(self.encoding)
        except LookupError as error:
            raise DataError(
                f"{self.name}: unknown encoding {self.encoding!r}; try utf-8, cp1252 or latin-1"
            ) from error
        try:
            with pa.OSFile(str(self.path)) as stored:
                stream = _decompressed(stored, self.path)
                # UTF-8 passes through unchecked; the parser reports invalid bytes.
                if codec != "utf-8":
                    stream = pa.transcoding_input_stream(stream, self.encoding, "utf-8")
                yield Utf8Stream(stream, stored)
        except UnicodeError as error:
            raise self.find_decode_error() or DataError(f"{self.name}: {error}") from error
        except OSError as error:
            raise DataError(
                f"{self.name}: cannot be read: {error.strerror or one_line(error)}"
            ) from error

    def find_decode_error(self) -> DataError | None:
        """Locate the first byte that is not in the file's encoding; None if there is none."""
        decoder = codecs.getincrementaldecoder(self.encoding)()
        line, more = 1, True
        with pa.OSFile(str(self.path)) as stored:
            stream = _decompressed(stored, self.path)
            while more:
                more = bool(chunk := stream.read(BLOCK_BYTES))
                try:
                    # The last chunk is empty; it makes an incomplete character an error.
                    line += decoder.decode(chunk, final=not more).count("\n")
                except UnicodeDecodeError as error:
                    before = error.object[: error.start].decode(self.encoding, errors="replace")
                    return self._decode_error(error, line + before.count("\n"))
                except UnicodeError as error:  # for example no byte-order mark in UTF-16
                    return DataError(f"{self.name}: not {self.encoding}: {one_line(error)}")
        return None

    def _decode_error(self, error: UnicodeDecodeError, line: int) -> DataError:
        guess = "cp1252" if self.encoding == "utf-8" else "NAME"
        return DataError(
            f"{self.name}:{line}: byte 0x{error.object[error.start]:02x} is not {self.encoding}; "
            f"name the encoding: --encoding {guess}, or data.encoding in a config"
        )


def open_text(path: Path, name: str, encoding: str | None) -> TextFile:
    """Return a text file; without an encoding, that of its byte-order mark, or UTF-8.

    Raises:
        DataError: The file cannot be read.
    """
    if encoding is not None:
        return TextFile(path, name, encoding)
    with TextFile(path, name).open() as stream:
        head = stream.read(4)
    marked = (encoding for mark, encoding in _BYTE_ORDER_MARKS if head.startswith(mark))
    return TextFile(path, name, next(marked, "utf-8"))


def is_utf8(head: bytes) -> bool:
    """Whether the beginning of a file is UTF-8; its last character may be incomplete."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def codec_name(encoding: str) -> str:
    """Return the canonical name of a text encoding.

    Raises:
        LookupError: There is no such encoding, or it decodes to bytes, like `hex`.
    """
    try:
        codec = codecs.lookup(encoding)
    except ValueError as error:  # for example a null character in the name
        raise LookupError(encoding) from error
    # A private attribute, but nothing else distinguishes codecs such as hex.
    if not getattr(codec, "_is_text_encoding", True) or codec.name in _NOT_FILE_ENCODINGS:
        raise LookupError(encoding)
    return codec.name


def one_line(error: Exception) -> str:
    """Return an error's message without line breaks."""
    return " ".join(str(error).split())


def _decompressed(stored: Any, path: Path) -> Any:
    return pa.CompressedInputStream(stored, "gzip") if is_compressed(path) else stored
