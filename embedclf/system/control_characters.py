"""Control characters in what people see: they have no effect on a terminal."""

from __future__ import annotations

import codecs
import io
import re
import sys
from typing import IO, Any, cast

# Bidirectional overrides let a text look like another one (CVE-2021-42574).
_OVERRIDES = [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]

# Unicode has pictures for ASCII controls only; the others become U+FFFD. Lone surrogates are bytes
# of names that are not UTF-8.
_PICTURES = {code: chr(0x2400 + code) for code in range(0x20)} | {0x7F: "\u2421"}
_PICTURES |= dict.fromkeys([*range(0x80, 0xA0), *_OVERRIDES, 0xFFFE, 0xFFFF], "\ufffd")
_PICTURES |= {code: f"\\x{code - 0xDC00:02x}" for code in range(0xDC80, 0xDD00)}

_OUTPUT_PICTURES = {code: shown for code, shown in _PICTURES.items() if chr(code) not in "\t\n"}

_JSON_ESCAPES = {code: f"\\u{code:04x}" for code in (0x7F, *range(0x80, 0xA0), *_OVERRIDES)}

_COLOR = re.compile(r"(\x1b\[[\d;]*m)")


def escape_controls(text: str) -> str:
    """Replace control characters by symbols for them, so that they have no effect."""
    return text.translate(_PICTURES)


def escape_output(text: str, *, colors: bool = False) -> str:
    """Replace control characters in a text to print; lines and tabs stay, and colors on demand."""
    pieces = _COLOR.split(text) if colors else [text]
    return "".join(
        piece if index % 2 else piece.translate(_OUTPUT_PICTURES)
        for index, piece in enumerate(pieces)
    )


def escape_json(text: str) -> str:
    """Write control characters in JSON as escapes, which leave its values as they are."""
    # Those below U+0020 are escapes already. The others are inside strings, where one is valid.
    return text.translate(_JSON_ESCAPES)


def output_bytes() -> IO[bytes]:
    """Return standard output for bytes; at a terminal, control characters have no effect."""
    return cast("IO[bytes]", _TerminalBytes()) if sys.stdout.isatty() else sys.stdout.buffer


class _TerminalBytes(io.RawIOBase):
    """Bytes of UTF-8 for standard output, which is a terminal."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def write(self, content: Any) -> int:
        """Print all of the content."""
        text = self._decoder.decode(bytes(content))
        sys.stdout.write(escape_output(text.replace("\r\n", "\n")))
        return len(content)

    def flush(self) -> None:
        sys.stdout.flush()
