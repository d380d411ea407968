"""Embedding -> pooling -> Dense: the Keras model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from embedclf.model.backend import OutOfMemory, keras
from embedclf.model.optimizers import StepVariable
from embedclf.model.variable_values import assign_value, copy_value
from embedclf.model.weights import VECTORS_LAYER, Weights
from embedclf.system.terminal import terminal_width
from embedclf.text.encodings import TokenIds
from embedclf.text.vocabulary import PADDING

if TYPE_CHECKING:
    from embedclf.config.sections import ModelConfig
    from embedclf.data.labels import Labels
    from embedclf.model.weights import DenseLayer
    from embedclf.system.arrays import Floats, Int64s


def build(
    config: ModelConfig,
    labels: Labels,
    *,
    vocabulary_rows: int,
    input_length: int,
    vectors: Floats | None = None,
    kept: Floats | None = None,
) -> Any:
    """Build the network: token ids (batch, input_length) → probabilities (batch, outputs).

    It uses only built-in Keras layers and operations, so Keras loads it without embedclf.

    Args:
        config: Width, pooling, hidden layers, dropout.
        labels: They decide the number of outputs, and sigmoid or softmax.
        vocabulary_rows: Rows of the embedding; ids must be below it.
        input_length: Number of ids of a text.
        vectors: (vocabulary_rows, embedding_dim) initial embedding; Keras's default if None.
        kept: (first_ngram_id, kept_dim) word vectors that no training changes. They come before the
            trained numbers of a token; an n-gram has zeros there. The first dense layer starts by
            ignoring them. None if there are none.

    Returns:
        An uncompiled `keras.Model`.

    Raises:
        MemoryError: The weights do not fit into memory.
    """
    try:
        ids = keras.Input((input_length,), dtype="int32", name="token_ids")
        embedded = _embed(ids, config, vocabulary_rows, kept)
        network = _build(ids, embedded, config, labels)
        if vectors is not None:
            assign_value(network.get_layer("embedding").embeddings.value, vectors)
        if kept is not None:
            _ignore_kept(network, config, kept.shape[1])
    except OutOfMemory as error:
        raise MemoryError("the network's weights do not fit into memory") from error
    return network


@dataclass(frozen=True)
class LayerSummary:
    """A layer of a network."""

    name: str
    class_name: str
    """In Keras."""
    output_shape: tuple[int, ...]
    """Without the batch."""
    parameters: int


def summary_table(network: Any) -> str:
    """Return Keras's own table of the layers, their shapes and parameters."""
    lines: list[str] = []
    width = min(80, terminal_width())
    network.summary(line_length=width, print_fn=lambda text, **_: lines.append(text))
    return "\n".join(line.rstrip() for line in "\n".join(lines).strip("\n").splitlines())


def list_layers(network: Any) -> tuple[LayerSummary, ...]:
    """List the layers of a network, from input to output."""
    return tuple(
        LayerSummary(
            layer.name,
            type(layer).__name__,
            tuple(layer.output.shape[1:]),
            layer.count_params(),
        )
        for layer in network.layers
    )


def count_trainable_parameters(network: Any) -> int:
    """Count the parameters that training changes."""
    return sum(math.prod(variable.shape) for variable in network.trainable_variables)


class UsedRows(NamedTuple):
    """The rows of the embedding that some texts use, and the texts' ids among them."""

    rows: Int64s
    """(used,) increasing."""
    ids: TokenIds
    """Positions in `rows`."""

    @classmethod
    def of(cls, network: Any, ids: TokenIds) -> UsedRows:
        """Find the rows that token ids use."""
        is_used = np.zeros(network.get_layer("embedding").input_dim, np.bool_)
        is_used[ids.values] = is_used[PADDING] = True
        rows = np.flatnonzero(is_used)
        positions = np.cumsum(is_used, dtype=np.int32) - np.int32(1)
        return cls(rows, TokenIds(positions.take(ids.values), ids.ends))


def extract_weights(network: Any, pooling: str, rows: Int64s | None = None) -> Weights:
    """Copy the current weights of a network, to score in NumPy.

    Args:
        network: As `build` makes it.
        pooling: Its pooling.
        rows: (used,) rows of the embedding to copy, as `UsedRows` has them; None copies all.
    """
    dense = [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)]
    layers = tuple((kernel, bias) for kernel, bias in (layer.get_weights() for layer in dense))
    vectors, kept = find_vectors_layer(network), None
    if vectors is not None:
        # Rows are increasing, so that those of words come first
        kept = _copy_rows(vectors, None if rows is None else rows[rows < vectors.input_dim])
    trained = _copy_rows(network.get_layer("embedding"), rows)
    return Weights.from_layers(pooling, trained, layers, kept=kept)


def find_vectors_layer(network: Any) -> Any | None:
    """Return the layer of the word vectors that training does not change, if there is one."""
    return next((layer for layer in network.layers if layer.name == VECTORS_LAYER), None)


def drop_kept(network: Any, variables: list[Any]) -> list[Any]:
    """Return variables of a network without those of kept vectors, which never change."""
    layer = find_vectors_layer(network)
    return [each for each in variables if layer is None or each is not layer.variables[0]]


def count_numbers(network: Any) -> int:
    """Count the numbers in the vector of an id, kept ones included."""
    layers = (layer for layer in network.layers if isinstance(layer, keras.layers.Embedding))
    return sum(layer.output_dim for layer in layers)


