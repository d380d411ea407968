"""Texts to token ids."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from embedclf.export.tensors.character_table import CharacterTable
from embedclf.export.tensors.composing import compose, filter_characters
from embedclf.export.tensors.emoji import find_joiners
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
        return TokenHashes.of_tokens(tokens, composed=rules.unit == "character")

    @cached_property
    def keys(self) -> Int64s:
        """(tokens,) the hash of each token of the vocabulary."""
        return self.hashes.hash_tokens(self.tokenizer.tokens)

    @cached_property
    def table(self) -> CharacterTable:
        """Its characters."""
        return CharacterTable.of_tokenizer(self.tokenizer, self.hashes)

    def build(self, ops: Operations, texts: Tensor, width: int | None = None) -> Tensor:
        """Return the ids of texts (n, longest text or width): tokens, n-grams, then padding.

        Args:
            ops: Of the library.
            texts: (n,) strings.
            width: Of the ids; None if that of the longest text is enough.
        """
        characters = ops.read_characters(texts, self.table)
        if self.table.parts.any():
            characters = self._remove_joiners(ops, characters)
        characters = compose(ops, characters, self.table)
        tokens = self._find_tokens(ops, characters, ops.size(texts))
        groups = find_ngrams(ops, tokens, self.tokenizer)
        return join_ids(ops, groups, tokens.size, width)

    def _remove_joiners(self, ops: Operations, characters: CharacterRows) -> CharacterRows:
        parts = ops.gather(_constant(ops, self.table.parts), characters.rows)
        are_joiners, in_emoji = find_joiners(ops, parts)
        return filter_characters(ops, characters, ~are_joiners | in_emoji)

    def _find_tokens(self, ops: Operations, characters: CharacterRows, size: Tensor) -> TextIds:
        kinds, parts, values, widths = (
            ops.gather(_constant(ops, column), characters.rows)
            for column in (
                self.table.kinds, self.table.final_parts, self.table.values, self.table.widths
            )
        )  # fmt: skip
        kept, begins = find_borders(ops, kinds, parts, values, self.tokenizer.rules)
        numbers = ops.cumulate(ops.to_integers(begins))  # from 1
        starts = ops.places(begins)
        places = ops.cumulate(widths) - widths
        # Before the first token, there is none to subtract from
        of_tokens = ops.concatenate([ops.range(1), ops.gather(places, starts)])
        places = ops.smaller(places - ops.gather(of_tokens, numbers), self.hashes.longest + 1)
        terms = values * ops.gather(ops.constant(self.hashes.powers), places)
        totals = ops.cumulate(ops.where(kept, terms, 0))
        before_tokens = ops.gather(totals - ops.where(kept, terms, 0), starts)
        borders = ops.concatenate([before_tokens, totals[-1:]])
        ids = ops.look_up(
            borders[1:] - borders[:-1],
            self.keys,
            np.arange(len(self.keys)) + len(RESERVED),
            UNKNOWN,
        )
        return TextIds(ids, ops.gather(characters.texts, starts), size)


def _constant(ops: Operations, column: np.ndarray) -> Tensor:
    return ops.constant(column.astype(np.int64))
