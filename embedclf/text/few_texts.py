"""Tokens and ids of a few texts, by Python's strings.

NumPy's and Arrow's functions take microseconds a call, which pays for many texts. For one short
text, all calls together take several times as long as going through its characters. The tokens are
those of `TokenRules.tokenize`, and the ids those of `Tokenizer.encode_tokens`.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.config.token_patterns import CLASSIC, WORDS, WORDS_AND_SYMBOLS
from embedclf.system.arrow import text_column
from embedclf.text.encodings import Encoding
from embedclf.text.normalization import (
    FLAG_LETTERS,
    JOINERS,
    KEYCAP,
    PICTOGRAPHS,
    SKIN_TONES,
)
from embedclf.text.symbols import LONE, MAX_REPEATS
from embedclf.text.vocabulary import UNKNOWN
from embedclf.text.words import SYMBOL, WORD, classify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from embedclf.text.token_rules import TokenRules
    from embedclf.text.tokenizer import Tokenizer

_FEW_BYTES = 1 << 13
"""Bytes of texts up to which this is faster."""

_TEXT_TYPES = {str, type(None)}

_SEQUENCES = re.compile(f"[{PICTOGRAPHS}{FLAG_LETTERS}{SKIN_TONES}{JOINERS}]")
"""Characters that can be part of a token of several characters, with `unit: character`."""

_KEYCAP = re.compile(KEYCAP)

_MARKUP = re.compile("[<&]")

_CLASSES = {
    **dict.fromkeys("DPOXdpox", "m"),
    **dict.fromkeys(":;=", ":"),
    **dict.fromkeys("+#", "+"),
    **{character: character for character in "3<-'"},
}
"""ASCII characters that can be part of an emoticon, or the end of a word. Of the other ones, w are
those of words, s are symbols, and spaces belong to no token."""

_PARTS = re.compile(
    r"(?P<word>[wm3]+(?:'+[wm3]+)*)(?P<endings>\++)?"
    r"|\++|(?:(?::[-']?m|<3)(?![wm3'])|[s:<'-])+"
)
"""In a string of classes: a word and what it can end in, or a run of symbols."""

_REPEATS = re.compile(rf"(.)\1{{{MAX_REPEATS},}}")

_KEPT_REPEATS = r"\1" * MAX_REPEATS + " "

_LONE = frozenset(LONE)

_MAX_ENTRIES = 1 << 16
"""Characters that a table remembers."""


def encode_few(
    texts: pa.ChunkedArray | pa.Array | Sequence[Any], tokenizer: Tokenizer
) -> Encoding | None:
    """Turn texts (n,) into ids; None if they are long, or `split_texts` cannot split them.

    A list that has anything other than strings and None is not encoded either.
    """
    few = _few_texts(texts)
    tokens = None if few is None else split_texts(few, tokenizer.rules)
    if tokens is None:
        return None
    id_of = tokenizer.vocabulary.id_of
    ids = [[id_of.get(token, UNKNOWN) for token in text] for text in tokens]
    of_ngrams = ids
    if tokenizer.vector_words:
        first = tokenizer.first_vector_id
        of_ngrams = [[each if each < first else UNKNOWN for each in text] for text in ids]
    length = tokenizer.sequence_length
    ngrams = tokenizer.ngrams.find_in_few(of_ngrams, tokenizer.first_ngram_id, length)
    return Encoding.from_lists(ids, ngrams, length)


def split_texts(texts: Sequence[str | None], rules: TokenRules) -> list[list[str]] | None:
    """Return the tokens of each text; None if only `TokenRules.tokenize` can find them.

    It is needed for fields and regular expressions, and if there are keys such as 1 with U+20E3 or,
    with `unit: character`, emoji.
    """
    if rules.fields or rules.is_expression:
        return None
    written = [text or "" for text in texts]
    if not all(map(str.isascii, written)) or (rules.html and any(map(_MARKUP.search, written))):
        written = rules.normalize(text_column(written)).to_pylist()
        special = _SEQUENCES if rules.unit == "character" else _KEYCAP
        if rules.pattern != CLASSIC and any(map(special.search, written)):
            return None
    elif rules.lowercase:
        written = [text.lower() for text in written]
    return [_split(text, rules) for text in written]


def _few_texts(texts: pa.ChunkedArray | pa.Array | Sequence[Any]) -> Sequence[str | None] | None:
    """Return texts as a list, unless they are long."""
    if not isinstance(texts, list | tuple):
        column: Any = texts
        return column.to_pylist() if column.nbytes <= _FEW_BYTES else None
    if len(texts) > _FEW_BYTES or not set(map(type, texts)) <= _TEXT_TYPES:
        return None
    return texts if sum(map(len, filter(None, texts))) <= _FEW_BYTES else None


def _split(text: str, rules: TokenRules) -> list[str]:
    """Split a normalized text."""
    if rules.unit == "character" and rules.pattern != WORDS:
        return [character for character in text if not character.isspace()]
    if rules.pattern == WORDS_AND_SYMBOLS:
        return list(chain.from_iterable(map(_words_and_symbols, text.split())))
    words = text.translate(_word_table(rules.pattern != CLASSIC)).split()
    if "'" in text:
        words = [stripped for word in words if (stripped := word.strip("'"))]
    return words if rules.unit == "word" else list("".join(words))


def _words_and_symbols(text: str) -> list[str]:
    """Return the words and the runs of symbols of a text, as `separate_symbols` separates them."""
    if text.isalnum() and text.isascii():
        return [text]
    tokens = []
    classes = text.translate(_class_table()) + " "
    for part in _PARTS.finditer(classes):
        start, end = part.span()
        word_end = part.end("word") if part["word"] else start
        word = text[start:word_end]
        # A space stands for the repeats that do not count
        run = _REPEATS.sub(_KEPT_REPEATS, text[word_end:end])
        pieces = run.split()
        if word:
            # C++ and C#, but not a+b
            has_ending = run.endswith(" ") or len(pieces) > 1 or classes[end] not in "wm3"
            tokens.append(word + pieces.pop(0) if pieces and has_ending else word)
        tokens += [piece for piece in pieces if piece not in _LONE]
    return tokens


class _Table(dict[int, str]):
    """A table for `str.translate` that is filled on first use."""

    def __init__(self, translate: Callable[[str, int], str], *, emoji: bool) -> None:
        """Create an empty table.

        Args:
            translate: Returns what stands for a character of a class of `classify`.
            emoji: As for `classify`.
        """
        self._translate = translate
        self._emoji = emoji

    def __missing__(self, point: int) -> str:
        if len(self) >= _MAX_ENTRIES:
            self.clear()
        character_class = int(classify(np.array([point], np.uint32), emoji=self._emoji)[0])
        self[point] = translated = self._translate(chr(point), character_class)
        return translated


@cache
def _word_table(emoji: bool) -> _Table:
    """Return the table that replaces what belongs to no word by spaces."""

    def translate(character: str, character_class: int) -> str:
        return character if character == "'" or character_class == WORD else " "

    return _Table(translate, emoji=emoji)


@cache
def _class_table() -> _Table:
    """Return the table that replaces each character by its class in `_PARTS`."""

    def translate(character: str, character_class: int) -> str:
        others = {WORD: "w", SYMBOL: "s"}
        return _CLASSES.get(character) or others.get(character_class, " ")

    return _Table(translate, emoji=True)
