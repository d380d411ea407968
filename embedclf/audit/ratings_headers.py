"""Ratings and header lines inside texts."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from embedclf.system.arrow import mask_column, number_column, numbers_of, text_column
from embedclf.text.fingerprints import Fingerprints, string_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.system.arrays import Rows

    Found = tuple[Rows, pa.StringArray, pa.StringArray]

_NUMBER = r"\d{1,3}(?:[.,]\d)?"

_RATINGS = {
    "ratings such as 8/10": rf"(?:^|[^\w.,])(?P<value>{_NUMBER} ?(?:/|out of) ?(?:5|10|100))\b",
    "ratings such as rating: 3": rf"\b(?:rating|rated|score|stars)\s?[:=]?\s(?P<value>{_NUMBER})\b",
    "ratings such as 2 stars": rf"(?:^|[^\w.,])(?P<value>{_NUMBER}) ?stars?\b",
    "ratings such as ★★★☆☆": r"(?:^|[^★☆])(?P<value>[★☆]+)",
}
"""Forms of ratings, by the name that a finding gives them."""

_HEADER = r"^\s*(?P<name>\pL[\w-]{1,29})[ \t]*[:=][ \t]*(?P<value>[^\s/]\S*)"
"""`Newsgroups: rec.autos`, `Label=spam`: a word, a colon or equals sign, a value."""

_MOST_LINES = 8
"""Header lines of a text that are read."""


@dataclass(frozen=True)
class Signs:
    """The signs in many texts; a text has as many as it has."""

    rows: Rows
    """(signs,) the text of each."""
    names: Fingerprints
    """(signs,)"""
    values: Fingerprints
    """(signs,)"""
    called: dict[int, str] = field(default_factory=dict)
    """What is behind the numbers of frequent names, in words."""

    @classmethod
    def joined(cls, parts: Sequence[Signs], sizes: Sequence[int]) -> Signs:
        """Those of several parts of so many texts, in order."""
        starts = np.cumsum([0, *sizes])[:-1]
        pairs = zip(starts.tolist(), parts, strict=True)
        return cls(
            np.concatenate([part.rows + start for start, part in pairs]),
            np.concatenate([part.names for part in parts]),
            np.concatenate([part.values for part in parts]),
            {number: name for part in parts for number, name in part.called.items()},
        )

    def take(self, texts: Rows, of: int) -> Signs:
        """Those of some of the `of` texts, which are counted anew."""
        new = np.full(of, -1)
        new[texts] = np.arange(len(texts))
        kept = new[self.rows] >= 0
        return Signs(new[self.rows[kept]], self.names[kept], self.values[kept], self.called)


def find_signs(texts: pa.Array, *, frequent: float) -> Signs:
    """Find the signs in texts (n,).

    Args:
        texts: They are looked at in lower case.
        frequent: Share of the texts that must have a header for its name to be kept. What is that
            frequent in a table is so in one of its batches.
    """
    texts = pc.utf8_lower(texts)
    found = [*_ratings(texts), *_headers(texts)]
    if not found:
        none = np.zeros(0, np.uint64)
        return Signs(np.zeros(0, np.int64), none, none)
    names = pa.concat_arrays([names for _, names, _ in found]).dictionary_encode()
    numbers = string_numbers(names.dictionary)
    codes = numbers_of(names.indices)
    kept = np.bincount(codes, minlength=len(numbers)) >= frequent * len(texts)
    spelled = map(_called, names.dictionary.filter(mask_column(kept)).to_pylist())
    return Signs(
        np.concatenate([rows for rows, _, _ in found]),
        numbers[codes],
        np.concatenate([string_numbers(values) for _, _, values in found]),
        dict(zip(numbers[kept].tolist(), spelled, strict=True)),
    )


def _called(name: str) -> str:
    return name if name in _RATINGS else f"headers {name!r}"


def _ratings(texts: pa.Array) -> Iterator[Found]:
    """The last rating of each text in each of their forms: the first may be of a part."""
    for name, pattern in _RATINGS.items():
        rows, _ = _extracted(texts, pattern)
        if len(rows):
            _, (values,) = _extracted(texts.take(number_column(rows)), f"(?s)^.*(?:{pattern})")
            yield rows, pa.repeat(text_column([name])[0], len(rows)), values


def _headers(texts: pa.Array) -> Iterator[Found]:
    """The header lines at the beginning of each text, a line at a time."""
    rows = np.arange(len(texts))
    for line in count():
        found, groups = _extracted(texts, _HEADER)
        if not len(found) or line == _MOST_LINES:
            return
        rows, texts = rows[found], texts.take(number_column(found))
        yield rows, *groups
        behind, (rest,) = _extracted(texts, r"(?s)^\s*[^\n]*\n(?P<rest>[^\n].*)")
        rows, texts = rows[behind], rest


def _extracted(texts: pa.Array, pattern: str) -> tuple[Rows, list[pa.StringArray]]:
    """The texts that a pattern is found in, and what its groups hold in them."""
    groups = pc.extract_regex(texts, pattern)
    found = np.flatnonzero(numbers_of(pc.is_valid(groups)))
    return found, groups.take(number_column(found)).flatten()
