"""The epochs of a training: validation, early stopping, the best weights."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from embedclf.errors import TrainingError
from embedclf.model.backend import OutOfMemory, small_steps
from embedclf.model.classifier import fit_inverse_temperature
from embedclf.model.network import UsedRows, drop_kept, extract_weights
from embedclf.model.probabilities import row_blocks
from embedclf.model.variable_values import assign_value, copy_value
from embedclf.runs.history import INTERRUPTED, Epoch, History, Resumed
from embedclf.system import interrupts
from embedclf.training.steps.losses import RunningLoss, loss_targets, loss_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    from embedclf.data.dataset import Dataset
    from embedclf.system.arrays import Floats
    from embedclf.training.checkpoints import Checkpoint


class EpochTrainer(Protocol):
    """Takes the steps of epochs."""

    @property
    def network(self) -> Any:
        """A `keras.Model`, which has the weights that an epoch ends with."""

    @property
    def variables(self) -> list[Any]:
        """TensorFlow's variables that the next epoch begins with."""

    @property
    def row_count(self) -> int:
        """Rows of an epoch."""

    def started(self, number: int) -> AbstractContextManager[object]:
        """Hold what epochs need; the first one has this number."""

    def train_epoch(
        self, number: int, loss: float, raise_requested: Callable[[], None]
    ) -> RunningLoss:
        """Take the steps of an epoch; `loss` is that of the one before, or NaN."""


def fit(
    trainer: EpochTrainer,
    dataset: Dataset,
    *,
    epochs: int | None = None,
    on_event: Callable[[Resumed | Epoch], None],
    checkpoint: Checkpoint | None = None,
) -> History:
    """Fit a network in place.

    Ctrl-C ends the training and keeps the best epoch so far, or the last one if their number was
    chosen before.

    Args:
        trainer: Takes the steps, and reports them itself.
        dataset: The rows, weighted by `data.weight`. The training loss is also weighted by class,
            the validation loss is not. It is taken at the best temperature if the config asks for
            that calibration.
        epochs: Train for this many epochs, whatever the validation loss. The learning rate still
            decays over all epochs of the config. None: stop early as the config says.
        on_event: Called at the end of each epoch.
        checkpoint: Where to keep the state of the training, and to resume it from.

    Raises:
        TrainingError: The loss is not finite.
        RunError: The checkpoint is damaged.
        MemoryError: The device has too little memory.
        KeyboardInterrupt: Ctrl-C before the first epoch ended, or any without validation rows.
    """
    with interrupts.deferred():
        # Assigns variables if it resumes, where an interrupt could get lost
        loop = TrainingLoop(trainer, dataset, on_event, checkpoint, epochs)
    stop_reason = "all_epochs"
    try:
        with small_steps(), interrupts.deferred() as raise_requested:
            for _ in loop.epochs(raise_requested):
                pass
    except KeyboardInterrupt:
        # An unfinished refit is worth less than the network before it
        if not len(dataset.validation):
            raise
        if not loop.finished:
            raise KeyboardInterrupt("no epoch was finished, so nothing was saved") from None
        stop_reason = INTERRUPTED
    else:
        if len(loop.finished) < loop.max_epochs:
            stop_reason = "early_stopping"
    with interrupts.ignored():
        # A second Ctrl-C must not leave the weights of two epochs mixed
        loop.restore_best()
    return History(
        tuple(loop.finished),
        dataset.labels.score_name,
        best_epoch=loop.best_epoch,
        stop_reason=stop_reason,
    )


