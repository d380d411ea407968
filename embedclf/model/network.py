"""Embedding -> pooling -> Dense: the Keras model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedclf.model.backend import OutOfMemory, keras
from embedclf.model.weights import Weights
from embedclf.system.terminal import terminal_width
from embedclf.text.vocabulary import PADDING

if TYPE_CHECKING:
    from embedclf.config.sections import ModelConfig
    from embedclf.data.labels import Labels
    from embedclf.model.weights import DenseLayer
    from embedclf.system.arrays import Floats


def build(
    config: ModelConfig,
    labels: Labels,
    *,
    vocabulary_rows: int,
    input_length: int,
    biases: Floats | None = None,
    vectors: Floats | None = None,
) -> Any:
    """Build the network: token ids (batch, input_length) → probabilities (batch, outputs).

    It uses only built-in Keras layers and operations, so Keras loads it without embedclf.

    Args:
        config: Width, pooling, hidden layers, dropout.
        labels: They decide the number of outputs, and sigmoid or softmax.
        vocabulary_rows: Rows of the embedding; ids must be below it.
        input_length: Number of ids of a text.
        biases: (outputs,) initial biases of the output layer; Keras's default if None.
        vectors: (vocabulary_rows, embedding_dim) initial embedding; Keras's default if None.

    Returns:
        An uncompiled `keras.Model`.

    Raises:
        MemoryError: The weights do not fit into memory.
    """
    try:
        network = _build(config, labels, vocabulary_rows, input_length)
        if biases is not None:
            output = network.get_layer("output")
            output.set_weights([output.get_weights()[0], biases])
        if vectors is not None:
            network.get_layer("embedding").set_weights([vectors])
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


def extract_weights(network: Any, pooling: str) -> Weights:
    """Copy the current weights of a network, to score in NumPy."""
    # `get_weights` leaves out the random state of dropout, so kernels and biases alternate
    embedding, *dense = network.get_weights()
    layers = tuple(zip(dense[::2], dense[1::2], strict=True))  # (kernel, bias) of each
    return Weights.from_layers(pooling, embedding, layers)


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


def _build(config: ModelConfig, labels: Labels, vocabulary_rows: int, input_length: int) -> Any:
    ids = keras.Input((input_length,), dtype="int32", name="token_ids")
    embedding = keras.layers.Embedding(
        vocabulary_rows,
        config.embedding_dim,
        trainable=config.trainable_embedding,
        name="embedding",
    )
    vectors = embedding(ids)  # (batch, input_length, embedding_dim)
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
