"""JSON values, one after another: on lines, over several lines, or in an array of any size."""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from embedclf.system.arrow import BLOCK_BYTES, find_repeated

if TYPE_CHECKING:
    from collections.abc import Iterator

NOT_AN_OBJECT = 'not a JSON object; write records such as {"text": "...", "label": "..."}'

_TRUNCATED = "the file ends within this record or array; it is truncated"

_WHITE_SPACE = re.compile(r"[ \t\r\n]*")

_EXCERPT = 20
"""Characters of the file in a message."""

_LONGEST_TOKEN = 16
"""A token that ends a block may be incomplete; only strings are longer than this."""


class JsonError(Exception):
    """A fault in a JSON text, with its line, or 0 if it concerns the whole file."""

    def __init__(self, line: int, fault: str) -> None:
        super().__init__(fault)
        self.line = line


class JsonNumber(str):
    """A number as it is written in the file: a float would turn 1.10 into 1.1."""

    __slots__ = ()


class JsonRecord(NamedTuple):
    """A parsed value, an object if it is a record."""

    line: int
    """The line it begins on, or its number if `JsonShape.counts_rows`."""
    text: str
    """As written in the file."""
    values: Any


def parse_line(number: int, line: bytes) -> JsonRecord:
    """Parse a line that holds one value; raises as `JsonText.read`."""
    text = line.decode()
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise JsonError(number, _describe(error)) from error
    if "\\u" in text:
        _refuse_half_surrogates(number, value)
    return JsonRecord(number, text, value)


class JsonText:
    """A JSON text, read block by block."""

    def __init__(self, stream: Any, block_bytes: int = BLOCK_BYTES) -> None:
        self.line = 1
        """The line that has been reached."""
        self._stream, self._block_bytes = stream, block_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._text, self._start, self._is_complete = "", 0, False

    def first_lines(self) -> list[str]:
        """Return the non-blank, whole lines at the beginning, without reading them."""
        self.peek()
        self._fill()  # at the end of a short file, so that its last line is whole
        lines = self._text.split("\n")
        return [line for line in (lines if self._is_complete else lines[:-1]) if line.strip()]

    def peek(self) -> str:
        """Return the next character that is not white space; "" at the end."""
        while True:
            self._advance(_WHITE_SPACE.match(self._text, self._start).end())  # type: ignore[union-attr]
            if self._start < len(self._text):
                return self._text[self._start]
            if not self._fill():
                return ""

    def read(self) -> JsonRecord:
        """Read the next value.

        Raises:
            JsonError: It is not JSON, repeats a key, or has half of a surrogate pair.
            UnicodeDecodeError: It is not UTF-8.
        """
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._start)
            except (ValueError, RecursionError) as error:
                if self._may_be_incomplete(error) and self._fill():
                    continue
                raise self._fault(error) from error
            # A number at the end of a block may continue in the next one.
            if end == len(self._text) and self._fill():
                continue
            read = JsonRecord(self.line, self._text[self._start : end], value)
            if "\\u" in read.text:
                _refuse_half_surrogates(self.line, value)
            self._advance(end)
            return read

    def read_array(self) -> Iterator[JsonRecord]:
        """Read the elements of an array, one by one; raises as `read`."""
        self._expect("[")
        # Also ends after a comma, which people leave behind the last element.
        while self.peek() != "]":
            yield self.read()
            if self.peek() != "]":
                self._expect(",")
        self._expect("]")

    def read_keys(self) -> Iterator[str]:
        """Read the keys of an object; the caller reads the value of each. Raises as `read`."""
        self._expect("{")
        while (first := self.peek()) != "}":
            key = self.read().values
            if first != '"':
                raise JsonError(self.line, f"not JSON: key {key!r} has no double quotes")
            self._expect(":")
            yield key
            if self.peek() != "}":
                self._expect(",")
        self._expect("}")

    def find_member(self, key: str) -> None:
        """Read up to the value of a key of an object, which exists."""
        for found in self.read_keys():
            if found == key:
                return
            self.skip()

    def skip(self) -> None:
        """Read a value without keeping it; an array is read element by element."""
        if self.peek() != "[":
            self.read()
            return
        for _ in self.read_array():
            pass

    def skip_comma(self) -> None:
        """Skip a comma, which people leave between records that are not in an array."""
        if self.peek() == ",":
            self._start += 1

    def _expect(self, character: str) -> None:
        found = self.peek()
        if not found:
            raise JsonError(self.line, _TRUNCATED)
        if found != character:
            excerpt = self._text[self._start : self._start + _EXCERPT]
            raise JsonError(self.line, f"not JSON: expected {character!r} at {excerpt!r}")
        self._start += 1

    def _advance(self, end: int) -> None:
        self.line += self._text.count("\n", self._start, end)
        self._start = end

    def _fill(self) -> bool:
        """Read another block; a value longer than that doubles it, to parse in linear time."""
        if self._is_complete:
            return False
        rest = self._text[self._start :]
        chunk = self._stream.read(max(self._block_bytes, len(rest)))
        self._is_complete = not chunk
        self._text, self._start = rest + self._decoder.decode(chunk, final=not chunk), 0
        return True

    def _may_be_incomplete(self, error: Exception) -> bool:
        if not isinstance(error, json.JSONDecodeError):
            return False
        return "Unterminated" in error.msg or error.pos > len(self._text) - _LONGEST_TOKEN

    def _fault(self, error: Exception) -> JsonError:
        if not isinstance(error, json.JSONDecodeError):
            return JsonError(self.line, _describe(error))
        if "Unterminated" in error.msg or error.pos >= len(self._text.rstrip()):
            return JsonError(self.line, _TRUNCATED)
        line = self.line + self._text.count("\n", self._start, error.pos)
        return JsonError(line, _describe(error))


def _describe(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        excerpt = error.doc[error.pos : error.pos + _EXCERPT]
        if excerpt.startswith("'"):
            return f"not JSON: single quotes at {excerpt!r}; JSON needs double quotes"
        place = repr(excerpt) if excerpt else "the end"
        return f"not JSON: {error.msg.removesuffix(' at')} at {place}"
    if isinstance(error, RecursionError):
        return "not JSON that can be read: nested too deeply"
    return f"not JSON: {error}"


def _refuse_half_surrogates(line: int, value: Any) -> None:
    """Raise JsonError for half of a surrogate pair, which only an escape can be."""
    try:
        # Encoding the whole value finds one at any depth.
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        fault = "an escape is half of a surrogate pair; write whole characters"
        raise JsonError(line, fault) from error


def _to_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    # json silently keeps the last of several equal keys, and drops the others.
    if len(record) < len(pairs):
        repeated, *_ = find_repeated(key for key, _ in pairs)
        raise ValueError(f"key {repeated!r} occurs twice; rename one")
    return record


def _to_constant(name: str) -> JsonNumber | None:
    # pandas and json.dumps write a missing number as NaN, which is not valid JSON.
    return None if name == "NaN" else JsonNumber(name)


_DECODER = json.JSONDecoder(
    parse_int=JsonNumber,
    parse_float=JsonNumber,
    parse_constant=_to_constant,
    object_pairs_hook=_to_dict,
)
