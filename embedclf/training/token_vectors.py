"""Word vectors of the vocabulary's tokens, and how much of the texts they cover."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from embedclf.system.arrow import text_column
from embedclf.text.vocabulary import RESERVED

if TYPE_CHECKING:
    from embedclf.data.dataset import Dataset
    from embedclf.system.arrays import Counts, Floats, Mask
    from embedclf.text.tokenizer import Tokenizer
    from embedclf.text.vectors.kept import KeptVectors
    from embedclf.text.vectors.word_matching import WordVectors

_CONTRACTION = re.compile(r"(.+?)(n't|'(?:s|m|d|ll|re|ve))", re.IGNORECASE)

_MISSING_SHOWN = 5
"""Missing tokens to name: enough to recognize vectors of another language or another case."""

_TEXT_NORM = 12.0
"""Root mean square norm of the kept vector of a text. With 12, the layers behind it learn from it
about as fast as from the trained numbers."""

_MEASURED_TEXTS = 2_000
"""Texts to measure the norm on: the mean of so many is exact to about 1%."""

_AGREEMENT = 1e-3
"""How far the vectors of a run and of its source may differ, as a fraction of their norm."""

_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Coverage:
    """How many tokens have a vector in a source of word vectors."""

    source: str
    """Its name."""
    embedding_dim: int
    tokens: int
    """Of the vocabulary, without padding, OOV and the words that only have a kept vector."""
    tokens_covered: int
    texts_tokens: int
    """All tokens of training texts after truncation, OOV tokens included."""
    texts_tokens_covered: int
    missing: tuple[str, ...]
    """The most frequent tokens without a vector, a few of them."""
    unreadable: int
    """Words of the source that are not UTF-8."""
    vector_words: int | None = None
    """Words that are known by their kept vectors only; None if the vectors are trained."""

    def facts(self) -> dict[str, Any]:
        """Return plain values; fractions are between 0 and 1."""
        facts = {
            **asdict(self),
            "share_of_tokens": self.tokens_covered / max(self.tokens, 1),
            "share_of_texts_tokens": self.texts_tokens_covered / max(self.texts_tokens, 1),
        }
        return {key: value for key, value in facts.items() if value is not None}


class TokenVectors(NamedTuple):
    """The vectors that a source has for the tokens of a vocabulary."""

    found: Mask
    """(first_ngram_id,) whether a token has a vector; False for padding and OOV."""
    rows: Floats
    """(first_ngram_id, embedding_dim); zeros for tokens without a vector."""
    unreadable: int
    """Words of the source that are not UTF-8."""


def read_token_vectors(tokenizer: Tokenizer, source: KeptVectors) -> TokenVectors:
    """Read the vectors of the tokens of a vocabulary.

    A contraction (`don't`, `film's`) without a vector of its own gets the mean of its two words'
    vectors. It is split like the texts of GloVe: `do n't`, as in the Penn Treebank (Marcus,
    Santorini and Marcinkiewicz, 1993).

    Raises:
        DataError: The source cannot be read.
    """
    tokens = tokenizer.tokens
    contractions = _split_contractions(tokens)
    pieces = (piece for pair in contractions.values() for piece in pair)
    # Tokens come first, so that the first rows of the vectors are theirs
    words = tuple(dict.fromkeys([*tokens, *pieces]))
    vectors = source.read(text_column(words))
    found, rows = _join_contractions(vectors, words, contractions)
    before = ((len(RESERVED), 0),)
    return TokenVectors(
        np.pad(found[: len(tokens)], before),
        np.pad(rows[: len(tokens)], (*before, (0, 0))),
        vectors.unreadable,
    )


def measure_coverage(
    dataset: Dataset, source: KeptVectors, vectors: TokenVectors, *, kept: bool
) -> Coverage:
    """Count the tokens that have a vector.

    Args:
        dataset: Its vocabulary and training texts.
        source: Of the vectors.
        vectors: Of the tokens.
        kept: Whether they are kept beside the embedding, rather than trained.
    """
    tokenizer, known = dataset.tokenizer, dataset.tokenizer.first_vector_id
    counts = dataset.counts[: tokenizer.first_ngram_id]
    return Coverage(
        source.name,
        source.embedding_dim,
        tokens=known - len(RESERVED),
        tokens_covered=int(np.count_nonzero(vectors.found[:known])),
        texts_tokens=int(counts.sum()),
        texts_tokens_covered=int(counts[vectors.found].sum()),
        missing=_most_frequent(tokenizer, np.where(vectors.found, 0, counts)),
        unreadable=vectors.unreadable,
        vector_words=tokenizer.vector_words if kept else None,
    )


def scale_kept(vectors: TokenVectors, dataset: Dataset) -> Floats:
    """Center kept vectors and scale them to fit the trained numbers beside them.

    Word vectors have a large mean, which says nothing of a word (Mu and Viswanath, All-but-the-Top,
    2018); it is subtracted. A text's vectors are summed and divided by the square root of its
    number of ids. One factor then makes the root mean square norm of training texts `_TEXT_NORM`.

    Returns:
        (first_ngram_id, kept_dim); zeros for tokens without a vector.
    """
    if not vectors.found.any():
        return vectors.rows
    mean = vectors.rows[vectors.found].mean(axis=0, dtype=np.float64).astype(np.float32)
    rows = np.where(vectors.found[:, None], vectors.rows - mean, np.float32(0.0))
    ids = dataset.train.ids
    ids = ids[:: -(-len(ids) // _MEASURED_TEXTS)]
    squares = np.zeros(len(ids))
    for number, text in enumerate(ids):
        words = text[text < len(rows)]  # n-grams have no vector
        total = rows[words].sum(axis=0, dtype=np.float64)
        squares[number] = total @ total / max(len(text), 1)
    norm = float(np.sqrt(squares.mean()))
    return rows * np.float32(_TEXT_NORM / norm) if norm else rows


def continue_kept(rows: Floats, before: Floats) -> Floats:
    """Add the vectors of new tokens to those of the run that a training continues from.

    The run has subtracted its own mean and multiplied by its own factor. Both are found from the
    tokens that have a vector in both.

    Args:
        rows: (first_ngram_id, kept_dim) of the source, as `scale_kept` returns them.
        before: (first_ngram_id, kept_dim) of the run; zeros for tokens without one, and new ones.

    Returns:
        (first_ngram_id, kept_dim); `before` if the source no longer has the vectors of the run.
    """
    known, wanted = (before != 0.0).any(axis=1), (rows != 0.0).any(axis=1)  # (first_ngram_id,)
    if np.count_nonzero(known & wanted) < 2:  # one would fit any factor
        return before
    ours, theirs = (each[known & wanted].astype(np.float64) for each in (before, rows))
    means = ours.mean(axis=0), theirs.mean(axis=0)
    ours, theirs = ours - means[0], theirs - means[1]
    factor = float((ours * theirs).sum()) / max(float((theirs * theirs).sum()), _TINY)
    if ((ours - factor * theirs) ** 2).sum() > _AGREEMENT**2 * (ours**2).sum():
        return before
    added = (factor * (rows - means[1]) + means[0]).astype(np.float32)
    return np.where((wanted & ~known)[:, None], added, before)


def _split_contractions(tokens: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return the tokens that stand for two words, with these words."""
    matches = ((token, _CONTRACTION.fullmatch(token)) for token in tokens if "'" in token)
    return {token: match.groups() for token, match in matches if match}


