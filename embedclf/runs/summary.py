"""Layers, shapes, parameters and what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from embedclf.config.loading import load_config
from embedclf.data.labeled import read_labels
from embedclf.data.labels import Labels
from embedclf.model.weights import should_fuse
from embedclf.system.terminal import display_path
from embedclf.text.ngrams import input_length
from embedclf.text.pretrained import open_vector_source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from embedclf.config.schema import Config, ModelConfig
    from embedclf.model.network import LayerSummary
    from embedclf.runs.run import Run


@dataclass(frozen=True)
class NetworkSummary:
    """A network as Keras shows it, and in plain words."""

    table: str
    """Keras's own."""
    layers: tuple[LayerSummary, ...]
    descriptions: tuple[str, ...]
    """A sentence or two per layer."""
    parameters: int
    trainable_parameters: int
    """Those that training changes."""
    memory: str
    """What the parameters take, in a sentence."""
    scoring: str
    """What a token costs in a prediction, in a sentence."""
    run: Run | None
    """None for a config. Its embedding then has the most rows that it can have."""


def summarize_config(path: Path, overrides: Iterable[str] = ()) -> NetworkSummary:
    """Summarize the network of a config. Of its data, only the labels are read.

    Raises:
        ConfigError: The config cannot be used.
        DataError: The training table cannot be read.
    """
    config = load_config(path, overrides)
    open_vector_source(config.model)  # raises if they cannot be used
    labels = Labels.fit(read_labels(config.data.train, config.data), config.data)
    text = config.text
    ngrams = text.ngram_vocabulary_size if text.ngrams > 1 else 0
    return _summarize(config, labels, text.vocabulary_size + ngrams, None)


def summarize_run(run: Run) -> NetworkSummary:
    """Summarize the network of a run, as it was trained."""
    classifier = run.classifier()
    return _summarize(run.config(), classifier.labels, classifier.tokenizer.vocabulary_rows, run)


def _summarize(config: Config, labels: Labels, rows: int, run: Run | None) -> NetworkSummary:
    from embedclf.model import backend, network
    from embedclf.model.optimizers import OPTIMIZERS

    backend.start("cpu")  # nothing is trained here
    length = input_length(config.text.sequence_length, config.text.ngrams)
    with backend.seeded(config.seed):
        net = network.build(config.model, labels, vocabulary_rows=rows, input_length=length)
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


def _describe_scoring(config: Config, labels: Labels, rows: int) -> str:
    width, pooling = config.model.embedding_dim, config.model.pooling
    name, units = "output", labels.outputs
    if config.model.hidden_units:
        name, units = "hidden_1", config.model.hidden_units[0]
    # Not input_length: flatten pooling goes without n-grams
    positions = config.text.sequence_length if pooling == "flatten" else 1
    if not should_fuse(pooling, (positions, rows, units), width):
        return f"A token costs {width:,} numbers where texts are scored: its vector."
    size = _format_size(4 * positions * rows * units)
    return (
        f"A token costs {units:,} and not {width:,} numbers where texts are scored: embedding "
        f"times {name}, {positions:,} x {rows:,} x {units:,} numbers ({size}), is multiplied out "
        "when a run is loaded."
    )


def _describe_memory(parameters: int, trainable: int, optimizer: str, accumulators: int) -> str:
    size = _format_size(4 * parameters)
    # Twice, as the weights of the best epoch are kept besides the current ones
    in_training = _format_size(4 * (2 * parameters + accumulators * trainable))
    each = "each" if trainable == parameters else f"each of the {trainable:,} that training changes"
    return (
        f"{parameters:,} parameters of 4 bytes are {size} (Keras counts 1,048,576 bytes as a "
        f"MB); in training, with those of the best epoch and {optimizer}'s {accumulators} numbers "
        f"for {each}, {in_training}."
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
        upper_bound: Whether training may find fewer tokens than the embedding has rows.
    """
    features = layer.output_shape[-1]
    length = config.text.sequence_length
    what = "tokens" if config.text.ngrams == 1 else "tokens and phrases"
    if layer.name == "embedding":
        fewer = " It will have fewer rows where training finds fewer tokens." if upper_bound else ""
        return _describe_embedding(layer, config) + fewer
    if layer.name == "output":
        return _describe_output(layer, labels)
    if layer.name.startswith("hidden_"):
        return f"{features:,} weighted sums, those below 0 set to 0 (ReLU)."
    if layer.class_name == "Dropout":
        return f"In training only, {config.model.dropout:.0%} of the numbers are set to 0."
    descriptions = {
        "token_ids": f"A text is {length:,} token ids{_describe_ngram_ids(config)}; a batch of "
        f"{config.training.batch_size} texts has shape ({config.training.batch_size}, "
        f"{layer.output_shape[0]}). 0 pads, 1 is an unknown token.",
        "flatten": f"The {length:,} vectors of a text one behind the other, {features:,} numbers: "
        "the position of a token counts.",
        "average": f"The mean of the vectors of a text's tokens, {features:,} numbers: padding and "
        f"the order of {what} do not count.",
        "sqrt": f"The sum of the vectors of a text's tokens over the square root of their number, "
        f"{features:,} numbers: padding and the order of {what} do not count.",
        "max": f"The largest of each of the {features:,} numbers over a text's tokens: padding and "
        f"the order of {what} do not count.",
    }
    return descriptions[layer.name]


def _describe_ngram_ids(config: Config) -> str:
    """Describe the ids of a text that follow those of its tokens, if any."""
    longest, length = config.text.ngrams, config.text.sequence_length
    if longest == 1:
        return ""
    ngrams = " and ".join(f"{length + 1:,} of phrases of {size}" for size in range(2, longest + 1))
    return f" and {ngrams}, one that begins before the first token and one at each"


def _describe_embedding(layer: LayerSummary, config: Config) -> str:
    batch, (length, dim) = config.training.batch_size, layer.output_shape
    rows = layer.parameters // dim
    ratio = rows / dim
    # A smaller ratio would be rounded to `1 times`
    narrower = f"{ratio:,.0f} times narrower" if ratio >= 1.5 else "no narrower"
    return (
        f"Each id becomes {dim:,} numbers, its row in a table of {rows:,} rows: the output for a "
        f"batch of {batch} is ({batch}, {length}, {dim}). A one-hot row would have {rows:,} "
        f"numbers, so the embedding is {narrower}.{_describe_initialization(config.model)}"
    )


def _describe_initialization(model: ModelConfig) -> str:
    """Describe the embedding before training, unless it is random."""
    if model.initialization == "random":
        return ""
    if model.initialization == "naive_bayes":
        return " A row begins and moves in the measure of what its token tells of a label."
    source = model.initialization
    name = display_path(source) if isinstance(source, Path) else source
    frozen = "" if model.trainable_embedding else ", and stay as they are"
    return f" The rows begin with the vectors of {name}{frozen}."


def _describe_output(layer: LayerSummary, labels: Labels) -> str:
    if labels.task == "binary":
        negative, positive = labels.names
        return (
            f"One weighted sum through a sigmoid: the probability of {positive!r}, not "
            f"{negative!r}."
        )
    how = "through a softmax: probabilities that add up to 1"
    if labels.task == "multilabel":
        how = "each through a sigmoid: probabilities of their own"
    return f"{layer.output_shape[-1]} weighted sums, one a label, {how}."
