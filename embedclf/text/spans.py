"""Positions of tokens in the original text."""

from __future__ import annotations

import unicodedata
from itertools import pairwise
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from embedclf.system.arrow import text_column
from embedclf.text.tokens import normalize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Span = tuple[int, int]
"""Start and end of a token in code points."""

_HANGUL_JAMO = range(0x1160, 0x1200)
"""Vowels and final consonants, which form a syllable with the letter before them."""


def find_token_spans(text: str, tokens: Sequence[str], *, lowercase: bool) -> list[Span]:
    """Find each token in the original text, which has other letters than its normalized form.

    Args:
        text: As it was written, without lone surrogates.
        tokens: All its tokens, or the first ones, in order.
        lowercase: Whether the tokenizer changes texts to lower case.

    Returns:
        Spans in ascending order; they do not overlap. Where one character was normalized to
        several tokens, the span of the first one has it, and the others have empty spans.
    """
    if text.isascii():  # most texts, and much faster
        origins: Sequence[int] = range(len(text) + 1)
        normalized = text.lower() if lowercase else text
    else:
        origins = _find_origins(text)
        normalized = normalize(text_column([text]), lowercase=lowercase)[0].as_py()
    spans, position = [], 0
    for token in tokens:
        # Between tokens are no characters of tokens, so the next occurrence is the token itself
        start = normalized.index(token, position)
        position = start + len(token)
        spans.append((origins[start], origins[position]))
    return spans


def _find_origins(text: str) -> Sequence[int]:
    """Find where each code point of the NFC form comes from; lower case keeps their number.

    Returns:
        (length of the NFC form + 1,) offsets in the text.
    """
    composed = _compose([text])[0]
    if composed == text:
        return range(len(text) + 1)
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
