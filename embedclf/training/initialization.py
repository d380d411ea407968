"""What a network starts from: output biases and embedding rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from embedclf.data.dataset import KEPT_VECTORS, VECTORS
from embedclf.text.vocabulary import PADDING, RESERVED, UNKNOWN
from embedclf.training.divergence import label_divergence
from embedclf.training.steps.losses import cell_weights
from embedclf.training.steps.training_rows import soft_targets
from embedclf.training.token_vectors import (
    Coverage,
    measure_coverage,
    read_token_vectors,
    scale_kept,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedclf.config.schema import Config
    from embedclf.data.dataset import Dataset
    from embedclf.model.weights import DenseLayer
    from embedclf.system.arrays import Doubles, Floats
    from embedclf.text.tokenizer import Tokenizer
    from embedclf.training.token_vectors import TokenVectors

LIMIT = 0.05
"""Random rows are uniform between -LIMIT and LIMIT, as in Keras's Embedding."""

_LEAST_MEAN = 1e-6
"""The least mean divergence to divide by: if no token says anything, all get equal rates."""

_SPREAD = 0.1
"""Standard deviation of trained rows at the start, whatever that of the source is: 0.7 for GloVe,
0.03 for random rows in Keras. A step moves a number by about the learning rate, however large the
number is. Large vectors therefore hardly learn, and small ones forget where they started. Of 0.03,
0.1, 0.3 and 0.7 this gave the lowest validation loss, or nearly, on four sets with each pooling."""

_LEAST_SPREAD = 1e-6
"""The least standard deviation to divide by, in case all vectors are equal."""


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
    """Of the vectors that rows start from; None if there are none."""
    kept: Floats | None = None
    """(first_ngram_id, kept_dim) word vectors beside the embedding; None if there are none."""
    kept_coverage: Coverage | None = None
    """Of the kept vectors; None if their source is not read."""
    dense: tuple[DenseLayer, ...] | None = None
    """Kernels and biases of all dense layers, if the training continues from a run."""

    def without_weights(self) -> InitialWeights:
        """Return the learning rates and coverages alone, for when a network has the weights."""
        return replace(self, rows=np.zeros((0, 0), np.float32), kept=None, dense=None)


@dataclass(frozen=True)
class TrainingStatistics:
    """What initial weights depend on, of all training rows."""

    present: Doubles
    """(outputs,) weight, in the loss, of the rows with the label of each output."""
    absent: Doubles
    """(outputs,) of the other rows."""
    measure_divergence: Callable[[], Floats]
    """Returns how much each id (vocabulary_rows,) says about the label."""

    @classmethod
    def of(cls, dataset: Dataset) -> TrainingStatistics:
        """Take them from the rows of a dataset."""
        present, absent = _weigh_labels(dataset)
        return cls(present, absent, lambda: label_divergence(dataset))


def initialize(dataset: Dataset, statistics: TrainingStatistics | None = None) -> InitialWeights:
    """Make what a network starts from, as the config says.

    These are the rows that `model.initialization` names, the kept vectors that `model.vectors`
    names, and biases from the label frequencies.

    Args:
        dataset: The config, the labels, and the vocabulary with its counts.
        statistics: Of the training rows; None takes them from the dataset.

    Raises:
        ConfigError: The source of word vectors does not fit the config.
        DataError: The source cannot be read.
    """
    statistics = statistics or TrainingStatistics.of(dataset)
    biases = _output_biases(statistics)
    rows, learning_rates, coverage = _trained_rows(dataset, statistics)
    tokenizer = dataset.tokenizer
    if coverage is None and not dataset.counts[UNKNOWN]:
        # No training text teaches what an out-of-vocabulary token is worth
        rows[UNKNOWN] = 0.0
    if tokenizer.vector_words and dataset.config.model.trainable_embedding:
        # Training texts rarely have these words, so that random numbers would stay random
        if learning_rates is None:
            learning_rates = np.ones(len(rows), np.float32)
        only = slice(tokenizer.first_vector_id, tokenizer.first_ngram_id)
        rows[only], learning_rates[only] = 0.0, 0.0
    return InitialWeights(biases, rows, learning_rates, coverage, *_kept_rows(dataset))


def measure_coverages(dataset: Dataset) -> dict[str, Coverage]:
    """Return how much word vectors cover, by the key that a run records it under.

    Raises:
        DataError: A source cannot be read.
    """
    sources = {VECTORS: dataset.vectors, KEPT_VECTORS: dataset.kept_vectors}
    return {
        key: measure_coverage(
            dataset,
            source,
            read_token_vectors(dataset.tokenizer, source),
            kept=key == KEPT_VECTORS,
        )
        for key, source in sources.items()
        if source is not None
    }


def random_rows(shape: tuple[int, int], seed: int, limit: float = LIMIT) -> Floats:
    """Draw uniform numbers (vocabulary_rows, embedding_dim) between -limit and limit.

    NumPy draws them, so that `embeddings movement` can draw them again without TensorFlow.
    """
    rows = np.random.default_rng(seed).random(shape, np.float32)
    # In place and in float32: NumPy's `uniform` would draw float64, twice the memory
    rows *= np.float32(2.0 * limit)
    rows -= np.float32(limit)
    return rows


