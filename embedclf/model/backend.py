"""TensorFlow and Keras: the device, the seed, and options for small steps."""

from __future__ import annotations

import os
import platform
import random
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedclf.errors import TrainingError
from embedclf.model.tensorflow_import import keras_on_tensorflow
from embedclf.system.threads import available_cores

if TYPE_CHECKING:
    from collections.abc import Iterator


# Read at the first allocation. TensorFlow's own allocator for oneDNN never returns memory, so the
# state of the optimizer would outlive the training
os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")

with keras_on_tensorflow():
    import keras
    import tensorflow as tf

# The environment has no effect if Keras was imported before this module
if keras.backend.backend() != "tensorflow":
    raise TrainingError(
        f"Keras runs on {keras.backend.backend()} in this process, but embedclf needs TensorFlow; "
        "set KERAS_BACKEND=tensorflow before Keras is imported"
    )

OutOfMemory = tf.errors.ResourceExhaustedError

__all__ = ["Device", "OutOfMemory", "keras", "seeded", "small_steps", "start", "tf"]


@dataclass(frozen=True)
class Device:
    """The device that a training runs on."""

    kind: str
    """cpu or gpu."""
    name: str
    cores: int
    """Processor cores that the process may use."""


def start(device: str, *, parallel: bool = False) -> Device:
    """Choose the device, and make every operation of this process deterministic.

    Args:
        device: auto (a GPU if TensorFlow finds one), cpu or gpu.
        parallel: Whether operations that do not depend on each other run on all cores. Nothing
            changes if TensorFlow is already running.

    Raises:
        TrainingError: TensorFlow finds no GPU, or the process already runs on another device.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        raise TrainingError(
            "training.device: gpu, but TensorFlow finds no GPU; install a driver and "
            "'embedclf[gpu]', or set training.device: cpu"
        )
    # A seed is not enough: some parallel operations add in varying order
    tf.config.experimental.enable_op_determinism()
    _limit_threads(available_cores() if parallel else 1)
    if gpus:
        return _start_with_gpus(device, gpus)
    return _cpu()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Build a network whose random numbers come from a seed, without a global seed.

    Keras draws the seeds of its layers from Python's generator, whose state is restored; their
    operations have these seeds alone.
    """
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)


@contextmanager
def small_steps() -> Iterator[None]:
    """Compile and run training steps that use few rows of a large embedding.

    TensorFlow's arithmetic optimization turns the mean of gathered rows into one operation that
    reads the whole embedding: a step of 0.7 ms took 6.0 ms with 300,000 rows of 32 numbers.
    """
    # Options that were never set are missing here; TensorFlow's default is on
    before = tf.config.optimizer.get_experimental_options().get("arithmetic_optimization", True)
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({"arithmetic_optimization": before})


def _limit_threads(threads: int) -> None:
    with suppress(RuntimeError):  # TensorFlow is already running
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        # Within an operation, several threads would add in another order than one
        tf.config.threading.set_intra_op_parallelism_threads(1)


def _start_with_gpus(device: str, gpus: list[Any]) -> Device:  # pragma: no cover - needs a GPU
    config = tf.config
    try:
        if device == "cpu":
            # TensorFlow places operations on a visible GPU by itself
            config.set_visible_devices([], "GPU")
            return _cpu()
        for gpu in gpus:
            # By default, TensorFlow reserves nearly all memory of a GPU at once
            config.experimental.set_memory_growth(gpu, True)
    except RuntimeError as error:  # devices are fixed once TensorFlow has initialized them
        raise TrainingError(f"training.device: {error}; use a new process") from error
    details = config.experimental.get_device_details(gpus[0])
    return Device("gpu", details.get("device_name", gpus[0].name), available_cores())


def _cpu() -> Device:
    return Device("cpu", platform.processor() or platform.machine(), available_cores())
