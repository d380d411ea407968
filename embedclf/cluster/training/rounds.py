"""Rounds: each shard trains for some steps, all from the same weights."""

from __future__ import annotations

import shutil
from contextlib import contextmanager, suppress
from importlib import import_module
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from embedclf.cluster.training.replica import WEIGHTS, Replica, merged_name, write_weights
from embedclf.cluster.training.shards import ShardSource, read_shard
from embedclf.cluster.training.work_folder import WorkFolder, damaged
from embedclf.model.tensorflow_import import import_tensorflow, shows_logs
from embedclf.system.memory.mapped_arrays import permutation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from embedclf.config.schema import Config
    from embedclf.system.arrays import Floats
    from embedclf.training.steps.losses import LabelRows
    from embedclf.training.steps.step_trainer import StepTrainer

_ROW_FACTORS = "row_factors"

_KEPT_SHARDS = 8
"""Shards that a process keeps in temporary files; reading one again costs as much as a round."""

_LOCK = Lock()
"""TensorFlow's variables are those of one round at a time."""


class Plan(NamedTuple):
    """What is the same in all rounds of a training."""

    folder: WorkFolder
    """Of all rounds."""
    config: Config
    shards: int
    rounds: int
    """Of an epoch."""
    label_rows: LabelRows
    """Of all shards."""
    has_row_factors: bool
    """Whether rows of the embedding have learning rates of their own."""

    def weights(self, number: int) -> WorkFolder:
        """Return the folder of the weights before a round, the first of an epoch."""
        return self.folder.folder(f"weights-{number:06}")

    def round(self, number: int) -> WorkFolder:
        """Return the folder of what shards have changed in a round."""
        return self.folder.folder(f"round-{number:06}")

    def write_row_factors(self, factors: Floats | None) -> None:
        """Write the learning rates (vocabulary_rows,) of the rows, if they have their own."""
        if factors is not None:
            self.folder.write_array(_ROW_FACTORS, factors)

    def read_row_factors(self) -> Floats | None:
        """Return what `write_row_factors` has written."""
        return np.array(self.folder.map_array(_ROW_FACTORS)) if self.has_row_factors else None

    def read_shards(self, number: int, *, checks: bool = False) -> list[dict[str, Any]] | None:
        """Return what `train_round` has returned for each shard; None if one has not.

        Args:
            number: Of the round.
            checks: Whether to read the files, too; None then if one is damaged.
        """
        return self._read(number, shard_name, checks)

    def read_merged(self, number: int) -> list[dict[str, Any]] | None:
        """Return what `read_shards` returns; None if a file of the merged round is damaged."""
        merged = self._read(number, merged_name, checks=True)
        return None if merged is None else self.read_shards(number, checks=needs_shards(merged))

    def _read(
        self, number: int, name: Callable[[int], str], checks: bool
    ) -> list[dict[str, Any]] | None:
        folder = self.round(number)
        found = [folder.read(name(each), checks=checks) for each in range(self.shards)]
        whole = [each for each in found if each is not None]
        return whole if len(whole) == self.shards else None

    def remove_shards(self, number: int) -> None:
        """Remove what shards have changed in a round, once all of it is merged."""
        for path in self.round(number).path.glob("shard-*.npy"):
            path.unlink(missing_ok=True)

    def remove_before(self, number: int) -> None:
        """Remove what nobody needs once the weights before a round exist.

        The last round stays: to follow it costs a worker less than to read all weights.
        """
        for path in self.folder.path.glob("*-??????"):
            kept_from = number - path.name.startswith("round-")
            if int(path.name[-6:]) < kept_from:
                shutil.rmtree(path, ignore_errors=True)


def train_round(plan: Plan, source: ShardSource, number: int) -> dict[str, Any]:
    """Train a shard for a round, and write what has changed.

    Args:
        plan: Of the training.
        source: The shard.
        number: Of the round, from 0, over all epochs.

    Returns:
        `loss`, as `RunningLoss.totals`, the number of `steps`, and the `bytes` that were written.
    """
    folder, name = plan.round(number), shard_name(source.number)

    def work() -> tuple[dict[str, Any], list[str]]:
        with _replica(plan, source, number) as replica:
            return _open_shard(plan, source, replica).train(folder, name, number)

    return folder.do(name, work)


def merge_round(plan: Plan, source: ShardSource, number: int) -> dict[str, Any]:
    """Add up what all shards have changed in a round, for a part of the rows of the tables.

    Args:
        plan: Of the training.
        source: A shard, whose number is that of the part.
        number: Of the round.

    Returns:
        The number of `bytes` that were written, and `needs_shards` of `Replica.merge`.
    """
    folder = plan.round(number)

    def work() -> tuple[dict[str, Any], list[str]]:
        results = plan.read_shards(number)
        if results is None:
            raise damaged(folder.path)
        steps = {shard_name(shard): each["steps"] for shard, each in enumerate(results)}
        with _replica(plan, source, number) as replica:
            values, files = replica.merge(folder, steps, (source.number, plan.shards))
        return values | {"bytes": folder.count_bytes(files)}, files

    return folder.do(merged_name(source.number), work)


def write_epoch(plan: Plan, source: ShardSource, number: int) -> None:
    """Write the weights before a round, the first of an epoch, after the rounds of the one before.

    Args:
        plan: Of the training.
        source: Any shard.
        number: Of the round.
    """
    if plan.weights(number).read(WEIGHTS) is None:
        with _replica(plan, source, number - 1) as replica:
            _follow(plan, replica)
            write_weights(plan.weights(number), replica.steps.groups)


def needs_shards(merged: Sequence[dict[str, Any]]) -> bool:
    """Whether the files of shards are needed to follow a round, by what `merge_round` returned."""
    return bool(merged[0]["needs_shards"])


