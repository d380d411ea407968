"""Texts to token ids."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from embedclf.export.tensors.characters.character_table import CharacterTable
from embedclf.export.tensors.composing import compose, expand, filter_characters
from embedclf.export.tensors.emoji import find_joiners
from embedclf.export.tensors.expressions import separate_matches, split_matches
from embedclf.export.tensors.fields import FieldGraph, prepend_fields
from embedclf.export.tensors.markup.removal import remove_markup
from embedclf.export.tensors.ngram_ids import TextIds, find_ngrams, join_ids
from embedclf.export.tensors.token_borders import find_borders
from embedclf.export.tensors.token_hashes import TokenHashes
from embedclf.text.vocabulary import RESERVED, UNKNOWN

if TYPE_CHECKING:
    from embedclf.export.tensors.operations import CharacterRows, Operations, Tensor
    from embedclf.system.arrays import Int64s
    from embedclf.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class TokenIdGraph:
    """Computes the token ids of texts for a tokenizer."""

    tokenizer: Tokenizer

    @cached_property
    def hashes(self) -> TokenHashes:
        """How its tokens are hashed."""
        rules, tokens = self.tokenizer.rules, self.tokenizer.tokens
        return TokenHashes.of_tokens(
            tokens, composed=rules.unit == "character" or rules.is_expression
        )

    @cached_property
    def keys(self) -> Int64s:
        """(tokens,) the hash of each token of the vocabulary."""
        return self.hashes.hash_tokens(self.tokenizer.tokens)

    @cached_property
    def fields(self) -> FieldGraph | None:
        """Finds its fields, if it has some."""
        if self._cell_hashes is None:
            return None
        return FieldGraph(self.tokenizer, self.table, self._cell_hashes)

    @cached_property
    def table(self) -> CharacterTable:
        """Its characters."""
        return CharacterTable.of_tokenizer(self.tokenizer, self.hashes, self._cell_hashes)

    @cached_property
    def _cell_hashes(self) -> TokenHashes | None:
        if not self.tokenizer.rules.fields:
            return None
        longest = max(map(len, self.tokenizer.tokens), default=0)
        return TokenHashes(composed=False, longest=3 * longest)  # decomposed

    def build(self, ops: Operations, texts: Tensor, width: int | None = None) -> Tensor:
        """Return the ids of texts (n, longest text or width): tokens, n-grams, then padding.

        Args:
            ops: Of the library.
            texts: (n,) strings.
            width: Of the ids; None if that of the longest text is enough.
        """
        size = ops.size(texts)
        characters = ops.read_characters(texts, self.table)
        fields: list[Tensor] = []
        if self.fields is not None:
            fields, characters = self.fields.split(ops, characters)
        if self.tokenizer.rules.html:
            characters = remove_markup(ops, characters, self.table)
        characters = expand(ops, characters, self.table)
        if self.table.parts.any():
            characters = self._remove_joiners(ops, characters)
        characters = compose(ops, characters, self.table)
        tokens, of_fields = self._find_tokens(ops, characters, size), None
        if fields:
            tokens, of_fields = prepend_fields(ops, fields, tokens)
        groups = find_ngrams(ops, tokens, of_fields, self.tokenizer)
        return join_ids(ops, groups, size, width)

    def _remove_joiners(self, ops: Operations, characters: CharacterRows) -> CharacterRows:
        parts = ops.gather(_constant(ops, self.table.parts), characters.rows)
        are_joiners, in_emoji = find_joiners(ops, parts)
        return filter_characters(ops, characters, ~are_joiners | in_emoji)

    def _find_tokens(self, ops: Operations, characters: CharacterRows, size: Tensor) -> TextIds:
        table = self.table
        rules, begins = self.tokenizer.rules, None
        if rules.is_expression and rules.unit == "word":
            characters, begins = split_matches(ops, characters, table, rules.pattern)
        elif rules.is_expression:
            characters = separate_matches(ops, characters, table, rules.pattern)
        kinds, parts, *hashed = (
            ops.gather(_constant(ops, column), characters.rows)
            for column in (table.kinds, table.final_parts, *table.hashes)
        )
        values, widths, ranked, ranks = hashed
        kept = None
        if begins is None:
            kept, begins = find_borders(ops, kinds, parts, values, rules)
        starts, numbers = ops.places(begins), ops.cumulate(ops.to_integers(begins))  # from 1
        if self.hashes.ranks_marks:
            places = self._places_in_tokens(ops, ranks, starts, numbers)
            values = values + ranked * ops.gather(ops.constant(self.hashes.rank_powers), places)
        places = self._places_in_tokens(ops, widths, starts, numbers)
        terms = values * ops.gather(ops.constant(self.hashes.powers), places)
        if kept is not None:
            terms = ops.where(kept, terms, 0)
        totals = ops.cumulate(terms)
        borders = ops.concatenate([ops.gather(totals - terms, starts), totals[-1:]])
        ids = ops.look_up(
            borders[1:] - borders[:-1],
            self.keys,
            np.arange(len(self.keys)) + len(RESERVED),
            UNKNOWN,
        )
        return TextIds(ids, ops.gather(characters.texts, starts), size)

    def _places_in_tokens(
        self, ops: Operations, widths: Tensor, starts: Tensor, numbers: Tensor
    ) -> Tensor:
        """Return the sum of widths (characters,) before each character in its token.

        Args:
            ops: Of the library.
            widths: (characters,)
            starts: (tokens,) where tokens start.
            numbers: (characters,) number of the token that started last, from 1.
        """
        before = ops.cumulate(widths) - widths
        # Before the first token, there is none to subtract from
        of_tokens = ops.concatenate([ops.range(1), ops.gather(before, starts)])
        return ops.smaller(before - ops.gather(of_tokens, numbers), self.hashes.longest + 1)


def _constant(ops: Operations, column: np.ndarray) -> Tensor:
    return ops.constant(column.astype(np.int64))
