"""The import of TensorFlow and Keras: without what they do not need, and without their logs."""

from __future__ import annotations

import gc
import logging
import os
import sys
import tempfile
import threading
from contextlib import contextmanager, nullcontext
from importlib import import_module
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOW_LOGS = "EMBEDCLF_TF_LOGS"
"""Environment variable that shows TensorFlow's logs."""

_LOCK = threading.RLock()
"""Two threads that redirect standard error would restore it in the wrong order."""


def shows_logs() -> bool:
    """Whether the environment asks for TensorFlow's logs."""
    return bool(os.environ.get(SHOW_LOGS))


def import_tensorflow(*, hides_logs: bool, light: bool = True) -> None:
    """Import TensorFlow and Keras, unless another thread has, and look for devices.

    Args:
        hides_logs: Whether to hide TensorFlow's logs.
        light: Whether Keras may lack optional packages from now on, as in `light_imports`.

    Raises:
        ImportError: One of them is not installed, or damaged.
    """
    with _LOCK:
        if "keras" in sys.modules and "tensorflow" in sys.modules:
            return
        if not hides_logs:
            _import(light=light)
            return
        # Fatal errors only; the native library reads the level at its load
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        with quiet():
            _import(light=light)
        logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress what native code writes to standard error, unless the block fails.

    TensorFlow writes some lines before it reads its log level, so only redirecting the file
    descriptor suppresses them (https://github.com/tensorflow/tensorflow/issues/100442). Python's
    own output, from any thread, is still shown.
    """
    # Without standard error, descriptor 2 may be any file.
    if sys.stderr is None:
        yield
        return
    # Python's buffered output must not end up among the suppressed lines.
    sys.stderr.flush()
    with _LOCK, tempfile.TemporaryFile() as held:
        stderr = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            with _python_writes_to(stderr):
                yield
        except Exception:
            held.seek(0)
            os.write(stderr, held.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


@contextmanager
def keras_on_tensorflow() -> Iterator[None]:
    """Set the environment variable that makes Keras run on TensorFlow when it is imported."""
    before = os.environ.get("KERAS_BACKEND")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    try:
        yield
    finally:
        # Keras reads the variable only on import, so the caller's value can be restored
        if before is None:
            del os.environ["KERAS_BACKEND"]
        else:
            os.environ["KERAS_BACKEND"] = before


@contextmanager
def light_imports() -> Iterator[None]:
    """Import without the optional dependencies of Keras, and without garbage collection.

    Keras imports scikit-learn (with SciPy), pandas and matplotlib if they are installed. It works
    without them, and TensorFlow is ready in 1.9 s instead of 2.8 s. Other threads can import them.
    Garbage collection during the import takes another 0.2 s.
    """
    hidden, collects = _Hidden(), gc.isenabled()
    sys.meta_path.insert(0, hidden)  # before the finders that would succeed
    gc.disable()
    try:
        yield
    finally:
        sys.meta_path.remove(hidden)
        gc.freeze()  # imported modules stay, so the collector can skip them
        if collects:
            gc.enable()


def _import(*, light: bool) -> None:
    with keras_on_tensorflow(), light_imports() if light else nullcontext():
        # It goes through a dictionary of types, to which those of TensorFlow are added. In another
        # thread at the same time, it would fail
        import_module("numpy.ma")
        import keras  # noqa: F401 - first, because Keras imports TensorFlow
        import tensorflow as tf
    tf.config.list_physical_devices()  # the first call logs missing libraries


class _Hidden(MetaPathFinder):
    """Hides optional packages from the imports of one thread."""

    _OPTIONAL = frozenset({"matplotlib", "pandas", "scipy", "sklearn"})

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Find nothing; for a hidden package, raise that it is not installed."""
        del path, target
        if name in self._OPTIONAL and threading.get_ident() == self._thread:
            # Returning None would leave the package to the next finder.
            raise ModuleNotFoundError(f"{name} is hidden from Keras", name=name)


@contextmanager
def _python_writes_to(descriptor: int) -> Iterator[None]:
    """Let `sys.stderr` write to another descriptor, if it writes to 2."""
    before = sys.stderr
    try:
        direct = before.fileno() == 2
    except (OSError, ValueError):  # a stream in memory, as in tests
        direct = False
    if not direct:
        yield
        return
    # Another thread may still use the stream, so it is never closed.
    sys.stderr = open(  # noqa: SIM115
        os.dup(descriptor),
        "w",
        buffering=1,
        encoding=before.encoding,
        errors=before.errors,
        closefd=False,
    )
    try:
        yield
    finally:
        sys.stderr = before