def _join_contractions(
    vectors: WordVectors, words: tuple[str, ...], contractions: dict[str, tuple[str, ...]]
) -> tuple[Mask, Floats]:
    """Return which words (n,) have a vector, and the vectors, with those of contractions."""
    numbers = {word: number for number, word in enumerate(words)} if contractions else {}
    # A copy, so that a joined contraction never serves as a piece of another
    found = vectors.found.copy()
    for token, pieces in contractions.items():
        number, piece_numbers = numbers[token], [numbers[piece] for piece in pieces]
        if not vectors.found[number] and vectors.found[piece_numbers].all():
            vectors.rows[number] = vectors.rows[piece_numbers].mean(axis=0)
            found[number] = True
    return found, vectors.rows


def _most_frequent(tokenizer: Tokenizer, counts: Counts) -> tuple[str, ...]:
    """Return the tokens of the highest counts; ties stay in the vocabulary's order.

    Args:
        tokenizer: For its vocabulary.
        counts: (first_ngram_id,) of each row of a token.
    """
    end = len(RESERVED) + len(tokenizer.tokens)
    ids = np.arange(len(RESERVED), end, dtype=np.int32)
    first = ids[np.argsort(-counts[ids], kind="stable")][:_MISSING_SHOWN]
    return tuple(tokenizer.decode(first[counts[first] > 0]))
