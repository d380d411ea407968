"""Network + ids + targets → fitted network."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf import interrupts
from embedclf.backend import OutOfMemory, keras
from embedclf.calibration import sharpness
from embedclf.errors import TrainingError
from embedclf.history import INTERRUPTED, Epoch, History, Resumed, Step
from embedclf.losses import Totals, cell_weights
from embedclf.network import weights_of
from embedclf.steps import Steps
from embedclf.updates import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from embedclf.checkpoints import Checkpoint
    from embedclf.data import Rows
    from embedclf.labels import Labels
    from embedclf.losses import Floats, Goals
    from embedclf.parts import Part
    from embedclf.preparation import Prepared
    from embedclf.schema import TrainingConfig
    from embedclf.steps import Block

_FIRST_IDS, _MOST_IDS = 1 << 17, 1 << 20
"""About the ids that TensorFlow trains on before Python looks again: first, and at the most."""
_CALL_SECONDS = 0.1
"""Where it takes less than that, it gets more, since Python costs a few milliseconds."""


def fit(
    network: Any,
    prepared: Prepared,
    *,
    paces: Floats | None = None,
    tell: Callable[[Resumed | Step | Epoch], None],
    tensorboard: Path | None = None,
    checkpoint: Checkpoint | None = None,
) -> History:
    """Fit a network; it holds the weights of the epoch of lowest validation loss afterwards.

    Ctrl-C ends the training after the best epoch so far, if there is one.

    Args:
        network: As `network.build` makes it.
        prepared: The rows; the training loss is weighted by class, the validation loss is not,
            and is taken at the best temperature where the config asks for one.
        paces: (rows,) what the steps of each row of the embedding are multiplied by.
        tell: Called every few steps and at each epoch's end.
        tensorboard: Folder for TensorBoard's log.
        checkpoint: Where to keep how far it is, and to go on from if that is wanted.

    Raises:
        TrainingError: The loss is no longer a number.
        RunError: The checkpoint is damaged.
        KeyboardInterrupt: Ctrl-C before the first epoch was finished.
    """
    with interrupts.deferred():
        log = _log(network, prepared.config.training, tensorboard)
        fitting = _Fitting(network, prepared, paces, tell, checkpoint)
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
        if len(fitting.finished) < prepared.config.training.epochs:
            ended = "early_stopping"
    with interrupts.ignored():
        fitting.restore_best()
    score_name = prepared.labels.score_name
    return History(tuple(fitting.finished), score_name, best_epoch=fitting.best, ended=ended)


def fit_epochs(
    network: Any,
    prepared: Prepared,
    *,
    epochs: int,
    paces: Floats | None = None,
    tell: Callable[[Resumed | Step | Epoch], None],
    checkpoint: Checkpoint | None = None,
) -> None:
    """Fit a network for so many epochs; it holds the weights of the last afterwards.

    Args:
        network: As `network.build` makes it.
        prepared: The rows; none are looked at but those to train on.
        epochs: How many; the learning rate falls as if all of the config's were to come.
        paces: As for `fit`.
        tell: As for `fit`; the epochs know no validation loss.
        checkpoint: As for `fit`.

    Raises:
        TrainingError: The loss is no longer a number.
        RunError: The checkpoint is damaged.
        KeyboardInterrupt: Ctrl-C.
    """
    with interrupts.deferred() as heed:
        fitting = _Fitting(network, prepared, paces, tell, checkpoint, epochs)
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


class _Fitting:
    """A training under way."""

    def __init__(
        self,
        network: Any,
        prepared: Prepared,
        paces: Floats | None,
        tell: Callable[[Resumed | Step | Epoch], None],
        checkpoint: Checkpoint | None,
        epochs: int | None = None,
    ) -> None:
        """Begin, or go on from the checkpoint; with `epochs` without a look at validation rows."""
        self.finished: list[Epoch] = []
        self._most, self._validates = epochs or prepared.config.training.epochs, epochs is None
        self._checkpoint = checkpoint
        self._network = network
        self._config = prepared.config
        self._labels = prepared.labels
        self._train, self._validation = prepared.train, prepared.validation
        self._goals = goals(prepared.train, prepared.labels)
        self._validation_goals = goals(prepared.validation, prepared.labels)
        self._weights = cell_weights(prepared)
        self._steps = Steps(network, self._config, paces)
        self._block_rows = self._rows_of(_FIRST_IDS)
        self._tell = tell
        self._best_weights: list[Floats] = []
        self._load()

    @property
    def best(self) -> int:
        """The epoch of lowest validation loss, the first of equal ones."""
        return min(self.finished, key=lambda epoch: epoch.val_loss).epoch

    def epochs(self, heed: Callable[[], None]) -> Iterator[Epoch]:
        """Train until the validation loss has been worse for too long, or `heed` raises."""
        try:
            with ThreadPoolExecutor(1) as helper:
                while not self._ended():
                    number = len(self.finished) + 1
                    began = time.perf_counter()
                    trained = self._train_epoch(number, helper, heed)
                    seconds = time.perf_counter() - began
                    self._finish(number, trained, began, seconds)
                    yield self.finished[-1]
                    self._save()
        except OutOfMemory as error:
            raise MemoryError("the device has too little") from error

    def restore_best(self) -> None:
        """Give the network the weights of the best epoch."""
        self._network.set_weights(self._best_weights)

    def _load(self) -> None:
        """Take up what the checkpoint holds, if that is wanted and there is one."""
        if self._checkpoint is None or not self._checkpoint.resumes:
            return
        loaded = self._checkpoint.load()
        if loaded is not None:
            self.finished, values, self._best_weights = loaded
            for variable, value in zip(self._variables, values, strict=True):
                variable.assign(value)
        if self._validates or self.finished:
            self._tell(Resumed(len(self.finished)))

    def _save(self) -> None:
        if self._checkpoint is not None:
            self._checkpoint.save(self.finished, self._variables, self._best_weights)

    @property
    def _variables(self) -> list[Any]:
        """All that changes from step to step: weights, the optimizer's sums, dropout's chance."""
        return [*self._network.variables, *self._steps.state]

    def _ended(self) -> bool:
        config = self._config.training
        patience = config.early_stopping or config.epochs
        epochs = len(self.finished)
        tired = self._validates and epochs > 0 and epochs - self.best >= patience
        return tired or epochs >= self._most

    def _finish(self, number: int, trained: Totals, began: float, seconds: float) -> None:
        val_loss, val_score = self._validate() if self._validates else (np.nan, np.nan)
        if not np.isfinite(trained.loss + (val_loss if self._validates else 0.0)):
            raise TrainingError(
                f"epoch {number}: the loss is no longer a number (training {trained.loss}"
                f"{f', validation {val_loss}' if self._validates else ''}); "
                "lower training.learning_rate"
            )
        self.finished.append(
            Epoch(
                epoch=number,
                seconds=time.perf_counter() - began,
                rows_per_second=len(self._train) / max(seconds, 1e-9),
                loss=trained.loss,
                score=trained.score,
                val_loss=val_loss,
                val_score=val_score,
            )
        )
        if self._validates and self.best == number:
            self._best_weights = self._network.get_weights()
        self._tell(self.finished[-1])

    def _validate(self) -> tuple[float, float]:
        """Loss and score of the validation rows, at the temperature that they would be given.

        A network that is too sure of itself has a high loss, though it may tell labels apart as
        well as ever. Where its sureness will be mended, an epoch is judged by what is left of the
        loss after that (Berta, Holzmüller, Jordan and Bach, Rethinking Early Stopping: Refine, Then
        Calibrate, 2025).
        """
        validated, part = Totals(self._labels.task), self._validation
        logits = weights_of(self._network, self._config.model.pooling).logits(part.ids)
        if self._config.training.calibration == "temperature":
            logits *= sharpness(self._labels, part.targets, logits)
        validated.add(logits, self._validation_goals, np.ones((len(logits), 1), np.float32))
        return validated.loss, validated.score

    def _train_epoch(
        self, number: int, helper: ThreadPoolExecutor, heed: Callable[[], None]
    ) -> Totals:
        """Take the steps of an epoch.

        While TensorFlow works on a block of rows, the helper lays out the next and counts the last.
        """
        rows, totals, began = len(self._train), Totals(self._labels.task), time.perf_counter()
        order = np.random.default_rng([self._config.seed, number]).permutation(rows)
        laid = helper.submit(self._block, order, 0)
        counted: Future[float] | None = None
        done, loss = 0, self.finished[-1].loss if self.finished else np.nan
        while done < rows:
            block = laid.result()
            of = order[done : done + len(block.targets)]
            done += len(of)
            if done < rows:
                laid = helper.submit(self._block, order, done)
            logits = self._take(block)
            loss = loss if counted is None else counted.result()
            counted = helper.submit(totals.add, logits, block.targets, self._weights[of])
            seconds = time.perf_counter() - began
            self._tell(Step(number, self._most, done, rows, loss, seconds))
            heed()
        if counted is not None:
            counted.result()
        return totals

    def _take(self, block: Block) -> Floats:
        """Take the steps of a block; later ones get more rows where that took little time."""
        began = time.perf_counter()
        logits = self._steps(block)
        if time.perf_counter() - began < _CALL_SECONDS:
            self._block_rows = min(2 * self._block_rows, self._rows_of(_MOST_IDS))
        return logits

    def _rows_of(self, ids: int) -> int:
        """Rows of whole batches, at least one, that have about as many ids."""
        batch_size, length = self._config.training.batch_size, self._train.ids.shape[1]
        batches: int = ids // (length * batch_size)
        return batch_size * max(1, batches)

    def _block(self, order: Rows, start: int) -> Block:
        """Lay out the rows of an epoch from one on."""
        rows = order[start : start + self._block_rows]
        ids, goals = self._train.ids[rows], self._goals[rows]
        return self._steps.block(ids, goals, self._weights[rows], self._rates(start, len(rows)))

    def _rates(self, start: int, rows: int) -> Floats:
        """(steps,) rates of the steps over some rows of the epoch that is under way."""
        config = self._config.training
        steps = -(-len(self._train) // config.batch_size)
        first = len(self.finished) * steps + start // config.batch_size
        numbers = np.arange(first, first + -(-rows // config.batch_size))
        left = 1.0 - numbers / (steps * config.epochs) if config.schedule == "linear" else 1.0
        factor = RULES[config.optimizer].factor(numbers + 1.0)
        return (config.learning_rate * left * factor).astype(np.float32)


def goals(part: Part, labels: Labels) -> Goals:
    """Targets as the loss wants them: (n,) class ids, or (n, outputs) of 0 and 1."""
    if labels.task == "multiclass":
        return part.targets
    return part.targets.reshape(len(part), labels.outputs).astype(np.float32)
