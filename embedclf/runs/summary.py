"""Layers, shapes, parameters and what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from embedclf.data.labeled import read_labels
from embedclf.data.labels import Labels
from embedclf.model.weights import should_fuse
from embedclf.system.progress import activity
from embedclf.system.terminal import display_path, format_count
from embedclf.text.ngrams import input_length
from embedclf.text.vectors.kept import kept_vector_length
from embedclf.text.vectors.pretrained import open_vector_source

if TYPE_CHECKING:
    from embedclf.config.schema import Config
    from embedclf.config.sections import ModelConfig
    from embedclf.model.network import LayerSummary
    from embedclf.model.weights import Weights
    from embedclf.runs.run import Run
    from embedclf.system.arrays import Floats


@dataclass(frozen=True)
class NetworkSummary:
    """A network: Keras's own table, and what it means."""

    table: str
    """As Keras prints it; of a compact run, a sentence."""
    layers: tuple[LayerSummary, ...]
    """None of a compact run."""
    descriptions: tuple[str, ...]
    """A sentence or two per layer."""
    parameters: int
    trainable_parameters: int
    """Those that training updates."""
    memory: str
    """Size of the parameters, in a sentence."""
    scoring: str
    """Cost of a token in a prediction, in a sentence."""
    run: Run | None
    """None for a config; the embedding then has its maximum number of rows."""


def summarize_config(config: Config) -> NetworkSummary:
    """Summarize the network of a config; only the labels of its data are read.

    Raises:
        ConfigError: The config cannot be used.
        DataError: The training table cannot be read.
    """
    open_vector_source(config.model)  # raises if the vectors cannot be used
    labels = Labels.fit(read_labels(config.data.train, config.data), config.data)
    text, kept_dim = config.text, kept_vector_length(config.model)
    tokens = text.vocabulary_size + (config.model.vector_words if kept_dim else 0)
    ngrams = text.ngram_vocabulary_size if text.ngrams > 1 else 0
    kept = np.zeros((tokens, kept_dim), np.float32) if kept_dim else None
    return _summarize(config, labels, _Rows(tokens + ngrams, kept), None)


def summarize_run(run: Run) -> NetworkSummary:
    """Summarize the network of a run, as it was trained."""
    classifier = run.classifier()
    if run.is_compact:
        return _summarize_compact(run, classifier.weights)
    rows = _Rows(classifier.tokenizer.vocabulary_rows, classifier.weights.kept)
    return _summarize(run.config(), classifier.labels, rows, run)


def _summarize_compact(run: Run, weights: Weights) -> NetworkSummary:
    """Summarize a compact run, which has no Keras model."""
    rows, columns = weights.trained.shape
    parameters = int(run.record["parameters"])
    return NetworkSummary(
        "Compact run: it predicts, but has no Keras model to train or to inspect.",
        (),
        (),
        parameters,
        0,
        f"{rows:,} rows of {format_count(columns, 'number')} in multiples of a step; they take "
        f"{_format_size(4 * rows * columns)} when they are loaded.",
        f"A prediction reads {format_count(columns, 'number')} per token.",
        run,
    )


class _Rows(NamedTuple):
    """The rows of the embedding, or their maximum number."""

    number: int
    kept: Floats | None
    """(first_ngram_id, kept_dim) kept word vectors."""


def _summarize(config: Config, labels: Labels, rows: _Rows, run: Run | None) -> NetworkSummary:
    with activity("importing TensorFlow"):
        from embedclf.model import backend, network
        from embedclf.model.optimizers import OPTIMIZERS

        backend.start("cpu")  # nothing is trained here
    length = input_length(config.text.sequence_length, config.text.ngrams)
    with activity("building the network"), backend.seeded(config.seed):
        net = network.build(
            config.model,
            labels,
            vocabulary_rows=rows.number,
            input_length=length,
            kept=rows.kept,
        )
    layers = network.list_layers(net)
    descriptions = [
        _describe_layer(layer, config, labels, upper_bound=run is None) for layer in layers
    ]
    parameters, trainable = net.count_params(), network.count_trainable_parameters(net)
    optimizer = config.training.optimizer
    return NetworkSummary(
        network.summary_table(net),
        layers,
        tuple(descriptions),
        parameters,
        trainable,
        _describe_memory(
            parameters, trainable, optimizer, len(OPTIMIZERS[optimizer].initial_state)
        ),
        _describe_scoring(config, labels, rows),
        run,
    )


def _describe_scoring(config: Config, labels: Labels, rows: _Rows) -> str:
    pooling, embedding_dim = config.model.pooling, config.model.embedding_dim
    kept_dim = 0 if rows.kept is None else rows.kept.shape[1]
    name, units = "output", labels.outputs
    if config.model.hidden_units:
        name, units = "hidden_1", config.model.hidden_units[0]
    # Not input_length: flatten pooling has no n-grams
    positions = config.text.sequence_length if pooling == "flatten" else 1
    width = embedding_dim + kept_dim
    if not should_fuse(pooling, (positions, rows.number, units), embedding_dim, kept_dim):
        return f"A prediction reads {width:,} numbers per token: its vector."
    size = _format_size(4 * positions * rows.number * units)
    return (
        f"A prediction reads {format_count(units, 'number')} per token instead of {width:,}: "
        f"loading a run multiplies embedding and {name} into one table of {positions:,} x "
        f"{rows.number:,} x {units:,} numbers ({size})."
    )


