"""Network + ids + targets → fitted network."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.backend import OutOfMemory, keras
from embedclf.errors import TrainingError
from embedclf.history import Epoch, History, Step
from embedclf.labels import THRESHOLD
from embedclf.preparation import sample_weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from embedclf.config import TrainingConfig
    from embedclf.labels import Labels
    from embedclf.preparation import Part, Prepared

_STEPS_PER_CALL = 16
"""Steps that TensorFlow runs before Python looks again."""
_VALIDATION_ROWS = 1024
"""Rows of a step without learning."""


def fit(
    network: Any,
    prepared: Prepared,
    *,
    tell: Callable[[Step | Epoch], None],
    tensorboard: Path | None = None,
) -> History:
    """Fit a network; it holds the weights of the epoch of lowest validation loss afterwards.

    Ctrl-C ends the training after the best epoch so far, if there is one.

    Args:
        network: Uncompiled; it stays so, since another model over its layers is compiled.
        prepared: The rows; the training loss is weighted by class, the validation loss is not.
        tell: Called every few steps and at each epoch's end.
        tensorboard: Folder for TensorBoard's log.

    Raises:
        TrainingError: The loss is no longer a number.
        KeyboardInterrupt: Ctrl-C before the first epoch was finished.
    """
    config = prepared.config.training
    trainer = _compile(network, prepared)
    epochs: list[Epoch] = []
    keeper = _keeper(config)
    callbacks = [_reporter(epochs, prepared, tell), keeper]
    if tensorboard is not None:
        callbacks.append(keras.callbacks.TensorBoard(str(tensorboard), write_graph=False))
    ended = "all_epochs"
    try:
        _run(trainer, prepared, callbacks)
    except OutOfMemory as error:
        raise MemoryError("the device has too little") from error
    except KeyboardInterrupt:
        if keeper.best_weights is None:
            raise KeyboardInterrupt("no epoch was finished, so nothing is kept") from None
        trainer.set_weights(keeper.best_weights)
        ended = "interrupted"
    else:
        if len(epochs) < config.epochs:
            ended = "early_stopping"
    score_name = prepared.labels.score_name
    return History(tuple(epochs), score_name, best_epoch=keeper.best_epoch + 1, ended=ended)


def _keeper(config: TrainingConfig) -> Any:
    """A Keras callback that keeps the weights of the best epoch and ends after too many worse."""
    return keras.callbacks.EarlyStopping(
        monitor="val_loss",
        mode="min",
        patience=config.early_stopping or config.epochs,
        restore_best_weights=True,
    )


def _run(trainer: Any, prepared: Prepared, callbacks: list[Any]) -> None:
    config, labels = prepared.config.training, prepared.labels
    train, validation = prepared.train, prepared.validation
    trainer.fit(
        train.encoding.ids,
        _shaped(train, labels),
        sample_weight=_weights(prepared),
        validation_data=(validation.encoding.ids, _shaped(validation, labels)),
        validation_batch_size=max(config.batch_size, _VALIDATION_ROWS),
        batch_size=config.batch_size,
        epochs=config.epochs,
        callbacks=callbacks,
        verbose=0,
    )


def _compile(network: Any, prepared: Prepared) -> Any:
    """A compiled model over the layers of the network."""
    config = prepared.config.training
    steps = -(-len(prepared.train) // config.batch_size)
    trainer = keras.Model(network.inputs, network.outputs)
    trainer.compile(
        optimizer=_optimizer(config),
        loss=_loss(prepared.labels),
        metrics=[_metric(prepared.labels)],
        jit_compile=False,
        steps_per_execution=min(_STEPS_PER_CALL, steps),
    )
    return trainer


def _weights(prepared: Prepared) -> Any:
    """Weights of the loss's cells: (n, outputs), (n, 1), or None."""
    weights = sample_weights(
        prepared.train.targets, prepared.labels, prepared.config.training.class_weight
    )
    if weights is None or prepared.labels.task != "binary":
        return weights
    return weights[:, None]


def _metric(labels: Labels) -> Any:
    if labels.task == "multilabel":
        return keras.metrics.F1Score("micro", threshold=THRESHOLD, name="score")
    kinds = {
        "binary": keras.metrics.BinaryAccuracy,
        "multiclass": keras.metrics.SparseCategoricalAccuracy,
    }
    return kinds[labels.task](name="score")


def _loss(labels: Labels) -> Any:
    """The loss of each cell, unreduced, so that a weight may stand for a row or for a cell."""
    if labels.task == "multiclass":
        return keras.losses.sparse_categorical_crossentropy
    return keras.ops.binary_crossentropy


def _shaped(part: Part, labels: Labels) -> Any:
    """Targets as the loss wants them: (n,) class ids, or (n, outputs) of 0 and 1."""
    if labels.task == "multiclass":
        return part.targets
    return part.targets.reshape(len(part), labels.outputs).astype(np.float32)


def _optimizer(config: TrainingConfig) -> Any:
    optimizers = {
        "adam": keras.optimizers.Adam,
        "adagrad": keras.optimizers.Adagrad,
        "sgd": keras.optimizers.SGD,
        "rmsprop": keras.optimizers.RMSprop,
    }
    return optimizers[config.optimizer](learning_rate=config.learning_rate)


def _reporter(epochs: list[Epoch], prepared: Prepared, tell: Callable[[Step | Epoch], None]) -> Any:
    """A Keras callback that tells steps and epochs and collects the epochs."""
    config, rows = prepared.config.training, len(prepared.train)
    began = trained = time.perf_counter()  # of the epoch, and of its last step

    def begin(_epoch: int, _logs: Any) -> None:
        nonlocal began
        began = time.perf_counter()

    def step(batch: int, logs: Any) -> None:
        nonlocal trained
        trained = time.perf_counter()
        done = min((batch + 1) * config.batch_size, rows)
        loss = float(logs["loss"])
        tell(Step(len(epochs) + 1, config.epochs, done, rows, loss, trained - began))

    def end(epoch: int, logs: Any) -> None:
        if not np.isfinite([logs["loss"], logs["val_loss"]]).all():
            raise TrainingError(
                f"epoch {epoch + 1}: the loss is no longer a number (training {logs['loss']}, "
                f"validation {logs['val_loss']}); lower training.learning_rate"
            )
        finished = Epoch(
            epoch=epoch + 1,
            seconds=time.perf_counter() - began,
            rows_per_second=rows / max(trained - began, 1e-9),
            loss=float(logs["loss"]),
            score=float(logs["score"]),
            val_loss=float(logs["val_loss"]),
            val_score=float(logs["val_score"]),
        )
        epochs.append(finished)
        tell(finished)

    return keras.callbacks.LambdaCallback(
        on_epoch_begin=begin, on_epoch_end=end, on_train_batch_end=step
    )
