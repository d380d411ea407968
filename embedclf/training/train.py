"""Config -> run: the whole of `train`, in order."""

from __future__ import annotations

import platform
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from embedclf import __version__
from embedclf.config.loading import dump_config
from embedclf.data.dataset import KEPT_VECTORS, START, VECTORS, Dataset, prepare_dataset
from embedclf.errors import TrainingError, describe_missing
from embedclf.runs import known_files, writer
from embedclf.runs.history import INTERRUPTED
from embedclf.runs.locations import RUNS_DIRECTORY
from embedclf.system import interrupts
from embedclf.system.storage import name_fault
from embedclf.training.checkpoints import Checkpoint, removed_on_failure, training_id
from embedclf.training.finishing import finish
from embedclf.training.fitting import FittedNetwork, fit_network
from embedclf.training.refit import refit
from embedclf.training.warm_start import Continuation, describe_start, read_start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from embedclf.config.schema import Config
    from embedclf.model.backend import Device
    from embedclf.runs.history import Epoch, History, RefitStarted, Resumed, Step
    from embedclf.runs.run import Run
    from embedclf.training.token_vectors import Coverage

    TrainEvent = Dataset | Coverage | Device | Resumed | Step | Epoch | History | RefitStarted

_PACKAGES = ("tensorflow", "keras", "numpy", "pandas", "pyarrow", "scikit-learn")
"""Their versions are recorded in the run."""


def train(
    config: Config | Continuation,
    *,
    name: str,
    output: Path | None = None,
    on_event: Callable[[TrainEvent], None] = lambda _event: None,
    tensorboard: Path | None = None,
    resume: bool = False,
) -> Run:
    """Train a classifier and save it as a run.

    TensorFlow's operations become deterministic for the whole process.

    Args:
        config: What to train on and how; with a run, if the training continues from one.
        name: The run becomes `runs/<name>-<number>`.
        output: The run's path instead; it must not exist.
        on_event: Called with the dataset, the coverage of word vectors, the device, each step and
            epoch, the history, and the start of a refit.
        tensorboard: Folder for TensorBoard's log.
        resume: Whether to resume a killed training of the same config, tables and versions from its
            last checkpoint. The weights become those of an uninterrupted training.

    Returns:
        The finished run; `record["ended"]` is why its training ended.

    Raises:
        ConfigError: A file that the config names is missing, or its settings do not fit the data.
        DataError: A table cannot be used.
        RunError: The run cannot be written, or the one to continue from is damaged.
        TrainingError: TensorBoard or the device is missing, the loss is not finite, or NumPy and
            Keras disagree on a probability.
        MemoryError: The network does not fit into memory.
        KeyboardInterrupt: Ctrl-C before the first epoch was finished; nothing is saved.
    """
    writer.require_new_path(output)
    _require_log_directory(tensorboard)
    clock = Clock()
    before = config.run if isinstance(config, Continuation) else None
    config = config.config if isinstance(config, Continuation) else config
    start = None if before is None else read_start(before)
    with helper_thread() as helper, writer.draft_run(output) as draft:
        # TensorFlow is slow to import, so a thread does it while the tables are read
        helper.submit(import_module, "embedclf.training.loop")
        dataset = prepare_dataset(config, draft.path, start=start)
        hashes = helper.submit(dataset.hashes)
        on_event(dataset)
        clock.end("prepare")

        # Next to the draft, not in it: the draft is removed when a training fails
        checkpoint = Checkpoint(
            draft.path.parent, lambda: training_id(config, hashes.result()), resumes=resume
        )
        validated = fit_network(
            dataset,
            on_start=on_event,
            on_event=on_event,
            tensorboard=tensorboard,
            checkpoint=checkpoint,
        )
        on_event(validated.history)
        clock.add(validated.seconds)
        refitted = _refit(validated, draft.path, hashes.result(), on_event, checkpoint, clock)
        # The networks are trained, and a Ctrl-C from here on would only discard them
        with removed_on_failure(checkpoint), interrupts.ignored():
            record = write_run(draft, validated, refitted, hashes.result(), output)
            if before is not None:
                last = refitted if isinstance(refitted, FittedNetwork) else validated
                record[START] = describe_start(before, last.dataset, hashes.result())
            clock.end("finish")
            clock.add({"checkpoints": checkpoint.seconds + checkpoint.refit.seconds})
            # Before the checkpoint is removed, so that a kill in between loses nothing
            finished = draft.publish(record | {"seconds": clock.seconds}, name, output)
            checkpoint.remove()
            return finished


