"""The epochs of a training on a cluster, as the loop of a training sees them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from embedclf.cluster.training.replica import WEIGHTS, read_weights
from embedclf.cluster.training.rounds import merge_round, needs_shards, train_round, write_epoch
from embedclf.errors import RunError
from embedclf.runs.history import Step
from embedclf.training.steps.losses import RunningLoss

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from embedclf.cluster.task_queue import TaskQueue
    from embedclf.cluster.training.rounds import Plan
    from embedclf.cluster.training.shards import ShardSource


class RoundTrainer:
    """Takes the steps of epochs in rounds on the workers of a cluster."""

    _helper: ThreadPoolExecutor

    def __init__(
        self,
        tasks: TaskQueue,
        plan: Plan,
        shards: Sequence[ShardSource],
        network: Any,
        on_event: Callable[[Step], None],
    ) -> None:
        """Begin with the weights of the first round.

        Args:
            tasks: Runs tasks on the workers.
            plan: Of the training.
            shards: The rows.
            network: On this machine, which gets the weights of each epoch.
            on_event: Called after each round.
        """
        self._bytes: list[int] = []
        self._tasks, self._plan, self._shards = tasks, plan, shards
        self._network, self._on_event = network, on_event

    @property
    def network(self) -> Any:
        """The network on this machine."""
        return self._network

    @property
    def variables(self) -> list[Any]:
        """None: the folder of the rounds has the state of the training."""
        return []

    @property
    def facts(self) -> dict[str, int]:
        """The number of `shards`, of `rounds` an epoch, and `bytes` that a round has written.

        The bytes are a mean, over the rounds of this command.
        """
        mean = sum(self._bytes) // max(1, len(self._bytes))
        return {"shards": self._plan.shards, "rounds": self._plan.rounds, "bytes": mean}

    @property
    def row_count(self) -> int:
        """Rows of an epoch."""
        return int(self._plan.label_rows.total)

    @contextmanager
    def started(self, number: int) -> Iterator[None]:
        """Hold a thread that removes old files; the first epoch of this command has this number.

        Raises:
            RunError: The weights before that epoch are missing or damaged.
        """
        if self._plan.weights((number - 1) * self._plan.rounds).read(WEIGHTS) is None:
            raise RunError(
                "the weights of the last epoch are missing; train again without --resume"
            )
        with ThreadPoolExecutor(1) as self._helper:
            yield

    def train_epoch(
        self, number: int, loss: float, raise_requested: Callable[[], None]
    ) -> RunningLoss:
        """Take the rounds of an epoch that were not taken before.

        Args:
            number: Of the epoch, from 1.
            loss: Of the epoch before, or NaN.
            raise_requested: Called after each round; may raise.
        """
        from embedclf.training.steps.train_step import weight_variables

        del loss  # the first event comes after a round
        plan, began, total = self._plan, time.perf_counter(), RunningLoss("")
        first, end = (number - 1) * plan.rounds, number * plan.rounds
        self._helper.submit(plan.remove_before, first)
        for round_number in range(first, end):
            before = plan.read_merged(round_number)  # by a command that was killed
            for each in self._take(round_number) if before is None else before:
                total.merge(each["loss"])
            if before is not None:
                continue
            done = self.row_count * (round_number + 1 - first) // plan.rounds
            seconds = time.perf_counter() - began
            epochs = plan.config.training.epochs
            self._on_event(Step(number, epochs, done, self.row_count, total.loss, seconds))
            raise_requested()
        self._tasks.run(write_epoch, [(plan, self._shards[0], end)], "training")
        read_weights(plan.weights(end), weight_variables(self._network))
        return total

    def _take(self, number: int) -> list[dict[str, Any]]:
        """Take a round, and return what `train_round` has returned for each shard."""
        arguments = [(self._plan, shard, number) for shard in self._shards]
        taken = self._tasks.run(train_round, arguments, "training", unit="shards")
        merged = self._tasks.run(merge_round, arguments, "training", unit="parts")
        if not needs_shards(merged):
            self._plan.remove_shards(number)
        self._bytes.append(sum(each["bytes"] for each in (*taken, *merged)))
        return taken
