"""Network + dataset -> fitted network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedclf.model.backend import keras
from embedclf.model.network import build
from embedclf.runs.history import INTERRUPTED, Epoch, History, Resumed, Step
from embedclf.system import interrupts
from embedclf.training.loop import TrainingLoop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from embedclf.config.schema import TrainingConfig
    from embedclf.data.dataset import Dataset
    from embedclf.system.arrays import Floats
    from embedclf.training.checkpoints import Checkpoint
    from embedclf.training.initialization import InitialWeights


def fit(
    network: Any,
    dataset: Dataset,
    *,
    row_learning_rates: Floats | None = None,
    on_event: Callable[[Resumed | Step | Epoch], None],
    tensorboard: Path | None = None,
    checkpoint: Checkpoint | None = None,
) -> History:
    """Fit a network; it holds the weights of the epoch of lowest validation loss afterwards.

    Ctrl-C ends the training after the best epoch so far, if there is one.

    Args:
        network: As `network.build` makes it.
        dataset: The rows; the training loss is weighted by class, the validation loss is not,
            and is taken at the best temperature where the config asks for one.
        row_learning_rates: (rows,) what the steps of each row of the embedding are multiplied by.
        on_event: Called every few steps and at each epoch's end.
        tensorboard: Folder for TensorBoard's log.
        checkpoint: Where to keep how far it is, and to go on from if that is wanted.

    Raises:
        TrainingError: The loss is no longer a number.
        RunError: The checkpoint is damaged.
        KeyboardInterrupt: Ctrl-C before the first epoch was finished.
    """
    with interrupts.deferred():
        log = _log(network, dataset.config.training, tensorboard)
        fitting = TrainingLoop(network, dataset, row_learning_rates, on_event, checkpoint)
    ended = "all_epochs"
    try:
        with interrupts.deferred() as heed:
            log.on_train_begin()
            for epoch in fitting.epochs(heed):
                log.on_epoch_end(epoch.epoch - 1, epoch.logs())
            log.on_train_end()
    except KeyboardInterrupt:
        if not fitting.finished:
            raise KeyboardInterrupt("no epoch was finished, so nothing is kept") from None
        ended = INTERRUPTED
    else:
        if len(fitting.finished) < dataset.config.training.epochs:
            ended = "early_stopping"
    with interrupts.ignored():
        fitting.restore_best()
    score_name = dataset.labels.score_name
    return History(tuple(fitting.finished), score_name, best_epoch=fitting.best, ended=ended)


def fit_epochs(
    network: Any,
    dataset: Dataset,
    *,
    epochs: int,
    row_learning_rates: Floats | None = None,
    on_event: Callable[[Resumed | Step | Epoch], None],
    checkpoint: Checkpoint | None = None,
) -> None:
    """Fit a network for so many epochs; it holds the weights of the last afterwards.

    Args:
        network: As `network.build` makes it.
        dataset: The rows; none are looked at but those to train on.
        epochs: How many; the learning rate falls as if all of the config's were to come.
        row_learning_rates: As for `fit`.
        on_event: As for `fit`; the epochs know no validation loss.
        checkpoint: As for `fit`.

    Raises:
        TrainingError: The loss is no longer a number.
        RunError: The checkpoint is damaged.
        KeyboardInterrupt: Ctrl-C.
    """
    with interrupts.deferred() as heed:
        fitting = TrainingLoop(network, dataset, row_learning_rates, on_event, checkpoint, epochs)
        for _ in fitting.epochs(heed):
            pass


def _log(network: Any, config: TrainingConfig, folder: Path | None) -> Any:
    """TensorBoard's callback, if it is wanted, on a compiled model over the layers of the network.

    It writes the optimizer's learning rate among the scores.
    """
    if folder is None:
        return keras.callbacks.CallbackList()
    twin = keras.Model(network.inputs, network.outputs)
    twin.compile(config.optimizer)
    twin.optimizer.learning_rate = config.learning_rate
    return keras.callbacks.CallbackList(
        [keras.callbacks.TensorBoard(str(folder), write_graph=False)], model=twin
    )


@interrupts.deferred()
def begin(dataset: Dataset, initial: InitialWeights) -> Any:
    """Build the network of a config for the rows it trains on; raises as `build`."""
    return build(
        dataset.config.model,
        dataset.labels,
        rows=dataset.tokenizer.rows,
        slots=dataset.tokenizer.slots,
        biases=initial.biases,
        vectors=initial.rows,
    )
