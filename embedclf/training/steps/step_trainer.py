"""The steps of an epoch on this machine: blocks of rows, each prepared beside the one before."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from embedclf.model.optimizers import OPTIMIZERS
from embedclf.runs.history import Step
from embedclf.system.memory.mapped_arrays import permutation
from embedclf.training.steps.losses import RunningLoss
from embedclf.training.steps.training_rows import TrainingRows, row_length

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from embedclf.config.schema import Config
    from embedclf.data.dataset import Dataset
    from embedclf.system.arrays import Floats, Int32s, Rows
    from embedclf.training.steps.losses import LabelRows
    from embedclf.training.steps.train_step import StepBlock, TrainSteps

    _EpochBlock = tuple[Rows, StepBlock]  # the order of an epoch's rows, and the next of them

_FIRST_IDS, _MOST_IDS = 1 << 17, 1 << 20
"""About how many ids TensorFlow trains on per call: at first, and at most."""

_MOST_LOGITS = 1 << 21
"""How many logits a call returns at most: 8 MiB."""

_CALL_SECONDS = 0.1
"""A call that takes less gets twice the rows next time: each call costs some milliseconds."""


class StepTrainer:
    """Takes the steps of all rows of a dataset, in a new random order each epoch."""

    _begun: Future[_EpochBlock]
    _helper: ThreadPoolExecutor

    def __init__(
        self,
        steps: TrainSteps,
        dataset: Dataset,
        on_event: Callable[[Step], None] = lambda _event: None,
        epochs: int | None = None,
        *,
        label_rows: LabelRows | None = None,
        shards: int = 1,
    ) -> None:
        """Prepare for epochs.

        Args:
            steps: Of the network.
            dataset: The rows, weighted by `data.weight` and by class.
            on_event: Called every few steps.
            epochs: How many there are at most; None leaves that to the config.
            label_rows: Of the whole table, if these are some of its rows; None counts them.
            shards: How many such parts of the table are trained on at the same time.
        """
        self._shards = shards
        self._steps, self._config, self._labels = steps, dataset.config, dataset.labels
        self._max_epochs = epochs or dataset.config.training.epochs
        self._train = TrainingRows.of(dataset, label_rows)
        self._row_weights = self._train.row_weights()
        self._row_length = row_length(dataset)
        self._block_rows = self._rows_for(_FIRST_IDS)
        self._on_event = on_event

    @property
    def network(self) -> Any:
        """The network that the steps train."""
        return self._steps.network

    @property
    def variables(self) -> list[Any]:
        """All variables that steps change."""
        return self._steps.variables

    @property
    def row_count(self) -> int:
        """Rows of an epoch."""
        return len(self._train)

    @contextmanager
    def started(self, number: int) -> Iterator[None]:
        """Hold a thread that prepares rows; the first epoch has this number."""
        # A single thread: RunningLoss.add has no lock, so two calls must never overlap
        with ThreadPoolExecutor(1) as self._helper:
            self._begun = self._helper.submit(self._begin, number)
            yield

    def train_epoch(
        self, number: int, loss: float, raise_requested: Callable[[], None]
    ) -> RunningLoss:
        """Take the steps of an epoch, and begin the next one.

        While TensorFlow works on a block of rows, the helper thread prepares the next block and
        adds up the loss of the last one.

        Args:
            number: Of the epoch, from 1.
            loss: Of the epoch before, or NaN; shown until there is a block.
            raise_requested: Called between blocks; may raise.
        """
        rows, total, began = self.row_count, RunningLoss(self._labels.task), time.perf_counter()
        added: Future[float] | None = None
        done, prepared, helper = 0, self._begun, self._helper
        while done < rows:
            order, block = prepared.result()
            # The block's own length: _block_rows may have grown since the block was prepared
            block_rows = order[done : done + len(block.rows.targets)]
            done += len(block_rows)
            if done < rows:
                prepared = helper.submit(self._block, number, order, done)
            elif number < self._max_epochs:
                # Early: TREC's epochs of 40 ms waited 4 ms for their only block
                self._begun = helper.submit(self._begin, number + 1)
            logits = self._take_steps(block)
            loss = loss if added is None else added.result()
            targets = block.rows.targets
            weights = self._train.weights(block_rows, targets)
            row_weights = self._row_weights[block_rows]
            added = helper.submit(total.add, logits, targets, weights, row_weights)
            seconds = time.perf_counter() - began
            self._on_event(Step(number, self._max_epochs, done, rows, loss, seconds))
            raise_requested()  # between blocks, no variable is half updated
        if added is not None:
            added.result()  # still being added; an error would go unnoticed
        return total

    def train_rows(
        self, number: int, order: Rows, steps: slice, on_used: Callable[[Int32s], None]
    ) -> RunningLoss:
        """Take some steps of an epoch, without a thread beside them.

        Args:
            number: Of the epoch, from 1.
            order: (n,) all rows, in the order of the epoch.
            steps: Which steps of the epoch to take.
            on_used: Called before some of the steps, with the ids that each of them will use.

        Returns:
            The loss of their rows.
        """
        batch_size, total = self._config.training.batch_size, RunningLoss(self._labels.task)
        start = steps.start * batch_size
        end = min(steps.stop * batch_size, len(order))
        while start < end:
            _, block = self._block(number, order[:end], start)
            rows = order[start : start + len(block.rows.targets)]
            weights = self._train.weights(rows, block.rows.targets)
            on_used(block.rows.used)
            logits = self._take_steps(block)
            total.add(logits, block.rows.targets, weights, self._row_weights[rows])
            start += len(rows)
        return total

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
        batch_size = self._config.training.batch_size
        steps = -(-len(self._train) // batch_size)  # of an epoch, rounded up
        # Blocks start at whole batches, so this division is exact
        first = (number - 1) * steps + start // batch_size
        numbers = np.arange(first, first + -(-len(rows) // batch_size))
        rates = learning_rates(self._config, numbers, steps, shards=self._shards)
        return order, self._steps.block(ids, targets, self._train.weights(rows, targets), rates)


def learning_rates(config: Config, numbers: Rows, steps: int, *, shards: int = 1) -> Floats:
    """Return the learning rate (n,) of each of some steps.

    Args:
        config: The config.
        numbers: (n,) of the steps, from 0, in order.
        steps: Of an epoch.
        shards: How many trainings take such steps at the same time, and share the optimizer.
    """
    training = config.training
    # All epochs of the config: a refit follows the schedule of the training that chose its epochs
    decay = 1.0 - numbers / (steps * training.epochs) if training.schedule == "linear" else 1.0
    factors = OPTIMIZERS[training.optimizer].rate_factors(shards * numbers + 1.0)
    return (training.learning_rate * decay * factors).astype(np.float32)
