"""Initial biases and embedding rows."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.system.arrow import text_column
from embedclf.text.pretrained import open_source
from embedclf.text.vocabulary import PADDING, RESERVED, UNKNOWN
from embedclf.training.losses import cell_weights

if TYPE_CHECKING:
    from embedclf.config.schema import Config
    from embedclf.data.dataset import Dataset
    from embedclf.system.arrays import Counts, Doubles, Floats, Mask
    from embedclf.text.pretrained import VectorSource
    from embedclf.text.tokenizer import Tokenizer
    from embedclf.text.word_matching import WordVectors


@dataclass(frozen=True)
class InitialWeights:
    """What a network starts from; Keras draws the kernels of its dense layers."""

    biases: Floats
    """(outputs,) of the output."""
    rows: Floats
    """(rows, embedding_dim) of the embedding."""
    row_learning_rates: Floats | None = None
    """(rows,) what the steps of each row are multiplied by; None is 1 for all."""
    coverage: Coverage | None = None
    """None where no source of vectors is named."""


def initialize(dataset: Dataset) -> InitialWeights:
    """Give the rows that `model.initialization` names, and biases that know the labels' shares.

    Raises:
        ConfigError: The source does not fit the config.
        DataError: It cannot be read.
    """
    biases = _biases(dataset)
    if dataset.config.model.initialization == "naive_bayes":
        return InitialWeights(biases, *naive_bayes_rows(dataset))
    source = open_source(dataset.config.model)
    if source is None:
        shape = (dataset.tokenizer.rows, dataset.config.model.embedding_dim)
        return InitialWeights(biases, random_rows(shape, dataset.config.seed))
    rows, covered = pretrained_rows(dataset, source)
    return InitialWeights(biases, rows, coverage=covered)


def coverage(dataset: Dataset) -> Coverage | None:
    """How far known vectors go, if some are named; raises as `initialize`."""
    source = open_source(dataset.config.model)
    return None if source is None else pretrained_rows(dataset, source)[1]


def _biases(dataset: Dataset) -> Floats:
    """The logits of how often labels are true in training, as its loss weighs them.

    Steps are not spent on learning them (Lin et al., Focal Loss for Dense Object Detection, 2017,
    section 3.3): rare labels begin rare.

    Returns:
        (outputs,).
    """
    weights, targets = cell_weights(dataset), dataset.train.targets
    total = weights.sum(axis=0, dtype=np.float64)
    if dataset.labels.task == "multiclass":
        inside = np.bincount(targets, weights[:, 0], dataset.labels.outputs)
        outside = total
    else:
        present = dataset.labels.present(targets)
        inside = (weights * present).sum(axis=0, dtype=np.float64)
        outside = total - inside
    biases: Floats = (np.log(inside + 1.0) - np.log(outside + 1.0)).astype(np.float32)
    return biases


LIMIT = 0.05
"""Most that numbers of an embedding begin with in Keras, on either side of 0."""


def random_rows(shape: tuple[int, int], seed: int, limit: float = LIMIT) -> Floats:
    """Draw uniform numbers between -limit and limit, (rows, embedding_dim)."""
    rows = np.random.default_rng(seed).random(shape, np.float32)
    rows *= np.float32(2.0 * limit)
    rows -= np.float32(limit)
    return rows


_SMOOTHING = 0.5
"""Occurrences that every token is given beside its own, shared by labels as all tokens are, so that
those seen once tell little."""

_LEAST = 1e-6
"""Of the mean: tokens that all tell nothing move alike."""

_TINY = float(np.finfo(np.float64).tiny)


def naive_bayes_rows(dataset: Dataset) -> tuple[Floats, Floats]:
    """Give rows by chance, each in the measure of what it tells of a label.

    Wang and Manning (Baselines and Bigrams, 2012, section 2.1) multiply the features of a linear
    classifier by how much oftener a label has them, so that those which tell much need small
    weights and those which tell nothing are left alone. A linear network whose rows begin and move
    in that measure is the same classifier, its factors already multiplied out.

    Args:
        dataset: The training rows are counted.

    Returns:
        (rows, embedding_dim) of the embedding, and (rows,) what each row's steps are multiplied
        by: the mean over tokens and n-grams is 1.
    """
    told = label_divergence(dataset)
    known = told[len(RESERVED) :]
    row_learning_rates = told / max(float(known.mean()), _LEAST)
    row_learning_rates[: len(RESERVED)] = 1.0
    width = dataset.config.model.embedding_dim
    return random_rows((len(row_learning_rates), width), dataset.config.seed) * row_learning_rates[
        :, None
    ], row_learning_rates


def label_divergence(dataset: Dataset) -> Floats:
    """How far the labels of the texts that hold each id are from those of all texts.

    It is the root of the divergence (Kullback and Leibler, On Information and Sufficiency, 1951)
    between the share of an id's occurrences that a label has and its share of all, summed over
    labels. Where shares differ little the root grows as the logarithm of their ratio does, which is
    Wang and Manning's measure for two labels; of many labels that takes the largest of many
    ratios, which rare tokens have by chance.

    Returns:
        (rows,) from 0, which tells nothing.
    """
    part, counts = dataset.train, dataset.counts
    told, total = np.zeros(len(counts)), max(1, counts.sum())
    for of_label in dataset.labels.present(part.targets).T:
        inside = part.occurrences(len(counts), of_label)
        usual = inside.sum() / total
        share = (inside + _SMOOTHING * usual) / (counts + _SMOOTHING)
        told += _summand(share, usual) + _summand(1.0 - share, 1.0 - usual)
    return np.sqrt(np.maximum(told, 0.0)).astype(np.float32)


def _summand(share: Doubles, usual: float) -> Doubles:
    """Of a divergence: share · log(share / usual), 0 where the share is 0.

    SciPy has it, but 0.2 s of a training that takes 4 s went to importing that.
    """
    summand: Doubles = share * np.log(np.maximum(share, _TINY) / max(usual, _TINY))
    return summand


_CONTRACTION = re.compile(r"(.+?)(n't|'(?:s|m|d|ll|re|ve))", re.IGNORECASE)

_SPREAD = 0.1
"""Standard deviation that rows which are trained begin with, whatever that of the source: 0.7 for
GloVe, 0.03 for chance in Keras. A step moves a number by about the learning rate, however large it
is, so that large vectors hardly learn and small ones forget where they began. Of 0.03, 0.1, 0.3 and
0.7 this gave the lowest validation loss, or nearly, on four sets with each pooling."""

_LEAST_SPREAD = 1e-6
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


def pretrained_rows(dataset: Dataset, source: VectorSource) -> tuple[Floats, Coverage]:
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
        dataset: Tells the vocabulary, the seed, and the training texts.
        source: Vectors of words.

    Returns:
        (rows, embedding_dim) of the embedding, and the coverage.

    Raises:
        DataError: The source cannot be read.
    """
    covered, rows, unreadable = rows_of(dataset.tokenizer, dataset.config, source)
    counts = dataset.counts[: dataset.tokenizer.first_ngram]
    covered = covered[: len(counts)]  # a phrase has no vector in a source
    coverage = Coverage(
        source.name,
        source.embedding_dim,
        tokens=len(dataset.tokenizer.tokens),
        tokens_covered=int(np.count_nonzero(covered)),
        texts_tokens=int(counts.sum()),
        texts_tokens_covered=int(counts[covered].sum()),
        missing=_commonest(dataset, np.where(covered, 0, counts)),
        unreadable=unreadable,
    )
    return rows, coverage


