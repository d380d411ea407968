"""Text files as UTF-8 bytes, whatever their compression and encoding."""

from __future__ import annotations

import codecs
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from embedclf.errors import DataError

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


@contextmanager
def open_utf8(path: Path, encoding: str) -> Iterator[Any]:
    """Open a file as a stream of UTF-8 bytes; a name in `.gz` is unpacked.

    Raises:
        DataError: The encoding is unknown, or, also from within the block, the file cannot be
            read or is not in that encoding; the line stands in front.
    """
    try:
        with _open(path, encoding) as stream:
            yield stream
    except LookupError as error:
        raise DataError(f"{path}: unknown encoding {encoding!r}; see Python's codecs") from error
    except UnicodeError as error:
        raise find_undecodable(path, encoding) or DataError(f"{path}: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or one_line(error)}") from error


def detect_encoding(path: Path) -> str:
    """The encoding that a byte-order mark tells; UTF-8 where there is none."""
    with open_utf8(path, "utf-8") as stream:
        opening: bytes = stream.read(4)
    return next((encoding for mark, encoding in _MARKS if opening.startswith(mark)), "utf-8")


def is_utf8(head: bytes) -> bool:
    """Whether the beginning of a file is UTF-8; a character cut at its end does not count."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def find_undecodable(path: Path, encoding: str) -> DataError | None:
    """Tell where a file leaves its encoding; None where it does not."""
    with _open(path, "utf-8") as stream:
        content: bytes = stream.read()
    try:
        content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].decode(encoding, errors="replace").count("\n") + 1
        perhaps = ", cp1252 perhaps" if encoding == "utf-8" else ""
        return DataError(
            f"{path}:{line}: byte 0x{content[error.start]:02x} is not {encoding}; "
            f"name its encoding (data.encoding or --encoding){perhaps}"
        )
    return None


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


def _open(path: Path, encoding: str) -> Any:
    codec = lookup(encoding)
    stream: Any = pa.OSFile(str(path))
    if path.suffix.lower() == ".gz":
        stream = pa.CompressedInputStream(stream, "gzip")
    return stream if codec == "utf-8" else pa.transcoding_input_stream(stream, encoding, "utf-8")
