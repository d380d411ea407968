"""Ids of n-grams, and the ids of texts as one matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from embedclf.text.vocabulary import PADDING, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.export.tensors.operations import Operations, Tensor
    from embedclf.text.tokenizer import Tokenizer


class TextIds(NamedTuple):
    """Ids of texts, one text after the other."""

    ids: Tensor
    """(ids,)"""
    texts: Tensor
    """(ids,) the number of the text of each, ascending."""
    size: Tensor
    """Number of texts."""


def find_ngrams(
    ops: Operations, tokens: TextIds, of_fields: Tensor | None, tokenizer: Tokenizer
) -> list[TextIds]:
    """Truncate texts, and find their n-grams as `Ngrams.find_in_texts` does.

    Args:
        ops: Of the library.
        tokens: Of the texts.
        of_fields: (ids,) whether each token is that of a field; None if none is.
        tokenizer: The tokenizer.

    Returns:
        The ids of tokens, of bigrams, of trigrams, and so on.
    """
    length = tokenizer.sequence_length
    places = _places_in_texts(ops, tokens)
    read = places < length
    found = [TextIds(ops.compress(tokens.ids, read), ops.compress(tokens.texts, read), tokens.size)]
    if tokenizer.ngrams.max_n == 1:
        return found
    ids = tokens.ids
    if tokenizer.vector_words:
        is_vector_word = (ids >= tokenizer.first_vector_id) & (ids < tokenizer.first_ngram_id)
        ids = ops.where(is_vector_word, UNKNOWN, ids)
    if of_fields is not None:  # a text begins after its fields
        ids = ops.where(of_fields, PADDING, ids)
    # Where a text is truncated is not its end: no n-gram ends with UNKNOWN
    ids = ops.where(places == length, UNKNOWN, ids)
    padded = _pad(ops, TextIds(ids, tokens.texts, tokens.size), places <= length)
    heads = padded.ids
    for n in range(2, tokenizer.ngrams.max_n + 1):
        heads = _find_longer(ops, heads, padded.ids, n, tokenizer)
        known = heads != PADDING
        ngrams = ops.compress(heads, known), ops.compress(padded.texts, known)
        found.append(TextIds(*ngrams, tokens.size))
    return found


def join_ids(ops: Operations, groups: Sequence[TextIds], size: Tensor, width: int | None) -> Tensor:
    """Return the ids of texts (n, width), those of one group after those of the other.

    Args:
        ops: Of the library.
        groups: Of ids.
        size: Number of texts.
        width: Of the matrix; None for that of the longest text, at least 1.
    """
    lengths, columns = None, []
    for group in groups:
        places = _places_in_texts(ops, group)
        columns.append(places if lengths is None else places + ops.gather(lengths, group.texts))
        counts = _counts(ops, group)
        lengths = counts if lengths is None else lengths + counts
    if width is None:
        width = ops.largest(ops.concatenate([lengths, ops.range(2)[1:]]), 0)
    texts = ops.concatenate([group.texts for group in groups])
    places = texts * width + ops.concatenate(columns)
    ids = ops.concatenate([group.ids for group in groups])
    return ops.reshape(ops.scatter(size * width, places, ids), size, width)


def _counts(ops: Operations, group: TextIds) -> Tensor:
    """Return the number of ids of each text (n,)."""
    first = first_places(ops, group)
    return first[1:] - first[:-1]


def first_places(ops: Operations, group: TextIds) -> Tensor:
    """Return the place of the first id of each text, and the number of all ids (n + 1,)."""
    # The ids of texts up to each, from a mark at the last id of each text that has some
    last = group.texts != ops.shift(group.texts, -1, -1)
    ends = ops.places(last)
    counts = ops.scatter(group.size, ops.gather(group.texts, ends), ends + 1 - _starts(ops, ends))
    zero = ops.range(1)
    return ops.concatenate([zero, ops.cumulate(counts)])


def _starts(ops: Operations, ends: Tensor) -> Tensor:
    """Return where runs start whose last places are these."""
    return ops.shift(ends + 1, 1, 0)


def _places_in_texts(ops: Operations, group: TextIds) -> Tensor:
    """Return the place of each id in its text."""
    return ops.range(ops.size(group.ids)) - ops.gather(first_places(ops, group), group.texts)


def _pad(ops: Operations, tokens: TextIds, read: Tensor) -> TextIds:
    """Put padding before, between and after the tokens that are read."""
    ids, texts = ops.compress(tokens.ids, read), ops.compress(tokens.texts, read)
    places = ops.range(ops.size(ids)) + texts + 1
    numbers = ops.range(tokens.size)
    firsts = first_places(ops, TextIds(ids, texts, tokens.size))[:-1] + numbers
    total = ops.size(ids) + tokens.size + 1
    of_texts = ops.scatter(
        total, ops.concatenate([places, firsts]), ops.concatenate([texts, numbers])
    )
    # What is after the last text is never the beginning of an n-gram
    return TextIds(ops.scatter(total, places, ids), of_texts, tokens.size)


def _find_longer(
    ops: Operations, heads: Tensor, ids: Tensor, n: int, tokenizer: Tokenizer
) -> Tensor:
    """Find the n-grams of n tokens that begin with those of one token less, as `Ngrams` does."""
    tails, last_of_heads = ops.shift(ids, 1 - n, UNKNOWN), ops.shift(ids, 2 - n, UNKNOWN)
    known = (heads > UNKNOWN) & (last_of_heads > UNKNOWN) & (tails != UNKNOWN)
    if n == 2:
        known = known | ((heads == PADDING) & (tails > UNKNOWN))
    places = ops.places(known)
    keys = ops.gather(heads, places) * (1 << 32) + ops.gather(tails, places)
    ngrams = tokenizer.ngrams.keys
    found = ops.look_up(keys, ngrams, np.arange(len(ngrams)) + tokenizer.first_ngram_id, PADDING)
    return ops.scatter(ops.size(ids), places, found)
