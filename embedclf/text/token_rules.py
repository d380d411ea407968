"""The rules that say what the tokens of a text are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedclf.config.token_patterns import CLASSIC, TOKEN_PATTERNS, WORDS, WORDS_AND_SYMBOLS
from embedclf.system.arrow import mask_column, number_column, pc, text_column, to_numpy
from embedclf.system.fields import split_fields
from embedclf.text.fields import field_tokens, prepend_fields
from embedclf.text.normalization import normalize
from embedclf.text.symbols import separate_symbols
from embedclf.text.tokens import (
    MATCH_END,
    mark_matches,
    split_at_spaces,
    split_characters,
    split_matches,
)
from embedclf.text.words import blank_symbols

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from embedclf.config.schema import Config
    from embedclf.system.arrays import Mask
    from embedclf.text.tokens import Tokens


@dataclass(frozen=True)
class TokenRules:
    """What the tokens of a text are; the keys of a config that they come from have their names.

    Texts are normalized to NFC and, optionally, lower-cased; typographic apostrophes become plain
    ones. Except for `classic`, invisible characters such as soft hyphens are removed, and an emoji
    is one token, even if it is a sequence. With `unit: word`, tokens are the runs or matches that
    the pattern describes; with `unit: character`, they are the characters of these, but
    `words_and_symbols` and `classic` keep all characters except white space.
    """

    unit: str = "word"
    lowercase: bool = True
    pattern: str = CLASSIC
    """`words`, `words_and_symbols`, `classic`, or a regular expression."""
    html: bool = False
    """Whether HTML entities and tags are decoded."""
    fields: tuple[str, ...] = ()
    """Columns whose cells are tokens of their own, at the beginning of each text."""

    @classmethod
    def from_config(cls, config: Config) -> TokenRules:
        """Return the rules of a config."""
        text = config.text
        return cls(text.unit, text.lowercase, text.token_pattern, text.html, config.data.fields)

    @property
    def separator(self) -> str:
        """What is between two tokens of an n-gram's name: a space, or nothing for characters."""
        return " " if self.unit == "word" else ""

    @property
    def is_expression(self) -> bool:
        """Whether the pattern is a regular expression."""
        return self.pattern not in TOKEN_PATTERNS

    def tokenize(self, texts: pa.Array) -> Tokens:
        """Split texts (n,) into tokens; null is an empty text."""
        if not self.fields:
            return self._tokenize_texts(texts)
        words, texts = split_fields(pc.coalesce(texts, text_column([""])[0]), self.fields)
        of_fields = field_tokens(words, self.fields, lowercase=self.lowercase)
        return prepend_fields(self._tokenize_texts(texts), of_fields)

    def normalize(self, texts: pa.Array) -> pa.Array:
        """Return texts (n,) without markup, invisible characters and nulls, in one form."""
        texts = pc.coalesce(texts, text_column([""])[0])
        if self.html:
            from embedclf.text.markup import remove_markup  # has all entities of HTML

            texts = remove_markup(texts)
        return normalize(
            texts,
            lowercase=self.lowercase,
            remove_invisible=self.pattern != CLASSIC,
            isolate_emoji=self.pattern in (WORDS, WORDS_AND_SYMBOLS),
        )

    def are_tokens(self, words: pa.StringArray) -> Mask:
        """(n,) whether each word is one token, and stays as it is."""
        tokens = self.tokenize(words)
        are_tokens: Mask = tokens.lengths == 1
        last = number_column(tokens.codes[tokens.ends[are_tokens] - 1])
        same = pc.equal(tokens.dictionary.take(last), words.filter(mask_column(are_tokens)))
        are_tokens[are_tokens] = to_numpy(same)
        return are_tokens

    def to_json(self) -> dict[str, Any]:
        """Plain values for `text.json`."""
        return {
            "unit": self.unit,
            "lowercase": self.lowercase,
            "token_pattern": self.pattern,
            "html": self.html,
            "fields": self.fields,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TokenRules:
        """Rebuild the rules that `to_json` wrote; before format 6, there are only two."""
        return cls(
            values["unit"],
            values["lowercase"],
            values.get("token_pattern", CLASSIC),
            values.get("html", False),
            tuple(values.get("fields", ())),
        )

    def _tokenize_texts(self, texts: pa.Array) -> Tokens:
        """Split texts (n,) without fields into tokens."""
        texts = self.normalize(texts)
        if self.unit == "word":
            if self.is_expression:
                return split_matches(texts, self.pattern)
            return split_at_spaces(self._separate(texts))
        if self.is_expression:
            texts = pc.replace_substring(mark_matches(texts, self.pattern), MATCH_END, " ")
        elif self.pattern == WORDS:
            texts = self._separate(texts)
        return split_characters(texts, emoji=self.pattern != CLASSIC)

    def _separate(self, texts: pa.Array) -> pa.StringArray:
        """Return texts (n,) with white space around each token, and nothing else."""
        if self.pattern == CLASSIC:
            return blank_symbols(texts, emoji=False)
        if self.pattern == WORDS:
            return blank_symbols(texts, emoji=True)
        return separate_symbols(texts)
