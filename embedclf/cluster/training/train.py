"""Config -> run on a cluster: count, encode, train in rounds, and finish as one machine does."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from embedclf.cluster.connection import connect, local_threads
from embedclf.cluster.task_queue import TaskQueue
from embedclf.cluster.training.parts import identify_tables
from embedclf.cluster.training.prepare import prepare_sharded
from embedclf.cluster.training.rounds import Plan, forget_trainings, prepare_worker
from embedclf.cluster.training.support import cluster_config
from embedclf.cluster.training.work_folder import WorkFolder
from embedclf.runs import writer
from embedclf.system import interrupts
from embedclf.system.memory.peak import peak_memory
from embedclf.system.progress import activity
from embedclf.training.checkpoints import Checkpoint, removed_on_failure, training_id
from embedclf.training.fitting import FittedNetwork, build_network
from embedclf.training.initialization import initialize
from embedclf.training.train import Clock, write_run
from embedclf.training.warm_start import row_learning_rates

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from embedclf.cluster.training.prepare import ShardedDataset
    from embedclf.config.schema import Config
    from embedclf.runs.run import Run
    from embedclf.training.train import TrainEvent

ROUNDS_PER_SHARD, MAX_ROUNDS = 4, 64
"""In an epoch. With fewer, shards drift apart; with more, they exchange more rows."""


@dataclass(frozen=True)
class ClusterRun:
    """A run that a cluster has trained, and what that took."""

    run: Run
    rounds: dict[str, int]
    """As `RoundTrainer.facts`."""
    worker_peak: int
    """Most bytes of memory of a worker."""
    client_peak: int


def train_on_cluster(
    config: Config,
    address: str,
    *,
    name: str,
    output: Path | None = None,
    on_event: Callable[[TrainEvent], None] = lambda _event: None,
    resume: bool = False,
) -> ClusterRun:
    """Train a classifier on a cluster, and save it as a run.

    All machines must see the tables, and the folder of the run, under the same paths. The same
    config, tables and number of shards give the same weights, whatever worker does what.

    Args:
        config: What to train on and how.
        address: As for `connect`.
        name: The run becomes `runs/<name>-<number>`.
        output: The run's path instead; it must not exist.
        on_event: As for `train`.
        resume: Whether to continue a training that was killed, from its last round.

    Raises:
        RequestError: The config asks for something that needs all rows on one machine, or there is
            no cluster.
        EmbedclfError: As `train`.
    """
    writer.require_new_path(output)
    config, clock = cluster_config(config), Clock()
    with connect(address) as client, writer.draft_run(output) as draft:
        tasks = TaskQueue(client)
        started = f"cluster-{training_id(config, identify_tables(config))}"
        folder = WorkFolder(draft.path.parent.absolute() / f".{started}")
        if not resume:
            folder.remove()
        checkpoint = Checkpoint(draft.path.parent, lambda: started, resumes=resume, always=True)
        with removed_on_failure(checkpoint), removed_on_failure(folder):
            threads = local_threads(address)  # None for a scheduler
            shards = _shard_count(folder, threads or tasks.threads)
            sharded = prepare_sharded(tasks, folder, config, shards)
            on_event(sharded.dataset)
            clock.end("prepare")
            # Workers that somebody else has started may run other programs, with all of Keras
            tasks.run_everywhere(partial(prepare_worker, light=threads is not None))
            validated, rounds = _fit(tasks, folder, sharded, checkpoint, on_event)
            on_event(validated.history)
            clock.add(validated.seconds)
            with interrupts.ignored():
                record = write_run(draft, validated, None, sharded.dataset.hashes(), output)
                clock.end("finish")
                used = {"cpu_seconds": dict(tasks.cpu_seconds)}
                record |= {"cluster": rounds | used, "seconds": clock.seconds}
                finished = draft.publish(record, name, output)
                checkpoint.remove()
                folder.remove()
        return ClusterRun(finished, rounds, tasks.worker_peak, peak_memory())


def _shard_count(folder: WorkFolder, threads: int) -> int:
    """Return the number of shards: one for each thread, or as many as before it was killed."""
    folder.path.mkdir(parents=True, exist_ok=True)
    file = folder.path / "shards.json"
    if file.exists():
        return int(json.loads(file.read_bytes()))
    with folder.writing(file.name) as draft:
        draft.write(json.dumps(threads).encode())
    return threads


def _fit(
    tasks: TaskQueue,
    folder: WorkFolder,
    sharded: ShardedDataset,
    checkpoint: Checkpoint,
    on_event: Callable[[Any], None],
) -> tuple[FittedNetwork, dict[str, int]]:
    """Initialize, build and fit the network, as `fit_network` does on one machine.

    Also returns `RoundTrainer.facts`.
    """
    dataset, began = sharded.dataset, time.perf_counter()
    with activity("initializing the embedding"):
        initial = initialize(dataset, sharded.statistics)
    if initial.coverage is not None:
        on_event(initial.coverage)
    initialized = time.perf_counter()
    with activity("importing TensorFlow"):
        from embedclf.cluster.training.replica import write_weights
        from embedclf.cluster.training.round_trainer import RoundTrainer
        from embedclf.model import backend
        from embedclf.model.step_function import StepFunctions
        from embedclf.training.loop import fit
        from embedclf.training.steps.train_step import weight_variables

        device = backend.start(dataset.config.training.device)
    on_event(device)
    started = time.perf_counter()
    with activity("building the network"), interrupts.deferred():
        network = build_network(dataset, initial)
        factors = row_learning_rates(initial, dataset)
        initial = initial.without_weights()
    plan = Plan(
        folder.folder("rounds"),
        dataset.config,
        len(sharded.shards),
        min(MAX_ROUNDS, ROUNDS_PER_SHARD * len(sharded.shards)),
        sharded.label_rows,
        has_row_factors=factors is not None,
    )
    plan.write_row_factors(factors)
    write_weights(plan.weights(0), weight_variables(network))
    with activity("training"):
        trainer = RoundTrainer(tasks, plan, sharded.shards, network, on_event)
        history = fit(trainer, dataset, on_event=on_event, checkpoint=checkpoint)
        tasks.run_everywhere(forget_trainings)
    seconds = {
        "prepare": initialized - began,
        "start": started - initialized,
        "fit": checkpoint.seconds_before + time.perf_counter() - started,
    }
    fitted = FittedNetwork(dataset, initial, network, device, history, seconds, StepFunctions())
    return fitted, trainer.facts
