"""Texts before they are split: each character in one form, without invisible ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedclf.system.arrow import pc, text_column

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

ZERO_WIDTH_JOINER = "\u200d"

KEYCAP = "\u20e3"
"""Turns the digit, # or * before it into a key."""

TAGS = "\U000e0020-\U000e007f"
"""Spell the region of a flag, after the black flag."""

FLAG_LETTERS = "\U0001f1e6-\U0001f1ff"
"""Two of them are a flag."""

SKIN_TONES = "\U0001f3fb-\U0001f3ff"

# Extended_Pictographic of Unicode's emoji-data.txt, which reserves code points for future emoji.
# Blocks are whole where their other symbols are of the same sort. Numbers in circles and squares
# are missing, because they are numbers. U+24DC is the lower case of U+24C2.
PICTOGRAPHS = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u2199\u21a9\u21aa\u231a\u231b\u2328\u2388\u23cf"
    "\u23e9-\u23f3\u23f8-\u23fa\u24c2\u24dc\u25aa\u25ab\u25b6\u25c0\u25fb-\u25fe\u2600-\u2767"
    "\u2794-\u27bf\u2934\u2935\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\u3030\u303d\u3297\u3299"
    "\U0001f000-\U0001f0ff\U0001f10d-\U0001f1e5\U0001f200-\U0001faff\U0001fc00-\U0001fffd"
)

_PICTURE = f"[{PICTOGRAPHS}][{SKIN_TONES}]*[{TAGS}]*"

EMOJI = (
    f"[0-9#*]{KEYCAP}|[{FLAG_LETTERS}][{FLAG_LETTERS}]?"
    f"|{_PICTURE}(?:{ZERO_WIDTH_JOINER}{_PICTURE})*"
)
"""An emoji, after `INVISIBLE` has been removed (Unicode Technical Standard 51, section 1.4.9)."""

INVISIBLE = (
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200c\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e001f\U000e0080-\U000e0fff]+"
)
"""Soft hyphens, variation selectors, direction marks and others without a form of their own:
Unicode's Default_Ignorable_Code_Point without those of emoji and of `INVISIBLE_SPACE`."""

INVISIBLE_SPACE = "[\u200b\u3164\uffa0]"
"""The zero-width space, which separates words in Thai and Khmer, and blank letters of Korean."""

JOINERS = f"{ZERO_WIDTH_JOINER}{KEYCAP}{TAGS}"
"""Characters that mean something in emoji only."""

EMOJI_OR_JOINERS = f"({EMOJI})|[{JOINERS}]+"

_ANY_INVISIBLE = f"{INVISIBLE[:-2]}{INVISIBLE_SPACE[1:-1]}{JOINERS}]"

_ANY_EMOJI = f"[{KEYCAP}{FLAG_LETTERS}{PICTOGRAPHS}]"

_MAYBE_NOT_COMPOSED = (
    "[^\\x{0}-\u02ff\u0400-\u0482\u048a-\u052f\u2010-\u2027\u2030-\u205e\u20a0-\u20cf"
    "\u2190-\u21ff\u2460-\u27bf\u3001-\u3029\u3030-\u3098\u309b-\u30ff\u4e00-\u9fff\uac00-\ud7a3"
    "\uff01-\uffef\U0001f000-\U0001faff]"
)
"""Outside of these ranges, a text can differ from its composed form (NFC_Quick_Check of Unicode's
DerivedNormalizationProps.txt); the ranges are those of the most frequent scripts."""


def normalize(
    texts: pa.Array,
    *,
    lowercase: bool,
    remove_invisible: bool = False,
    isolate_emoji: bool = False,
) -> pa.Array:
    """Normalize texts: NFC, plain apostrophes and, optionally, lower case; null becomes "".

    Args:
        texts: (n,)
        lowercase: Whether to convert them to lower case.
        remove_invisible: Whether to remove what nobody sees, so that it neither breaks a word nor
            makes two spellings of it. Emoji keep the characters that join them.
        isolate_emoji: Whether to put spaces around each emoji; needs `remove_invisible`.
    """

    def normalize_characters(selected: pa.Array) -> pa.Array:
        if remove_invisible:
            selected = _replace_matching(selected, _ANY_INVISIBLE, _remove_invisible)
        selected = _replace_matching(
            selected, _MAYBE_NOT_COMPOSED, lambda texts: pc.utf8_normalize(texts, "NFC")
        )
        if lowercase:
            selected = pc.utf8_lower(selected)
        selected = pc.replace_substring(selected, "\N{RIGHT SINGLE QUOTATION MARK}", "'")
        if isolate_emoji:
            selected = _replace_matching(selected, _ANY_EMOJI, _isolate_emoji)
        return selected

    texts = pc.coalesce(texts, text_column([""])[0])
    if lowercase:  # many times faster than utf8_lower, which only other characters need
        texts = pc.ascii_lower(texts)
    return replace_where(pc.invert(pc.string_is_ascii(texts)), texts, normalize_characters)


def replace_where(
    mask: pa.BooleanArray, texts: pa.Array, function: Callable[[pa.Array], pa.Array]
) -> pa.Array:
    """Apply a function to the texts (n,) where a mask (n,) is true."""
    if not mask.true_count:
        return texts
    return pc.replace_with_mask(texts, mask, function(texts.filter(mask)))


def _replace_matching(
    texts: pa.Array, pattern: str, function: Callable[[pa.Array], pa.Array]
) -> pa.Array:
    return replace_where(pc.match_substring_regex(texts, pattern), texts, function)


def _remove_invisible(texts: pa.Array) -> pa.Array:
    texts = pc.replace_substring_regex(texts, INVISIBLE, "")
    texts = pc.replace_substring_regex(texts, INVISIBLE_SPACE, " ")
    return pc.replace_substring_regex(texts, EMOJI_OR_JOINERS, r"\1")


def _isolate_emoji(texts: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(texts, f"({EMOJI})", r" \1 ")
