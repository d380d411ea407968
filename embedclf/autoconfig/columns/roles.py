"""Which columns hold the text and the label."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedclf.autoconfig.columns.annotation_tools import added_columns, find_control, is_decision
from embedclf.autoconfig.columns.scores import LabelRank, rank_label, score_text
from embedclf.errors import DataError, RequestError
from embedclf.system.arrow import find_repeated
from embedclf.system.terminal import new_table, render, shorten
from embedclf.tables.new_tables import find_delimiter

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from embedclf.autoconfig.columns.profiles import ColumnProfile

_MAX_CANDIDATES = 8
"""Columns that an error lists."""

_MIN_SCORE_RATIO = 2.0
"""Ratio of scores at which the best text column is taken over the next."""


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
    decisions: ColumnProfile | None = None
    """Whether a person accepted each row, as Prodigy writes it, if that is no label."""
    control: ColumnProfile | None = None
    """Which of several questions the label answers, as Label Studio writes it."""
    repeated: tuple[str, ...] = ()
    """Names of several columns each, which are ignored."""

    @property
    def text_names(self) -> str | list[str]:
        """The text as `data.text` has it."""
        return _column_names(self.text)

    @property
    def label_names(self) -> str | list[str]:
        """The label as `data.label` has it; a list would be columns of 0 and 1."""
        return _column_names(self.label)

    @property
    def label_is_decision(self) -> bool:
        """Whether the label is `accept` or `reject`, as Prodigy writes it for a single label."""
        return len(self.label) == 1 and is_decision(self.label[0])


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
        DataError: The best column has no name, or the name of another column.
    """
    names = [profile.name for profile in profiles]
    by_name = {profile.name: profile for profile in profiles}
    # The table was opened with these names, so each of them exists exactly once.
    texts = [by_name[name] for name in text]
    labels = [by_name[name] for name in label]
    free = [profile for profile in profiles if profile.name not in {*text, *label}]
    search = _RoleSearch(table, tuple(names), tuple(free), added_columns(names))
    others: list[ColumnProfile] = []
    if not texts:
        best, others = search.find_text()
        texts = [best]
    if not labels:
        labels, constant = search.find_labels(texts)
        others += constant
    chosen = {profile.name for profile in [*texts, *labels]}
    return ColumnRoles(
        tuple(texts),
        tuple(labels),
        tuple(profile for profile in others if profile.name not in chosen),
        frozenset([*text, *label]),
        next(filter(is_decision, search.candidates(chosen)), None),
        find_control(labels[0], profiles),
        tuple(filter(None, find_repeated(names))),
    )


def check_header(table: str, roles: ColumnRoles) -> None:
    """Refuse a table whose first row is data.

    Raises:
        DataError: A label is also the name of its column.
    """
    for column in roles.label:
        # Labels recur: if the first row is data, its label is also the cell of other rows. Whoever
        # knows a column name has seen a header.
        if not column.contains_own_name or column.name in roles.requested:
            continue
        if column.meaning.is_label:
            raise DataError(
                f"{table}: a row repeats the header ({column.quoted_name} is also a cell of its "
                f"column); remove it, or confirm the column: --label {shlex.quote(column.name)}"
            )
        raise DataError(
            f"{table}:1: the first line looks like data, not a header: {column.quoted_name} is "
            "also a cell; name all columns: --columns text,label (data.columns in a config)"
        )


