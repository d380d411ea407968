"""Ratings and header lines inside texts."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from embedclf.system.arrow import mask_column, number_column, pc, text_column, to_numpy
from embedclf.text.fingerprints import Fingerprints, fingerprint_strings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.system.arrays import Mask, Rows

    Matches = tuple[Rows, pa.StringArray, pa.StringArray]  # texts, names, values

_NUMBER = r"\d{1,3}(?:[.,]\d)?"

# Arrow's RE2 has no lookbehind, so the patterns match the character before a rating.
_RATINGS = {
    "ratings such as 8/10": rf"(?:^|[^\w.,])(?P<value>{_NUMBER} ?(?:/|out of) ?(?:5|10|100))\b",
    "ratings such as rating: 3": rf"\b(?:rating|rated|score|stars)\s?[:=]?\s(?P<value>{_NUMBER})\b",
    "ratings such as 2 stars": rf"(?:^|[^\w.,])(?P<value>{_NUMBER}) ?stars?\b",
    "ratings such as ★★★☆☆": r"(?:^|[^★☆])(?P<value>[★☆]+)",
}
"""Rating notations, by the name that findings use."""

_PARTS = "[/★☆:=]|out of|rating|rated|score|star"
"""What a text with a rating or a header has. Most texts lack it, which one search finds out."""

_HEADER = r"^\s*(?P<name>\pL[\w-]{1,29})[ \t]*[:=][ \t]*(?P<value>[^\s/]\S*)"
"""`Newsgroups: rec.autos`, `Label=spam`: a word, a colon or equals sign, a value."""

_MAX_HEADER_LINES = 8


@dataclass(frozen=True)
class TextPatterns:
    """Ratings and headers in a column of texts; a text may have any number of them."""

    rows: Rows
    """(matches,) the text of each match."""
    names: Fingerprints
    """(matches,) hash of the notation or header name."""
    values: Fingerprints
    """(matches,) hash of the value."""
    descriptions: dict[int, str] = field(default_factory=dict)
    """Descriptions of frequent names, by their hash."""

    @classmethod
    def concatenate(cls, batches: Sequence[TextPatterns], sizes: Sequence[int]) -> TextPatterns:
        """Join the patterns of batches of texts; `sizes` are their numbers of texts."""
        starts = np.cumsum([0, *sizes])[:-1]
        pairs = zip(starts.tolist(), batches, strict=True)
        return cls(
            np.concatenate([batch.rows + start for start, batch in pairs]),
            np.concatenate([batch.names for batch in batches]),
            np.concatenate([batch.values for batch in batches]),
            {name: words for batch in batches for name, words in batch.descriptions.items()},
        )

    def renumber(self, texts: Rows) -> TextPatterns:
        """Keep the patterns of some texts (m,), ascending, and number these from 0."""
        if not len(texts):
            return self._select(np.zeros(len(self.rows), np.bool_), self.rows)
        numbers = np.searchsorted(texts, self.rows)
        return self._select(texts[np.minimum(numbers, len(texts) - 1)] == self.rows, numbers)

    def _select(self, mask: Mask, numbers: Rows) -> TextPatterns:
        return TextPatterns(numbers[mask], self.names[mask], self.values[mask], self.descriptions)


def find_patterns(texts: pa.Array, *, min_fraction: float) -> TextPatterns:
    """Find ratings and headers in texts (n,), ignoring case.

    Args:
        texts: One batch of a table.
        min_fraction: Describe a header if at least this fraction of the texts has it. A header this
            frequent in a table is this frequent in at least one of its batches.
    """
    lowered, total = pc.utf8_lower(texts), len(texts)
    candidates = _find_matching(lowered, _PARTS)
    texts = lowered.take(number_column(candidates))
    matches = [*_find_ratings(texts), *_find_headers(texts)]
    if not matches:
        none = np.zeros(0, np.uint64)
        return TextPatterns(np.zeros(0, np.int64), none, none)
    names = pa.concat_arrays([names for _, names, _ in matches]).dictionary_encode()
    hashes = fingerprint_strings(names.dictionary)
    codes = to_numpy(names.indices)
    frequent = np.bincount(codes, minlength=len(hashes)) >= min_fraction * total
    words = map(_describe, names.dictionary.filter(mask_column(frequent)).to_pylist())
    return TextPatterns(
        candidates[np.concatenate([rows for rows, _, _ in matches])],
        hashes[codes],
        np.concatenate([fingerprint_strings(values) for _, _, values in matches]),
        dict(zip(hashes[frequent].tolist(), words, strict=True)),
    )


def _find_ratings(texts: pa.Array) -> Iterator[Matches]:
    """Find each text's last rating in each notation; earlier ones often rate only one aspect."""
    for name, pattern in _RATINGS.items():
        matching = _find_matching(texts, pattern)
        if len(matching):
            # The greedy `.*` finds the last match; only texts with a match are searched this way.
            _, (values,) = _extract(texts.take(number_column(matching)), f"(?s)^.*(?:{pattern})")
            names = pa.repeat(text_column([name])[0], len(matching))
            yield matching, names, values


def _find_headers(texts: pa.Array) -> Iterator[Matches]:
    """Find the header lines at the start of each text, one line at a time."""
    rows = np.arange(len(texts))
    for line in count():
        matching, groups = _extract(texts, _HEADER)
        if not len(matching) or line == _MAX_HEADER_LINES:
            return
        rows, texts = rows[matching], texts.take(number_column(matching))
        yield rows, *groups
        # An empty line ends the headers, as in mail.
        continued, (rest,) = _extract(texts, r"(?s)^\s*[^\n]*\n(?P<rest>[^\n].*)")
        rows, texts = rows[continued], rest


def _find_matching(texts: pa.Array, pattern: str) -> Rows:
    """Return the positions of texts (n,) that match a pattern."""
    return np.flatnonzero(to_numpy(pc.match_substring_regex(texts, pattern)))


def _extract(texts: pa.Array, pattern: str) -> tuple[Rows, list[pa.StringArray]]:
    """Return the positions of texts that match a pattern, and the values of its groups."""
    groups = pc.extract_regex(texts, pattern)
    matching = np.flatnonzero(to_numpy(pc.is_valid(groups)))  # null without a match
    return matching, groups.take(number_column(matching)).flatten()


def _describe(name: str) -> str:
    return name if name in _RATINGS else f"headers {name!r}"
