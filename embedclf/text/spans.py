"""Positions of tokens in the original text."""

from __future__ import annotations

import itertools
import re
import unicodedata
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from embedclf.config.token_patterns import CLASSIC, WORDS_AND_SYMBOLS
from embedclf.system.arrow import pc, text_column
from embedclf.text.markup import SUBSTITUTIONS
from embedclf.text.normalization import (
    EMOJI,
    EMOJI_OR_JOINERS,
    INVISIBLE,
    INVISIBLE_SPACE,
    normalize,
)
from embedclf.text.symbols import MAX_REPEATS
from embedclf.text.tokens import MATCH_END, mark_matches
from embedclf.text.words import SYMBOL, classify

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from embedclf.text.markup import Substitution
    from embedclf.text.token_rules import TokenRules

Span = tuple[int, int]
"""Start and end of a token in code points."""

_HANGUL_JAMO = range(0x1160, 0x1200)
"""Vowels and final consonants, which form a syllable with the letter before them."""

_INVISIBLE: tuple[Substitution, ...] = (
    # A variation selector belongs to the character before it.
    (re.compile(f"(.){INVISIBLE}", re.DOTALL), lambda match: match[1]),
    (re.compile(INVISIBLE), lambda _match: ""),
    (re.compile(INVISIBLE_SPACE), lambda _match: " "),
    (re.compile(EMOJI_OR_JOINERS), lambda match: match[1] or ""),
)
"""How `normalize` removes invisible characters."""

_ISOLATED: tuple[Substitution, ...] = ((re.compile(EMOJI), lambda match: f" {match[0]} "),)
"""How `normalize` isolates emoji."""

_REPEATED = re.compile(rf"([^\w\s']|_)\1{{{MAX_REPEATS},}}")

_TRIMMED = ("Zs", "Zl", "Zp", "Cc")
"""Categories of characters that are not part of a match at its ends."""


def find_token_spans(text: str, tokens: Sequence[str], rules: TokenRules) -> list[Span]:
    """Find each token in the original text, which has other characters than its normalized form.

    Args:
        text: As it was written, without fields and lone surrogates.
        tokens: All its tokens, or the first ones, in order.
        rules: By which the text was split.

    Returns:
        Spans in ascending order; they do not overlap. Where one character was normalized to
        several tokens, the span of the first one has it, and the others have empty spans.
    """
    traced = _trace(text, rules)
    if not rules.is_expression:
        places = _find_tokens(traced.text, tokens)
    elif rules.unit == "word":
        places = itertools.islice(_find_matches(traced.text, rules.pattern), len(tokens))
    else:
        places = _find_tokens(_blank_unmatched(traced.text, rules.pattern), tokens)
    spans, end = [], 0
    for first, last in places:
        start = max(end, traced.starts[first])
        end = max(start, traced.ends[last - 1])
        spans.append((start, end))
    return spans


@dataclass(frozen=True)
class _TracedText:
    """A text that was changed, and where its code points come from."""

    text: str
    starts: Sequence[int]
    """(n,) where the origin of each code point starts in the original."""
    ends: Sequence[int]
    """(n,) where it ends."""

    def substitute(self, substitutions: Iterable[Substitution]) -> _TracedText:
        """Replace the matches of patterns; each comes from all of what it replaces."""
        traced = self
        for pattern, replacement in substitutions:
            pieces, starts, ends, position = [], list[int](), list[int](), 0
            for match in pattern.finditer(traced.text):
                first, last = match.span()
                replaced = replacement(match)
                if replaced == match[0]:
                    continue
                pieces += [traced.text[position:first], replaced]
                starts += [*traced.starts[position:first], *[traced.starts[first]] * len(replaced)]
                ends += [*traced.ends[position:first], *[traced.ends[last - 1]] * len(replaced)]
                position = last
            if position:
                pieces.append(traced.text[position:])
                traced = _TracedText(
                    "".join(pieces),
                    [*starts, *traced.starts[position:]],
                    [*ends, *traced.ends[position:]],
                )
        return traced

    def compose(self) -> _TracedText:
        """Change the text to NFC."""
        composed = _compose([self.text])[0]
        if composed == self.text:
            return self
        origins = _find_origins(self.text, composed)
        starts, ends = [], []
        for first, last in pairwise(origins):
            # The second code point of one that became two has an empty origin after it.
            starts.append(self.starts[first] if first < last else self.ends[first - 1])
            ends.append(self.ends[last - 1])
        return _TracedText(composed, starts, ends)


