"""The tokens and n-grams of a classifier: how much each matters, and a tokenizer with some."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from embedclf.text.ngrams import Ngrams
from embedclf.text.vocabulary import RESERVED, UNKNOWN

if TYPE_CHECKING:
    from embedclf.system.arrays import Doubles, Floats, Mask
    from embedclf.text.tokenizer import Tokenizer


def measure_effects(tokenizer: Tokenizer, rows: Floats, counts: Doubles) -> Doubles:
    """Measure what leaving out a token or n-gram would change in all training texts together.

    Args:
        tokenizer: Of the classifier.
        rows: (vocabulary_rows, columns) in units of the first layer.
        counts: (vocabulary_rows,) how often training read each.

    Returns:
        (vocabulary_rows,) squared changes. A token that is left out is out of vocabulary; an n-gram
        leaves nothing.
    """
    changes = rows.astype(np.float64)
    changes[: tokenizer.first_ngram_id] -= changes[UNKNOWN].copy()
    effects: Doubles = counts * np.einsum("ij,ij->i", changes, changes)
    return effects


def find_threshold(effects: Doubles, fraction: float) -> float:
    """Return the effect below which all together are at most a fraction of the sum."""
    ascending = np.sort(effects)
    sums = np.cumsum(ascending)
    last = min(int(np.searchsorted(sums, fraction * sums[-1])), len(ascending) - 1)
    return float(ascending[last]) if fraction else 0.0


def complete(tokenizer: Tokenizer, wanted: Mask) -> Mask:
    """Add what the wanted n-grams (vocabulary_rows,) consist of: their heads and tokens.

    Padding and unknown are added, too.
    """
    first, ngrams = tokenizer.first_ngram_id, tokenizer.ngrams
    kept = wanted.copy()
    kept[: len(RESERVED)] = True
    for _ in range(2, ngrams.max_n + 1):
        of_ngrams = kept[first:]
        kept[ngrams.heads[of_ngrams]] = True
        kept[ngrams.tails[of_ngrams]] = True
    return kept


def select(tokenizer: Tokenizer, kept: Mask) -> Tokenizer:
    """Return a tokenizer that knows some tokens and n-grams, in the same order.

    Args:
        tokenizer: Of the classifier.
        kept: (vocabulary_rows,) as `complete` returns it.
    """
    first, ngrams = tokenizer.first_ngram_id, tokenizer.ngrams
    new_ids = (np.cumsum(kept) - 1).astype(np.int32)
    of_tokens, of_ngrams = kept[len(RESERVED) : first], kept[first:]
    tokens = tuple(
        token for token, is_kept in zip(tokenizer.tokens, of_tokens, strict=True) if is_kept
    )
    heads, tails = (new_ids[ids[of_ngrams]] for ids in (ngrams.heads, ngrams.tails))
    return replace(
        tokenizer,
        tokens=tokens,
        ngrams=Ngrams.from_pairs(ngrams.max_n, heads, tails),
        vector_words=int(kept[tokenizer.first_vector_id : first].sum()),
    )
