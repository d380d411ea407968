"""Which columns are text, which label."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedclf.errors import DataError, RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.autoconfig.column_profiles import ColumnProfile

_OF_TEXTS = re.compile(
    "abstract|answer|body|comment|content|description|document|headline|message|phrase|post|query|"
    "question|review|sentence|sms|summary|text|title|tweet|utterance"
)

_OF_LABELS = re.compile(
    "categor(y|ies)|class|classes|emotions?|genres?|intent|labels?|polarity|rating|score|sentiment|"
    "stars|tags?|target|topics?"
)

_OF_OTHERS = re.compile(
    "author|confidence|count|date|day|fold|hour|id|idx|index|key|lang|language|month|name|number|"
    "row|split|time|timestamp|url|user|username|version|year"
)
"""Words in the names of columns, in English as most tables have them."""

_USUAL = {"text": frozenset({"text"}), "label": frozenset({"label", "labels"})}
"""Names that settle it: those of the config's defaults."""

_LISTED = 20
"""Columns that an error lists."""

_CLEAR = 2.0
"""How many times as good as the next the best column must be."""

_FEW = 20
"""Different numbers or words that a label may have whatever the number of rows."""


@dataclass(frozen=True)
class ColumnRoles:
    """The columns of texts and labels, and how they were told."""

    text: tuple[ColumnProfile, ...]
    label: tuple[ColumnProfile, ...]
    """More than one are columns of 0 and 1."""
    left_out: tuple[ColumnProfile, ...] = ()
    """Others that could be texts, or columns of 0 and 1 that are 0 or 1 in all rows seen."""
    given: frozenset[str] = frozenset()
    """Names that were given, not found."""


def assign_roles(
    profiles: Sequence[ColumnProfile],
    table: str,
    *,
    text: Sequence[str] = (),
    label: Sequence[str] = (),
) -> ColumnRoles:
    """Find the columns of the text and of the label.

    A text is long, differs from row to row and has several words; a label has few values that many
    rows share. A name that tells counts too. Where two columns are about as good none is taken.

    Args:
        profiles: What each column holds.
        table: What messages call the table.
        text: Columns of the text where they are known.
        label: Columns of the label where they are known.

    Raises:
        DataError: No column fits, or several fit about as well, or the table has no header.
        RequestError: A column is given twice, or has no name.
    """
    _check_given([*text, *label])
    names = [profile.name for profile in profiles]
    usable = [one for one in profiles if one.name and names.count(one.name) == 1]
    by_name = {profile.name: profile for profile in usable}
    texts = [by_name[name] for name in text]
    labels = [by_name[name] for name in label]
    free = [one for one in usable if one not in [*texts, *labels]]
    search = _Search(table, tuple(profiles), tuple(free))
    others: list[ColumnProfile] = []
    if not texts:
        best, others = search.text()
        texts = [best]
    if not labels:
        labels, constant = search.labels(texts)
        _check_header(table, labels)
        others += constant
    left_out = tuple(one for one in others if one not in labels)
    return ColumnRoles(tuple(texts), tuple(labels), left_out, frozenset([*text, *label]))


@dataclass(frozen=True)
class _Search:
    """A search among the columns that are not spoken for."""

    table: str
    profiles: tuple[ColumnProfile, ...]
    free: tuple[ColumnProfile, ...]

    def text(self) -> tuple[ColumnProfile, list[ColumnProfile]]:
        """The column of the text, and others that hold texts too."""
        scores = {one: _text_score(one) for one in self.free}
        ranked = sorted((one for one in self.free if scores[one]), key=lambda one: -scores[one])
        if not ranked:
            raise self._fault("no column holds texts", "name one by --text, perhaps")
        best, *others = ranked
        if others and scores[best] < _CLEAR * scores[others[0]]:
            equal = [one for one in self.free if one in ranked[:2]]
            raise self._fault(
                f"{_listed(equal)} may both be the text",
                "name one by --text, or both by --text twice",
            )
        hinted = [one for one in others if _of(one, _OF_TEXTS) and one.several_words >= 0.5]
        return best, hinted

    def labels(
        self, texts: Sequence[ColumnProfile]
    ) -> tuple[list[ColumnProfile], list[ColumnProfile]]:
        """The columns of the label, and such of 0 and 1 that never change."""
        free = [one for one in self.free if one not in texts]
        ranks = {one: _label_rank(one) for one in free}
        best = max(ranks.values(), default=0)
        fitting = [one for one in free if ranks[one] == best]
        flags = [one for one in fitting if one.content == "flags"]
        if best == _UNNAMED and len(flags) == len(fitting) > 1:
            constant = [one for one in free if one.content == "flags" and one.different == 1]
            return flags, constant
        if not best:
            raise self._fault("no column holds labels", "name it by --label")
        if len(fitting) > 1:
            several = "several columns" if len(fitting) > 3 else _listed(fitting)
            raise self._fault(f"{several} may be the label", "name it by --label")
        return fitting, []

    def _fault(self, fault: str, way_out: str) -> DataError:
        listed, more = self.profiles[:_LISTED], len(self.profiles) - _LISTED
        there = "; ".join([*map(str, listed), *([f"{more:,} more"] if more > 0 else [])])
        return DataError(f"{self.table}: {fault}; {way_out}. There are {there}")


_NONE, _OTHER, _UNNAMED, _IN_NAME, _NAMED, _SETTLED = range(6)
"""How likely a column is the label: not at all, … its name says so."""


def _label_rank(column: ColumnProfile) -> int:
    """How likely a column holds labels, by what it holds, then by its name."""
    named = _of(column, _OF_LABELS)
    least = 2 if named or column.different <= _FEW else 5  # rows that share a value, on average
    if column.different < 2 or column.different * least > column.filled:
        return _NONE
    counted = column.content == "numbers" and column.different > _FEW and not named
    if counted or column.content not in {"flags", "numbers", "words"}:
        return _NONE
    if not named:
        sparse = 2 * column.filled < column.rows
        return _OTHER if _of(column, _OF_OTHERS) or sparse else _UNNAMED
    if column.name.lower() in _USUAL["label"]:
        return _SETTLED
    return _NAMED if len(column.words_of_name) == 1 else _IN_NAME


def _text_score(column: ColumnProfile) -> float:
    """How well a column would do as the text; 0 where it cannot be one."""
    repeated = column.different < 2 or 10 * column.different < column.filled
    if column.content != "words" or repeated:
        return 0.0
    score = column.length * column.share_different * (0.1 + column.several_words)
    if column.name.lower() in _USUAL["text"]:
        return 8 * score
    if _of(column, _OF_OTHERS) and not _of(column, _OF_TEXTS):
        return score / 4
    return (4 if _of(column, _OF_TEXTS) else 1) * score


def _of(column: ColumnProfile, words: re.Pattern[str]) -> bool:
    return any(map(words.fullmatch, column.words_of_name))


def _check_given(names: Sequence[str]) -> None:
    for name in names:
        if not name:
            raise RequestError("--text and --label: name a column; give it a name if it has none")
        if names.count(name) > 1:
            raise RequestError(f"--text and --label: column {name!r} is named twice; name it once")


def _listed(columns: Sequence[ColumnProfile]) -> str:
    *first, last = [one.quoted for one in columns]
    return f"{', '.join(first)} and {last}" if first else last


def _check_header(table: str, labels: Sequence[ColumnProfile]) -> None:
    for column in labels:
        if column.holds_its_name:
            raise DataError(
                f"{table}:1: no header, it seems: {column.quoted} is a column's name and one of "
                "its cells; put the columns' names into the first line"
            )
