"""What a network starts from: output biases and embedding rows."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.system.arrow import text_column
from embedclf.text.vocabulary import PADDING, RESERVED, UNKNOWN
from embedclf.training.divergence import label_divergence
from embedclf.training.losses import cell_weights

if TYPE_CHECKING:
    from embedclf.config.schema import Config
    from embedclf.data.dataset import Dataset
    from embedclf.model.weights import DenseLayer
    from embedclf.system.arrays import Counts, Floats, Mask
    from embedclf.text.pretrained import VectorSource
    from embedclf.text.tokenizer import Tokenizer
    from embedclf.text.word_matching import WordVectors

LIMIT = 0.05
"""Random rows are uniform between -LIMIT and LIMIT, as in Keras's Embedding."""

_LEAST_MEAN = 1e-6
"""The least mean divergence to divide by: if no token says anything, all get equal rates."""

_CONTRACTION = re.compile(r"(.+?)(n't|'(?:s|m|d|ll|re|ve))", re.IGNORECASE)

_SPREAD = 0.1
"""Standard deviation of trained rows at the start, whatever that of the source is: 0.7 for GloVe,
0.03 for random rows in Keras. A step moves a number by about the learning rate, however large the
number is. Large vectors therefore hardly learn, and small ones forget where they started. Of 0.03,
0.1, 0.3 and 0.7 this gave the lowest validation loss, or nearly, on four sets with each pooling."""

_LEAST_SPREAD = 1e-6
"""The least standard deviation to divide by, in case all vectors are equal."""

_MISSING_SHOWN = 5
"""Missing tokens to name: enough to recognize vectors of another language or another case."""


@dataclass(frozen=True)
class InitialWeights:
    """What a network starts from; Keras draws the kernels of its dense layers."""

    biases: Floats
    """(outputs,) of the output layer."""
    rows: Floats
    """(vocabulary_rows, embedding_dim) of the embedding."""
    row_learning_rates: Floats | None = None
    """(vocabulary_rows,) factors for the steps of each row; None is 1 for all."""
    coverage: Coverage | None = None
    """None if the config names no word vectors."""
    dense: tuple[DenseLayer, ...] | None = None
    """Kernels and biases of all dense layers, if the training continues from a run."""


@dataclass(frozen=True)
class Coverage:
    """How many tokens start from a vector of a source of word vectors."""

    source: str
    """Its name."""
    embedding_dim: int
    tokens: int
    """Of the vocabulary, without padding and OOV."""
    tokens_covered: int
    texts_tokens: int
    """All tokens of training texts after truncation, OOV tokens included."""
    texts_tokens_covered: int
    missing: tuple[str, ...]
    """The most frequent tokens without a vector, a few of them."""
    unreadable: int
    """Words of the source that are not UTF-8."""

    def facts(self) -> dict[str, Any]:
        """Return plain values; fractions are between 0 and 1."""
        return {
            **asdict(self),
            "share_of_tokens": self.tokens_covered / max(self.tokens, 1),
            "share_of_texts_tokens": self.texts_tokens_covered / max(self.texts_tokens, 1),
        }


def initialize(dataset: Dataset) -> InitialWeights:
    """Make the rows that `model.initialization` names, and biases from the label frequencies.

    Raises:
        ConfigError: The source of word vectors does not fit the config.
        DataError: The source cannot be read.
    """
    biases = _output_biases(dataset)
    if dataset.config.model.initialization == "naive_bayes":
        return InitialWeights(biases, *naive_bayes_rows(dataset))
    source = dataset.vectors
    if source is None:
        shape = (dataset.tokenizer.vocabulary_rows, dataset.config.model.embedding_dim)
        return InitialWeights(biases, random_rows(shape, dataset.config.seed))
    rows, covered = pretrained_rows(dataset, source)
    return InitialWeights(biases, rows, coverage=covered)


def measure_coverage(dataset: Dataset) -> Coverage | None:
    """Return how much word vectors cover, if the config names some; raises as `initialize`."""
    source = dataset.vectors
    return None if source is None else pretrained_rows(dataset, source)[1]


def random_rows(shape: tuple[int, int], seed: int, limit: float = LIMIT) -> Floats:
    """Draw uniform numbers (vocabulary_rows, embedding_dim) between -limit and limit.

    NumPy draws them, so that `embeddings movement` can draw them again without TensorFlow.
    """
    rows = np.random.default_rng(seed).random(shape, np.float32)
    # In place and in float32: NumPy's `uniform` would draw float64, twice the memory
    rows *= np.float32(2.0 * limit)
    rows -= np.float32(limit)
    return rows


