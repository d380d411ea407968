"""Config -> run: the whole of train, in order."""

from __future__ import annotations

import platform
import sys
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
from embedclf.data.dataset import VECTORS, Dataset, prepare_dataset
from embedclf.errors import TrainingError
from embedclf.runs import run, writer
from embedclf.runs.history import INTERRUPTED
from embedclf.system import interrupts
from embedclf.training.checkpoints import Checkpoint, identity
from embedclf.training.finishing import FittedNetwork, finish
from embedclf.training.initialization import initialize
from embedclf.training.refit import refit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from embedclf.config.schema import Config
    from embedclf.model.backend import Device
    from embedclf.runs.history import Epoch, History, RefitStarted, Resumed, Step
    from embedclf.training.initialization import Coverage

    Told = Dataset | Coverage | Device | Resumed | Step | Epoch | RefitStarted

_SWITCH_SECONDS = 2e-4
"""How long Python lets a thread compute while others wait for it. At 5 ms, its default, the many
short calls that prepare rows wait for the imports: 8.7 s instead of 7.6 s for half a million."""

_PACKAGES = ("tensorflow", "keras", "numpy", "pandas", "pyarrow", "scikit-learn")


def train(
    config: Config,
    *,
    name: str,
    output: Path | None = None,
    on_event: Callable[[Told], None] = lambda _told: None,
    tensorboard: Path | None = None,
    resume: bool = False,
) -> run.Run:
    """Train a classifier and leave a run.

    TensorFlow's seeds and determinism are set for the whole process.

    Args:
        config: What to train on and how.
        name: The run becomes `runs/<name>-<number>`.
        output: The run's path instead; nothing may be there.
        on_event: Called with what was prepared, the device, a refit, each step and each epoch.
        tensorboard: Folder for TensorBoard's log.
        resume: Whether to go on with a training of the same config, tables and versions that was
            killed, from its last checkpoint; the weights become those of an unbroken one.

    Returns:
        The finished run; its `record["ended"]` tells what ended the training.

    Raises:
        DataError: A table cannot be used.
        RunError: The run cannot be written where it should be.
        TrainingError: The device is not there, the loss is no longer a number, or NumPy does not
            score as Keras does.
        KeyboardInterrupt: Ctrl-C before the first epoch was finished; nothing is left.
    """
    writer.require_free(output)
    clock = _Clock()
    _open_log(tensorboard)
    with meanwhile() as aside, writer.draft_run(output) as draft:
        aside.submit(import_module, "embedclf.training.fitting")
        dataset = prepare_dataset(config, draft.path)
        hashes = aside.submit(dataset.hashes)
        aside.submit(import_module, "sklearn.metrics")
        on_event(dataset)
        initial = initialize(dataset)
        if initial.coverage is not None:
            on_event(initial.coverage)
        clock.lap("prepare")

        from embedclf.model import backend, network
        from embedclf.training import fitting

        device = backend.start(config.training.device, config.seed)
        on_event(device)
        clock.lap("start")

        net = fitting.begin(dataset, initial)
        checkpoint = Checkpoint(
            draft.path.parent, lambda: identity(config, hashes.result()), resumes=resume
        )
        with _dropped_on_fault(checkpoint):
            history = fitting.fit(
                net,
                dataset,
                row_learning_rates=initial.row_learning_rates,
                on_event=on_event,
                tensorboard=tensorboard,
                checkpoint=checkpoint,
            )
            clock.lap("fit", before=checkpoint.before)
            validated = FittedNetwork(dataset, initial, net)
            refitted: FittedNetwork | str = INTERRUPTED
            if config.training.refit and not history.interrupted:
                refitted = refit(
                    validated,
                    history.best_epoch,
                    folder=draft.path,
                    hashes=hashes.result(),
                    on_event=on_event,
                    checkpoint=checkpoint.refit,
                )
                clock.lap("refit", before=checkpoint.refit.before)

        with _dropped_on_fault(checkpoint), interrupts.ignored():
            again = refitted if isinstance(refitted, FittedNetwork) else None
            settled = finish(draft, validated, again)
            draft.write(run.CONFIG, dump_config(config, _home(output)))
            draft.write(run.HISTORY, history.to_csv())
            draft.write_metrics(settled.decision, settled.metrics)
            clock.lap("finish")

            last = again or validated
            record = _circumstances(dataset, last.dataset, hashes.result(), device, history)
            if config.training.refit:
                record |= {"refit": _refit_told(refitted)}
            record |= _vectors(last.initial.coverage, hashes.result())
            measured = {
                "parameters": int(last.net.count_params()),
                "trainable_parameters": network.trainable_parameters(last.net),
                "parity": settled.parity,
            }
            saving = checkpoint.seconds + checkpoint.refit.seconds
            seconds = clock.laps | {"checkpoints": round(saving, 3)}
            finished = draft.publish(record | measured | {"seconds": seconds}, name, output)
            checkpoint.remove()
            return finished


