"""The encodings that the bytes of a file are likely to be in."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from embedclf.system.encodings.names import display_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from embedclf.system.arrays import Rows

    Bytes = npt.NDArray[np.uint8]

_SUPERSETS = {
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "shift_jis_2004": "cp932",
    "euc_kr": "cp949",
    "cp950": "big5",
    "tis-620": "cp874",
    "iso8859-11": "cp874",
}
"""Encodings that programs write, by the subset of their characters that a detector names."""

_COMMON = (
    *("cp1252", "cp1251", "cp1250", "gb18030", "big5", "cp932", "cp949", "euc-jp", "koi8-r"),
    *("koi8-u", "cp1254", "cp1253", "cp1255", "cp1256", "cp1257", "cp1258", "cp874", "iso8859-2"),
    *("iso8859-15", "iso8859-5", "iso8859-7", "mac-roman", "cp850", "cp866", "cp437"),
)
"""The more frequent of two encodings that explain the same bytes about as well comes first."""

_TIE = 0.99
"""Fraction of the best score from which two encodings explain the bytes equally well."""

_TIE_WITHOUT_EVIDENCE = 0.9
"""The same for a few characters, of which a detector can say little."""

_LIKELY = 0.75
"""Fraction of the best score from which an encoding is worth a try."""

_MAX_SUGGESTIONS = 3

_MIN_EVIDENCE = 10
"""Characters beyond ASCII, in three lines or more, from which one encoding can be assumed."""

_CERTAIN_UTF8_BYTES = 20
"""So many bytes in a row that form characters of UTF-8 do so by no accident."""

_MIN_LEAD = 1.05
"""How much better cp1252 must explain the bytes than all others."""

_SAMPLE_BYTES = 1 << 17
_SAMPLE_BYTES_PER_CHUNK = 1 << 14
_SCORED_CHARACTERS = 1 << 16

_JOINERS = frozenset("\u2019\u2018'`\u00b4\u00b7\u2013\u2014\u2026-\u00ba\u00aa\u00a0\u00ad")
"""Quotes, dashes and other marks that stand between two letters in ordinary text."""

_ALPHABETS = frozenset({"LATIN", "GREEK", "CYRILLIC", "HEBREW", "ARABIC"})
"""Scripts whose letters are not mixed within a word."""

_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")

_NOT_IN_CP1252 = (0x81, 0x8D, 0x8F, 0x90, 0x9D)


@dataclass(frozen=True)
class LikelyEncodings:
    """The encodings that a file without a named encoding is likely to be in."""

    names: tuple[str, ...]
    """The most probable first, three at most; empty if it is no text."""
    only: str | None = None
    """The one that is the only sensible reading; None if others are, or there is little to see."""
    is_utf8: bool = False
    """Whether it is UTF-8 except for some bytes."""


@dataclass
class ByteSample:
    """What the bytes of a whole file say about its encoding; `add` them in order."""

    lines: bytearray = field(default_factory=bytearray)
    """Some lines that are not ASCII."""
    stray_bytes: int = 0
    """Bytes beyond ASCII that belong to no UTF-8 character."""
    utf8_bytes: int = 0
    utf8_bytes_above: int = 0
    """Those before the first stray byte."""
    has_nul: bool = False
    is_in_cp1252: bool = True
    """Whether cp1252 defines all bytes."""

    @property
    def is_utf8(self) -> bool:
        """Whether bytes beyond ASCII are UTF-8: most of them, or the first ones."""
        # Pairs of bytes in other encodings can be characters of UTF-8 by accident.
        return (
            self.utf8_bytes > 3 * self.stray_bytes or self.utf8_bytes_above >= _CERTAIN_UTF8_BYTES
        )

    def add(self, chunk: bytes) -> None:
        """Examine the next bytes of the file."""
        if chunk.isascii() and b"\0" not in chunk:
            return
        content = np.frombuffer(chunk, np.uint8)
        high = np.flatnonzero(content > 127)
        in_utf8 = _count_utf8_bytes(content, high)
        if not self.stray_bytes:
            self.utf8_bytes_above += int(np.sum(high < _find_stray_byte(chunk)))
        self.utf8_bytes += in_utf8
        self.stray_bytes += len(high) - in_utf8
        self.is_in_cp1252 &= not np.isin(content[high], _NOT_IN_CP1252).any()
        self.has_nul |= b"\0" in chunk
        self._add_lines(chunk)

    def _add_lines(self, chunk: bytes) -> None:
        room = min(_SAMPLE_BYTES_PER_CHUNK, _SAMPLE_BYTES - len(self.lines))
        if self.has_nul:  # in UTF-16, a line feed is more than one byte
            self.lines += b"" if self.lines else chunk[: room // 4 * 4]
            return
        start = size = 0
        # By the next such byte: a pattern for its whole line tries each byte of long ASCII lines.
        while size < room and (found := _BEYOND_ASCII.search(chunk, start)):
            start = max(start, chunk.rfind(b"\n", start, found.start()) + 1)
            line = chunk[start : start + room - size].partition(b"\n")
            self.lines += b"".join(line[:2])
            size += len(line[0]) + len(line[1])
            start = chunk.find(b"\n", found.start()) + 1 or len(chunk)

    def likely_encodings(self) -> LikelyEncodings:
        """Return the encodings that explain the bytes."""
        if self.is_utf8 or not (self.stray_bytes or self.has_nul):
            return LikelyEncodings(("utf-8",), is_utf8=True)
        has_evidence = self.stray_bytes >= _MIN_EVIDENCE and self.lines.count(b"\n") >= 3
        candidates = _score_encodings(
            bytes(self.lines), tie=_TIE if has_evidence else _TIE_WITHOUT_EVIDENCE
        )
        best = max((each.score for each in candidates), default=0.0)
        names = [each.name for each in candidates if each.score >= _LIKELY * best]
        can_be_cp1252 = self.is_in_cp1252 and not self.has_nul
        is_sure = has_evidence and can_be_cp1252 and self._has_lead(candidates)
        fallback = ("cp1252",) if can_be_cp1252 else ()
        return LikelyEncodings(
            tuple(names[:_MAX_SUGGESTIONS]) or fallback, only="cp1252" if is_sure else None
        )

    def _has_lead(self, candidates: list[_Candidate]) -> bool:
        """Whether cp1252 explains the bytes much better than UTF-8 or another encoding."""
        if self.utf8_bytes > self.stray_bytes // 50 or not candidates:
            return False
        others = [each.score for each in candidates if each.name != "cp1252"]
        first = candidates[0]
        return first.name == "cp1252" and first.score >= _MIN_LEAD * max(others, default=0.0)


def likely_encodings(chunks: Iterable[bytes]) -> LikelyEncodings:
    """Return the encodings that a file is likely to be in, from all of its bytes."""
    sample = ByteSample()
    for chunk in chunks:
        sample.add(chunk)
    return sample.likely_encodings()


def _find_stray_byte(chunk: bytes) -> int:
    """Return the position of the first byte that is not UTF-8, or the length."""
    try:
        chunk.decode()
    except UnicodeDecodeError as error:
        return error.start
    return len(chunk)


def _count_utf8_bytes(content: Bytes, high: Rows) -> int:
    """Count the bytes of complete UTF-8 characters beyond ASCII; `high` are the bytes above 127."""
    padded = np.concatenate([content, np.zeros(3, np.uint8)])
    leads = content[high]
    continues = [(padded[high + offset] & 0xC0) == 0x80 for offset in (1, 2, 3)]
    two = (leads >= 0xC2) & (leads <= 0xDF) & continues[0]
    three = ((leads & 0xF0) == 0xE0) & continues[0] & continues[1]
    four = (leads >= 0xF0) & (leads <= 0xF4) & continues[0] & continues[1] & continues[2]
    return int(2 * two.sum() + 3 * three.sum() + 4 * four.sum())


@dataclass(frozen=True)
class _Candidate:
    """An encoding that can decode a sample."""

    name: str
    score: float
    """How well it explains the sample; comparable for one sample only."""


def _score_encodings(sample: bytes, *, tie: float) -> list[_Candidate]:
    """Rank the encodings of a sample, those that decode it to the same text as one."""
    import chardet

    found = chardet.detect_all(sample, ignore_threshold=True, compat_names=False)
    confidences: dict[str, float] = {}
    names: dict[str, list[str]] = {}
    for guess in found:
        for name in _spellings(guess["encoding"]):
            try:
                text = sample.decode(name)
            except (UnicodeError, LookupError):
                continue
            confidences[text] = max(guess["confidence"], confidences.get(text, 0.0))
            names.setdefault(text, []).append(display_name(name))
            break
    best = max(confidences.values(), default=0.0)
    # Scoring a text takes longer than decoding it.
    candidates = [
        _Candidate(
            min(names[text], key=_rarity),
            confidence * (1 - _odd_fraction(text)) ** 2,
        )
        for text, confidence in confidences.items()
        if confidence >= best / 2
    ]
    best = max((each.score for each in candidates), default=0.0)
    return sorted(
        candidates,
        key=lambda each: (_rarity(each.name) if each.score >= tie * best else 99, -each.score),
    )


def _spellings(encoding: str | None) -> tuple[str, ...]:
    """Return the superset that programs write instead of an encoding, and the encoding."""
    if encoding is None:
        return ()
    name = codecs.lookup(encoding).name
    return (_SUPERSETS[name], name) if name in _SUPERSETS else (name,)


def _rarity(name: str) -> int:
    return _COMMON.index(name) if name in _COMMON else len(_COMMON)


def _odd_fraction(text: str) -> float:
    """Return the fraction of characters beyond ASCII that stand where text does not have them."""
    text = text[:_SCORED_CHARACTERS]
    beyond_ascii = odd = 0
    # Distinct triples, because judging one takes much longer than counting it.
    for (before, character, after), count in Counter(
        zip("\n" + text, text, text[1:] + "\n", strict=False)
    ).items():
        if not character.isascii():
            beyond_ascii += count
            odd += count * _is_odd(before, character, after)
    return odd / max(1, beyond_ascii)


@lru_cache(maxsize=1 << 15)
def _is_odd(before: str, character: str, after: str) -> bool:
    """Whether a character is not text, or splits a word, its alphabet or its case."""
    category = unicodedata.category(character)
    if category in {"Cc", "Cn", "Co", "Cs"}:
        return True
    if category[0] in "SPN" and character not in _JOINERS:
        return _alphabet(before) in _ALPHABETS and _alphabet(after) in _ALPHABETS
    if category[0] != "L":
        return False
    own = _alphabet(character)
    others = {_alphabet(before), _alphabet(after)} & _ALPHABETS
    is_mixed = own in _ALPHABETS and bool(others - {own})
    return is_mixed or (character.isupper() and before.islower())


def _alphabet(character: str) -> str:
    """Return the first word of a letter's name, which is its script; "" for other characters."""
    return unicodedata.name(character, "").partition(" ")[0] if character.isalpha() else ""