@dataclass(frozen=True)
class _RoleSearch:
    """A search among the columns that have no role yet."""

    table: str
    names: tuple[str, ...]
    """Of all columns."""
    free: tuple[ColumnProfile, ...]
    added: frozenset[str]
    """Columns that an annotation tool added."""

    def candidates(self, taken: Collection[str]) -> list[ColumnProfile]:
        """Return the columns that can have a role, without some names that have one."""
        return [
            column
            for column in self.free
            if column.name not in self.added and column.name not in taken
        ]

    def find_text(self) -> tuple[ColumnProfile, list[ColumnProfile]]:
        """Return the column of the text, and others that hold texts; raises as `assign_roles`."""
        free = self.candidates(())
        scores = {column: score_text(column) for column in free}
        ranked = sorted((column for column in free if scores[column]), key=lambda c: -scores[c])
        if not ranked:
            named = [column for column in free if column.meaning.is_text and column.distinct > 1]
            if named:
                return named[0], []
            raise self._unclear("text", "no column looks like the text", free)
        best, *others = ranked
        self._check_name(best, "text")
        is_close = others and scores[best] < _MIN_SCORE_RATIO * scores[others[0]]
        if is_close or (others and best.meaning.is_pair(others[0].meaning)):
            # In the order of the table, not of the scores.
            names = _join_names([column for column in free if column in ranked[:2]])
            raise self._unclear("text", f"both {names} could be the text", ranked)
        more_texts = [
            column
            for column in others
            if column.meaning.may_be_text and column.multi_word_fraction >= 0.5
        ]
        return best, more_texts

    def find_labels(
        self, texts: Sequence[ColumnProfile]
    ) -> tuple[list[ColumnProfile], list[ColumnProfile]]:
        """Return the columns of the label, and of flags that never change; raises as above."""
        free = self.candidates([column.name for column in texts])
        # Label Studio writes a single choice as text, and several as an object in the same column.
        choices = {f"{name}.choices" for name in self.names}
        free = [column for column in free if column.name not in choices]
        ranks = {column: rank_label(column) for column in free}
        best_rank = max(ranks.values(), default=LabelRank.NOT_A_LABEL)
        best = [column for column in free if ranks[column] == best_rank]
        if _is_flag_group(best, best_rank):
            parents = {column.meaning.parts[:-1] for column in best}
            # Not in `best`, since a column that never changes cannot be ranked as a label.
            constant = [each for each in free if each.content == "flags" and each.distinct == 1]
            return best, [column for column in constant if column.meaning.parts[:-1] in parents]
        if best_rank == LabelRank.NOT_A_LABEL:
            named = [column for column in free if column.meaning.is_label and column.distinct > 1]
            best = named[:1]
        if not free:
            raise self._no_column_left()
        if not best:
            raise self._unclear("label", "no column looks like the label", free)
        self._check_name(best[0], "label")
        if len(best) > 1:
            names = "several columns" if len(best) > 3 else _join_names(best)
            raise self._unclear("label", f"{names} could be the label", _sort_likely(ranks))
        return best, []

    def _check_name(self, column: ColumnProfile, role: str) -> None:
        """Refuse a column that a config cannot select by its name."""
        if not column.name:
            raise DataError(
                f"{self.table}:1: the column that looks like the {role} has no name; name it in "
                f"the file, or choose another: --{role} COLUMN"
            )
        if (count := self.names.count(column.name)) > 1:
            number = "two" if count == 2 else f"{count:,}"
            raise DataError(
                f"{self.table}:1: {number} columns are named {column.quoted_name}; rename "
                f"{'one' if count == 2 else 'them'}, or choose another: --{role} COLUMN"
            )

    def _no_column_left(self) -> DataError:
        fault = f"{self.table}: no column is left for the label"
        if len(self.names) == 1 and (delimiter := find_delimiter(self.names[0])):
            return DataError(f"{fault}; name the delimiter: --delimiter {delimiter}")
        return DataError(
            f"{fault}; training needs a table with the label of each text, or the folder of texts "
            "such as pos/1.txt"
        )

    def _unclear(
        self, key: str, fault: str, candidates: Sequence[ColumnProfile]
    ) -> UnclearColumnError:
        message = f"{self.table}: {fault}; name it: --{key} COLUMN"
        return UnclearColumnError(message, key, candidates)


def _sort_likely(ranks: Mapping[ColumnProfile, LabelRank]) -> list[ColumnProfile]:
    """Return the columns that could be the label, the most probable first."""
    return sorted(
        (column for column, rank in ranks.items() if rank > LabelRank.NOT_A_LABEL),
        # The fewer values a column has, the more rows each label would have.
        key=lambda column: (-ranks[column], column.distinct),
    )


def _is_flag_group(columns: Sequence[ColumnProfile], rank: LabelRank) -> bool:
    """Whether each of several columns is a label: flags, and none of them named like a label."""
    parents = {column.meaning.parts[:-1] for column in columns}
    is_object = len(parents) == 1 and () not in parents  # `cats.pos` and `cats.neg`
    all_flags = all(column.content == "flags" for column in columns)
    return len(columns) > 1 and all_flags and (is_object or rank == LabelRank.POSSIBLE)


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
