"""TensorFlow and Keras, started: quiet, seeded, on a device."""

from __future__ import annotations

import gc
import logging
import os
import platform
import sys
import tempfile
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING, Any

from embedclf.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOW_LOG = "EMBEDCLF_TF_LOGS"
"""Set in the environment, what TensorFlow writes is shown."""


@dataclass(frozen=True)
class Device:
    """What a training runs on."""

    kind: str
    """cpu or gpu."""
    name: str
    cores: int
    """Processor cores that the process may use."""


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what native code writes to standard error to itself, unless the block fails.

    TensorFlow writes some lines before its log level is read, so that only the file descriptor
    can hold them back (https://github.com/tensorflow/tensorflow/issues/100442). What Python writes
    meanwhile, in this thread or another, is shown.
    """
    if os.environ.get(SHOW_LOG) or sys.stderr is None:
        yield
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        stderr = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            with _python_s_own(stderr):
                yield
        except Exception:
            held.seek(0)
            os.write(stderr, held.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


@contextmanager
def _python_s_own(descriptor: int) -> Iterator[None]:
    """Let `sys.stderr` write to a descriptor, if it wrote to standard error's."""
    before = sys.stderr
    try:
        direct = before.fileno() == 2
    except (OSError, ValueError):  # one in memory, as tests have it
        direct = False
    if direct:
        sys.stderr = open(  # noqa: SIM115 - another thread may hold it for a moment longer
            os.dup(descriptor), "w", buffering=1, encoding=before.encoding, errors=before.errors
        )
    try:
        yield
    finally:
        sys.stderr = before


class _Hidden(MetaPathFinder):
    """Hides packages from what one thread imports.

    Keras imports scikit-learn (with SciPy), pandas and matplotlib, if they are there, to offer
    them its services; this program needs none of those, and without them TensorFlow is there in
    1.9 s instead of 2.8 s. Only the thread that imports Keras does without; afterwards all are to
    be had again. Keras itself takes no pandas tables in this process any more.
    """

    _OPTIONAL = frozenset({"matplotlib", "pandas", "scipy", "sklearn"})

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Find nothing, or say that there is nothing."""
        del path, target
        if name in self._OPTIONAL and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"{name} is hidden from Keras", name=name)


@contextmanager
def _light_imports() -> Iterator[None]:
    """Import without optional packages, and without looking for garbage, which takes 0.2 s."""
    hidden, collected = _Hidden(), gc.isenabled()
    sys.meta_path.insert(0, hidden)
    gc.disable()
    try:
        yield
    finally:
        sys.meta_path.remove(hidden)
        gc.freeze()  # what was imported stays, and need not be looked at ever again
        if collected:
            gc.enable()


os.environ["KERAS_BACKEND"] = "tensorflow"

with quiet(), _light_imports():
    import keras
    import tensorflow as tf

    # TensorFlow turns the mean of gathered rows into one operation that reads the whole embedding:
    # a step of 0.7 ms took 6.0 ms with 300,000 rows of 32 numbers.
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
    # A step is too small to be shared: the classic network made 149,000 rows a second in one thread
    # and 115,000 in two. The other cores lay out rows, count, import and write.
    with suppress(RuntimeError):  # TensorFlow runs already, in another's program
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.threading.set_intra_op_parallelism_threads(1)

OutOfMemory = tf.errors.ResourceExhaustedError

logging.getLogger("tensorflow").setLevel(logging.ERROR)

__all__ = ["Device", "OutOfMemory", "keras", "quiet", "start", "tf"]


def start(device: str, seed: int) -> Device:
    """Choose the device, seed all randomness and make every operation deterministic.

    Args:
        device: auto (a GPU where there is one), cpu or gpu.
        seed: Of Python's, NumPy's and TensorFlow's generators.

    Raises:
        TrainingError: A GPU was asked for and there is none, or the process runs on another
            device already.
    """
    with quiet():
        gpus = tf.config.list_physical_devices("GPU")
        if device == "gpu" and not gpus:
            raise TrainingError(
                "training.device: gpu, but TensorFlow sees none; install a driver and "
                "'embedclf[gpu]', or set training.device: cpu"
            )
        keras.utils.set_random_seed(seed)
        tf.config.experimental.enable_op_determinism()
        if gpus:
            return _start_with_gpus(device, gpus)
    return Device("cpu", platform.processor() or platform.machine(), _cores())


def _start_with_gpus(device: str, gpus: list[Any]) -> Device:  # pragma: no cover - needs a GPU
    config = tf.config
    try:
        if device == "cpu":
            config.set_visible_devices([], "GPU")
            return Device("cpu", platform.processor() or platform.machine(), _cores())
        for gpu in gpus:
            config.experimental.set_memory_growth(gpu, True)
    except RuntimeError as error:
        raise TrainingError(f"training.device: {error}; use a new process") from error
    details = config.experimental.get_device_details(gpus[0])
    return Device("gpu", details.get("device_name", gpus[0].name), _cores())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
