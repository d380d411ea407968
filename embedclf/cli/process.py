"""Changes to the process that the command line makes, and a library must not make."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from embedclf.model.light_imports import light_imports
from embedclf.system.memory.limit import require_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOW_LOGS = "EMBEDCLF_TF_LOGS"
"""Environment variable that shows TensorFlow's logs."""

IMPORT_THREAD = "import TensorFlow"
"""Name of the thread that imports TensorFlow."""

_SWITCH_SECONDS = 2e-4
"""How long Python lets a thread run while others wait. With the default of 5 ms, the many short
calls that prepare rows wait for the imports: 8.7 s instead of 7.6 s for half a million rows."""


@contextmanager
def tensorflow_ahead(*, show_logs: bool) -> Iterator[None]:
    """Import TensorFlow and Keras in a thread, while the command reads its data.

    Other imports of them wait for that thread. If the import fails, the code that needs TensorFlow
    tries again, and gets the error.

    Args:
        show_logs: Whether to show TensorFlow's logs; `EMBEDCLF_TF_LOGS` shows them as well.

    Raises:
        EmbedclfError: The address space is too small for TensorFlow.
        ModuleNotFoundError: TensorFlow or Keras is not installed.
    """
    require_memory(tensorflow=True)
    for module in ("tensorflow", "keras"):
        if find_spec(module) is None:  # now, and not when the data has been read
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
    # Keras reads it once, at its import.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    hides_logs = not (show_logs or os.environ.get(SHOW_LOGS))
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    if "keras" not in sys.modules:
        # A daemon: a command that fails early doesn't wait for the import.
        threading.Thread(
            target=_import_tensorflow, args=(hides_logs,), name=IMPORT_THREAD, daemon=True
        ).start()
    try:
        yield
    finally:
        sys.setswitchinterval(before)


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
    with tempfile.TemporaryFile() as held:
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


def _import_tensorflow(hides_logs: bool) -> None:
    """Import TensorFlow and Keras, and configure TensorFlow before it runs."""
    # Code that needs TensorFlow imports it again, and gets the error.
    with suppress(Exception):
        if not hides_logs:
            _start_tensorflow()
            return
        # Fatal errors only; the native library reads the level at its load.
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        with quiet():
            _start_tensorflow()
        logging.getLogger("tensorflow").setLevel(logging.ERROR)


def _start_tensorflow() -> None:
    with light_imports():
        # It goes through a dictionary of types, to which those of TensorFlow are added. In another
        # thread at the same time, it would fail
        import_module("numpy.ma")
        import keras  # noqa: F401 - first, because Keras imports TensorFlow
        import tensorflow as tf
    tf.config.list_physical_devices()  # the first call logs missing libraries


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
