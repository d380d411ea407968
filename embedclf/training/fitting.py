"""Dataset -> fitted network: initialize, build, fit."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from embedclf.runs.history import CHOSEN
from embedclf.system import interrupts
from embedclf.system.memory.release import release_memory
from embedclf.system.progress import activity
from embedclf.training.checkpoints import removed_on_failure
from embedclf.training.folds.epochs import choose_epochs
from embedclf.training.initialization import InitialWeights, initialize
from embedclf.training.steps.training_rows import has_large_steps
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
    from embedclf.model.step_function import StepFunctions
    from embedclf.runs.history import Epoch, History, Resumed, Step
    from embedclf.system.arrays import Floats
    from embedclf.training.checkpoints import Checkpoint
    from embedclf.training.folds.epochs import EpochChoice
    from embedclf.training.steps.train_step import TrainSteps
    from embedclf.training.token_vectors import Coverage


@dataclass(frozen=True)
class FittedNetwork:
    """A fitted network, what it was made from, and the history of its fit."""

    dataset: Dataset
    initial: InitialWeights
    """Without the weights, which the network had at first."""
    network: Any
    """A `keras.Model`."""
    device: Device
    history: History
    seconds: dict[str, float]
    """By phase: `prepare` (initial weights), `start` (TensorFlow), `fit`."""
    functions: StepFunctions
    """Have the compiled function of its steps."""
    epoch_choice: EpochChoice | None = None
    """None unless cross-validation has chosen the number of epochs."""


def fit_network(
    dataset: Dataset,
    *,
    refit_of: FittedNetwork | None = None,
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
        refit_of: Train for as many epochs as this network's best, whatever the validation loss,
            with its compiled steps; None lets the config choose.
        on_start: Called with each coverage of word vectors, if there are some, and with the device.
        on_event: Called every few steps and at the end of each epoch.
        tensorboard: Folder for TensorBoard's log.
        checkpoint: Where to keep the state of the training, and to resume it from.

    Returns:
        The network with the weights of the epoch of lowest validation loss, or of the last one
        if the number of epochs was chosen before.

    Raises:
        ConfigError: The source of word vectors does not fit the config.
        DataError: The word vectors cannot be read.
        TrainingError: The device is missing, or the loss is not finite.
        RunError: The checkpoint is damaged.
        MemoryError: The network does not fit into memory.
        KeyboardInterrupt: Ctrl-C before the first epoch ended, or any without validation rows.
    """
    began = time.perf_counter()
    with activity("initializing the embedding"):
        initial = initialize(dataset)
        if dataset.start is not None:
            initial = continue_weights(initial, dataset)
    for coverage in (initial.coverage, initial.kept_coverage):
        if coverage is not None:
            on_start(coverage)
    initialized = time.perf_counter()

    with activity("importing TensorFlow"):
        from embedclf.model import backend
        from embedclf.model.step_function import StepFunctions
        from embedclf.training.loop import fit
        from embedclf.training.steps.step_trainer import StepTrainer
        from embedclf.training.tensorboard import logged

        parallel = has_large_steps(dataset)
        device = backend.start(dataset.config.training.device, parallel=parallel)
    on_start(device)
    started = time.perf_counter()

    functions, epochs, choice = StepFunctions(), None, None
    if refit_of is not None:
        functions, epochs = refit_of.functions, refit_of.history.best_epoch
    elif dataset.config.training.epochs_by == "cross_validation":
        choice = _choose_epochs(dataset, initial.kept, functions)
        epochs = None if choice is None else choice.epochs
    with activity("building the network"):
        network = build_network(dataset, initial)
        steps = _create_steps(network, dataset, initial, functions)
        initial = initial.without_weights()
    with (
        activity("training"),
        removed_on_failure(checkpoint),
        logged(network, dataset.config.training, tensorboard, on_event) as on_logged_event,
    ):
        history = fit(
            StepTrainer(steps, dataset, on_logged_event, epochs),
            dataset,
            epochs=epochs,
            on_event=on_logged_event,
            checkpoint=checkpoint,
        )
    if choice is not None and not history.interrupted:
        history = replace(history, stop_reason=CHOSEN)
    correct_new_labels(network, dataset)
    release_memory()
    # A resumed training also counts the epochs of the process that was killed
    earlier = 0.0 if checkpoint is None else checkpoint.seconds_before
    seconds = {
        "prepare": initialized - began,
        "start": started - initialized,
        "fit": earlier + time.perf_counter() - started,
    }
    return FittedNetwork(dataset, initial, network, device, history, seconds, functions, choice)


def _choose_epochs(
    dataset: Dataset, kept: Floats | None, functions: StepFunctions
) -> EpochChoice | None:
    """Choose the number of epochs by cross-validation of the training rows, if they allow it."""
    from embedclf.model.backend import small_steps
    from embedclf.model.variable_values import assign_value
    from embedclf.training.folds.shared_network import SharedNetwork

    training = dataset.config.training
    endless = training.model_copy(update={"early_stopping": None})
    config = dataset.config.model_copy(update={"training": endless})

    def begin(fold: Dataset, steps: TrainSteps | None) -> TrainSteps:
        initial = replace(initialize(fold), kept=kept)
        if fold.start is not None:
            initial = continue_weights(initial, fold)
        if steps is None:
            return _create_steps(build_network(fold, initial), fold, initial, functions)
        assign_value(steps.network.get_layer("embedding").embeddings.value, initial.rows)
        _set_dense_weights(steps.network, initial)
        return steps.with_row_learning_rates(row_learning_rates(initial, fold))

    try:
        with (
            small_steps(),
            interrupts.deferred() as raise_requested,
            closing(SharedNetwork(begin, raise_requested)) as shared,
        ):
            # The kept vectors are those of the whole dataset: their source need not be read again
            without = replace(dataset, config=config, kept_vectors=None)
            return choose_epochs(without, shared.train, training.early_stopping)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("no epoch was finished, so nothing was saved") from None


@interrupts.deferred()
def _create_steps(
    network: Any, dataset: Dataset, initial: InitialWeights, functions: StepFunctions
) -> TrainSteps:
    from embedclf.training.steps.train_step import TrainSteps

    return TrainSteps.of(network, dataset, row_learning_rates(initial, dataset), functions)


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
            vectors=initial.rows,
            kept=initial.kept,
        )
    _set_dense_weights(built, initial)
    return built


def _set_dense_weights(built: Any, initial: InitialWeights) -> None:
    from embedclf.model import network

    network.set_output_biases(built, initial.biases)
    if initial.dense is not None:
        network.set_dense_layers(built, initial.dense)
