"""Which columns hold the text and the label."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedclf.errors import DataError, RequestError
from embedclf.system.terminal import new_table, render, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.autoconfig.column_profiles import ColumnProfile

# Words in the names of columns; most tables have English headers, whatever their language.
_TEXT_WORDS = re.compile(
    "abstract|answer|body|comment|content|description|document|headline|message|phrase|post|query|"
    "question|review|sentence|sms|summary|text|title|tweet|utterance"
)

_LABEL_WORDS = re.compile(
    "categor(y|ies)|class|classes|emotions?|genres?|intent|kategorie|labels?|polarity|rating|score|"
    "sentiment|stars|tags?|target|topics?"
)

_OTHER_WORDS = re.compile(
    "author|confidence|count|date|day|fold|hour|id|idx|index|key|lang|language|month|name|number|"
    "row|split|time|timestamp|url|user|username|version|year"
)

_TEXT_NAMES, _LABEL_NAMES = frozenset({"text"}), frozenset({"label", "labels"})
"""Names that need no other evidence."""

_MAX_CANDIDATES = 8
"""Columns that an error lists."""

_MIN_SCORE_RATIO = 2.0
"""Ratio of scores at which the best text column is taken over the next."""

_FEW_VALUES = 20
"""Distinct numbers or words that a label may have, whatever the number of rows."""

_NOT_A_LABEL, _UNLIKELY, _POSSIBLE, _PART_OF_NAME, _WHOLE_NAME, _DEFAULT_NAME = range(6)
"""Ranks of label columns: the last three have a word for a label in their name."""


@dataclass(frozen=True)
class ColumnRoles:
    """The columns of the text and the label."""

    text: tuple[ColumnProfile, ...]
    label: tuple[ColumnProfile, ...]
    """More than one if they are columns of 0 and 1."""
    left_out: tuple[ColumnProfile, ...] = ()
    """Others that could be text, or columns of flags that are the same in all rows of the
    sample."""
    requested: frozenset[str] = frozenset()
    """Names that the user chose."""

    @property
    def text_names(self) -> str | list[str]:
        """The text as `data.text` has it."""
        return _column_names(self.text)

    @property
    def label_names(self) -> str | list[str]:
        """The label as `data.label` has it; a list would be columns of 0 and 1."""
        return _column_names(self.label)

    @property
    def has_label_lists(self) -> bool:
        """Whether each cell of the label is a list, as JSON Lines and Parquet can hold."""
        return len(self.label) == 1 and self.label[0].content == "text lists"


class UnclearColumnError(DataError):
    """It is unclear which column holds the text, or the label."""

    def __init__(self, message: str, key: str, candidates: Sequence[ColumnProfile]) -> None:
        super().__init__(message)
        self.key = key
        """text or label."""
        self.candidates = tuple(candidates)
        """Columns that it could be, the best first."""

    @property
    def example(self) -> ColumnProfile | None:
        """The best candidate that would work: a label needs values that repeat."""
        return next(
            (
                column
                for column in self.candidates
                if self.key == "text" or 2 <= column.distinct <= column.filled / 2
            ),
            None,
        )

    def candidate_table(self) -> str:
        """Show the candidates: name, content, and a cell."""
        table = new_table("column", "contains", "example")
        for column in self.candidates[:_MAX_CANDIDATES]:
            table.add_row(shorten(column.name, 30), column.summary, shorten(column.example, 30))
        return render(table)


def assign_roles(
    profiles: Sequence[ColumnProfile],
    table: str,
    *,
    text: Sequence[str] = (),
    label: Sequence[str] = (),
) -> ColumnRoles:
    """Find the columns of the text and the label.

    A text is long, differs between rows and has several words. A label has few values that many
    rows share. The name of a column counts too. If two columns fit about equally well, neither is
    taken.

    Args:
        profiles: What each column holds.
        table: The name of the table for messages.
        text: The columns of the text, if they are known.
        label: The columns of the label, if they are known.

    Raises:
        UnclearColumnError: No column fits, or several fit about equally well.
        DataError: The table has no header.
    """
    names = [profile.name for profile in profiles]
    # A config selects columns by name, so a name must not be empty or shared by two columns.
    usable = [profile for profile in profiles if profile.name and names.count(profile.name) == 1]
    by_name = {profile.name: profile for profile in usable}
    # The table was opened with these names, so each of them exists exactly once.
    texts = [by_name[name] for name in text]
    labels = [by_name[name] for name in label]
    free = [profile for profile in usable if profile not in [*texts, *labels]]
    search = _RoleSearch(table, tuple(free))
    others: list[ColumnProfile] = []
    if not texts:
        best, others = search.find_text()
        texts = [best]
    if not labels:
        labels, constant = search.find_labels(texts)
        # Not for requested columns: whoever knows a column name has seen a header.
        _check_header(table, labels)
        others += constant
    left_out = tuple(profile for profile in others if profile not in labels)
    return ColumnRoles(tuple(texts), tuple(labels), left_out, frozenset([*text, *label]))


@dataclass(frozen=True)
class _RoleSearch:
    """A search among the columns that have no role yet."""

    table: str
    free: tuple[ColumnProfile, ...]

    def find_text(self) -> tuple[ColumnProfile, list[ColumnProfile]]:
        """Return the column of the text, and others that hold texts too."""
        scores = {column: _score_text(column) for column in self.free}
        candidates = (column for column in self.free if scores[column])
        ranked = sorted(candidates, key=lambda column: -scores[column])
        if not ranked:
            if named := _find_named(self.free, _TEXT_NAMES):
                return named, []
            raise self._unclear("text", "no column looks like the text", self.free)
        best, *others = ranked
        if others and scores[best] < _MIN_SCORE_RATIO * scores[others[0]]:
            # In the order of the table, not of the scores.
            names = _join_names([column for column in self.free if column in ranked[:2]])
            raise self._unclear("text", f"both {names} could be the text", ranked)
        more_texts = [
            column
            for column in others
            if _is_named(column, _TEXT_WORDS) and column.multi_word_fraction >= 0.5
        ]
        return best, more_texts

    def find_labels(
        self, texts: Sequence[ColumnProfile]
    ) -> tuple[list[ColumnProfile], list[ColumnProfile]]:
        """Return the columns of the label, and columns of flags that never change."""
        free = [column for column in self.free if column not in texts]
        ranks = {column: _rank_label(column) for column in free}
        best_rank = max(ranks.values(), default=_NOT_A_LABEL)
        best = [column for column in free if ranks[column] == best_rank]
        all_flags = all(column.content == "flags" for column in best)
        # Several flags, none named like a label: one column per label.
        if best_rank == _POSSIBLE and all_flags and len(best) > 1:
            # Not in `best`, since a column that never changes cannot be ranked as a label.
            constant = [
                column for column in free if column.content == "flags" and column.distinct == 1
            ]
            return best, constant
        likely = sorted(
            (column for column in free if ranks[column] > _NOT_A_LABEL),
            # The fewer values a column has, the more rows each label would have.
            key=lambda column: (-ranks[column], column.distinct),
        )
        if best_rank == _NOT_A_LABEL:
            if named := _find_named(free, _LABEL_NAMES):
                return [named], []
            raise self._unclear("label", "no column looks like the label", free)
        if len(best) > 1:
            names = "several columns" if len(best) > 3 else _join_names(best)
            raise self._unclear("label", f"{names} could be the label", likely)
        return best, []

    def _unclear(
        self, key: str, fault: str, candidates: Sequence[ColumnProfile]
    ) -> UnclearColumnError:
        message = f"{self.table}: {fault}; name it: --{key} COLUMN"
        return UnclearColumnError(message, key, candidates)


def _score_text(column: ColumnProfile) -> float:
    """Score how well a column would do as the text; 0 if it cannot be one."""
    # Cells that occur more than ten times on average are categories, not texts.
    is_repeated = column.distinct < 2 or 10 * column.distinct < column.filled
    if column.content != "words" or is_repeated:
        return 0.0
    # 0.1: a column of single words can still be the text if there is no better one.
    score = column.mean_length * column.distinct_fraction * (0.1 + column.multi_word_fraction)
    # Factors differ by `_MIN_SCORE_RATIO` or more, so the name decides between equal columns.
    if column.name.lower() in _TEXT_NAMES:
        return 8 * score
    if _is_named(column, _OTHER_WORDS) and not _is_named(column, _TEXT_WORDS):
        return score / 4
    return (4 if _is_named(column, _TEXT_WORDS) else 1) * score


def _rank_label(column: ColumnProfile) -> int:
    """Rank how probably a column holds labels, by its content, then by its name."""
    is_named = _is_named(column, _LABEL_WORDS)
    min_repeats = 2 if is_named or column.distinct <= _FEW_VALUES else 5  # rows per distinct cell
    if column.distinct < 2 or column.distinct * min_repeats > column.filled:
        return _NOT_A_LABEL
    is_quantity = column.content == "numbers" and column.distinct > _FEW_VALUES and not is_named
    if is_quantity or column.content not in {"flags", "numbers", "text lists", "words"}:
        return _NOT_A_LABEL
    if not is_named:
        # Rows without a label are dropped, so a mostly empty column would waste the table.
        is_sparse = 2 * column.filled < column.rows
        return _UNLIKELY if is_sparse or _is_named(column, _OTHER_WORDS) else _POSSIBLE
    if column.name.lower() in _LABEL_NAMES:
        return _DEFAULT_NAME
    return _WHOLE_NAME if len(column.name_words) == 1 else _PART_OF_NAME


def _find_named(columns: Sequence[ColumnProfile], names: frozenset[str]) -> ColumnProfile | None:
    """Return a column of one of some names that has more than one value, whatever these are."""
    named = (column for column in columns if column.name.lower() in names)
    return next((column for column in named if column.distinct > 1), None)


def _is_named(column: ColumnProfile, words: re.Pattern[str]) -> bool:
    # Whole words only: `video` contains `id`, and `update` contains `date`.
    return any(map(words.fullmatch, column.name_words))


def _join_names(columns: Sequence[ColumnProfile]) -> str:
    *first, last = [column.quoted_name for column in columns]
    return f"{', '.join(first)} and {last}" if first else last


def _column_names(columns: Sequence[ColumnProfile]) -> str | list[str]:
    return columns[0].name if len(columns) == 1 else [column.name for column in columns]


def check_requested(text: Sequence[str], label: Sequence[str]) -> None:
    """Refuse columns without a name, and those that are requested twice; raises RequestError."""
    names = [*text, *label]
    for name in names:
        if not name:
            raise RequestError("--text and --label need a column name; name the column in the file")
        if names.count(name) > 1:
            raise RequestError(f"--text and --label: column {name!r} is named twice; name it once")


def _check_header(table: str, labels: Sequence[ColumnProfile]) -> None:
    for column in labels:
        # Labels recur: if the first row is data, its label is also the cell of other rows.
        if column.contains_own_name:
            raise DataError(
                f"{table}:1: the first line looks like data, not a header: {column.quoted_name} is "
                "also a cell; add a line with the column names"
            )