class TrainingLoop:
    """A training in progress."""

    def __init__(
        self,
        trainer: EpochTrainer,
        dataset: Dataset,
        on_event: Callable[[Resumed | Epoch], None] = lambda _event: None,
        checkpoint: Checkpoint | None = None,
        epochs: int | None = None,
        *,
        keeps_best: bool = True,
    ) -> None:
        """Begin or resume as `fit` does; without `keeps_best`, no best weights are copied."""
        self.finished: list[Epoch] = []
        self.max_epochs = epochs or dataset.config.training.epochs
        self._stops_early = epochs is None
        self._checkpoint = checkpoint
        self._trainer, self._network = trainer, trainer.network
        self._config = dataset.config
        self._labels = dataset.labels
        self._validation = dataset.validation
        self._validates = len(self._validation) > 0
        self._used = UsedRows.of(self._network, self._validation.ids)
        self._on_event = on_event
        self._keeps_best = keeps_best and self._validates
        self._best_weights: list[Floats] = []
        self._load()  # last, since it assigns to what was created above

    @property
    def best_epoch(self) -> int:
        """The epoch of lowest validation loss, the first of equal ones; else the last."""
        if not self._stops_early:
            return len(self.finished)
        return min(self.finished, key=lambda epoch: epoch.val_loss).epoch

    def epochs(self, raise_requested: Callable[[], None]) -> Generator[Epoch]:
        """Train until the validation loss stops improving, or `raise_requested` raises."""
        try:
            with self._trainer.started(len(self.finished) + 1):
                while not self._has_ended():
                    number = len(self.finished) + 1
                    loss = self.finished[-1].loss if self.finished else np.nan
                    began = time.perf_counter()
                    trained = self._trainer.train_epoch(number, loss, raise_requested)
                    self._finish_epoch(number, trained, began, time.perf_counter() - began)
                    yield self.finished[-1]
                    self._save()
        except OutOfMemory as error:
            raise MemoryError("the device has too little") from error

    def restore_best(self) -> None:
        """Give the network the weights of the best epoch."""
        if self._validates:
            for variable, value in zip(self._weights(), self._best_weights, strict=True):
                assign_value(variable, value)

    def _load(self) -> None:
        """Restore the state of the checkpoint, if the training resumes and there is one."""
        if self._checkpoint is None or not self._checkpoint.resumes:
            return
        loaded = self._checkpoint.load()
        if loaded is not None:
            self.finished, values, self._best_weights = loaded
            for variable, value in zip(self._trainer.variables, values, strict=True):
                assign_value(variable, value)
        # A refit that had not begun before the kill is not reported as resumed
        if self._validates or self.finished or self._checkpoint.damaged:
            self._on_event(Resumed(len(self.finished), self._checkpoint.damaged))

    def _save(self) -> None:
        if self._checkpoint is not None:
            self._checkpoint.save(self.finished, self._trainer.variables, self._best_weights)

    def _weights(self) -> list[Any]:
        return [each.value for each in drop_kept(self._network, self._network.weights)]

    def _has_ended(self) -> bool:
        config = self._config.training
        # Without early stopping, a patience that no training exceeds
        patience = config.early_stopping or config.epochs
        epochs = len(self.finished)
        stalled = self._stops_early and epochs > 0 and epochs - self.best_epoch >= patience
        return stalled or epochs >= self.max_epochs

    def _finish_epoch(
        self, number: int, trained: RunningLoss, began: float, training_seconds: float
    ) -> None:
        """Validate an epoch, record it, and keep its weights if it is the best so far."""
        val_loss, val_score = self._validate() if self._validates else (np.nan, np.nan)
        if not np.isfinite(trained.loss + (val_loss if self._validates else 0.0)):
            raise TrainingError(
                f"epoch {number}: the loss is not finite (training {trained.loss}"
                f"{f', validation {val_loss}' if self._validates else ''}); "
                "lower training.learning_rate"
            )
        self.finished.append(
            Epoch(
                epoch=number,
                seconds=time.perf_counter() - began,
                rows_per_second=self._trainer.row_count / max(training_seconds, 1e-9),
                loss=trained.loss,
                score=trained.score,
                val_loss=val_loss,
                val_score=val_score,
            )
        )
        if self._keeps_best and self.best_epoch == number:
            self._best_weights = []  # before the copy, which would need as much memory beside it
            self._best_weights = [*map(copy_value, self._weights())]
        self._on_event(self.finished[-1])

    def _validate(self) -> tuple[float, float]:
        """Compute loss and score of the validation rows, at the best temperature if calibrated.

        An overconfident network has a high loss even if it separates the labels well. If the config
        calibrates the network, an epoch is judged by the loss that remains after calibration
        (Berta, Holzmüller, Jordan and Bach, Rethinking Early Stopping: Refine, Then Calibrate,
        2025).
        """
        total, split = RunningLoss(self._labels.task), self._validation
        # Scored as `predict` does it: in NumPy, which has nothing to compile
        weights = extract_weights(self._network, self._config.model.pooling, self._used.rows)
        logits = weights.lazy_logits(self._used.ids)
        if self._config.training.calibration == "temperature":
            logits = logits * fit_inverse_temperature(
                self._labels, split.targets, logits, split.weights
            )
        row_weights = loss_weights(split)
        for rows in row_blocks(logits.shape):
            targets = loss_targets(split, self._labels, rows)
            total.add(np.asarray(logits[rows]), targets, row_weights[rows], row_weights[rows])
        return total.loss, total.score