def prepare_worker(*, light: bool) -> None:
    """Import TensorFlow in a thread of a worker, while the command makes the first weights.

    Args:
        light: Whether Keras may lack optional packages in this process from now on.
    """

    def work() -> None:
        # What needs TensorFlow imports it again, and gets the error
        with suppress(Exception):
            import_tensorflow(hides_logs=not shows_logs(), light=light)
            import_module("embedclf.model.network")
            import_module("embedclf.training.steps.train_step")

    Thread(target=work, daemon=True).start()


def forget_trainings() -> None:
    """Release the shards and the network that a worker keeps from one round to the next."""
    with _LOCK:
        _SHARDS.clear()
        _REPLICAS.clear()


def shard_name(number: int) -> str:
    """Return how the names of a shard's files begin."""
    return f"shard-{number:06}"


class _Shard:
    """A shard on this machine."""

    def __init__(self, plan: Plan, source: ShardSource, replica: Replica) -> None:
        from embedclf.training.steps.step_trainer import StepTrainer

        self._plan, self._source, self._replica = plan, source, replica
        dataset = read_shard(source, plan.config)
        self._rows = len(dataset.train)
        self._trainer: StepTrainer = StepTrainer(
            replica.steps, dataset, label_rows=plan.label_rows, shards=plan.shards
        )

    def train(self, folder: WorkFolder, name: str, number: int) -> tuple[dict[str, Any], list[str]]:
        """Take the steps of a round."""
        plan = self._plan
        epoch, round_of_epoch = divmod(number, plan.rounds)
        self._seed_dropout(number)
        rng = np.random.default_rng([plan.config.seed, epoch + 1, self._source.number])
        order = permutation(self._rows, rng)
        steps = self._steps_of(round_of_epoch)
        with self._replica.moving(name) as moving:
            loss = self._trainer.train_rows(epoch + 1, order, steps, moving.keep)
            files = moving.write(folder)
        values = {"loss": loss.totals, "steps": steps.stop - steps.start}
        return values | {"bytes": folder.count_bytes(files)}, files

    def _steps_of(self, round_of_epoch: int) -> slice:
        """Return the steps of an epoch that a round takes; possibly none."""
        steps = -(-self._rows // self._plan.config.training.batch_size)
        first, end = (
            steps * each // self._plan.rounds for each in (round_of_epoch, round_of_epoch + 1)
        )
        return slice(first, end)

    def _seed_dropout(self, number: int) -> None:
        """Give dropout a random state of its own for each shard and round."""
        for index, variable in enumerate(self._replica.steps.groups["seeds"]):
            rng = np.random.default_rng(
                [self._plan.config.seed, number, self._source.number, index]
            )
            variable.assign(rng.integers(0, 1 << 31, variable.shape, variable.dtype.as_numpy_dtype))


_SHARDS: dict[tuple[str, int], _Shard] = {}
"""The last shards that this process has read, by the folder of their rounds."""

_REPLICAS: dict[str, Replica] = {}
"""The network of the last training of this process, by the folder of its rounds."""


def _open_shard(plan: Plan, source: ShardSource, replica: Replica) -> _Shard:
    """Return a shard that this process has read before, or read it."""
    key = (str(plan.folder.path), source.number)
    if key not in _SHARDS:
        shard = _Shard(plan, source, replica)
        while len(_SHARDS) >= _KEPT_SHARDS:
            _SHARDS.pop(next(iter(_SHARDS)))
        _SHARDS[key] = shard
    return _SHARDS[key]


@contextmanager
def _replica(plan: Plan, source: ShardSource, number: int) -> Iterator[Replica]:
    """Hold the network that all shards of this process train, with the weights before a round.

    Raises:
        RunError: A file is missing or too short.
    """
    import_tensorflow(hides_logs=not shows_logs(), light=False)  # in a worker that started again
    from embedclf.model.backend import small_steps

    key = str(plan.folder.path)
    with _LOCK, small_steps():
        # Of another training, ahead after a resume, or left by an error with unknown weights
        if key not in _REPLICAS or _REPLICAS[key].position > number:
            _REPLICAS.clear()
            _SHARDS.clear()
            _REPLICAS[key] = _build(plan, source)
        replica = _REPLICAS[key]
        first = number - number % plan.rounds
        if replica.position < first - 1:
            replica.load(plan.weights(first), first)
        while replica.position < number:
            _follow(plan, replica)
        yield replica


def _follow(plan: Plan, replica: Replica) -> None:
    """Take the weights after the round from the weights of a network."""
    number = int(replica.position)
    folder, shards = plan.round(number), [shard_name(each) for each in range(plan.shards)]
    # The command gives out tasks of a round after it has found each part of the one before whole
    merged = folder.read(merged_name(0), checks=False)
    if merged is None:
        raise damaged(folder.path)
    replica.follow(folder, shards, needs_shards=needs_shards([merged]))


def _build(plan: Plan, source: ShardSource) -> Replica:
    from embedclf.model import backend, network
    from embedclf.model.optimizers import OPTIMIZERS
    from embedclf.training.steps.train_step import TrainSteps

    tokenizer, labels = source.encoder.read()
    backend.start(plan.config.training.device)
    with backend.seeded(plan.config.seed):
        built = network.build(
            plan.config.model,
            labels,
            vocabulary_rows=tokenizer.vocabulary_rows,
            input_length=tokenizer.input_length,
        )
    return Replica(
        TrainSteps(built, plan.config, plan.read_row_factors()),
        OPTIMIZERS[plan.config.training.optimizer].decays,
        trains_tables=plan.config.model.trainable_embedding,
    )
