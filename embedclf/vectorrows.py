"""First rows of an embedding out of word vectors, and how many tokens these cover."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.chance import chance
from embedclf.columns import text_column
from embedclf.vocabularies import PADDING, RESERVED, UNKNOWN

if TYPE_CHECKING:
    from embedclf.parts import Counts
    from embedclf.preparation import Prepared
    from embedclf.schema import Config
    from embedclf.spelling import Floats, Mask, Vectors
    from embedclf.tokenizer import Tokenizer
    from embedclf.vectorsources import Source

_CONTRACTION = re.compile(r"(.+?)(n't|'(?:s|m|d|ll|re|ve))", re.IGNORECASE)
_SPREAD = 0.1
"""Standard deviation that rows which are trained begin with, whatever that of the source: 0.7 for
GloVe, 0.03 for chance in Keras. A step moves a number by about the learning rate, however large it
is, so that large vectors hardly learn and small ones forget where they began. Of 0.03, 0.1, 0.3 and
0.7 this gave the lowest validation loss, or nearly, on four sets with each pooling."""
_LEAST = 1e-6
"""Of a standard deviation: vectors that are all alike stay what they are, but for a factor."""
_NAMED = 5
"""Tokens without a vector that are named: enough to tell another language from another case."""


@dataclass(frozen=True)
class Coverage:
    """How many tokens begin with a vector of a source."""

    source: str
    """What it is called."""
    embedding_dim: int
    tokens: int
    """Of the vocabulary, padding and unknown left out."""
    tokens_covered: int
    texts_tokens: int
    """All that training reads of its texts, unknown ones included."""
    texts_tokens_covered: int
    missing: tuple[str, ...]
    """The commonest tokens without a vector, few of them."""
    unreadable: int
    """Words of the source that are not UTF-8."""

    def facts(self) -> dict[str, Any]:
        """Plain values; shares are between 0 and 1."""
        return {
            **asdict(self),
            "share_of_tokens": self.tokens_covered / max(self.tokens, 1),
            "share_of_texts_tokens": self.texts_tokens_covered / max(self.texts_tokens, 1),
        }


def first_rows(prepared: Prepared, source: Source) -> tuple[Floats, Coverage]:
    """Give the rows of the embedding for a vocabulary, and tell how far the source goes.

    A token has the vector of its source; one that stands for two words (`don't`, `film's`) and has
    none of its own has the mean of theirs, cut as in the Penn Treebank (Marcus, Santorini and
    Marcinkiewicz, 1993), by which GloVe's texts were cut: `do n't`. Padding begins as zeros, an
    unknown token as the mean of all vectors found: no word, and none in particular. What is left
    begins by chance, uniformly as in Keras's Embedding but as wide as the vectors found: beside
    those, rows of Keras's width would be as good as zeros.

    Where the embedding is trained all rows are brought to one standard deviation (`_SPREAD`), by
    the same factor, so that angles and ratios stay. Where it is not they are those of the source,
    since only the layers behind them learn.

    Args:
        prepared: Tells the vocabulary, the seed, and the training texts.
        source: Vectors of words.

    Returns:
        (rows, embedding_dim) of the embedding, and the coverage.

    Raises:
        DataError: The source cannot be read.
    """
    covered, rows, unreadable = rows_of(prepared.tokenizer, prepared.config, source)
    counts = prepared.counts[: prepared.tokenizer.first_ngram]
    covered = covered[: len(counts)]  # a phrase has no vector in a source
    coverage = Coverage(
        source.name,
        source.embedding_dim,
        tokens=len(prepared.tokenizer.tokens),
        tokens_covered=int(np.count_nonzero(covered)),
        texts_tokens=int(counts.sum()),
        texts_tokens_covered=int(counts[covered].sum()),
        missing=_commonest(prepared, np.where(covered, 0, counts)),
        unreadable=unreadable,
    )
    return rows, coverage


def rows_of(tokenizer: Tokenizer, config: Config, source: Source) -> tuple[Mask, Floats, int]:
    """Give the rows of the embedding, as `first_rows` tells.

    Returns:
        (rows,) which of them are of tokens with a vector, (rows, embedding_dim) all of them, and
        how many words of the source are unreadable.

    Raises:
        DataError: The source cannot be read.
    """
    tokens = tokenizer.tokens
    parts = _contractions(tokens)
    wanted = tuple(dict.fromkeys([*tokens, *(part for pair in parts.values() for part in pair)]))
    vectors = source.read(text_column(wanted))
    found, vectors_of = _joined(vectors, wanted, parts)
    covered = np.zeros(tokenizer.rows, np.bool_)
    of_tokens = slice(len(RESERVED), len(RESERVED) + len(tokens))
    covered[of_tokens] = found[: len(tokens)]
    known = vectors_of[: len(tokens)][covered[of_tokens]]
    spread = float(known.std()) if len(known) else _SPREAD
    limit = spread * math.sqrt(3)  # of uniform numbers of that standard deviation
    rows = chance((len(covered), source.embedding_dim), config.seed, limit)
    rows[covered] = known
    rows[PADDING] = 0
    rows[UNKNOWN] = known.mean(axis=0) if len(known) else 0
    if config.model.trainable_embedding:
        rows *= np.float32(_SPREAD / max(spread, _LEAST))
    return covered, rows, vectors.unreadable


def _contractions(tokens: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Tokens that stand for two words, and those."""
    matches = ((token, _CONTRACTION.fullmatch(token)) for token in tokens if "'" in token)
    return {token: match.groups() for token, match in matches if match}


def _joined(
    vectors: Vectors, wanted: tuple[str, ...], parts: dict[str, tuple[str, ...]]
) -> tuple[Mask, Floats]:
    """What was found (wanted,) and its vectors, contractions without one of their own joined."""
    number = {word: place for place, word in enumerate(wanted)} if parts else {}
    found = vectors.found.copy()
    for token, pair in parts.items():
        whole, places = number[token], [number[part] for part in pair]
        if not vectors.found[whole] and vectors.found[places].all():
            vectors.rows[whole] = vectors.rows[places].mean(axis=0)
            found[whole] = True
    return found, vectors.rows


def _commonest(prepared: Prepared, counts: Counts) -> tuple[str, ...]:
    """The tokens of highest counts (rows,), those of equal ones in the vocabulary's order."""
    end = len(RESERVED) + len(prepared.tokenizer.tokens)
    numbers = np.arange(len(RESERVED), end, dtype=np.int32)
    first = numbers[np.argsort(-counts[numbers], kind="stable")][:_NAMED]
    return tuple(prepared.tokenizer.decode(first[counts[first] > 0]))
