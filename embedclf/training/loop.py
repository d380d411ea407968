"""The epochs: blocks of rows, validation, early stopping."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.errors import TrainingError
from embedclf.model.backend import OutOfMemory
from embedclf.model.classifier import inverse_temperature
from embedclf.model.network import weights_of
from embedclf.model.optimizers import RULES
from embedclf.runs.history import Epoch, Resumed, Step
from embedclf.training.losses import RunningLoss, cell_weights
from embedclf.training.train_step import TrainSteps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from embedclf.data.dataset import Dataset
    from embedclf.data.labels import Labels
    from embedclf.data.splits import Split
    from embedclf.system.arrays import Floats, Rows
    from embedclf.training.checkpoints import Checkpoint
    from embedclf.training.losses import LossTargets
    from embedclf.training.train_step import StepBlock

_FIRST_IDS, _MOST_IDS = 1 << 17, 1 << 20
"""About the ids that TensorFlow trains on before Python looks again: first, and at the most."""

_CALL_SECONDS = 0.1
"""Where it takes less than that, it gets more, since Python costs a few milliseconds."""


class TrainingLoop:
    """A training under way."""

    def __init__(
        self,
        network: Any,
        dataset: Dataset,
        row_learning_rates: Floats | None,
        on_event: Callable[[Resumed | Step | Epoch], None],
        checkpoint: Checkpoint | None,
        epochs: int | None = None,
    ) -> None:
        """Begin, or go on from the checkpoint; with `epochs` without a look at validation rows."""
        self.finished: list[Epoch] = []
        self._most, self._validates = epochs or dataset.config.training.epochs, epochs is None
        self._checkpoint = checkpoint
        self._network = network
        self._config = dataset.config
        self._labels = dataset.labels
        self._train, self._validation = dataset.train, dataset.validation
        self._goals = loss_targets(dataset.train, dataset.labels)
        self._validation_goals = loss_targets(dataset.validation, dataset.labels)
        self._weights = cell_weights(dataset)
        self._steps = TrainSteps(network, self._config, row_learning_rates)
        self._block_rows = self._rows_of(_FIRST_IDS)
        self._tell = on_event
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

    def _finish(self, number: int, trained: RunningLoss, began: float, seconds: float) -> None:
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
        validated, part = RunningLoss(self._labels.task), self._validation
        logits = weights_of(self._network, self._config.model.pooling).logits(part.ids)
        if self._config.training.calibration == "temperature":
            logits *= inverse_temperature(self._labels, part.targets, logits)
        validated.add(logits, self._validation_goals, np.ones((len(logits), 1), np.float32))
        return validated.loss, validated.score

    def _train_epoch(
        self, number: int, helper: ThreadPoolExecutor, heed: Callable[[], None]
    ) -> RunningLoss:
        """Take the steps of an epoch.

        While TensorFlow works on a block of rows, the helper lays out the next and counts the last.
        """
        rows, totals, began = len(self._train), RunningLoss(self._labels.task), time.perf_counter()
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

    def _take(self, block: StepBlock) -> Floats:
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

    def _block(self, order: Rows, start: int) -> StepBlock:
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


def loss_targets(part: Split, labels: Labels) -> LossTargets:
    """Targets as the loss wants them: (n,) class ids, or (n, outputs) of 0 and 1."""
    if labels.task == "multiclass":
        return part.targets
    return part.targets.reshape(len(part), labels.outputs).astype(np.float32)
