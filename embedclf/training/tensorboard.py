"""Epochs in TensorBoard's log."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from embedclf.model.backend import keras
from embedclf.runs.history import Epoch
from embedclf.system import interrupts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from embedclf.config.sections import TrainingConfig
    from embedclf.runs.history import Resumed, Step


@contextmanager
def logged(
    network: Any,
    config: TrainingConfig,
    directory: Path | None,
    on_event: Callable[[Resumed | Step | Epoch], None],
) -> Iterator[Callable[[Resumed | Step | Epoch], None]]:
    """Forward events, and write epochs to TensorBoard's log if a directory is named.

    The callback reads the learning rate from a compiled model. The network itself stays uncompiled,
    so the callback gets another model with the same layers.
    """
    if directory is None:
        yield on_event
        return
    with interrupts.deferred():
        model = keras.Model(network.inputs, network.outputs)
        model.compile(config.optimizer)
        model.optimizer.learning_rate = config.learning_rate
        callback = keras.callbacks.TensorBoard(str(directory), write_graph=False)
        log = keras.callbacks.CallbackList([callback], model=model)
        log.on_train_begin()

    def log_event(event: Resumed | Step | Epoch) -> None:
        on_event(event)
        if isinstance(event, Epoch):
            names = ("loss", "score", "val_loss", "val_score")
            # Keras counts epochs from 0
            log.on_epoch_end(event.epoch - 1, {name: getattr(event, name) for name in names})

    yield log_event
    with interrupts.ignored():
        log.on_train_end()