def set_output_biases(network: Any, biases: Floats) -> None:
    """Give the output layer of a network biases (outputs,)."""
    output = network.get_layer("output")
    output.set_weights([output.get_weights()[0], biases])


def set_dense_layers(network: Any, layers: tuple[DenseLayer, ...]) -> None:
    """Give the hidden layers and the output layer of a network other weights, in this order."""
    hidden = [f"hidden_{number}" for number in range(1, len(layers))]
    for name, weights in zip([*hidden, "output"], layers, strict=True):
        network.get_layer(name).set_weights(list(weights))


def scale_logits(network: Any, factors: Floats) -> None:
    """Multiply the logits by factors (outputs,), by scaling the weights of the output layer."""
    output = network.get_layer("output")
    # The kernel (features, outputs) and the bias (outputs,) both broadcast with the factors
    output.set_weights([weights * factors for weights in output.get_weights()])


def _copy_rows(layer: Any, rows: Int64s | None) -> Floats:
    embeddings = layer.embeddings.value
    copied: Floats = copy_value(embeddings) if rows is None else _gather(embeddings, rows).numpy()
    return copied


def _gather(embeddings: Any, rows: Int64s) -> Any:
    return StepVariable(embeddings.handle, tuple(embeddings.shape)).gather(rows)


def _embed(ids: Any, config: ModelConfig, vocabulary_rows: int, kept: Floats | None) -> Any:
    """Look up the vectors (batch, input_length, numbers) of ids."""
    embedding = keras.layers.Embedding(
        vocabulary_rows,
        config.embedding_dim,
        trainable=config.trainable_embedding,
        name="embedding",
    )
    trained = embedding(ids)  # (batch, input_length, embedding_dim)
    if kept is None:
        return trained
    # Zeros for the moment: random ones would cost time, and the vectors replace them below
    vectors = keras.layers.Embedding(
        *kept.shape, embeddings_initializer="zeros", trainable=False, name=VECTORS_LAYER
    )
    looked_up = vectors(_select_words(ids.shape[1], len(kept))(ids))  # (..., kept_dim)
    vectors.set_weights([kept])
    return keras.layers.Concatenate(name="joined_rows")([looked_up, trained])


def _select_words(input_length: int, first_ngram_id: int) -> Any:
    """Replace the ids of n-grams by padding, in a model of its own: they have no kept vectors."""
    ids = keras.Input((input_length,), dtype="int32", name="token_ids")
    words = keras.ops.where(keras.ops.less(ids, first_ngram_id), ids, PADDING)
    return keras.Model(ids, words, name="word_ids")


def _ignore_kept(network: Any, config: ModelConfig, kept_dim: int) -> None:
    """Set the weights of kept numbers in the first dense layer to 0.

    Kept numbers are large beside trained ones, so that random weights would have much to unlearn.
    """
    layer = network.get_layer("hidden_1" if config.hidden_units else "output")
    kernel, bias = layer.get_weights()
    width = kept_dim + config.embedding_dim
    kernel.reshape(-1, width, layer.units)[:, :kept_dim] = 0.0  # with flatten, by position
    layer.set_weights([kernel, bias])


def _build(ids: Any, vectors: Any, config: ModelConfig, labels: Labels) -> Any:
    """Build the layers above vectors (batch, input_length, numbers), and the model."""
    features = _pool(config.pooling, vectors, ids)  # (batch, features)
    features = _dropout(config.dropout, features, after="pooling")
    for number, units in enumerate(config.hidden_units, start=1):
        features = keras.layers.Dense(units, activation="relu", name=f"hidden_{number}")(features)
        features = _dropout(config.dropout, features, after=f"hidden_{number}")
    activation = "softmax" if labels.task == "multiclass" else "sigmoid"
    output = keras.layers.Dense(labels.outputs, activation=activation, name="output")
    return keras.Model(ids, output(features), name="classifier")


def _pool(pooling: str, vectors: Any, ids: Any) -> Any:
    if pooling == "flatten":
        return keras.layers.Flatten(name="flatten")(vectors)
    return _masked_pooling(pooling, vectors.shape[1:])([vectors, ids])


def _masked_pooling(pooling: str, shape: tuple[int, int]) -> Any:
    """Pool the vectors of real tokens in a model of its own; a text without tokens becomes zeros.

    Keras's GlobalAveragePooling1D divides 0 by 0 where all tokens are masked, and its
    GlobalMaxPooling1D ignores masks.
    """
    ops = keras.ops
    vectors = keras.Input(shape, name="vectors")
    ids = keras.Input(shape[:1], dtype="int32", name="token_ids")
    real = ops.expand_dims(ops.not_equal(ids, PADDING), -1)  # (batch, input_length, 1)
    if pooling == "max":
        highest = ops.max(ops.where(real, vectors, float("-inf")), axis=1)
        pooled = ops.where(ops.any(real, axis=1), highest, 0.0)
    else:
        lengths = ops.maximum(ops.sum(ops.cast(real, "float32"), axis=1), 1.0)  # (batch, 1)
        divisor = lengths if pooling == "average" else ops.sqrt(lengths)
        pooled = ops.sum(ops.where(real, vectors, 0.0), axis=1) / divisor
    return keras.Model([vectors, ids], pooled, name=pooling)  # training finds it by this name


def _dropout(rate: float, features: Any, *, after: str) -> Any:
    return keras.layers.Dropout(rate, name=f"dropout_{after}")(features) if rate else features