def rows_of(tokenizer: Tokenizer, config: Config, source: VectorSource) -> tuple[Mask, Floats, int]:
    """Give the rows of the embedding, as `pretrained_rows` tells.

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
    rows = random_rows((len(covered), source.embedding_dim), config.seed, limit)
    rows[covered] = known
    rows[PADDING] = 0
    rows[UNKNOWN] = known.mean(axis=0) if len(known) else 0
    if config.model.trainable_embedding:
        rows *= np.float32(_SPREAD / max(spread, _LEAST_SPREAD))
    return covered, rows, vectors.unreadable


def _contractions(tokens: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Tokens that stand for two words, and those."""
    matches = ((token, _CONTRACTION.fullmatch(token)) for token in tokens if "'" in token)
    return {token: match.groups() for token, match in matches if match}


def _joined(
    vectors: WordVectors, wanted: tuple[str, ...], parts: dict[str, tuple[str, ...]]
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


def _commonest(dataset: Dataset, counts: Counts) -> tuple[str, ...]:
    """The tokens of highest counts (rows,), those of equal ones in the vocabulary's order."""
    end = len(RESERVED) + len(dataset.tokenizer.tokens)
    numbers = np.arange(len(RESERVED), end, dtype=np.int32)
    first = numbers[np.argsort(-counts[numbers], kind="stable")][:_NAMED]
    return tuple(dataset.tokenizer.decode(first[counts[first] > 0]))