def _trace(text: str, rules: TokenRules) -> _TracedText:
    """Normalize a text as its rules do before they split it."""
    traced = _TracedText(text, range(len(text)), range(1, len(text) + 1))
    if rules.html:
        traced = traced.substitute(SUBSTITUTIONS)
    if not traced.text.isascii():
        if rules.pattern != CLASSIC:
            traced = traced.substitute(_INVISIBLE)
        traced = traced.compose()
    # Neither lower case nor apostrophes change the number of code points.
    normalized = normalize(text_column([traced.text]), lowercase=rules.lowercase)[0].as_py()
    traced = replace(traced, text=normalized)
    if rules.pattern != CLASSIC and not rules.is_expression:
        traced = traced.substitute(_ISOLATED)
    if rules.pattern == WORDS_AND_SYMBOLS and rules.unit == "word":
        traced = replace(traced, text=_REPEATED.sub(_blank_repeats, traced.text))
    return traced


def _find_tokens(text: str, tokens: Sequence[str]) -> Iterator[Span]:
    position = 0
    for token in tokens:
        # Between tokens are no characters of tokens, so the next occurrence is the token itself.
        start = text.index(token, position)
        position = start + len(token)
        yield start, position


def _find_matches(text: str, pattern: str) -> Iterator[Span]:
    """Find the matches that are tokens, without white space at their ends."""
    position = 0
    for match in _split_matches(text, pattern):
        start, end = position, position + max(1, len(match))
        position = end
        while start < end and unicodedata.category(text[start]) in _TRIMMED:
            start += 1
        while start < end and unicodedata.category(text[end - 1]) in _TRIMMED:
            end -= 1
        if match and start < end:
            yield start, end


def _blank_unmatched(text: str, pattern: str) -> str:
    return "".join(match or " " for match in _split_matches(text, pattern))


def _split_matches(text: str, pattern: str) -> list[str]:
    """Return each match of a pattern, and "" for each character outside of them."""
    marked: str = mark_matches(text_column([text]), pattern)[0].as_py()
    return marked.split(MATCH_END)[:-1]


def _blank_repeats(match: re.Match[str]) -> str:
    character, repeats = match[1], len(match[0])
    if classify(np.array([ord(character)], np.uint32), emoji=True)[0] != SYMBOL:
        return match[0]
    return character * MAX_REPEATS + " " * (repeats - MAX_REPEATS)


def _find_origins(text: str, composed: str) -> list[int]:
    """Find where each code point of the NFC form comes from.

    Returns:
        (length of the NFC form + 1,) offsets in the text.
    """
    pieces = [text[start:end] for start, end in pairwise(_piece_offsets(text))]
    composed_pieces = _compose(pieces)
    if "".join(composed_pieces) != composed:  # an unforeseen composition across pieces
        pieces, composed_pieces = [text], [composed]
    origins, start = [], 0
    for piece, composed_piece in zip(pieces, composed_pieces, strict=True):
        length, composed_length = len(piece), len(composed_piece)
        # Rounded up, so that the first code point of several has the whole character
        origins += [start - -place * length // composed_length for place in range(composed_length)]
        start += length
    return [*origins, start]


def _compose(texts: list[str]) -> list[str]:
    """Normalize to NFC by the library that the tokenizer uses."""
    composed: list[str] = pc.utf8_normalize(text_column(texts), "NFC").to_pylist()
    return composed


def _piece_offsets(text: str) -> Iterator[int]:
    """Yield the edges of pieces that are normalized alone as they are in the whole text."""
    yield 0
    for offset, character in enumerate(text[1:], start=1):
        is_mark = unicodedata.category(character).startswith("M")
        if not is_mark and ord(character) not in _HANGUL_JAMO:
            yield offset
    yield len(text)
