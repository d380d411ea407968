"""What each column of a table holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa

from embedclf.autoconfig.columns.names import ColumnName
from embedclf.data.label_cells import find_listed_labels
from embedclf.errors import DataError
from embedclf.system.arrow import mask_column, pc, text_column, to_numpy
from embedclf.system.terminal import format_count, format_percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from embedclf.tables.tables import Table

Content = Literal[
    "nothing", "flags", "numbers", "measures", "dates", "codes", "label lists", "lists", "words"
]

_FIRST_ROWS = 10_000

_ROW_STEP = 64

_MAX_COLUMNS = 20_000
"""Columns among which the text and the label are looked for."""

_MAX_SAMPLE_CELLS = 5_000_000

_MAX_CELL_LENGTH = 10_000

_MAX_CELLS = 1_000
"""Cells that are enough to recognize the content of a column."""

_MAX_NAME_LENGTH = 40

_MAX_VALUES = 20

_MAX_LISTS = 100
"""Lists that are enough to recognize lists of labels."""

_CONTENT_FRACTION = 0.95

_DAY = r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}"

# Arrow's regular expressions are RE2's: a flag may begin a group, and `\p{Han}` is a script.
_PATTERNS: dict[Content, str] = {
    "flags": r"(?i)[01](\.0)?|true|false",
    # Halves count as whole: ratings such as 3.5 can be labels, other decimals are measures.
    "numbers": r"[+-]?\d+(\.[05]0*)?",
    "measures": r"[+-]?[\d.,]*\d([eE][+-]?\d+)?\s?%?",
    "dates": rf"{_DAY}([T ].*)?|\d\d?:\d\d(:.*)?|[A-Z][a-z]{{2,8}},? .{{0,6}}\d.*\d{{2}}:\d\d.*",
    "codes": r"\w+://\S+|\S+@\S+\.\w+|[0-9a-fA-F]{12,}|[0-9a-fA-F]+(-[0-9a-fA-F]{4,})+|#?\w*\d{5,}",
    "lists": r"(?s)\[.*\]|\{.*\}",
}
"""A pattern that nearly all cells of a column match; the first one decides. If none matches, the
column holds words."""

_SINGULAR = {
    "flags": "flag",
    "numbers": "number",
    "measures": "measure",
    "dates": "date",
    "codes": "code",
    "label lists": "list",
    "lists": "list",
    "words": "text",
}

_NUMBER = re.compile(r"[+-]?[\d.]+")

_UNSPACED_LETTER = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"

# Two non-ASCII characters in a row count as words, since some scripts have no spaces.
_MULTIPLE_WORDS = r"\S\s+\S|[^\x00-\x7f]{2}"


@dataclass(frozen=True)
class ColumnProfile:
    """What a column holds, in a sample of rows."""

    name: str
    content: Content
    rows: int
    """Rows of the sample."""
    filled: int
    """Rows whose cell is not blank."""
    distinct: int
    """Distinct cells that are not blank."""
    mean_length: float
    """Characters per filled cell; longer cells count as 10,000."""
    multi_word_fraction: float
    """Fraction of the distinct cells with more than one word, or with two letters in a row that are
    not ASCII."""
    contains_own_name: bool
    """Whether the column's name is one of its cells, as in a table without a header."""
    example: str = ""
    """The first cell that is not blank."""
    values: tuple[str, ...] = ()
    """The distinct cells that are not blank, if there are at most 20."""

    @cached_property
    def meaning(self) -> ColumnName:
        """What its name says."""
        return ColumnName(self.name)

    @property
    def filled_fraction(self) -> float:
        """Fraction of the rows whose cell is not blank."""
        return self.filled / max(self.rows, 1)

    @property
    def distinct_fraction(self) -> float:
        """Distinct cells per filled cell, between 0 and 1."""
        return self.distinct / max(self.filled, 1)

    @property
    def quoted_name(self) -> str:
        """The name in quotes, escaped to one line and shortened."""
        is_long = len(self.name) > _MAX_NAME_LENGTH
        return repr(f"{self.name[:_MAX_NAME_LENGTH]}…" if is_long else self.name)

    def __str__(self) -> str:
        """Describe it: `'review': words, 98% distinct, 231 characters on average`."""
        return f"{self.quoted_name}: {self.summary}"

    @property
    def summary(self) -> str:
        """Describe the cells: `words, 98% distinct, 231 characters on average`."""
        if not self.filled:
            return "empty"
        if self.distinct == 1:
            return f"always the same {_SINGULAR.get(self.content, self.content)}"
        if self.distinct <= max(20, self.filled // 5):
            return f"{self.distinct:,} distinct values in {self.filled:,} rows"
        fraction = self.distinct_fraction
        # 100% is all, not nearly all.
        percentage = format_percent(min(0.99, fraction) if fraction < 1 else 1.0, places=0)
        length = format_count(round(self.mean_length), "character")
        return f"{self.content}, {percentage} distinct, {length} on average"


@dataclass(frozen=True)
class TableSample:
    """Some rows of a table, with all columns as text."""

    rows: pa.Table
    profiles: tuple[ColumnProfile, ...]
    """One per column, in order."""

    def cells(self, column: str) -> pa.StringArray:
        """Return the cells of a column in the first rows: enough to recognize a script."""
        return self.rows[column].slice(0, _MAX_CELLS).combine_chunks()


def read_sample(table: Table, requested: Sequence[str] = ()) -> TableSample:
    """Read the first 10,000 rows of a table, and one of 64 of the others.

    The others count because tables may be sorted by label. Cells are truncated to 10,000
    characters. Nested values are columns of their own. Of a table with more than 500 columns, the
    sample ends after 5,000,000 cells. With more than 20,000 columns, only those requested are
    read.

    Args:
        table: The table.
        requested: Columns to read in any case, such as a list with nested values.

    Raises:
        DataError: A row cannot be read, or there is none; or there are too many columns to look
            for the text and the label.
    """
    columns = _choose_columns(table, requested)
    # With a schema, a table without rows is empty rather than an error.
    rows = pa.Table.from_batches(
        _read_sample_rows(table, columns), pa.schema([(name, pa.string()) for name in columns])
    )
    if not len(rows):
        raise DataError(f"{table.name}: no rows after the header; add labeled texts")
    profiles = (
        _profile_column(name, column.combine_chunks())
        for name, column in zip(columns, rows.columns, strict=True)
    )
    return TableSample(rows, tuple(profiles))


def is_unspaced_script(texts: pa.Array) -> bool:
    """Check whether texts (n,) are written without spaces between words, as in Chinese or Thai.

    Most letters must be of such scripts, in runs of more than three on average: where a text was
    split into words beforehand, words are better tokens.
    """
    letters = _count_matches(texts, r"\pL")
    # Thai writes vowels above and below letters as marks (\pM), which must not end a word.
    words = _count_matches(texts, r"[\pL\pM]+")
    return 2 * _count_matches(texts, _UNSPACED_LETTER) > letters > 3 * words


def _choose_columns(table: Table, requested: Sequence[str]) -> list[str]:
    """Return the columns to read; raises DataError if there are too many."""
    leaves = table.leaves
    if len(leaves) <= _MAX_COLUMNS:
        return [*leaves, *(name for name in requested if name not in leaves)]
    if len(requested) < 2:
        raise DataError(
            f"{table.name}: {len(leaves):,} columns are too many to find the text and the label; "
            "name them: --text COLUMN --label COLUMN"
        )
    return [*requested]


def _read_sample_rows(table: Table, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    read = 0
    is_wide = len(columns) * _FIRST_ROWS > _MAX_SAMPLE_CELLS
    for batch in _read_columns(table, columns):
        if is_wide and read * len(columns) > _MAX_SAMPLE_CELLS:
            return
        mask = np.zeros(len(batch), np.bool_)
        mask[: max(0, _FIRST_ROWS - read)] = True  # a negative stop would count from the end
        mask[::_ROW_STEP] = True
        read += len(batch)
        rows = batch.filter(mask_column(mask))
        truncated = [pc.utf8_slice_codeunits(cells, 0, _MAX_CELL_LENGTH) for cells in rows.columns]
        yield pa.RecordBatch.from_arrays(truncated, rows.schema.names)


def _read_columns(table: Table, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    if len(set(columns)) < len(columns):
        # Columns that share a name cannot be read by it.
        return table.iter_all_columns()
    return (batch for batch, _ in table.iter_batches(columns, as_json=columns))


def _profile_column(name: str, column: pa.StringArray) -> ColumnProfile:
    trimmed = pc.utf8_trim_whitespace(column)
    # Not simply `""`: pyarrow would import pandas to convert a Python value.
    filled = trimmed.filter(pc.not_equal(trimmed, text_column([""])[0]))
    # The content is judged by distinct cells, so a value that fills most rows counts once.
    cells = filled.unique()
    content = _recognize_content(cells[:_MAX_CELLS])
    if content == "lists" and _are_label_lists(cells[:_MAX_LISTS].to_pylist()):
        content = "label lists"
    return ColumnProfile(
        name,
        content,
        rows=len(column),
        filled=len(filled),
        distinct=len(cells),
        mean_length=_mean(pc.utf8_length(filled)),
        multi_word_fraction=_mean(pc.match_substring_regex(cells[:_MAX_CELLS], _MULTIPLE_WORDS)),
        contains_own_name=bool(pc.is_in(text_column([name]), cells)[0].as_py()),
        example=" ".join(cells[0].as_py().split()) if len(cells) else "",
        values=tuple(cells.to_pylist()) if len(cells) <= _MAX_VALUES else (),
    )


def _recognize_content(cells: pa.StringArray) -> Content:
    if not len(cells):
        return "nothing"
    for content, pattern in _PATTERNS.items():
        fraction = _mean(pc.match_substring_regex(cells, f"^({pattern})$"))
        # A few cells such as `n/a` may differ, but flags have two values by definition.
        if fraction == 1 or (fraction >= _CONTENT_FRACTION and content != "flags"):
            return content
    return "words"


def _are_label_lists(cells: Sequence[str]) -> bool:
    """Whether cells can be the labels of a row: words, not numbers or nested values."""
    try:
        labels = [label for cell in cells for label in find_listed_labels(cell) or ()]
    except ValueError:
        return False
    return bool(labels) and not all(_NUMBER.fullmatch(label) for label in labels)


def _mean(column: pa.Array) -> float:
    return float(to_numpy(column).mean()) if len(column) else 0.0


def _count_matches(texts: pa.Array, pattern: str) -> int:
    return int(to_numpy(pc.count_substring_regex(texts, pattern)).sum())
