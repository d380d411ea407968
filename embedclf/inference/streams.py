"""Pipes and standard input as byte streams, read in batches of lines as they arrive."""

from __future__ import annotations

import codecs
import io
import select
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from embedclf.errors import DataError, RequestError
from embedclf.system.arrow import BATCH_ROWS, BLOCK_BYTES, Batch, text_column
from embedclf.system.encodings.detection import likely_encodings
from embedclf.system.encodings.names import codec_name, encoding_hint, unknown_encoding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SILENCE_SECONDS = 0.02
"""Lines are scored if nothing has arrived for this long."""

_MAX_WAIT_SECONDS = 0.2
"""Lines are scored if the first of them has waited this long, even if more keep arriving."""


@contextmanager
def open_stream(path: Path | None = None) -> Iterator[Any]:
    """Open a pipe, or standard input (None), as a stream of bytes.

    Raises:
        DataError: It cannot be opened.
    """
    if path is None:
        if sys.stdin is None:  # a process without a console or with a closed descriptor 0
            raise DataError("standard input is closed; pass a table, or a text with -t")
        yield sys.stdin.buffer
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    with file:
        yield file


def read_available(stream: Any, name: str) -> bytes:
    """Read what a stream has, at most `BLOCK_BYTES`; wait only if it has nothing.

    Raises:
        DataError: It cannot be read.
    """
    try:
        chunk: bytes = stream.read1(BLOCK_BYTES)  # `read` would wait for that many bytes
    except OSError as error:
        raise DataError(f"{name}: cannot be read: {error}") from error
    return chunk


def read_line_batches(stream: Any, name: str, encoding: str | None) -> Iterator[Batch]:
    """Read lines as texts, in batches, as they arrive; the last batch is empty.

    Only a line feed ends a line, with or without a carriage return: `str.splitlines` would also
    split at characters that may be part of a text, such as U+2028.

    Raises:
        DataError: The stream cannot be read or decoded.
        RequestError: There is no such encoding.
    """
    encoding = encoding or "utf-8"
    try:
        codec_name(encoding)
    except LookupError as error:
        raise RequestError(f"--encoding: {unknown_encoding(encoding)}") from error
    # Incremental, as a chunk may end within a character
    decoder = codecs.getincrementaldecoder(encoding)()
    number, unfinished = 1, [""]  # pieces of a line; joined once, as a line may be long
    for chunk, flush in _chunks(stream, name):
        first, *others = _decode(decoder, chunk, encoding, name, number).split("\n")
        unfinished.append(first)
        lines = []
        if others or not chunk:
            *lines, last = ["".join(unfinished), *others]
            unfinished = [last]
            if not chunk and last:  # the last line may lack its line feed
                lines.append(last)
        try:
            yield from _batches(lines, is_first=number == 1, flush=flush)
        # Some decoders, such as UTF-7's, let through a lone surrogate, which UTF-8 cannot encode
        except UnicodeEncodeError as error:
            raise DataError(f"{name}:{number}: half of a surrogate pair; see --encoding") from error
        number += len(lines)


def line_batch(texts: pa.Array, *, flush: bool = False) -> Batch:
    """Make a batch of texts whose only column they are."""
    return Batch(texts, pa.RecordBatch.from_arrays([texts], ["text"]), flush=flush)


def _decode(
    decoder: codecs.IncrementalDecoder, chunk: bytes, encoding: str, name: str, number: int
) -> str:
    """Decode a chunk; an empty chunk ends the text.

    Raises:
        DataError: It cannot be decoded; the message has the number of the line.
    """
    try:
        return decoder.decode(chunk, final=not chunk)
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode(encoding, errors="replace")
        number += before.count("\n")
        likely = likely_encodings([error.object])
        raise DataError(
            f"{name}:{number}: not {encoding}; name the encoding: {encoding_hint(likely.names)}"
        ) from error
    except UnicodeError as error:  # from UTF-16 without a byte-order mark, and others
        raise DataError(f"{name}:{number}: not {encoding}: {error}") from error


def _batches(lines: list[str], *, is_first: bool, flush: bool) -> Iterator[Batch]:
    """Split lines into batches; without lines, there is an empty one if it has to flush."""
    if is_first and lines:
        # The decoder of UTF-8 keeps a byte-order mark
        lines[0] = lines[0].removeprefix("\ufeff")
    # `flush` counts as 1 if true: an empty batch if there is no line
    for start in range(0, max(len(lines), flush), BATCH_ROWS):
        batch = [line.removesuffix("\r") for line in lines[start : start + BATCH_ROWS]]
        is_last = start + BATCH_ROWS >= len(lines)
        yield line_batch(text_column(batch), flush=flush and is_last)


def _chunks(stream: Any, name: str) -> Iterator[tuple[bytes, bool]]:
    """Yield bytes, about `BLOCK_BYTES` at once, and whether their lines must not wait for more.

    The last chunk is empty. Larger chunks are faster, but lines that are typed or sent one by one
    need an immediate answer.
    """
    held: list[bytes] = []
    size, oldest = 0, 0.0
    while chunk := read_available(stream, name):
        oldest = oldest if held else time.monotonic()
        held.append(chunk)
        size += len(chunk)
        flush = not _has_more(stream) or time.monotonic() - oldest > _MAX_WAIT_SECONDS
        if flush or size >= BLOCK_BYTES:
            yield b"".join(held), flush
            held, size = [], 0
    if held:
        yield b"".join(held), False  # the empty chunk below flushes
    yield b"", True


def _has_more(stream: Any) -> bool:
    """Return whether more arrives within `_SILENCE_SECONDS`.

    Files are never silent. Streams that `select` does not support always are, so that a line that
    is typed never waits for the next one.
    """
    try:
        ready, _, _ = select.select([stream.fileno()], [], [], _SILENCE_SECONDS)
    # Streams in memory have no descriptor, and on Windows select takes sockets only
    except (io.UnsupportedOperation, OSError, ValueError):
        return False
    return bool(ready)
