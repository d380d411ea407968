"""Dataset -> fitted network: initialize, build, fit."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedclf.system import interrupts
from embedclf.system.progress import activity
from embedclf.training.checkpoints import removed_on_failure
from embedclf.training.initialization import Coverage, InitialWeights, initialize
from embedclf.training.warm_start import (
    continue_weights,
    correct_new_labels,
    row_learning_rates,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from embedclf.data.dataset import Dataset
    from embedclf.model.backend import Device
    from embedclf.runs.history import Epoch, History, Resumed, Step
    from embedclf.training.checkpoints import Checkpoint


@dataclass(frozen=True)
class FittedNetwork:
    """A fitted network, what it was made from, and the history of its fit."""

    dataset: Dataset
    initial: InitialWeights
    network: Any
    """A `keras.Model`."""
    device: Device
    history: History
    seconds: dict[str, float]
    """By phase: `prepare` (initial weights), `start` (TensorFlow), `fit`."""


def fit_network(
    dataset: Dataset,
    *,
    epochs: int | None = None,
    on_start: Callable[[Coverage | Device], None] = lambda _event: None,
    on_event: Callable[[Resumed | Step | Epoch], None],
    tensorboard: Path | None = None,
    checkpoint: Checkpoint | None = None,
) -> FittedNetwork:
    """Initialize, build and fit the network of a dataset's config.

    The same dataset gives the same weights, to the last bit on a CPU. Initial weights come first,
    since TensorFlow may still be importing in another thread.

    Args:
        dataset: The rows, and the config.
        epochs: Train for this many epochs without validation; None stops early as the config says.
        on_start: Called with the coverage of word vectors, if there are some, and with the device.
        on_event: Called every few steps and at the end of each epoch.
        tensorboard: Folder for TensorBoard's log.
        checkpoint: Where to keep the state of the training, and to resume it from.

    Returns:
        The network with the weights of the epoch of lowest validation loss, or of the last one
        if there is no validation.

    Raises:
        ConfigError: The source of word vectors does not fit the config.
        DataError: The word vectors cannot be read.
        TrainingError: The device is missing, or the loss is not finite.
        RunError: The checkpoint is damaged.
        MemoryError: The network does not fit into memory.
        KeyboardInterrupt: Ctrl-C before the first epoch was finished, or any with `epochs`.
    """
    began = time.perf_counter()
    with activity("initializing the embedding"):
        initial = initialize(dataset)
        if dataset.start is not None:
            initial = continue_weights(initial, dataset)
    if initial.coverage is not None:
        on_start(initial.coverage)
    initialized = time.perf_counter()

    with activity("importing TensorFlow"):
        from embedclf.model import backend
        from embedclf.training.loop import fit
        from embedclf.training.tensorboard import logged

        device = backend.start(dataset.config.training.device)
    on_start(device)
    started = time.perf_counter()

    with activity("building the network"):
        network = build_network(dataset, initial)
    with (
        activity("training"),
        removed_on_failure(checkpoint),
        logged(network, dataset.config.training, tensorboard, on_event) as on_logged_event,
    ):
        history = fit(
            network,
            dataset,
            row_learning_rates=row_learning_rates(initial, dataset),
            epochs=epochs,
            on_event=on_logged_event,
            checkpoint=checkpoint,
        )
    correct_new_labels(network, dataset)
    # A resumed training also counts the epochs of the process that was killed
    earlier = 0.0 if checkpoint is None else checkpoint.seconds_before
    seconds = {
        "prepare": initialized - began,
        "start": started - initialized,
        "fit": earlier + time.perf_counter() - started,
    }
    return FittedNetwork(dataset, initial, network, device, history, seconds)


@interrupts.deferred()
def build_network(dataset: Dataset, initial: InitialWeights) -> Any:
    """Build the network of a dataset's config, seeded by it, with initial weights.

    Raises:
        MemoryError: The weights do not fit.
    """
    from embedclf.model import backend, network

    with backend.seeded(dataset.config.seed):
        built = network.build(
            dataset.config.model,
            dataset.labels,
            vocabulary_rows=dataset.tokenizer.vocabulary_rows,
            input_length=dataset.tokenizer.input_length,
            biases=initial.biases,
            vectors=initial.rows,
        )
    if initial.dense is not None:
        network.set_dense_layers(built, initial.dense)
    return built
