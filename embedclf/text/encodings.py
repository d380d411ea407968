"""Rows of token ids, and what was lost in making them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from embedclf.text.ngrams import Ngrams, input_length, pad_texts, row_places
from embedclf.text.vocabulary import PADDING, UNKNOWN

if TYPE_CHECKING:
    from embedclf.system.arrays import Int32s, Mask, Offsets

TokenIds = npt.NDArray[np.int32]  # (n, input_length)


@dataclass(frozen=True)
class Encoding:
    """Texts as network input, with the tokens that were truncated or not in the vocabulary."""

    ids: TokenIds
    """(n, input_length): first `sequence_length` ids of tokens, padded with 0 at the end; 1 is an
    out-of-vocabulary token. Then, for bigrams and each longer n-gram, `sequence_length + 1` ids: of
    the n-gram at the beginning of the text, and of the n-grams that begin at each token. Here, 0 is
    an unknown n-gram. Long texts are truncated at the end."""
    lengths: Int32s
    """(n,) tokens of each text before truncation."""
    unknown: Int32s
    """(n,) out-of-vocabulary tokens among them."""

    @property
    def has_known_token(self) -> Mask:
        """(n,) whether the network reads a token of the vocabulary."""
        known: Mask = self.ids.max(axis=1, initial=PADDING) > UNKNOWN
        return known

    def filter(self, mask: Mask) -> Encoding:
        """Keep the texts where a mask (n,) is true."""
        return Encoding(self.ids[mask], self.lengths[mask], self.unknown[mask])


def pad_tokens(token_ids: Int32s, ends: Offsets, sequence_length: int, max_n: int) -> TokenIds:
    """Arrange the ids of tokens in rows (n, input_length), padded or truncated.

    Args:
        token_ids: (tokens,)
        ends: (n,) where the tokens of each text end.
        sequence_length: Maximum number of tokens of a text.
        max_n: Maximum number of tokens of an n-gram; `add_ngrams` fills their places.
    """
    starts = np.concatenate([[0], ends])[:-1]  # (n,)
    kept = np.minimum(ends - starts, sequence_length)  # (n,)
    rows = np.full((len(ends), input_length(sequence_length, max_n)), PADDING, np.int32)
    filled, places = row_places(starts, kept, sequence_length)
    # A slice is a view, so this writes to `rows`.
    rows[:, :sequence_length][filled] = token_ids[places]
    return rows


def add_ngrams(
    rows: TokenIds, ngram_ids: Int32s, ends: Offsets, ngrams: Ngrams, first_id: int
) -> None:
    """Write the ids of n-grams behind those of the tokens of each row.

    Args:
        rows: (n, input_length) as `pad_tokens` returns them; changed in place.
        ngram_ids: (tokens,) the ids that n-grams are found by.
        ends: (n,) where the tokens of each text end.
        ngrams: Known n-grams.
        first_id: The id of the first of them.
    """
    length = (rows.shape[1] + 1) // ngrams.max_n - 1  # inverts input_length
    lengths = np.diff(ends, prepend=0)  # (n,)
    padded, before = pad_texts(ngram_ids, ends)
    # One more than tokens: an n-gram can begin at the padding before the text.
    filled, places = row_places(before, np.minimum(lengths, length) + 1, length + 1)
    is_truncated = lengths > length
    for n, found in enumerate(ngrams.find(padded, first_id), start=2):
        # Tokens and shorter n-grams fill the first input_length(length, n - 1) columns.
        rows_of_n = rows[:, input_length(length, n - 1) :][:, : length + 1]
        rows_of_n[filled] = found[places]
        # N-grams that reach beyond the truncation were found in tokens that are not read.
        rows_of_n[is_truncated, max(0, length + 2 - n) :] = PADDING