@contextmanager
def meanwhile() -> Iterator[ThreadPoolExecutor]:
    """A thread for what can be done meanwhile: imports above all, 1.7 s for TensorFlow alone.

    Nobody waits for what it has not done at the end. An import that fails is tried again, and its
    error raised, where it is needed.
    """
    pool, before = ThreadPoolExecutor(1), sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        yield pool
    finally:
        sys.setswitchinterval(before)
        pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _dropped_on_fault(checkpoint: Checkpoint) -> Iterator[None]:
    """Keep no checkpoint of a training that would fail again."""
    try:
        yield
    except TrainingError:
        checkpoint.remove()
        raise


class _Clock:
    """Seconds of each phase."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, phase: str, *, before: float = 0.0) -> None:
        """End a phase, of which so many seconds were spent before the training went on."""
        now = time.perf_counter()
        self.laps[phase] = round(before + now - self._last, 3)
        self._last = now


def _home(output: Path | None) -> Path:
    """A folder as deep as the run's own, whatever its number."""
    return run.ROOT / "run" if output is None else output


def _open_log(folder: Path | None) -> None:
    if folder is None:
        return
    if find_spec("tensorboard") is None:
        raise TrainingError(
            "--tensorboard: the package is not installed; pip install 'embedclf[tensorboard]'"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{folder}: cannot hold a log: {error.strerror}") from error


def _circumstances(
    dataset: Dataset,
    last: Dataset,
    hashes: dict[str, str],
    device: Device,
    history: History,
) -> dict[str, Any]:
    """What the run was made of, on and with; tokens are those that the last network knows."""
    config = dataset.config
    facts = dataset.facts | last.sizes
    test = {} if last.test is None else {"test": last.test.facts(last.labels)}
    of_parts = facts["data"] | test
    data = {name: of | {"sha256": hashes[name]} for name, of in of_parts.items()}
    packages = {"python": platform.python_version(), "embedclf": __version__}
    return {
        "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "ended": history.ended,
        "epochs": len(history.epochs),
        "best_epoch": history.best_epoch,
        "pooling": config.model.pooling,
        "seed": config.seed,
        "device": {"requested": config.training.device, **asdict(device)},
        "packages": packages | {package: version(package) for package in _PACKAGES},
        **facts,
        "data": data,
    }


def _refit_told(refitted: FittedNetwork | str) -> dict[str, Any]:
    """How many rows were trained on in the end, or why it was not all of them."""
    if isinstance(refitted, str):
        return {"rows": None, "missing": refitted}
    return {"rows": len(refitted.dataset.train)}


def _vectors(coverage: Coverage | None, hashes: dict[str, str]) -> dict[str, Any]:
    """What the network started from, unless that was chance."""
    return {} if coverage is None else {VECTORS: coverage.facts() | {"sha256": hashes[VECTORS]}}
