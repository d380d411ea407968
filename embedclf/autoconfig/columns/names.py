"""What the name of a column says about its role."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

# Words in the names of columns; most tables have English headers, whatever their language.
_TEXT_WORDS = re.compile(
    "abstract|answer|article|body|comments?|content|data|description|document|essay|excerpt|"
    "feedback|lyrics|message|narrative|paragraph|passage|phrase|post|query|question|review|"
    "sentence|sms|statement|text|transcript|tweet|utterance"
)

_TITLE_WORDS = re.compile("caption|heading|headline|subject|summary|title")
"""Of texts that are short versions of others."""

_DERIVED_WORDS = re.compile(
    "clean|cleaned|lemmas?|lemmatized|normalized|preprocessed|processed|stemmed|stripped|tokenized"
)
"""Of texts that were made from another column."""

_LABEL_WORDS = re.compile(
    "accept|annotations?|categor(y|ies)|cats|choices?|class|classes|emotions?|genres?|intents?|"
    "kategorie|labels?|overall|polarity|ratings?|score|sentiments?|stars|tags?|target|topics?"
)

_QUANTITY_WORDS = re.compile("overall|polarity|ratings?|score|stars")
"""Of labels that are numbers; with many different ones, they are quantities."""

_OTHER_WORDS = re.compile(
    "author|confidence|count|date|day|fold|hour|id|idx|index|key|lang|language|meta|metadata|month|"
    "name|number|row|split|time|timestamp|url|user|username|version|year"
)

_PREDICTION_WORDS = re.compile("predict(ed|ions?)|prob(s|ability|abilities)?")

_PREDICTION_NAMES = frozenset({"no_known_token", "uncertainty", "unknown_share"})
"""Further columns of a table that `predict` or `suggest` wrote."""

_VALUE_NAMES = frozenset({"value", "values"})
"""Names that do not say what the value is of."""

_TEXT_NAMES, _LABEL_NAMES = frozenset({"text"}), frozenset({"label", "labels"})
"""Names that need no other evidence."""

_NUMBERED_NAME = re.compile(r"column_\d+")
"""Names of columns in a table without a header."""

_PAIR_NAME = re.compile(r"(.*\w)[ _]?([12ab])", re.IGNORECASE)
"""Names of two columns that belong together: `question1` and `question2`."""

# An acronym, a word with or without a capital, or a number: `tweetID2` has one of each.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+")


@dataclass(frozen=True)
class ColumnName:
    """The name of a column, or the path of a nested value: `annotations.0.result.0.value`."""

    name: str

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The names on the path, without positions in lists: `annotations` and `result`."""
        parts = [part.strip() for part in self.name.split(".")]
        if not all(parts):
            return (self.name.strip(),)  # `Size (approx.)` is no path
        return tuple(
            part for part in parts if not part.isdecimal() and part.lower() not in _VALUE_NAMES
        ) or (parts[-1],)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words of the last part in lower case: `sentence` and `id` for `SentenceId`."""
        return _split_words(self.parts[-1])

    @property
    def is_text(self) -> bool:
        """Whether it is the usual name of a text."""
        return self.parts[-1].lower() in _TEXT_NAMES

    @property
    def is_label(self) -> bool:
        """Whether it is the usual name of a label."""
        return self.parts[-1].lower() in _LABEL_NAMES

    @property
    def text_factor(self) -> float:
        """How much it speaks for a text: 1 for a name that says nothing."""
        # Factors differ by 2 or more, so the name decides between equal columns.
        of_other = 1 / 4 if _matches(_OTHER_WORDS, self.parts[:-1]) or not self.name else 1
        if self.is_text:
            return of_other * (8 if len(self.parts) == 1 else 4)
        if self._has(_TEXT_WORDS):
            is_version = self._has(_DERIVED_WORDS) or self._has(_TITLE_WORDS)
            return of_other * (2 if is_version else 4)
        if self._has(_TITLE_WORDS):
            return of_other * 2
        return of_other * (1 / 4 if self._has(_OTHER_WORDS) else 1)

    @property
    def may_be_text(self) -> bool:
        """Whether a word speaks for a text, or the table has no header."""
        return self.text_factor > 1 or bool(_NUMBERED_NAME.fullmatch(self.name))

    @property
    def speaks_for_label(self) -> bool:
        """Whether one of its words speaks for a label."""
        return self._has(_LABEL_WORDS)

    @property
    def is_part_of_label(self) -> bool:
        """Whether a word of what it is a part of speaks for a label: `cats.good`."""
        return _matches(_LABEL_WORDS, self.parts[:-1])

    @property
    def is_quantity(self) -> bool:
        """Whether one of its words speaks for a label that is a number."""
        return self._has(_QUANTITY_WORDS)

    @property
    def speaks_for_neither(self) -> bool:
        """Whether one of its words, or of what it is a part of, speaks for no text or label."""
        return _matches(_OTHER_WORDS, self.parts) or self.name.startswith("_")

    def is_pair(self, other: ColumnName) -> bool:
        """Whether two columns belong together: `question1` and `question2`."""
        one, two = _PAIR_NAME.fullmatch(self.name), _PAIR_NAME.fullmatch(other.name)
        has_header = not _NUMBERED_NAME.fullmatch(self.name)
        return has_header and one is not None and two is not None and one[1] == two[1]

    @property
    def is_prediction(self) -> bool:
        """Whether a classifier writes such columns."""
        return self.name in _PREDICTION_NAMES or self._has(_PREDICTION_WORDS)

    def _has(self, pattern: re.Pattern[str]) -> bool:
        # Whole words only: `video` contains `id`, and `update` contains `date`.
        return any(map(pattern.fullmatch, self.words))


def _matches(pattern: re.Pattern[str], parts: tuple[str, ...]) -> bool:
    return any(pattern.fullmatch(word) for part in parts for word in _split_words(part))


def _split_words(part: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _WORD.findall(part))
