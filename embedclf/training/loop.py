"""The epochs of a training: blocks of rows, validation, early stopping."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.errors import TrainingError
from embedclf.model.backend import OutOfMemory, small_steps
from embedclf.model.classifier import fit_inverse_temperature
from embedclf.model.network import UsedRows, drop_kept, extract_weights
from embedclf.model.optimizers import OPTIMIZERS
from embedclf.model.probabilities import row_blocks
from embedclf.model.variable_values import assign_value, copy_value
from embedclf.runs.history import INTERRUPTED, Epoch, History, Resumed, Step
from embedclf.system import interrupts
from embedclf.system.memory.mapped_arrays import permutation
from embedclf.training.losses import RunningLoss, loss_targets, loss_weights
from embedclf.training.training_rows import TrainingRows, row_length

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from concurrent.futures import Future

    from embedclf.data.dataset import Dataset
    from embedclf.system.arrays import Floats, Rows
    from embedclf.training.checkpoints import Checkpoint
    from embedclf.training.train_step import StepBlock, TrainSteps

    _EpochBlock = tuple[Rows, StepBlock]  # the order of an epoch's rows, and the next of them

_FIRST_IDS, _MOST_IDS = 1 << 17, 1 << 20
"""About how many ids TensorFlow trains on per call: at first, and at most."""

_MOST_LOGITS = 1 << 21
"""How many logits a call returns at most: 8 MiB."""

_CALL_SECONDS = 0.1
"""A call that takes less gets twice the rows next time: each call costs some milliseconds."""


def fit(
    steps: TrainSteps,
    dataset: Dataset,
    *,
    epochs: int | None = None,
    on_event: Callable[[Resumed | Step | Epoch], None],
    checkpoint: Checkpoint | None = None,
) -> History:
    """Fit a network in place.

    Ctrl-C ends the training and keeps the best epoch so far, or the last one if their number was
    chosen before.

    Args:
        steps: Of the network.
        dataset: The rows, weighted by `data.weight`. The training loss is also weighted by class,
            the validation loss is not. It is taken at the best temperature if the config asks for
            that calibration.
        epochs: Train for this many epochs, whatever the validation loss. The learning rate still
            decays over all epochs of the config. None: stop early as the config says.
        on_event: Called every few steps and at the end of each epoch.
        checkpoint: Where to keep the state of the training, and to resume it from.

    Raises:
        TrainingError: The loss is not finite.
        RunError: The checkpoint is damaged.
        MemoryError: The device has too little memory.
        KeyboardInterrupt: Ctrl-C before the first epoch ended, or any without validation rows.
    """
    with interrupts.deferred():
        # Assigns variables if it resumes, where an interrupt could get lost
        loop = TrainingLoop(steps, dataset, on_event, checkpoint, epochs)
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
        steps: TrainSteps,
        dataset: Dataset,
        on_event: Callable[[Resumed | Step | Epoch], None] = lambda _event: None,
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
        self._steps, self._network = steps, steps.network
        self._config = dataset.config
        self._labels = dataset.labels
        self._train, self._validation = TrainingRows.of(dataset), dataset.validation
        self._validates = len(self._validation) > 0
        self._used = UsedRows.of(self._network, self._validation.ids)
        self._row_weights = self._train.row_weights()
        self._row_length = row_length(dataset)
        self._block_rows = self._rows_for(_FIRST_IDS)
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
            # A single thread: RunningLoss.add has no lock, so two calls must never overlap
            with ThreadPoolExecutor(1) as helper:
                begun = helper.submit(self._begin, len(self.finished) + 1)
                while not self._has_ended():
                    number = len(self.finished) + 1
                    began = time.perf_counter()
                    trained, begun = self._train_epoch(number, begun, helper, raise_requested)
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
            for variable, value in zip(self._steps.variables, values, strict=True):
                assign_value(variable, value)
        # A refit that had not begun before the kill is not reported as resumed
        if self._validates or self.finished or self._checkpoint.damaged:
            self._on_event(Resumed(len(self.finished), self._checkpoint.damaged))

    def _save(self) -> None:
        if self._checkpoint is not None:
            self._checkpoint.save(self.finished, self._steps.variables, self._best_weights)

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
                rows_per_second=len(self._train) / max(training_seconds, 1e-9),
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

    def _train_epoch(
        self,
        number: int,
        prepared: Future[_EpochBlock],
        helper: ThreadPoolExecutor,
        raise_requested: Callable[[], None],
    ) -> tuple[RunningLoss, Future[_EpochBlock]]:
        """Take the steps of an epoch, and begin the next one.

        While TensorFlow works on a block of rows, the helper thread prepares the next block and
        adds up the loss of the last one.
        """
        rows, total, began = len(self._train), RunningLoss(self._labels.task), time.perf_counter()
        added: Future[float] | None = None
        done, loss = 0, self.finished[-1].loss if self.finished else np.nan
        while done < rows:
            order, block = prepared.result()
            # The block's own length: _block_rows may have grown since the block was prepared
            block_rows = order[done : done + len(block.rows.targets)]
            done += len(block_rows)
            if done < rows:
                prepared = helper.submit(self._block, number, order, done)
            elif number < self.max_epochs:
                # Early: TREC's epochs of 40 ms waited 4 ms for their only block
                prepared = helper.submit(self._begin, number + 1)
            logits = self._take_steps(block)
            loss = loss if added is None else added.result()
            targets = block.rows.targets
            weights = self._train.weights(block_rows, targets)
            row_weights = self._row_weights[block_rows]
            added = helper.submit(total.add, logits, targets, weights, row_weights)
            seconds = time.perf_counter() - began
            self._on_event(Step(number, self.max_epochs, done, rows, loss, seconds))
            raise_requested()  # between blocks, no variable is half updated
        if added is not None:
            added.result()  # still being added; an error would go unnoticed
        return total, prepared

    def _take_steps(self, block: StepBlock) -> Floats:
        """Take the steps of a block; later blocks get more rows if that took little time."""
        began = time.perf_counter()
        logits = self._steps(block)
        # Timing may decide this, since the size of blocks does not affect the weights
        if time.perf_counter() - began < _CALL_SECONDS:
            self._block_rows = min(2 * self._block_rows, self._rows_for(_MOST_IDS))
        return logits

    def _rows_for(self, ids: int) -> int:
        """Return how many rows have about this many ids, in whole batches (at least one).

        With many labels, they are fewer: TensorFlow returns the logits of all rows of a call.
        """
        batch_size = self._config.training.batch_size
        rows = min(ids / self._row_length, _MOST_LOGITS / self._labels.outputs)
        return batch_size * max(1, int(rows // batch_size))

    def _begin(self, number: int) -> _EpochBlock:
        """Prepare the first block of an epoch."""
        # An order of its own, so that a resumed training repeats it
        rng = np.random.default_rng([self._config.seed, number])
        return self._block(number, permutation(len(self._train), rng), 0)

    def _block(self, number: int, order: Rows, start: int) -> _EpochBlock:
        """Prepare the next rows of an epoch for their steps."""
        rows = order[start : start + self._block_rows]
        ids, targets = self._train.ids(rows), self._train.targets(rows)
        weights, rates = self._train.weights(rows, targets), self._rates(number, start, len(rows))
        return order, self._steps.block(ids, targets, weights, rates)

    def _rates(self, number: int, start: int, rows: int) -> Floats:
        """Return the learning rate (steps,) of each step over some rows of an epoch."""
        config = self._config.training
        steps = -(-len(self._train) // config.batch_size)  # of an epoch, rounded up
        # Blocks start at whole batches, so this division is exact
        first = (number - 1) * steps + start // config.batch_size
        numbers = np.arange(first, first + -(-rows // config.batch_size))
        # Not max_epochs: a refit follows the schedule of the training that chose its epochs
        decay = 1.0 - numbers / (steps * config.epochs) if config.schedule == "linear" else 1.0
        factors = OPTIMIZERS[config.optimizer].rate_factors(numbers + 1.0)
        return (config.learning_rate * decay * factors).astype(np.float32)
