"""Rounds: each shard trains for some steps, all from the same weights."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from embedclf.cluster.training.shards import ShardSource, read_shard
from embedclf.cluster.training.work_folder import WorkFolder
from embedclf.training.steps.losses import RunningLoss

if TYPE_CHECKING:
    import numpy.typing as npt

    from embedclf.config.schema import Config
    from embedclf.system.arrays import Floats
    from embedclf.training.steps.losses import LabelRows
    from embedclf.training.steps.step_trainer import StepTrainer
    from embedclf.training.steps.train_step import TrainSteps

TABLES, VECTORS = ("embedding", "row_state"), ("dense", "dense_state")
"""Groups of variables: with a row for each id, and all others that are added up."""

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
        """Return the folder of the weights before a round."""
        return self.folder.folder(f"round-{number:06}")

    def read_loss(self, number: int) -> list[float] | None:
        """Return the loss of the epoch before a round, as `RunningLoss.totals`.

        It is None if the weights before the round are not there, or not whole.
        """
        path = self.folder.path / f"round-{number:06}"
        values = WorkFolder(path).read("weights") if path.exists() else None
        return None if values is None else values["loss"]


def train_round(plan: Plan, source: ShardSource, number: int) -> dict[str, Any]:
    """Train a shard for a round, and write what has changed.

    Args:
        plan: Of the training.
        source: The shard.
        number: Of the round, from 0, over all epochs.

    Returns:
        `loss`, as `RunningLoss.totals`, and the number of `steps`.
    """
    folder, name = plan.weights(number), f"shard-{source.number:06}"

    def work() -> tuple[dict[str, Any], list[str]]:
        from embedclf.model.backend import small_steps

        with _LOCK, small_steps():
            shard = _open_shard(plan, source)
            return shard.train(folder, name, number)

    return folder.do(name, work)


def write_weights(plan: Plan, steps: TrainSteps, row_factors: Floats | None) -> None:
    """Write what all shards start from: weights, and the state of the optimizer.

    Args:
        plan: Of the training.
        steps: Of a network with these weights.
        row_factors: (vocabulary_rows,) learning rates of the rows, if they have their own.
    """
    from embedclf.model.variable_values import copy_value

    def work() -> tuple[dict[str, Any], list[str]]:
        arrays = {
            _name(group, index): copy_value(variable)
            for group in (*TABLES, *VECTORS)
            for index, variable in enumerate(steps.groups[group])
        }
        files = [first.write_array(name, values) for name, values in arrays.items()]
        return {"loss": RunningLoss("").totals}, files

    if row_factors is not None:
        plan.folder.write_array(_ROW_FACTORS, row_factors)
    # A training that resumes may have removed them, since it needs the last round alone
    if not any(plan.folder.path.glob("round-*/weights.json")):
        first = plan.weights(0)
        first.do("weights", work)


def read_weights(folder: WorkFolder, steps: TrainSteps) -> None:
    """Give a network, and the state of its optimizer, the weights before a round."""
    from embedclf.model.variable_values import assign_value

    for group in (*TABLES, *VECTORS):
        for index, variable in enumerate(steps.groups[group]):
            assign_value(variable, folder.map_array(_name(group, index)))


class _Shard:
    """A shard on this machine, with a network to train."""

    def __init__(self, plan: Plan, source: ShardSource) -> None:
        from embedclf.training.steps.step_trainer import StepTrainer

        self._plan, self._source = plan, source
        dataset = read_shard(source, plan.config)
        self._rows = len(dataset.train)
        self._steps = _network(plan, source)
        self._trainer: StepTrainer = StepTrainer(
            self._steps, dataset, label_rows=plan.label_rows, shards=plan.shards
        )

    def train(self, folder: WorkFolder, name: str, number: int) -> tuple[dict[str, Any], list[str]]:
        """Take the steps of a round."""
        plan = self._plan
        epoch, round_of_epoch = divmod(number, plan.rounds)
        read_weights(folder, self._steps)
        self._seed_dropout(number)
        rng = np.random.default_rng([plan.config.seed, epoch + 1, self._source.number])
        order = rng.permutation(self._rows)
        steps = self.steps_of(round_of_epoch)
        loss, used = self._trainer.train_rows(epoch + 1, order, steps)
        arrays = self._changes(folder, used)
        files = [folder.write_array(f"{name}-{each}", array) for each, array in arrays.items()]
        return {"loss": loss.totals, "steps": steps.stop - steps.start}, files

    def steps_of(self, round_of_epoch: int) -> slice:
        """Return the steps of an epoch that a round takes; possibly none."""
        steps = -(-self._rows // self._plan.config.training.batch_size)
        first, end = (
            steps * each // self._plan.rounds for each in (round_of_epoch, round_of_epoch + 1)
        )
        return slice(first, end)

    def _seed_dropout(self, number: int) -> None:
        """Give dropout a random state of its own for each shard and round."""
        for index, variable in enumerate(self._steps.groups["seeds"]):
            rng = np.random.default_rng(
                [self._plan.config.seed, number, self._source.number, index]
            )
            variable.assign(rng.integers(0, 1 << 31, variable.shape, variable.dtype.as_numpy_dtype))

    def _changes(self, folder: WorkFolder, used: list[Any]) -> dict[str, npt.NDArray[Any]]:
        """Return what the round has changed; of tables, the rows that it used."""
        from embedclf.model.backend import tf
        from embedclf.model.variable_values import copy_value

        groups = self._steps.groups
        none = np.zeros(0, np.int32)
        rows, uses = np.unique(np.concatenate([none, *used]), return_counts=True)
        arrays: dict[str, npt.NDArray[Any]] = {"rows": rows, "uses": uses.astype(np.int32)}
        for group in TABLES:
            for index, variable in enumerate(groups[group]):
                name = _name(group, index)
                values = tf.gather(variable, rows).numpy()
                arrays[name] = values - folder.map_array(name)[rows]
        for group in VECTORS:
            for index, variable in enumerate(groups[group]):
                name = _name(group, index)
                arrays[name] = copy_value(variable) - folder.map_array(name)
        return arrays


_SHARDS: dict[tuple[str, int], _Shard] = {}
"""The last shards that this process has read, by the folder of their rounds."""


def _open_shard(plan: Plan, source: ShardSource) -> _Shard:
    """Return a shard that this process has read before, or read it."""
    key = (str(plan.folder.path), source.number)
    if key not in _SHARDS:
        shard = _Shard(plan, source)
        while len(_SHARDS) >= _KEPT_SHARDS:
            _SHARDS.pop(next(iter(_SHARDS)))
        _SHARDS[key] = shard
    return _SHARDS[key]


def forget_trainings() -> None:
    """Release the shards and the network that a worker keeps from one round to the next."""
    with _LOCK:
        _SHARDS.clear()
        _NETWORKS.clear()


_NETWORKS: dict[str, Any] = {}
"""The network of the last training of this process, by the folder of its rounds."""


def _network(plan: Plan, source: ShardSource) -> TrainSteps:
    """Build the network that all shards of this process train in turn."""
    key = str(plan.folder.path)
    if key not in _NETWORKS:
        _NETWORKS.clear()
        _SHARDS.clear()
        _NETWORKS[key] = _build(plan, source)
    steps: TrainSteps = _NETWORKS[key]
    return steps


def _build(plan: Plan, source: ShardSource) -> TrainSteps:
    from embedclf.model import backend, network
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
    factors = np.array(plan.folder.map_array(_ROW_FACTORS)) if plan.has_row_factors else None
    return TrainSteps(built, plan.config, factors)


def _name(group: str, index: int) -> str:
    return group if group in TABLES else f"{group}-{index}"