def naive_bayes_rows(dataset: Dataset) -> tuple[Floats, Floats]:
    """Draw random rows, each scaled by how much its token says about the label.

    Wang and Manning (Baselines and Bigrams, 2012, section 2.1) multiply the features of a linear
    classifier by their log-count ratios. Tokens that say much about a label then need small
    weights, and tokens that say nothing are left alone. A linear network whose rows start and move
    in that proportion is the same classifier, with the factors multiplied out.

    Args:
        dataset: Its training rows are counted.

    Returns:
        (vocabulary_rows, embedding_dim) of the embedding, and (vocabulary_rows,) factors for the
        steps of each row; their mean over tokens and n-grams is 1.
    """
    divergence = label_divergence(dataset)
    known = divergence[len(RESERVED) :]
    learning_rates = divergence / max(float(known.mean()), _LEAST_MEAN)
    learning_rates[: len(RESERVED)] = 1.0
    shape = (len(learning_rates), dataset.config.model.embedding_dim)
    return random_rows(shape, dataset.config.seed) * learning_rates[:, None], learning_rates


def pretrained_rows(dataset: Dataset, source: VectorSource) -> tuple[Floats, Coverage]:
    """Make the rows of the embedding from word vectors, and measure how much these cover.

    A token gets the vector of its word. A contraction (`don't`, `film's`) without a vector of its
    own gets the mean of its two words' vectors. It is split like the texts of GloVe: `do n't`, as
    in the Penn Treebank (Marcus, Santorini and Marcinkiewicz, 1993). Padding starts as zeros, the
    out-of-vocabulary token as the mean of all vectors found. All other rows are random and uniform
    as in Keras's Embedding, but with the standard deviation of the vectors found. Keras's own
    standard deviation would make them close to zero in comparison.

    If the embedding is trained, one factor scales all rows to one standard deviation (`_SPREAD`).
    Angles and ratios do not change. If it is not trained, the rows keep the scale of the source,
    since only the layers behind them learn.

    Args:
        dataset: For its vocabulary, seed, and training texts.
        source: Word vectors.

    Returns:
        (vocabulary_rows, embedding_dim) of the embedding, and the coverage.

    Raises:
        DataError: The source cannot be read.
    """
    covered, rows, unreadable = vector_rows(dataset.tokenizer, dataset.config, source)
    counts = dataset.counts[: dataset.tokenizer.first_ngram_id]
    covered = covered[: len(counts)]  # no source has vectors of n-grams
    return rows, Coverage(
        source.name,
        source.embedding_dim,
        tokens=len(dataset.tokenizer.tokens),
        tokens_covered=int(np.count_nonzero(covered)),
        texts_tokens=int(counts.sum()),
        texts_tokens_covered=int(counts[covered].sum()),
        missing=_most_frequent(dataset.tokenizer, np.where(covered, 0, counts)),
        unreadable=unreadable,
    )


def vector_rows(
    tokenizer: Tokenizer, config: Config, source: VectorSource
) -> tuple[Mask, Floats, int]:
    """Make the rows of the embedding as `pretrained_rows` describes them.

    Returns:
        (vocabulary_rows,) True for tokens with a vector, (vocabulary_rows, embedding_dim) of the
        embedding, and how many words of the source are unreadable.

    Raises:
        DataError: The source cannot be read.
    """
    tokens = tokenizer.tokens
    contractions = _split_contractions(tokens)
    pieces = (piece for pair in contractions.values() for piece in pair)
    # Tokens come first, so that the first rows of the vectors are theirs
    words = tuple(dict.fromkeys([*tokens, *pieces]))
    vectors = source.read(text_column(words))
    found, word_vectors = _join_contractions(vectors, words, contractions)
    covered = np.zeros(tokenizer.vocabulary_rows, np.bool_)
    token_rows = slice(len(RESERVED), len(RESERVED) + len(tokens))
    covered[token_rows] = found[: len(tokens)]
    known = word_vectors[: len(tokens)][covered[token_rows]]
    spread = float(known.std()) if len(known) else _SPREAD
    limit = spread * math.sqrt(3)  # uniform numbers up to this have that standard deviation
    rows = random_rows((len(covered), source.embedding_dim), config.seed, limit)
    rows[covered] = known
    rows[PADDING] = 0
    rows[UNKNOWN] = known.mean(axis=0) if len(known) else 0
    if config.model.trainable_embedding:
        rows *= np.float32(_SPREAD / max(spread, _LEAST_SPREAD))
    return covered, rows, vectors.unreadable


def _output_biases(dataset: Dataset) -> Floats:
    """Return the logits (outputs,) of the label frequencies, weighted as in the training loss.

    Training then spends no steps on learning that a label is rare (Lin et al., Focal Loss for Dense
    Object Detection, 2017, section 3.3).
    """
    weights, targets = cell_weights(dataset), dataset.train.targets
    rows, task = weights.rows[:, 0].astype(np.float64), dataset.labels.task
    if task == "multilabel":
        positive = rows @ targets
        negative = rows.sum() - positive
        if weights.present is not None and weights.absent is not None:
            positive, negative = positive * weights.present, negative * weights.absent
    else:
        totals = np.bincount(targets, rows, len(dataset.labels.names)).astype(np.float64)
        positive = totals[-dataset.labels.outputs :]
        # A softmax cancels what its biases have in common, so that log(total) does no harm
        negative = rows.sum() - (positive if task == "binary" else 0.0)
    # A weight of 1 on either side keeps the bias of a label without rows finite
    biases: Floats = (np.log(positive + 1.0) - np.log(negative + 1.0)).astype(np.float32)
    return biases


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
