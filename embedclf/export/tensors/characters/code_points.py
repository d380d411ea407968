"""What the rules of tokens do with each code point: found out by applying them to all of them.

No table of another Unicode library is used, so that an export agrees with its run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np

from embedclf.config.token_patterns import CLASSIC, TOKEN_PATTERNS, WORDS, WORDS_AND_SYMBOLS
from embedclf.export.automata.dialects import match_in_re2
from embedclf.system.arrow import pc, text_column, to_numpy
from embedclf.text.normalization import (
    FLAG_LETTERS,
    INVISIBLE,
    INVISIBLE_SPACE,
    KEYCAP,
    PICTOGRAPHS,
    SKIN_TONES,
    TAGS,
    ZERO_WIDTH_JOINER,
    normalize,
)
from embedclf.text.symbols import LONE
from embedclf.text.tokens import MATCH_SPACE, is_space
from embedclf.text.words import ALL_CODE_POINTS, SURROGATES, SYMBOL, WORD, classify

if TYPE_CHECKING:
    import pyarrow as pa

    from embedclf.system.arrays import Bytes, Int32s, Int64s, Mask
    from embedclf.text.token_rules import TokenRules
    from embedclf.text.words import CodePoints as Points

PLAIN, KEY, PICTURE, TONE, FLAG, TAG, KEYCAP_MARK, JOINER = range(8)
"""Parts of emoji; a skin tone is also a picture of its own."""

(
    BLANK,
    LETTER,
    MOUTH,
    THREE,
    OTHER_SYMBOL,
    LONE_MARK,
    LONE_EYES,
    DASH,
    APOSTROPHE,
    EYES,
    LESS,
    ENDING,
) = range(12)
"""What a character can be in words and symbols. Up to `THREE`, they are characters of words; from
`OTHER_SYMBOL`, symbols; `LONE_MARK` to `APOSTROPHE` are no tokens where they are alone."""

_PARTS = {
    "0-9#*": KEY,
    PICTOGRAPHS: PICTURE,
    SKIN_TONES: TONE,
    FLAG_LETTERS: FLAG,
    TAGS: TAG,
    KEYCAP: KEYCAP_MARK,
    ZERO_WIDTH_JOINER: JOINER,
}

_KINDS = {
    **dict.fromkeys("DPOXdpox", MOUTH),
    "3": THREE,
    **dict.fromkeys(LONE, LONE_MARK),
    ":": LONE_EYES,
    ";": LONE_EYES,
    "-": DASH,
    "'": APOSTROPHE,
    "=": EYES,
    "<": LESS,
    "+": ENDING,
    "#": ENDING,
}

_LAST_MARK = "\u0345"
"""The combining character that canonical order puts behind all others."""


@dataclass(frozen=True)
class Sequences:
    """Sequences of code points, one for each of all code points."""

    points: Int32s
    """(all,) of all sequences."""
    starts: Int64s
    """(code points + 1,)"""

    @property
    def lengths(self) -> Int64s:
        """(code points,) length of each."""
        return np.diff(self.starts)

    def of(self, point: int) -> tuple[int, ...]:
        """Return the sequence of a code point."""
        return tuple(self.points[self.starts[point] : self.starts[point + 1]].tolist())


@dataclass(frozen=True)
class CodePoints:
    """All code points under the rules of tokens; arrays are (code points,)."""

    unit: str
    lowercase: bool
    pattern: str

    @classmethod
    @cache
    def of(cls, unit: str, pattern: str, *, lowercase: bool) -> CodePoints:
        """Return the code points of rules, once per process."""
        return cls(unit, lowercase, pattern)

    @classmethod
    def from_rules(cls, rules: TokenRules) -> CodePoints:
        """Return the code points of rules."""
        return cls.of(rules.unit, rules.pattern, lowercase=rules.lowercase)

    @property
    def has_emoji(self) -> bool:
        """Whether emoji are tokens, and invisible characters removed."""
        return self.pattern != CLASSIC

    @property
    def is_expression(self) -> bool:
        """Whether the pattern is a regular expression."""
        return self.pattern not in TOKEN_PATTERNS

    @property
    def finals(self) -> Sequences:
        """What each becomes: composed, and in lower case."""
        return _normalized(lowercase=self.lowercase)

    @property
    def decomposed(self) -> Sequences:
        """What each becomes, decomposed."""
        return _decomposed(lowercase=self.lowercase)

    @cached_property
    def single_finals(self) -> Int32s:
        """What each becomes; of several code points, the first."""
        return self.finals.points[self.finals.starts[:-1]]

    @cached_property
    def kinds(self) -> Bytes:
        """What each is once it is normalized."""
        return self.final_kinds[self.single_finals]

    @cached_property
    def final_kinds(self) -> Bytes:
        """What each normalized code point is."""
        if self.unit == "word" and self.is_expression:
            return np.where(match_in_re2(MATCH_SPACE), BLANK, LETTER).astype(np.uint8)
        if self.unit == "character" and self.pattern != WORDS:
            return np.where(is_space(), BLANK, LETTER).astype(np.uint8)
        classes = classify(_valid_points(), emoji=self.has_emoji)
        kinds = np.where(classes == WORD, LETTER, BLANK).astype(np.uint8)
        if self.pattern == WORDS_AND_SYMBOLS:
            kinds[classes == SYMBOL] = OTHER_SYMBOL
            for character, kind in _KINDS.items():
                kinds[ord(character)] = kind
        kinds[ord("'")] = APOSTROPHE
        return kinds

    @cached_property
    def are_of_words(self) -> Mask:
        """Whether each, once it is normalized, is a character of words, or of no token."""
        kinds = self.final_kinds[self.finals.points] <= THREE
        return np.logical_and.reduceat(kinds, self.finals.starts[:-1])

    @cached_property
    def has_other_than_letters(self) -> Mask:
        """Whether each, once it is normalized, has a code point that is no letter."""
        kinds = self.final_kinds[self.finals.points] != LETTER
        return np.logical_or.reduceat(kinds, self.finals.starts[:-1])

    @cached_property
    def parts(self) -> Bytes:
        """What part of an emoji each is before it is normalized."""
        return emoji_parts() if self.has_emoji else np.zeros(ALL_CODE_POINTS, np.uint8)

    @cached_property
    def final_parts(self) -> Bytes:
        """What part of an emoji each is once it is normalized."""
        return self.parts[self.single_finals]

    @cached_property
    def is_invisible(self) -> Mask:
        """Whether each is removed."""
        return _find(INVISIBLE) & self.has_emoji

    @cached_property
    def is_invisible_space(self) -> Mask:
        """Whether each is replaced by a space."""
        return _find(INVISIBLE_SPACE) & self.has_emoji


@cache
def _finals(*, lowercase: bool) -> pa.StringArray:
    return normalize(all_characters(), lowercase=lowercase)


@cache
def _normalized(*, lowercase: bool) -> Sequences:
    """Return the normalized form of each."""
    return sequences(_finals(lowercase=lowercase))


@cache
def _decomposed(*, lowercase: bool) -> Sequences:
    """Return the normalized form of each, decomposed."""
    return sequences(pc.utf8_normalize(_finals(lowercase=lowercase), "NFD"))


@cache
def emoji_parts() -> Bytes:
    """(code points,) what part of an emoji each is."""
    parts = np.full(ALL_CODE_POINTS, PLAIN, np.uint8)
    for characters, part in _PARTS.items():
        parts[_find(characters)] = part
    return parts


@cache
def is_mark() -> Mask:
    """(code points,) whether each can change places with other marks of the same character."""
    prefix, nothing = text_column([f"x{_LAST_MARK}", ""])
    behind = pc.binary_join_element_wise(prefix, all_characters(), nothing)
    decomposed = pc.utf8_normalize(behind, "NFD")
    stayed = to_numpy(pc.starts_with(decomposed, pattern=f"x{_LAST_MARK}"))
    marks = ~stayed.view(np.bool_)
    marks[ord(_LAST_MARK)] = True
    return marks


@cache
def mark_orders() -> Int32s:
    """(code points,) the place of each mark in canonical order, from 1; 0 for other characters.

    Marks with the same number stay in the order in which they are written.
    """
    decomposed = pc.utf8_normalize(all_characters(), "NFD")
    stable = to_numpy(pc.equal(decomposed, all_characters())).view(np.bool_)
    marks = list(map(chr, np.flatnonzero(is_mark() & stable).tolist()))
    written = text_column([f"x{''.join(marks)}", f"x{''.join(marks[::-1])}"])
    forwards, backwards = (text[1:] for text in pc.utf8_normalize(written, "NFD").to_pylist())
    place = {mark: number for number, mark in enumerate(backwards)}
    orders = np.zeros(ALL_CODE_POINTS, np.int32)
    order = 0
    for number, mark in enumerate(forwards):
        # Marks that swap places if they are written the other way round belong together
        order += number == 0 or place[forwards[number - 1]] < place[mark]
        orders[ord(mark)] = order
    parts = sequences(decomposed)
    first: Int32s = orders[parts.points[parts.starts[:-1]]]
    return first


@cache
def all_characters() -> pa.StringArray:
    """All code points, as texts of one character."""
    return text_column(list(_valid_points().tobytes().decode("utf-32-le")))


def _valid_points() -> Points:
    """All code points; surrogates, which no text has, are spaces."""
    points = np.arange(ALL_CODE_POINTS, dtype=np.uint32)
    points[SURROGATES] = ord(" ")
    return points


def sequences(texts: pa.StringArray) -> Sequences:
    """Return the code points of texts (code points,)."""
    points = np.frombuffer("".join(texts.to_pylist()).encode("utf-32-le"), np.int32)
    ends = np.cumsum(to_numpy(pc.utf8_length(texts)), dtype=np.int64)
    return Sequences(points, np.concatenate([np.zeros(1, np.int64), ends]))


def _find(ranges: str) -> Mask:
    """(code points,) whether a class of characters, in brackets or not, has each."""
    found = np.zeros(ALL_CODE_POINTS, np.bool_)
    for first, last in re.findall("(?s)(.)(?:-(.))?", ranges.removesuffix("+").strip("[]")):
        found[ord(first) : ord(last or first) + 1] = True
    return found
