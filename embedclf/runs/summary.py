"""Layers, shapes, parameters and what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from embedclf.config.loading import load_config
from embedclf.data.labeled import read_labels
from embedclf.data.labels import Labels
from embedclf.model.weights import folds
from embedclf.system.terminal import near
from embedclf.text.ngrams import slots
from embedclf.text.pretrained import open_source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from embedclf.config.schema import Config, ModelConfig
    from embedclf.model.network import Layer
    from embedclf.runs.run import Run


@dataclass(frozen=True)
class NetworkSummary:
    """A network as Keras tells it, and in plain words."""

    table: str
    """Keras's own."""
    layers: tuple[Layer, ...]
    meanings: tuple[str, ...]
    """A sentence or two for each layer."""
    parameters: int
    trainable_parameters: int
    """Those that training changes."""
    memory: str
    scoring: str
    """What a token costs where texts are scored."""
    run: Run | None
    """None for a config: its embedding then has as many rows as it can have at most."""


def summarize_config(path: Path, overrides: Iterable[str] = ()) -> NetworkSummary:
    """Describe the network of a config; of its data only the labels are read.

    Raises:
        ConfigError: The config cannot be used.
        DataError: The training table cannot be read.
    """
    config = load_config(path, overrides)
    open_source(config.model)
    labels = Labels.fit(read_labels(config.data.train, config.data), config.data)
    text = config.text
    phrases = text.ngram_vocabulary_size if text.ngrams > 1 else 0
    return _describe(config, labels, text.vocabulary_size + phrases, None)


def summarize_run(run: Run) -> NetworkSummary:
    """Describe the network of a run, as it was trained."""
    classifier = run.classifier()
    return _describe(run.config(), classifier.labels, classifier.tokenizer.rows, run)


def _describe(config: Config, labels: Labels, rows: int, run: Run | None) -> NetworkSummary:
    from embedclf.model import backend, network
    from embedclf.model.optimizers import RULES

    backend.start("cpu", config.seed)
    width = slots(config.text.sequence_length, config.text.ngrams)
    net = network.build(config.model, labels, rows=rows, slots=width)
    layers = network.layers(net)
    meanings = [_meaning(layer, config, labels, bound=run is None) for layer in layers]
    parameters, trained = net.count_params(), network.trainable_parameters(net)
    optimizer = config.training.optimizer
    return NetworkSummary(
        network.table(net),
        layers,
        tuple(meanings),
        parameters,
        trained,
        _memory(parameters, trained, optimizer, len(RULES[optimizer].begin)),
        _scoring(config, labels, rows),
        run,
    )


def _scoring(config: Config, labels: Labels, rows: int) -> str:
    width, pooling = config.model.embedding_dim, config.model.pooling
    name, units = "output", labels.outputs
    if config.model.hidden_units:
        name, units = "hidden_1", config.model.hidden_units[0]
    positions = config.text.sequence_length if pooling == "flatten" else 1
    if not folds(pooling, (positions, rows, units), width):
        return f"A token costs {width:,} numbers where texts are scored: its vector."
    size = _size(4 * positions * rows * units)
    return (
        f"A token costs {units:,} and not {width:,} numbers where texts are scored: embedding "
        f"times {name}, {positions:,} x {rows:,} x {units:,} numbers ({size}), is multiplied out "
        "when a run is loaded."
    )


def _memory(parameters: int, trained: int, optimizer: str, sums: int) -> str:
    size, in_training = _size(4 * parameters), _size(4 * (2 * parameters + sums * trained))
    each = "each" if trained == parameters else f"each of the {trained:,} that training changes"
    return (
        f"{parameters:,} parameters of 4 bytes are {size} (Keras counts 1,048,576 bytes as a "
        f"MB); in training, with those of the best epoch and {optimizer}'s {sums} numbers for "
        f"{each}, {in_training}."
    )


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 1e5 else f"{count / 1e3:,.1f} kB"


def _meaning(layer: Layer, config: Config, labels: Labels, *, bound: bool) -> str:
    features = layer.shape[-1]
    length = config.text.sequence_length
    what = "tokens" if config.text.ngrams == 1 else "tokens and phrases"
    if layer.name == "embedding":
        fewer = " It will have fewer rows where training finds fewer tokens." if bound else ""
        return _embedding_meaning(layer, config) + fewer
    if layer.name == "output":
        return _output_meaning(layer, labels)
    if layer.name.startswith("hidden_"):
        return f"{features:,} weighted sums, those below 0 set to 0 (ReLU)."
    if layer.kind == "Dropout":
        return f"In training only, {config.model.dropout:.0%} of the numbers are set to 0."
    meanings = {
        "token_ids": f"A text is {length:,} token ids{_phrases(config)}; a batch of "
        f"{config.training.batch_size} texts has shape ({config.training.batch_size}, "
        f"{layer.shape[0]}). 0 pads, 1 is an unknown token.",
        "flatten": f"The {length:,} vectors of a text one behind the other, {features:,} numbers: "
        "the position of a token counts.",
        "average": f"The mean of the vectors of a text's tokens, {features:,} numbers: padding and "
        f"the order of {what} do not count.",
        "sqrt": f"The sum of the vectors of a text's tokens over the square root of their number, "
        f"{features:,} numbers: padding and the order of {what} do not count.",
        "max": f"The largest of each of the {features:,} numbers over a text's tokens: padding and "
        f"the order of {what} do not count.",
    }
    return meanings[layer.name]


def _phrases(config: Config) -> str:
    """The ids of a text beside those of its tokens."""
    most, length = config.text.ngrams, config.text.sequence_length
    if most == 1:
        return ""
    longer = " and ".join(f"{length + 1:,} of phrases of {size}" for size in range(2, most + 1))
    return f" and {longer}, one that begins before the first token and one at each"


def _embedding_meaning(layer: Layer, config: Config) -> str:
    batch, (length, dim) = config.training.batch_size, layer.shape
    rows = layer.parameters // dim
    ratio = rows / dim
    narrower = f"{ratio:,.0f} times narrower" if ratio >= 1.5 else "no narrower"
    return (
        f"Each id becomes {dim:,} numbers, its row in a table of {rows:,} rows: the output for a "
        f"batch of {batch} is ({batch}, {length}, {dim}). A one-hot row would have {rows:,} "
        f"numbers, so the embedding is {narrower}.{_beginning(config.model)}"
    )


def _beginning(model: ModelConfig) -> str:
    """What the rows of the embedding are before training, unless that is chance."""
    if model.initialization == "random":
        return ""
    if model.initialization == "naive_bayes":
        return " A row begins and moves in the measure of what its token tells of a label."
    source = model.initialization
    name = near(source) if isinstance(source, Path) else source
    stays = "" if model.trainable_embedding else ", and stay as they are"
    return f" The rows begin with the vectors of {name}{stays}."


def _output_meaning(layer: Layer, labels: Labels) -> str:
    if labels.task == "binary":
        no, yes = labels.names
        return f"One weighted sum through a sigmoid: the probability of {yes!r}, not {no!r}."
    how = "through a softmax: probabilities that add up to 1"
    if labels.task == "multilabel":
        how = "each through a sigmoid: probabilities of their own"
    return f"{layer.shape[-1]} weighted sums, one a label, {how}."