def _describe_memory(parameters: int, trainable: int, optimizer: str, accumulators: int) -> str:
    size = _format_size(4 * parameters)
    # Twice, because the weights of the best epoch are kept next to the current ones.
    in_training = _format_size(4 * (2 * parameters + accumulators * trainable))
    each = "parameter" if trainable == parameters else f"of {trainable:,} trainable parameters"
    return (
        f"{parameters:,} parameters of 4 bytes: {size} (Keras counts 1,048,576 bytes as 1 MB). "
        f"Training needs {in_training}: it also keeps the best epoch's parameters, and {optimizer} "
        f"keeps {format_count(accumulators, 'number')} per {each}."
    )


def _format_size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 1e5 else f"{count / 1e3:,.1f} kB"


def _describe_layer(
    layer: LayerSummary, config: Config, labels: Labels, *, upper_bound: bool
) -> str:
    """Describe a layer by its name; network.py names the layers.

    Args:
        layer: One of the network.
        config: Of the network.
        labels: Of the network.
        upper_bound: Whether the embedding may end up with fewer rows.
    """
    features = layer.output_shape[-1]
    length = config.text.sequence_length
    what = "tokens" if config.text.ngrams == 1 else "tokens and n-grams"
    no_order = f"padding and the order of {what} don't matter."
    if layer.name == "embedding":
        fewer = " It has fewer rows if the training data has fewer tokens." if upper_bound else ""
        return _describe_embedding(layer, config) + fewer
    if layer.name == "output":
        return _describe_output(layer, labels)
    if layer.name.startswith("hidden_"):
        return f"{features:,} weighted sums; negative ones become 0 (ReLU)."
    if layer.name in {"word_ids", "vectors", "joined_rows"}:
        return _describe_kept(layer, config.model)
    if layer.class_name == "Dropout":
        return f"In training only, {config.model.dropout:.0%} of the numbers become 0, at random."
    descriptions = {
        "token_ids": f"A text is {length:,} token ids{_describe_ngram_ids(config)}; a batch of "
        f"{config.training.batch_size} texts has shape ({config.training.batch_size}, "
        f"{layer.output_shape[0]}). 0 is padding, 1 an out-of-vocabulary token.",
        "flatten": f"Joins the {length:,} vectors of a text into {features:,} numbers; the "
        "position of a token matters.",
        "average": f"The mean of the token vectors, {features:,} numbers; {no_order}",
        "sqrt": "The sum of the token vectors divided by the square root of their number, "
        f"{features:,} numbers; {no_order}",
        "max": f"The maximum of each of the {features:,} numbers over the tokens; {no_order}",
    }
    return descriptions[layer.name]


def _describe_kept(layer: LayerSummary, model: ModelConfig) -> str:
    """Describe a layer that only networks with kept word vectors have."""
    features = layer.output_shape[-1]
    if layer.name == "word_ids":
        return "The same ids, but padding for those of n-grams: only words have kept vectors."
    if layer.name == "joined_rows":
        return f"Joins both rows of each id to {features:,} numbers."
    source = display_path(model.vectors) if isinstance(model.vectors, Path) else model.vectors
    of_source = "learned from the texts" if source == "own" else f"of {source}"
    return (
        f"Each id selects a row of {features:,} numbers in a table of "
        f"{layer.parameters // features:,} rows: the vectors {of_source}, centered and scaled. "
        "They are not trained."
    )


def _describe_ngram_ids(config: Config) -> str:
    """Describe the n-gram ids of a text, which follow those of its tokens."""
    longest, length = config.text.ngrams, config.text.sequence_length
    if longest == 1:
        return ""
    ngrams = ", ".join(f"{length + 1:,} ids of {size}-grams" for size in range(2, longest + 1))
    return f" and {ngrams} (one starts before the first token, one at each token)"


def _describe_embedding(layer: LayerSummary, config: Config) -> str:
    batch, (length, dim) = config.training.batch_size, layer.output_shape
    rows = layer.parameters // dim
    ratio = rows / dim
    # A smaller ratio would be rounded to `1 times`.
    narrower = f"{ratio:,.0f} times smaller" if ratio >= 1.5 else "no smaller"
    return (
        f"Each id selects a row of {dim:,} numbers in a table of {rows:,} rows. The output for a "
        f"batch of {batch} texts has shape ({batch}, {length}, {dim}). A one-hot vector has "
        f"{rows:,} numbers; the embedding is {narrower}.{_describe_initialization(config.model)}"
    )


def _describe_initialization(model: ModelConfig) -> str:
    """Describe the initial embedding, unless it is random."""
    if model.initialization == "random":
        return ""
    if model.initialization == "naive_bayes":
        return " Tokens that indicate a label more strongly start further from 0 and learn faster."
    source = model.initialization
    name = display_path(source) if isinstance(source, Path) else source
    frozen = "" if model.trainable_embedding else " and are not trained"
    return f" Rows start with the vectors of {name}{frozen}."


def _describe_output(layer: LayerSummary, labels: Labels) -> str:
    if labels.task == "binary":
        negative, positive = labels.names
        return (
            f"One weighted sum and a sigmoid: the probability of {positive!r} rather than "
            f"{negative!r}."
        )
    how = "a softmax: probabilities that add up to 1"
    if labels.task == "multilabel":
        how = "a sigmoid for each: independent probabilities"
    return f"{layer.output_shape[-1]} weighted sums, one per label, and {how}."
