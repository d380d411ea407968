"""The epochs of a training on a cluster, as the loop of a training sees them."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from embedclf.cluster.training.merging import merge_round
from embedclf.cluster.training.rounds import read_weights, train_round
from embedclf.errors import RunError
from embedclf.runs.history import Step
from embedclf.training.steps.losses import RunningLoss

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from embedclf.cluster.task_queue import TaskQueue
    from embedclf.cluster.training.rounds import Plan
    from embedclf.cluster.training.shards import ShardSource
    from embedclf.training.steps.train_step import TrainSteps


class RoundTrainer:
    """Takes the steps of epochs in rounds on the workers of a cluster."""

    def __init__(
        self,
        tasks: TaskQueue,
        plan: Plan,
        shards: Sequence[ShardSource],
        steps: TrainSteps,
        on_event: Callable[[Step], None],
    ) -> None:
        """Begin with the weights of the first round.

        Args:
            tasks: Runs tasks on the workers.
            plan: Of the training.
            shards: The rows.
            steps: Of a network on this machine, which gets the weights of each epoch.
            on_event: Called after each round.
        """
        self._tasks, self._plan, self._shards = tasks, plan, shards
        self._steps, self._on_event = steps, on_event

    @property
    def network(self) -> Any:
        """The network on this machine."""
        return self._steps.network

    @property
    def variables(self) -> list[Any]:
        """None: the folder of the rounds has the state of the training."""
        return []

    @property
    def row_count(self) -> int:
        """Rows of an epoch."""
        return int(self._plan.label_rows.total)

    def started(self, number: int) -> AbstractContextManager[None]:
        """Hold nothing."""
        del number
        return nullcontext()

    def train_epoch(
        self, number: int, loss: float, raise_requested: Callable[[], None]
    ) -> RunningLoss:
        """Take the rounds of an epoch that were not taken before.

        Args:
            number: Of the epoch, from 1.
            loss: Of the epoch before, or NaN.
            raise_requested: Called after each round; may raise.
        """
        del loss  # the first event comes after a round
        plan, began = self._plan, time.perf_counter()
        end = number * plan.rounds
        first, totals = self._find_last(end - plan.rounds, end)
        total = _running_loss(totals)
        for round_number in range(first, end):
            arguments = [(plan, shard, round_number) for shard in self._shards]
            results = self._tasks.run(train_round, arguments, "training", unit="shards")
            merge = (plan, round_number, results, total.totals)
            total = _running_loss(self._tasks.run(merge_round, [merge], "training")[0])
            if round_number > 0:
                plan.weights(round_number - 1).remove()
            done = self.row_count * (round_number + 1 + plan.rounds - end) // plan.rounds
            seconds = time.perf_counter() - began
            epochs = plan.config.training.epochs
            self._on_event(Step(number, epochs, done, self.row_count, total.loss, seconds))
            raise_requested()
        read_weights(plan.weights(end), self._steps)
        return total

    def _find_last(self, first: int, end: int) -> tuple[int, Sequence[float]]:
        """Return the last round, from `first` to `end`, whose weights exist.

        Also returns the loss of the epoch before it.
        """
        for number in range(end, first, -1):
            if (loss := self._plan.read_loss(number)) is not None:
                return number, loss
        if self._plan.read_loss(first) is None:
            raise RunError(
                "the weights of the last epoch are missing; train again without --resume"
            )
        return first, RunningLoss("").totals


def _running_loss(totals: Sequence[float]) -> RunningLoss:
    loss = RunningLoss("")
    loss.merge(totals)
    return loss
