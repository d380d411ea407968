"""Words and symbols of texts, found by their bytes.

The work is done on the bytes of all texts at once: whatever belongs to no token becomes spaces, so
that Arrow can split at ASCII white space.
"""

from __future__ import annotations

import string
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from embedclf.system.arrow import number_column, pc, text_column, to_numpy
from embedclf.text.normalization import FLAG_LETTERS, JOINERS, KEYCAP, PICTOGRAPHS

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedclf.system.arrays import Bytes, Int32s, Mask, Offsets

CodePoints = npt.NDArray[np.uint32]  # (n,)

ALL_CODE_POINTS = 0x110000

SURROGATES = slice(0xD800, 0xE000)
"""Code points that no text has."""

SPACE, APOSTROPHE = ord(" "), ord("'")

BLANK, WORD, SYMBOL = range(3)
"""Classes of characters. Emoji are words here: spaces around them separate them from others."""

_UNCLASSIFIED = 3

ASCII_WORD = frozenset((string.ascii_letters + string.digits).encode())

_KEEP_WORDS = bytes(
    byte if byte >= 0x80 or byte in ASCII_WORD or byte == APOSTROPHE else SPACE
    for byte in range(256)
)
"""Translation table that replaces ASCII punctuation and control characters by spaces."""

_WORD_CHARACTERS = r"^[\pL\pN\pM]"

_EMOJI_CHARACTERS = f"^[{PICTOGRAPHS}{FLAG_LETTERS}{JOINERS}]"

_SYMBOL_CHARACTERS = r"^[\pP\pS]"


class Characters(NamedTuple):
    """Some characters of texts, in order."""

    starts: Offsets
    """(n,) where each begins."""
    sizes: Offsets
    """(n,) number of bytes of each."""
    points: CodePoints
    """(n,)"""

    @property
    def ends(self) -> Offsets:
        """(n,) where each ends."""
        return self.starts + self.sizes

    def filter(self, mask: Mask) -> Characters:
        """Keep the characters where a mask (n,) is true."""
        return Characters(self.starts[mask], self.sizes[mask], self.points[mask])

    def merge(self, others: Characters) -> Characters:
        """Add other characters, in order."""
        starts = np.concatenate([self.starts, others.starts])
        order = np.argsort(starts, kind="stable")
        return Characters(
            starts[order],
            np.concatenate([self.sizes, others.sizes])[order],
            np.concatenate([self.points, others.points])[order],
        )

    def overwrite(self, content: Bytes | Mask, value: int) -> None:
        """Overwrite all bytes of the characters."""
        content[self.starts] = value
        for place in range(1, int(self.sizes.max(initial=1))):
            content[self.starts[self.sizes > place] + place] = value


def blank_symbols(texts: pa.Array, *, emoji: bool) -> pa.StringArray:
    """Overwrite by spaces what is neither a word nor, optionally, an emoji.

    A word is a run of letters, numbers and marks of any script, with apostrophes only inside.

    Args:
        texts: (n,) strings in NFC, without nulls.
        emoji: Whether emoji are kept, which `normalize` has put between spaces.
    """
    original, edges = read_bytes(texts)
    content = np.frombuffer(bytearray(original).translate(_KEEP_WORDS), np.uint8)
    characters = find_non_ascii(content)
    if len(characters.starts):
        classes = classify(characters.points, emoji=emoji)
        characters.filter(classes != WORD).overwrite(content, SPACE)
        if emoji:
            keys = characters.starts[characters.points == ord(KEYCAP)] - 1
            content[keys] = np.frombuffer(original, np.uint8)[keys]
    apostrophes = np.flatnonzero(content == APOSTROPHE)
    inner = are_inner(apostrophes, lambda places: content[places] != SPACE)
    content[apostrophes[~inner]] = SPACE
    return _build_texts(content, edges)


def read_bytes(texts: pa.Array) -> tuple[memoryview, Int32s]:
    """Return the bytes of texts, each between two spaces, and where they begin and end (n + 1,).

    The spaces give every character of a text two neighbors.
    """
    space, nothing = text_column([" ", ""])
    spaced = pc.binary_join_element_wise(space, texts, space, nothing)
    _, offsets, characters = spaced.buffers()
    edges = np.frombuffer(offsets, np.int32)[spaced.offset : spaced.offset + len(spaced) + 1]
    return memoryview(characters)[edges[0] : edges[-1]], edges - edges[0]


def find_non_ascii(content: Bytes) -> Characters:
    """Decode the non-ASCII characters of UTF-8."""
    # Lead bytes only; continuation bytes are 0x80 to 0xBF.
    starts = np.flatnonzero(content >= 0xC0)
    lead = content[starts].astype(np.uint32)
    sizes = 2 + (lead >= 0xE0) + (lead >= 0xF0)
    # The lead byte holds 5, 4 or 3 bits; each continuation byte adds 6.
    points = lead & (0x7F >> sizes).astype(np.uint32)
    for byte in range(1, 4):
        longer = sizes > byte
        points[longer] = points[longer] << 6 | content[starts[longer] + byte] & 0x3F
    return Characters(starts, sizes, points)


def classify(points: CodePoints, *, emoji: bool) -> Bytes:
    """(n,) the class of each code point; without `emoji`, these are symbols as others."""
    classes = _code_point_classes(emoji)
    # The regular expressions see each distinct code point, not every character of the texts.
    new = points[classes[points] == _UNCLASSIFIED]
    if len(new):
        new = to_numpy(pc.unique(number_column(new)))
        characters = text_column([chr(point) for point in new.tolist()])
        is_symbol = to_numpy(pc.match_substring_regex(characters, _SYMBOL_CHARACTERS))
        is_word = to_numpy(pc.match_substring_regex(characters, _WORD_CHARACTERS))
        if emoji:
            is_word = is_word | to_numpy(pc.match_substring_regex(characters, _EMOJI_CHARACTERS))
        classes[new] = np.where(is_word, WORD, np.where(is_symbol, SYMBOL, BLANK))
    found: Bytes = classes[points]
    return found


def are_inner(apostrophes: Offsets, are_words: Callable[[Offsets], Mask]) -> Mask:
    """(n,) whether the run of each apostrophe is inside a word.

    Args:
        apostrophes: (n,) where all apostrophes are, in order.
        are_words: Returns whether the bytes at some places belong to a word.
    """
    # -2 is never adjacent to a place, so the first apostrophe begins a run.
    first = np.flatnonzero(np.diff(apostrophes, prepend=-2) != 1)
    last = np.append(first[1:], len(apostrophes))[: len(first)] - 1
    inner = are_words(apostrophes[first] - 1) & are_words(apostrophes[last] + 1)
    return np.repeat(inner, last - first + 1)


def _build_texts(content: Bytes, edges: Int32s) -> pa.StringArray:
    """Make texts of their bytes, uncopied; the number of bytes of each must not have changed."""
    return pa.StringArray.from_buffers(len(edges) - 1, pa.py_buffer(edges), pa.py_buffer(content))


@cache
def _code_point_classes(_emoji: bool) -> Bytes:
    """(code points,) class of each; filled on first use.

    Threads share the array without a lock: they can only write the same value twice.
    """
    classes = np.full(ALL_CODE_POINTS, _UNCLASSIFIED, np.uint8)
    # Without a call of Arrow for each character of an English text
    classes[:0x80] = BLANK
    classes[[*ASCII_WORD]] = WORD
    classes[[*string.punctuation.encode()]] = SYMBOL
    return classes
