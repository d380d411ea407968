"""Text files as UTF-8 bytes, whatever compression and encoding."""

from __future__ import annotations

import codecs
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from embedclf.errors import DataError
from embedclf.system.arrow import BLOCK_BYTES
from embedclf.system.formats import is_packed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NOT_OF_FILES = {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}

_MARKS = (
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
    stored: Any

    def read(self, size: int | None = None) -> bytes:
        """The next bytes, as UTF-8; all that are left when no size is given."""
        content: bytes = self.decoded.read(size)
        return content

    @property
    def share(self) -> float:
        """How much of the file has been read, between 0 and 1."""
        return float(self.stored.tell() / max(1, self.stored.size()))


@dataclass(frozen=True)
class TextFile:
    """A text file: where it lies, what it is called in messages, and its encoding."""

    path: Path
    name: str
    encoding: str = "utf-8"

    @contextmanager
    def open(self) -> Iterator[Utf8Stream]:
        """Open the file as a stream of UTF-8 bytes; a name in `.gz` is unpacked.

        Raises:
            DataError: The encoding is unknown, or, also from within the block, the file cannot be
                read or is not in that encoding; the line stands in front.
        """
        try:
            codec = lookup(self.encoding)
        except LookupError as error:
            raise DataError(
                f"{self.name}: unknown encoding {self.encoding!r}; see Python's codecs"
            ) from error
        try:
            with pa.OSFile(str(self.path)) as stored:
                stream = _unpacked(stored, self.path)
                if codec != "utf-8":
                    stream = pa.transcoding_input_stream(stream, self.encoding, "utf-8")
                yield Utf8Stream(stream, stored)
        except UnicodeError as error:
            raise self.undecodable() or DataError(f"{self.name}: {error}") from error
        except OSError as error:
            raise DataError(
                f"{self.name}: cannot be read: {error.strerror or one_line(error)}"
            ) from error

    def undecodable(self) -> DataError | None:
        """Tell where the file leaves its encoding; None where it does not."""
        decoder = codecs.getincrementaldecoder(self.encoding)()
        line, more = 1, True
        with pa.OSFile(str(self.path)) as stored:
            stream = _unpacked(stored, self.path)
            while more:
                more = bool(chunk := stream.read(BLOCK_BYTES))
                try:
                    line += decoder.decode(chunk, final=not more).count("\n")
                except UnicodeDecodeError as error:
                    before = error.object[: error.start].decode(self.encoding, errors="replace")
                    return self._not_decoded(error, line + before.count("\n"))
                except UnicodeError as error:  # no byte-order mark where there must be one
                    return DataError(f"{self.name}: not {self.encoding}: {one_line(error)}")
        return None

    def _not_decoded(self, error: UnicodeDecodeError, line: int) -> DataError:
        perhaps = ", cp1252 perhaps" if self.encoding == "utf-8" else ""
        return DataError(
            f"{self.name}:{line}: byte 0x{error.object[error.start]:02x} is not {self.encoding}; "
            f"name its encoding (data.encoding or --encoding){perhaps}"
        )


def open_text(path: Path, name: str, encoding: str | None) -> TextFile:
    """A text file in the encoding given, or else in the one that a byte-order mark tells, or UTF-8.

    Raises:
        DataError: It cannot be read.
    """
    if encoding is not None:
        return TextFile(path, name, encoding)
    with TextFile(path, name).open() as stream:
        opening = stream.read(4)
    told = next((encoding for mark, encoding in _MARKS if opening.startswith(mark)), "utf-8")
    return TextFile(path, name, told)


def is_utf8(head: bytes) -> bool:
    """Whether the beginning of a file is UTF-8; a character cut at its end does not count."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def lookup(encoding: str) -> str:
    """The codec's own name of a text encoding.

    Raises:
        LookupError: There is no such encoding, or it is one of bytes, such as `hex`.
    """
    try:
        codec = codecs.lookup(encoding)
    except ValueError as error:  # a name that no codec could have
        raise LookupError(encoding) from error
    if not getattr(codec, "_is_text_encoding", True) or codec.name in _NOT_OF_FILES:
        raise LookupError(encoding)
    return codec.name


def one_line(error: Exception) -> str:
    """What an error says, without line feeds."""
    return " ".join(str(error).split())


def _unpacked(stored: Any, path: Path) -> Any:
    return pa.CompressedInputStream(stored, "gzip") if is_packed(path) else stored