@contextmanager
def helper_thread() -> Iterator[ThreadPoolExecutor]:
    """Open a thread for work in the background, mostly imports.

    Unfinished work is dropped at the end. An import that fails in the thread is tried again where
    it is needed, and raises its error there.
    """
    pool = ThreadPoolExecutor(1)
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class Clock:
    """Measures the seconds of each phase of a training."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def end(self, phase: str, *, earlier: float = 0.0) -> None:
        """End a phase; `earlier` is what it took in a process that was killed."""
        self.add({phase: earlier + time.perf_counter() - self._last})

    def add(self, seconds: dict[str, float]) -> None:
        """Add seconds measured elsewhere, by phase; the next phase begins now."""
        for phase, spent in seconds.items():
            self.seconds[phase] = round(self.seconds.get(phase, 0.0) + spent, 3)
        self._last = time.perf_counter()


def _refit(
    validated: FittedNetwork,
    directory: Path,
    hashes: dict[str, str],
    on_event: Callable[[TrainEvent], None],
    checkpoint: Checkpoint,
    clock: Clock,
) -> FittedNetwork | str | None:
    """Train on all rows if the config asks for it; return the network, or why there is none."""
    if not validated.dataset.config.training.refit:
        return None
    if validated.history.interrupted:
        return INTERRUPTED
    refitted = refit(
        validated,
        directory=directory,
        hashes=hashes,
        on_event=on_event,
        checkpoint=checkpoint.refit,
    )
    clock.end("refit", earlier=checkpoint.refit.seconds_before)
    return refitted


def _require_log_directory(directory: Path | None) -> None:
    if directory is None:
        return
    if find_spec("tensorboard") is None:
        raise TrainingError(describe_missing("--tensorboard", "tensorboard", "tensorboard"))
    if fault := name_fault(str(directory)):
        raise TrainingError(f"--tensorboard {directory}: {fault}")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(
            f"--tensorboard {directory}: {error.strerror}; name a writable folder"
        ) from error


def write_run(
    draft: writer.RunDraft,
    validated: FittedNetwork,
    refitted: FittedNetwork | str | None,
    hashes: dict[str, str],
    output: Path | None,
) -> dict[str, Any]:
    """Write the files of a run, and return its record without the durations."""
    from embedclf.model.network import count_trainable_parameters

    second = refitted if isinstance(refitted, FittedNetwork) else None
    last = second or validated
    finished = finish(draft, validated, second)
    draft.write(known_files.CONFIG_FILE, dump_config(last.dataset.config, _run_directory(output)))
    draft.write(known_files.HISTORY_FILE, validated.history.to_csv())
    draft.write_metrics(finished.decision, finished.metrics)
    record = _details(validated, last, hashes)
    if refitted is not None:
        record["refit"] = _refit_details(refitted)
    if validated.epoch_choice is not None:
        record["epoch_choice"] = asdict(validated.epoch_choice)
    initial = last.initial
    for key, coverage in ((VECTORS, initial.coverage), (KEPT_VECTORS, initial.kept_coverage)):
        if coverage is not None:  # vectors of the texts themselves have no file
            record[key] = coverage.facts() | ({"sha256": hashes[key]} if key in hashes else {})
    return record | {
        "parameters": int(last.network.count_params()),
        "trainable_parameters": count_trainable_parameters(last.network),
        "parity": finished.parity,
    }


def _run_directory(output: Path | None) -> Path:
    """Return a directory as deep as the run's own, whatever its number will be."""
    return RUNS_DIRECTORY / "run" if output is None else output


def _details(
    validated: FittedNetwork, last: FittedNetwork, hashes: dict[str, str]
) -> dict[str, Any]:
    """Describe how a run was trained; the vocabulary is that of the last network."""
    dataset, history, test = validated.dataset, validated.history, last.dataset.test
    config = dataset.config
    facts = dataset.facts | last.dataset.vocabulary_sizes
    unlabeled = last.dataset.unlabeled_facts
    tables = facts["data"] | ({} if test is None else {"test": test.facts(last.dataset.labels)})
    packages = {"python": platform.python_version(), "embedclf": __version__}
    return {
        "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "ended": history.stop_reason,
        "epochs": len(history.epochs),
        "best_epoch": history.best_epoch,
        "pooling": config.model.pooling,
        "seed": config.seed,
        "device": {"requested": config.training.device, **asdict(validated.device)},
        "packages": packages | {package: version(package) for package in _PACKAGES},
        **facts,
        "data": {name: table | {"sha256": hashes[name]} for name, table in tables.items()},
        **{key: table | {"sha256": hashes[key]} for key, table in unlabeled.items()},
    }


def _refit_details(refitted: FittedNetwork | str) -> dict[str, Any]:
    """Return how many rows the network was refit on, or why it was not refit."""
    if isinstance(refitted, str):
        return {"rows": None, "missing": refitted}
    return {"rows": len(refitted.dataset.train)}
