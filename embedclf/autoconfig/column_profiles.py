"""What each column of a table holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from embedclf.errors import DataError
from embedclf.system.arrow import mask_column, numbers_of, text_column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedclf.data.tables import Table

Content = Literal["nothing", "flags", "numbers", "measures", "dates", "codes", "lists", "words"]

_WHOLE = 10_000

_ONE_OF = 64

_MOST_OF_A_CELL = 10_000

_LOOKED_AT = 1_000
"""Cells that are enough to tell what a column holds."""

_MOST_OF_A_NAME = 40

_NEARLY_ALL = 0.95

_DAY = r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}"

_PATTERNS: dict[Content, str] = {
    "flags": r"(?i)0|1|true|false",
    "numbers": r"[+-]?\d+(\.[05]0*)?",
    "measures": r"[+-]?[\d.,]*\d([eE][+-]?\d+)?\s?%?",
    "dates": rf"{_DAY}([T ].*)?|\d\d?:\d\d(:.*)?|[A-Z][a-z]{{2,8}},? .{{0,6}}\d.*\d{{2}}:\d\d.*",
    "codes": r"\w+://\S+|\S+@\S+\.\w+|[0-9a-fA-F]{12,}|[0-9a-fA-F]+(-[0-9a-fA-F]{4,})+|#?\w*\d{5,}",
    "lists": r"\[.*\]|\{.*\}",
}
"""What nearly all cells of a column match, the first that fits; else they are words."""

_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"

_NAME_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+")

_SEVERAL_WORDS = r"\S\s+\S|[^\x00-\x7f]{2}"


@dataclass(frozen=True)
class ColumnProfile:
    """What a column holds, as far as a sample of rows tells."""

    name: str
    content: Content
    rows: int
    """Rows of the sample."""
    filled: int
    """Those of them whose cell is not blank."""
    different: int
    """Different cells among these."""
    length: float
    """Their mean number of characters; no cell counts for more than 10,000."""
    several_words: float
    """Share of the different cells with more than one word, or more than one letter of a script
    beyond ASCII."""
    holds_its_name: bool
    """Whether the column's name is one of the cells, as in a table without a header."""

    @property
    def words_of_name(self) -> tuple[str, ...]:
        """The words of the name in small letters: `SentenceId` is `sentence`, `id`."""
        return tuple(word.lower() for word in _NAME_WORDS.findall(self.name))

    @property
    def share_different(self) -> float:
        """How many of the filled cells differ, between 0 and 1."""
        return self.different / max(self.filled, 1)

    @property
    def quoted(self) -> str:
        """The name in quotes, on one line and of a bounded length."""
        cut = len(self.name) > _MOST_OF_A_NAME
        return repr(f"{self.name[:_MOST_OF_A_NAME]}…" if cut else self.name)

    def __str__(self) -> str:
        """What it holds: `'review': words, 98 % of them different, 231 characters on average`."""
        if self.different < 2:
            told = f"always the same {self.content}" if self.filled else "nothing"
            return f"{self.quoted}: {told}"
        if self.different <= max(20, self.filled // 5):
            seen = f"in the {self.filled:,} rows looked at"
            return f"{self.quoted}: {self.different:,} different {self.content} {seen}"
        share = min(99.0, 100 * self.share_different) if self.share_different < 1 else 100
        told = f"{self.quoted}: {self.content}, {share:.0f} % of them different"
        return f"{told}, {self.length:,.0f} characters on average"


@dataclass(frozen=True)
class Sample:
    """Some rows of a table, all columns of them as text."""

    rows: pa.Table
    profiles: tuple[ColumnProfile, ...]
    """One for each column, in order."""

    def cells(self, column: str) -> pa.StringArray:
        """The cells of a column in the first rows of the sample: enough to tell a script."""
        return self.rows[column].slice(0, _LOOKED_AT).combine_chunks()


def sample(table: Table) -> Sample:
    """Read a sample of a table: its first 10,000 rows, and one of 64 of the others.

    The others count since tables may be sorted by label. Of a cell no more than 10,000 characters
    are kept.

    Raises:
        DataError: A row cannot be read, or there is none.
    """
    rows = pa.Table.from_batches(
        _sampled(table), pa.schema([(column, pa.string()) for column in table.columns])
    )
    if not len(rows):
        raise DataError(f"{table.name}: a header and no rows; it needs labelled texts")
    profiles = (
        _profile(name, column.combine_chunks())
        for name, column in zip(table.columns, rows.columns, strict=True)
    )
    return Sample(rows, tuple(profiles))


def are_unspaced(texts: pa.Array) -> bool:
    """Whether texts (n,) run on without blanks between words, as Chinese or Thai does.

    Most letters must be of such scripts, and more than three of them stand together on average:
    where words were parted beforehand, a word is a better token.
    """
    letters = _occurrences(texts, r"\pL")
    words = _occurrences(texts, r"[\pL\pM]+")
    return 2 * _occurrences(texts, _UNSPACED) > letters > 3 * words


def _sampled(table: Table) -> Iterator[pa.RecordBatch]:
    read = 0
    for batch in table.cells():
        chosen = np.zeros(len(batch), np.bool_)
        chosen[: max(0, _WHOLE - read)] = True
        chosen[::_ONE_OF] = True
        read += len(batch)
        rows = batch.filter(mask_column(chosen))
        cut = [pc.utf8_slice_codeunits(cells, 0, _MOST_OF_A_CELL) for cells in rows.columns]
        yield pa.RecordBatch.from_arrays(cut, rows.schema.names)


def _profile(name: str, column: pa.StringArray) -> ColumnProfile:
    trimmed = pc.utf8_trim_whitespace(column)
    filled = trimmed.filter(pc.not_equal(trimmed, text_column([""])[0]))
    cells = filled.unique()
    return ColumnProfile(
        name,
        _content(cells[:_LOOKED_AT]),
        rows=len(column),
        filled=len(filled),
        different=len(cells),
        length=_mean(pc.utf8_length(filled)),
        several_words=_mean(pc.match_substring_regex(cells[:_LOOKED_AT], _SEVERAL_WORDS)),
        holds_its_name=bool(pc.is_in(text_column([name]), cells)[0].as_py()),
    )


def _content(cells: pa.StringArray) -> Content:
    if not len(cells):
        return "nothing"
    for content, pattern in _PATTERNS.items():
        share = _mean(pc.match_substring_regex(cells, f"^({pattern})$"))
        if share == 1 or (share >= _NEARLY_ALL and content != "flags"):
            return content
    return "words"


def _mean(column: pa.Array) -> float:
    return float(numbers_of(column).mean()) if len(column) else 0.0


def _occurrences(texts: pa.Array, pattern: str) -> int:
    return int(numbers_of(pc.count_substring_regex(texts, pattern)).sum())
