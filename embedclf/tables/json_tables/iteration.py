"""The records of a JSON file, one after another."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any

from embedclf.system.arrow import BLOCK_BYTES
from embedclf.tables.json_tables.values import (
    NOT_AN_OBJECT,
    JsonError,
    JsonRecord,
    JsonText,
    parse_line,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from embedclf.tables.json_tables.shapes import JsonShape


def iter_records(
    stream: Any, shape: JsonShape, *, on_fault: Callable[[JsonError], object] | None = None
) -> Iterator[JsonRecord]:
    """Parse the records of a file, in constant memory.

    Args:
        stream: UTF-8 bytes.
        shape: Their arrangement.
        on_fault: Called with the fault of each record that cannot be read, instead of raising it.
            After a syntax error, only a table of lines can be read on.

    Raises:
        JsonError: The text is not JSON, repeats a key, or has half of a surrogate pair.
        UnicodeDecodeError: It is not UTF-8.
    """
    values = _parse_lines(stream, on_fault) if shape.layout == "lines" else _walk(stream, shape)
    values = _number(values) if shape.counts_rows else values
    for value in values:
        if type(value.values) is dict:
            yield value
            continue
        fault = JsonError(value.line, NOT_AN_OBJECT)
        if on_fault is None:
            raise fault
        on_fault(fault)


def iter_lines(stream: Any) -> Iterator[tuple[int, bytes]]:
    """Yield the non-blank lines with their numbers; only line feeds end a line."""
    incomplete: list[bytes] = []  # joined once, as joining block by block takes quadratic time
    number = 1
    chunk: bytes
    while chunk := stream.read(BLOCK_BYTES):
        if number == 1 and not incomplete:
            chunk = chunk.removeprefix(codecs.BOM_UTF8)
        first, *others = chunk.split(b"\n")
        incomplete.append(first)
        if not others:
            continue
        *lines, last = b"".join(incomplete), *others
        incomplete = [last]
        for line in lines:
            if line.strip():
                yield number, line
            number += 1
    if (rest := b"".join(incomplete)).strip():
        yield number, rest


def _number(values: Iterator[JsonRecord]) -> Iterator[JsonRecord]:
    number = 0
    try:
        for number, value in enumerate(values, start=1):
            yield value._replace(line=number)
    except JsonError as fault:
        raise JsonError(number + 1, str(fault)) from fault


def _parse_lines(
    stream: Any, on_fault: Callable[[JsonError], object] | None
) -> Iterator[JsonRecord]:
    for number, line in iter_lines(stream):
        try:
            yield parse_line(number, line)
        except JsonError as fault:
            if on_fault is None:
                raise
            on_fault(fault)
        except UnicodeDecodeError as error:
            if on_fault is None:
                raise
            on_fault(JsonError(number, f"byte 0x{line[error.start]:02x} is not UTF-8"))


def _walk(stream: Any, shape: JsonShape) -> Iterator[JsonRecord]:
    text = JsonText(stream)
    if shape.key is not None:
        text.find_member(shape.key)
    if shape.layout == "values":
        while text.peek():
            yield text.read()
            text.skip_comma()
    while text.peek() == "[":  # pages of results are arrays, one after another
        yield from text.read_array()
    if shape.key is None and text.peek():
        raise JsonError(text.line, "text follows the array; a file holds one table")
