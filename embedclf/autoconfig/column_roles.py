"""Which columns are text, which label."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedclf.errors import DataError, RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.autoconfig.column_profiles import ColumnProfile

# Words in the names of columns; most tables have English headers, whatever their language.
_TEXT_WORDS = re.compile(
    "abstract|answer|body|comment|content|description|document|headline|message|phrase|post|query|"
    "question|review|sentence|sms|summary|text|title|tweet|utterance"
)

_LABEL_WORDS = re.compile(
    "categor(y|ies)|class|classes|emotions?|genres?|intent|labels?|polarity|rating|score|sentiment|"
    "stars|tags?|target|topics?"
)

_OTHER_WORDS = re.compile(
    "author|confidence|count|date|day|fold|hour|id|idx|index|key|lang|language|month|name|number|"
    "row|split|time|timestamp|url|user|username|version|year"
)

_TEXT_NAMES, _LABEL_NAMES = frozenset({"text"}), frozenset({"label", "labels"})
"""Names that settle it: the defaults of the config."""

_MAX_LISTED = 20
"""Columns that an error lists."""

_MIN_SCORE_RATIO = 2.0
"""How many times as good as the next column the text must be."""

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
        DataError: No column fits, several fit about equally well, or the table has no header.
        RequestError: A column is requested twice, or has no name.
    """
    _check_requested([*text, *label])
    names = [profile.name for profile in profiles]
    # A config selects columns by name, so a name must not be empty or shared by two columns.
    usable = [profile for profile in profiles if profile.name and names.count(profile.name) == 1]
    by_name = {profile.name: profile for profile in usable}
    # The table was opened with these names, so each of them exists exactly once.
    texts = [by_name[name] for name in text]
    labels = [by_name[name] for name in label]
    free = [profile for profile in usable if profile not in [*texts, *labels]]
    search = _RoleSearch(table, tuple(profiles), tuple(free))
    others: list[ColumnProfile] = []
    if not texts:
        best, others = search.find_text()
        texts = [best]
    if not labels:
        labels, constant = search.find_labels(texts)
        # Not for requested columns: whoever knows a column's name has seen a header.
        _check_header(table, labels)
        others += constant
    left_out = tuple(profile for profile in others if profile not in labels)
    return ColumnRoles(tuple(texts), tuple(labels), left_out, frozenset([*text, *label]))


@dataclass(frozen=True)
class _RoleSearch:
    """A search among the columns that have no role yet."""

    table: str
    profiles: tuple[ColumnProfile, ...]
    free: tuple[ColumnProfile, ...]

    def find_text(self) -> tuple[ColumnProfile, list[ColumnProfile]]:
        """Return the column of the text, and others that hold texts too."""
        scores = {column: _score_text(column) for column in self.free}
        candidates = (column for column in self.free if scores[column])
        ranked = sorted(candidates, key=lambda column: -scores[column])
        if not ranked:
            raise self._error("no column holds texts", "name one by --text, perhaps")
        best, *others = ranked
        if others and scores[best] < _MIN_SCORE_RATIO * scores[others[0]]:
            # In the order of the table, not of the scores.
            ambiguous = [column for column in self.free if column in ranked[:2]]
            raise self._error(
                f"{_join_names(ambiguous)} may both be the text",
                "name one by --text, or both by --text twice",
            )
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
        if best_rank == _NOT_A_LABEL:
            raise self._error("no column holds labels", "name it by --label")
        if len(best) > 1:
            ambiguous = "several columns" if len(best) > 3 else _join_names(best)
            raise self._error(f"{ambiguous} may be the label", "name it by --label")
        return best, []

    def _error(self, fault: str, fix: str) -> DataError:
        descriptions = [str(profile) for profile in self.profiles[:_MAX_LISTED]]
        if (more := len(self.profiles) - _MAX_LISTED) > 0:
            descriptions.append(f"{more:,} more")
        return DataError(f"{self.table}: {fault}; {fix}. There are {'; '.join(descriptions)}")


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
    if is_quantity or column.content not in {"flags", "numbers", "words"}:
        return _NOT_A_LABEL
    if not is_named:
        # Rows without a label are dropped, so a mostly empty column would waste the table.
        is_sparse = 2 * column.filled < column.rows
        return _UNLIKELY if is_sparse or _is_named(column, _OTHER_WORDS) else _POSSIBLE
    if column.name.lower() in _LABEL_NAMES:
        return _DEFAULT_NAME
    return _WHOLE_NAME if len(column.name_words) == 1 else _PART_OF_NAME


def _is_named(column: ColumnProfile, words: re.Pattern[str]) -> bool:
    # Whole words only: `video` contains `id`, and `update` contains `date`.
    return any(map(words.fullmatch, column.name_words))


def _join_names(columns: Sequence[ColumnProfile]) -> str:
    *first, last = [column.quoted_name for column in columns]
    return f"{', '.join(first)} and {last}" if first else last


def _check_requested(names: Sequence[str]) -> None:
    for name in names:
        if not name:
            raise RequestError("--text and --label: name a column; give it a name if it has none")
        if names.count(name) > 1:
            raise RequestError(f"--text and --label: column {name!r} is named twice; name it once")


def _check_header(table: str, labels: Sequence[ColumnProfile]) -> None:
    for column in labels:
        # Labels recur: if the first row is data, its label is also the cell of other rows.
        if column.contains_own_name:
            raise DataError(
                f"{table}:1: no header, it seems: {column.quoted_name} is a column's name and one "
                "of its cells; put the columns' names into the first line"
            )
