"""Names of text encodings, byte-order marks, and UTF-16 without one."""

from __future__ import annotations

import codecs

_NOT_FILE_ENCODINGS = {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}

_BYTE_ORDER_MARKS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

# UTF-32 first here, too: half of its characters are NUL in UTF-16.
_WIDE_ENCODINGS = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")

_OTHER_NAMES = {
    "ansi": "cp1252",
    "western": "cp1252",
    "excel": "cp1252",
    "unicode": "utf-16",
    "utf-8-bom": "utf-8-sig",
    "utf-8 with bom": "utf-8-sig",
    "chinese": "gb18030",
    "japanese": "cp932",
    "korean": "cp949",
}
"""Names that other programs use, and Python's."""


def encoding_hint(names: tuple[str, ...]) -> str:
    """Return the option to add: `--encoding cp1251 (or koi8-r), or data.encoding in a config`."""
    best, *others = names or ("NAME",)
    alternatives = f" (or {', '.join(others)})" if others else ""
    return f"--encoding {best}{alternatives}, or data.encoding in a config"


def marked_encoding(head: bytes) -> str | None:
    """Return the encoding of a byte-order mark at the beginning of a file, None without one."""
    marked = (encoding for mark, encoding in _BYTE_ORDER_MARKS if head.startswith(mark))
    return next(marked, None)


def wide_encoding(head: bytes) -> str | None:
    """Return the UTF-16 or UTF-32 that the beginning of a file without a mark is in, or None."""
    head = head[: len(head) // 4 * 4]
    if head.count(0) * 8 <= len(head):
        return None
    for encoding in _WIDE_ENCODINGS:
        text = head.decode(encoding, errors="replace")
        # Half a character at the end is allowed. In the wrong byte order, nothing is ASCII.
        is_text = "\0" not in text and "\ufffd" not in text[:-1]
        if is_text and sum(map(str.isascii, text)) * 4 >= len(text):
            return encoding
    return None


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


def is_unicode(encoding: str) -> bool:
    """Whether an encoding, by any of its names, is a form of Unicode such as UTF-8."""
    return codec_name(encoding).startswith("utf")


def unknown_encoding(encoding: str) -> str:
    """Describe an encoding that Python does not know, with the name that it most likely means."""
    from difflib import get_close_matches
    from encodings.aliases import aliases

    word = encoding.strip().lower().replace("utf8", "utf-8").replace("_", "-")
    similar = get_close_matches(word.replace("-", "_"), {*aliases, *aliases.values()}, n=4)
    names = [_OTHER_NAMES.get(word), *(aliases.get(name, name) for name in similar)]
    texts = [name for name in names if name and _is_text_encoding(name)]
    meant = "cp1252" if "cp1252" in texts else next(iter(texts), None)
    hint = f"did you mean {display_name(meant)}?" if meant else "try utf-8, cp1252 or latin-1"
    return f"unknown encoding {encoding!r}; {hint}"


def display_name(encoding: str) -> str:
    """Return an encoding's name as people write it: `koi8-r`."""
    return encoding.replace("_", "-")


def _is_text_encoding(name: str) -> bool:
    try:
        codec_name(name)
    except LookupError:
        return False
    return True
