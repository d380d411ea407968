"""TensorFlow and Keras, started: quiet, on the chosen device, the same every time."""

from __future__ import annotations

import logging
import os
import platform
import sys
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
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
    can hold them back (https://github.com/tensorflow/tensorflow/issues/100442).
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
            yield
        except Exception:
            held.seek(0)
            os.write(stderr, held.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


os.environ["KERAS_BACKEND"] = "tensorflow"
with quiet():
    import keras
    import tensorflow as tf

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