def naive_bayes_rows(dataset: Dataset, divergence: Floats) -> tuple[Floats, Floats]:
    """Draw random rows, each scaled by how much its token says about the label.

    Wang and Manning (Baselines and Bigrams, 2012, section 2.1) multiply the features of a linear
    classifier by their log-count ratios. Tokens that say much about a label then need small
    weights, and tokens that say nothing are left alone. A linear network whose rows start and move
    in that proportion is the same classifier, with the factors multiplied out.

    Args:
        dataset: For its vocabulary, and the seed of its config.
        divergence: (vocabulary_rows,) how much each id says about the label.

    Returns:
        (vocabulary_rows, embedding_dim) of the embedding, and (vocabulary_rows,) factors for the
        steps of each row; their mean over tokens and n-grams is 1.
    """
    tokenizer = dataset.tokenizer
    # Words that are known by their vectors only have no learning rate to count in the mean
    learned = slice(len(RESERVED), tokenizer.first_vector_id)
    known = np.concatenate([divergence[learned], divergence[tokenizer.first_ngram_id :]])
    learning_rates = divergence / max(float(known.mean()), _LEAST_MEAN)
    learning_rates[: len(RESERVED)] = 1.0
    shape = (len(learning_rates), dataset.config.model.embedding_dim)
    return random_rows(shape, dataset.config.seed) * learning_rates[:, None], learning_rates


def vector_rows(tokenizer: Tokenizer, config: Config, vectors: TokenVectors) -> Floats:
    """Make the rows of the embedding from word vectors.

    A token gets the vector of its word. Padding starts as zeros, the out-of-vocabulary token as the
    mean of all vectors found. All other rows are random and uniform as in Keras's Embedding, but
    with the standard deviation of the vectors found. Keras's own standard deviation would make them
    close to zero in comparison.

    If the embedding is trained, one factor scales all rows to one standard deviation (`_SPREAD`).
    Angles and ratios do not change. If it is not trained, the rows keep the scale of the source,
    since only the layers behind them learn.

    Args:
        tokenizer: For its vocabulary.
        config: For its seed, and whether the embedding is trained.
        vectors: Of the tokens.

    Returns:
        (vocabulary_rows, embedding_dim).
    """
    known = vectors.rows[vectors.found]
    spread = float(known.std()) if len(known) else _SPREAD
    limit = spread * math.sqrt(3)  # uniform numbers up to this have that standard deviation
    shape = (tokenizer.vocabulary_rows, vectors.rows.shape[1])
    rows = random_rows(shape, config.seed, limit)
    rows[: len(vectors.found)][vectors.found] = known
    rows[PADDING] = 0
    rows[UNKNOWN] = known.mean(axis=0) if len(known) else 0
    if config.model.trainable_embedding:
        rows *= np.float32(_SPREAD / max(spread, _LEAST_SPREAD))
    return rows


def _trained_rows(
    dataset: Dataset, statistics: TrainingStatistics
) -> tuple[Floats, Floats | None, Coverage | None]:
    """Return the rows, their learning rates and the coverage of `InitialWeights`."""
    tokenizer, config, source = dataset.tokenizer, dataset.config, dataset.vectors
    if config.model.initialization == "naive_bayes":
        return (*naive_bayes_rows(dataset, statistics.measure_divergence()), None)
    if source is None:
        shape = (tokenizer.vocabulary_rows, config.model.embedding_dim)
        return random_rows(shape, config.seed), None, None
    vectors = read_token_vectors(tokenizer, source)
    coverage = measure_coverage(dataset, source, vectors, kept=False)
    return vector_rows(tokenizer, config, vectors), None, coverage


def _kept_rows(dataset: Dataset) -> tuple[Floats | None, Coverage | None]:
    """Return the kept vectors and their coverage of `InitialWeights`."""
    source = dataset.kept_vectors
    if source is None:
        return None, None
    vectors = read_token_vectors(dataset.tokenizer, source)
    coverage = measure_coverage(dataset, source, vectors, kept=True)
    return scale_kept(vectors, dataset), coverage


def _output_biases(statistics: TrainingStatistics) -> Floats:
    """Return the logits (outputs,) of the label frequencies, weighted as in the training loss.

    Training then spends no steps on learning that a label is rare (Lin et al., Focal Loss for Dense
    Object Detection, 2017, section 3.3).
    """
    # A weight of 1 on either side keeps the bias of a label without rows finite
    present, absent = statistics.present, statistics.absent
    biases: Floats = (np.log(present + 1.0) - np.log(absent + 1.0)).astype(np.float32)
    return biases


def _weigh_labels(dataset: Dataset) -> tuple[Doubles, Doubles]:
    """Return `present` and `absent` of `TrainingStatistics`."""
    weights, targets, taught = cell_weights(dataset), dataset.train.targets, soft_targets(dataset)
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
    if taught is not None:
        present, absent = taught.label_weights()
        positive = positive + present
        # The total of all labels again, to which the absence of one would not add up
        negative = negative + (present.sum() if task == "multiclass" else absent)
    return positive, negative
