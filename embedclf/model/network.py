"""Embedding -> pooling -> Dense: the Keras model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedclf.model.backend import OutOfMemory, keras
from embedclf.model.weights import Weights
from embedclf.text.vocabulary import PADDING

if TYPE_CHECKING:
    from embedclf.config.schema import ModelConfig
    from embedclf.data.labels import Labels
    from embedclf.system.arrays import Floats


def build(
    config: ModelConfig,
    labels: Labels,
    *,
    rows: int,
    slots: int,
    biases: Floats | None = None,
    vectors: Floats | None = None,
) -> Any:
    """Build the network: token ids (batch, slots) → probabilities (batch, outputs).

    It is a plain Keras model of built-in layers and operations: Keras loads it without embedclf.

    Args:
        config: Width, pooling, hidden layers, dropout.
        labels: Tell the number of outputs, and sigmoid or softmax.
        rows: Rows of the embedding: ids below it are legal.
        slots: Ids of a text.
        biases: (outputs,) that the output starts from; None leaves them to Keras.
        vectors: (rows, embedding_dim) that the embedding starts from; None leaves them to Keras.

    Returns:
        An uncompiled `keras.Model` with new weights.

    Raises:
        MemoryError: The weights do not fit.
    """
    try:
        network = _build(config, labels, rows, slots)
        if biases is not None:
            output = network.get_layer("output")
            output.set_weights([output.get_weights()[0], biases])
        if vectors is not None:
            network.get_layer("embedding").set_weights([vectors])
    except OutOfMemory as error:
        raise MemoryError("the network's weights do not fit") from error
    return network


def _build(config: ModelConfig, labels: Labels, rows: int, slots: int) -> Any:
    ids = keras.Input((slots,), dtype="int32", name="token_ids")
    embedding = keras.layers.Embedding(
        rows, config.embedding_dim, trainable=config.trainable_embedding, name="embedding"
    )
    vectors = embedding(ids)  # (batch, slots, embedding_dim)
    features = _pool(config.pooling, vectors, ids)  # (batch, features)
    features = _drop(config.dropout, features, after="pooling")
    for number, units in enumerate(config.hidden_units, start=1):
        features = keras.layers.Dense(units, activation="relu", name=f"hidden_{number}")(features)
        features = _drop(config.dropout, features, after=f"hidden_{number}")
    activation = "softmax" if labels.task == "multiclass" else "sigmoid"
    output = keras.layers.Dense(labels.outputs, activation=activation, name="output")
    return keras.Model(ids, output(features), name="classifier")


@dataclass(frozen=True)
class Layer:
    """A layer by its name, Keras class, output shape without the batch, and parameters."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int


def table(network: Any) -> str:
    """Keras's own table of the layers, their shapes and parameters."""
    lines: list[str] = []
    network.summary(line_length=80, print_fn=lambda text, **_: lines.append(text))
    return "\n".join(line.rstrip() for line in "\n".join(lines).strip("\n").splitlines())


def layers(network: Any) -> tuple[Layer, ...]:
    """The layers of a network, from ids to output."""
    return tuple(
        Layer(
            layer.name,
            type(layer).__name__,
            tuple(layer.output.shape[1:]),
            layer.count_params(),
        )
        for layer in network.layers
    )


def trainable_parameters(network: Any) -> int:
    """How many parameters training changes."""
    return sum(math.prod(one.shape) for one in network.trainable_variables)


def weights_of(network: Any, pooling: str) -> Weights:
    """What a network has learned by now, for scoring without Keras."""
    embedding, *others = network.get_weights()
    return Weights.of(pooling, embedding, tuple(zip(others[::2], others[1::2], strict=True)))


def scale_logits(network: Any, factors: Floats) -> None:
    """Multiply the logits of a network by factors (outputs,), which its last layer takes up."""
    output = network.get_layer("output")
    output.set_weights([weights * factors for weights in output.get_weights()])


def _pool(pooling: str, vectors: Any, ids: Any) -> Any:
    if pooling == "flatten":
        return keras.layers.Flatten(name="flatten")(vectors)
    return _masked(pooling, vectors.shape[1:])([vectors, ids])


def _masked(pooling: str, shape: tuple[int, int]) -> Any:
    """Average or maximum over real tokens as a small model of its own; no token gives zeros.

    Keras's GlobalAveragePooling1D divides 0 by 0 where all is masked, and its GlobalMaxPooling1D
    knows no mask.
    """
    ops = keras.ops
    vectors = keras.Input(shape, name="vectors")
    ids = keras.Input(shape[:1], dtype="int32", name="token_ids")
    real = ops.expand_dims(ops.not_equal(ids, PADDING), -1)  # (batch, slots, 1)
    if pooling == "max":
        highest = ops.max(ops.where(real, vectors, float("-inf")), axis=1)
        pooled = ops.where(ops.any(real, axis=1), highest, 0.0)
    else:
        lengths = ops.maximum(ops.sum(ops.cast(real, "float32"), axis=1), 1.0)  # (batch, 1)
        divisor = lengths if pooling == "average" else ops.sqrt(lengths)
        pooled = ops.sum(ops.where(real, vectors, 0.0), axis=1) / divisor
    return keras.Model([vectors, ids], pooled, name=pooling)


def _drop(share: float, features: Any, *, after: str) -> Any:
    return keras.layers.Dropout(share, name=f"dropout_{after}")(features) if share else features
