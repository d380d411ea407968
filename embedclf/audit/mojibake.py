"""Mojibake: texts that were decoded with the wrong encoding, such as `cafÃ©` for `café`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from embedclf.system.arrow import mask_column, pc, to_numpy
from embedclf.system.encodings.detection import ByteSample, likely_encodings
from embedclf.system.memory.mapped_arrays import ArrayFile, take

if TYPE_CHECKING:
    import pyarrow as pa

    from embedclf.system.arrays import Mask, Rows

_MAX_SAMPLE, _MAX_BATCH_SAMPLE = 1 << 16, 1 << 12
"""Characters of a sample of the texts of a table, and of one batch."""

_MAX_BATCH_TEXTS = 100

_MIN_EVIDENCE = 12
"""Characters beyond ASCII, in different words, that one encoding must explain."""

_MIN_FRACTION = 0.5
"""Fraction of the lines beyond ASCII that must be explained."""

# How programs without a named encoding decode: Windows, Windows in Russia, macOS, and DOS.
_WRONG_ENCODINGS = ("cp1252", "cp1251", "mac-roman", "cp437")

# The second and later bytes of UTF-8, as cp1252 decodes them; it leaves five undefined.
_CONTINUATION = "[{}]".format(
    "".join(
        sorted(
            {bytes([byte]).decode("cp1252", "ignore") for byte in range(0x80, 0xC0)}
            | {chr(code) for code in range(0x80, 0xA0)}
        )
    )
)

_UTF8_AS_CP1252 = "|".join(
    (
        # Letters such as é. Capitals are such pairs, too, before a closing quote or dots.
        f"(?:^|[^\\p{{Lu}}\\p{{Pi}}\\p{{Ps}}\"'])[\u00c2-\u00c5]{_CONTINUATION}",
        f"[\u00c2-\u00c5]{_CONTINUATION}\\p{{Ll}}",
        # Dashes, curly quotes and other signs.
        "\u00e2[\u20ac\u201a\u201e\u2020\u02c6\u2030\u0153\u02dc]",
        "\u00f0\u0178",  # emoji
        # Two letters of an alphabet, or two characters of Chinese, Japanese, Korean, Thai or Hindi:
        # French has one accented letter before a no-break space and a quote.
        f"(?:[\u00ce-\u00d2\u00d7-\u00db]{_CONTINUATION}){{2}}",
        f"(?:[\u00e0-\u00ed]{_CONTINUATION}{{2}}){{2}}",
    )
)

# The second is the first as UTF-8, decoded as cp1252.
_REPLACEMENTS = "\N{REPLACEMENT CHARACTER}|\u00ef\u00bf\u00bd"


@dataclass(frozen=True)
class Characters:
    """What the characters of texts (n,) say about how they were decoded."""

    beyond_ascii: Mask
    """(n,) True for texts with other characters than those of ASCII."""
    misdecoded: Mask
    """(n,) True for texts with UTF-8 that was decoded as cp1252."""
    replaced: Mask
    """(n,) True for texts with a replacement character, for bytes that could not be decoded."""
    sample: str
    """Some texts beyond ASCII of the table, one a line."""

    def take(self, indices: Rows) -> Characters:
        """Select the properties of some texts; the sample stays that of the table."""
        masks = (self.beyond_ascii, self.misdecoded, self.replaced)
        beyond_ascii, misdecoded, replaced = (take(mask, indices) for mask in masks)
        return Characters(beyond_ascii, misdecoded, replaced, self.sample)


class CharactersFile:
    """The properties of batches of texts, one after the other, which can be many."""

    def __init__(self) -> None:
        """Start without texts."""
        self._masks = [ArrayFile(np.bool_) for _ in range(3)]
        self._sample = ""

    def append(self, batch: Characters) -> None:
        """Add those of the next batch."""
        masks = (batch.beyond_ascii, batch.misdecoded, batch.replaced)
        for file, mask in zip(self._masks, masks, strict=True):
            file.append(mask)
        self._sample = (self._sample + batch.sample)[:_MAX_SAMPLE]

    def map(self) -> Characters:
        """Return all of them, mapped if they are many; after that, no more can be added."""
        beyond_ascii, misdecoded, replaced = (file.map() for file in self._masks)
        return Characters(beyond_ascii, misdecoded, replaced, self._sample)


def examine_characters(texts: pa.StringArray) -> Characters:
    """Examine the characters of a batch of texts (n,)."""
    beyond_ascii: Mask = to_numpy(pc.binary_length(texts)) != to_numpy(pc.utf8_length(texts))
    # Most texts of many tables are ASCII, and need no search.
    others = texts.filter(mask_column(beyond_ascii))
    misdecoded, replaced = np.zeros((2, len(texts)), np.bool_)
    misdecoded[beyond_ascii] = find_misdecoded(others)
    replaced[beyond_ascii] = _matches(others, _REPLACEMENTS)
    sample = "".join(f"{text}\n" for text in others.slice(0, _MAX_BATCH_TEXTS).to_pylist())
    return Characters(beyond_ascii, misdecoded, replaced, sample[:_MAX_BATCH_SAMPLE])


def find_misdecoded(texts: pa.StringArray) -> Mask:
    """(n,) True for texts with UTF-8 that was decoded as cp1252."""
    return _matches(texts, _UTF8_AS_CP1252)


@dataclass(frozen=True)
class Misreading:
    """How texts were decoded, and how they should have been."""

    wrong: str
    right: str

    def repair(self, text: str) -> str | None:
        """Decode a text with the right encoding; None if that is impossible."""
        encoded = _encode(text, self.wrong)
        if encoded is None:
            return None
        repaired = encoded.decode(self.right, errors="replace")
        return None if "\N{REPLACEMENT CHARACTER}" in repaired else repaired


def find_misreading(sample: str, encoding: str | None) -> Misreading | None:
    """Find the encoding with which most of a sample of texts should have been decoded.

    Args:
        sample: Texts of one table, one a line.
        encoding: Encoding that the table was read with; None for UTF-8, whose texts can have been
            decoded with the wrong encoding before they were saved.

    Returns:
        None if the texts look right.
    """
    # Each once, because a text that is repeated is no further evidence.
    lines = [line for line in dict.fromkeys(sample.split("\n")) if not line.isascii()]
    for wrong in _WRONG_ENCODINGS if encoding is None else (encoding,):
        encoded = [each for line in lines if (each := _encode(line, wrong)) is not None]
        content = b"\n".join(encoded) + b"\n"
        # In different words: any encoding of the alphabet explains a single letter.
        evidence = _count_beyond_ascii(b" ".join(set(content.split())))
        if len(encoded) < _MIN_FRACTION * len(lines) or evidence < _MIN_EVIDENCE:
            continue
        if _is_utf8(content):
            return Misreading(wrong, "utf-8")
        # Programs that assume another encoding than cp1252 are too rare for less certain evidence.
        right = _other_encoding(content, wrong) if wrong == "cp1252" or encoding else None
        if right is not None:
            return Misreading(wrong, right)
    return None


def _encode(text: str, encoding: str) -> bytes | None:
    """Encode a text as it was before it was decoded; None if it has other characters."""
    for codec in (encoding, "latin-1") if encoding == "cp1252" else (encoding,):
        try:
            return text.encode(codec)
        except UnicodeError:
            continue
    return None


def _count_beyond_ascii(content: bytes) -> int:
    return int(np.count_nonzero(np.frombuffer(content, np.uint8) > 127))


def _is_utf8(content: bytes) -> bool:
    sample = ByteSample()
    sample.add(content)
    return sample.is_utf8


def _other_encoding(content: bytes, wrong: str) -> str | None:
    """Return the encoding that explains bytes much better than the one that decoded them."""
    names = likely_encodings([content]).names
    decoded = {content.decode(name, errors="replace") for name in names}
    is_right = content.decode(wrong, errors="replace") in decoded
    return None if is_right else next(iter(names), None)


def _matches(texts: pa.StringArray, pattern: str) -> Mask:
    # uint8 of 0 and 1, so a view is enough.
    return to_numpy(pc.match_substring_regex(texts, pattern)).view(np.bool_)
