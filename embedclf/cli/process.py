"""What the command line does to its own process, and a library must not do to its host's."""

from __future__ import annotations

import gc
import logging
import os
import sys
import tempfile
import threading
from contextlib import contextmanager, suppress
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOW_LOGS = "EMBEDCLF_TF_LOGS"
"""If it is set in the environment, TensorFlow's logs are shown."""

IMPORT_THREAD = "import TensorFlow"
"""The name of the thread that imports it."""

_SWITCH_SECONDS = 2e-4
"""How long Python lets a thread compute while others wait for it. At 5 ms, its default, the many
short calls that prepare rows wait for the imports: 8.7 s instead of 7.6 s for half a million."""


@contextmanager
def tensorflow_ahead(*, show_logs: bool) -> Iterator[None]:
    """Import TensorFlow and Keras in a thread, while the command reads its data.

    Whoever imports them meanwhile waits for that thread. If the import fails, it is tried again,
    and its error raised, where TensorFlow is needed.

    Args:
        show_logs: Whether to show what TensorFlow logs; `EMBEDCLF_TF_LOGS` shows it, too.
    """
    # Keras reads it once, when it is imported.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    hides_logs = not (show_logs or os.environ.get(SHOW_LOGS))
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    if "keras" not in sys.modules:
        # A daemon, so a command that fails early does not wait for the import.
        threading.Thread(
            target=_import_tensorflow, args=(hides_logs,), name=IMPORT_THREAD, daemon=True
        ).start()
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back what native code writes to standard error, unless the block fails.

    TensorFlow writes some lines before it reads its log level, so that only the file descriptor
    can hold them back (https://github.com/tensorflow/tensorflow/issues/100442). What Python writes
    meanwhile, in this thread or another, is shown.
    """
    # Without standard error, descriptor 2 may belong to any file.
    if sys.stderr is None:
        yield
        return
    # What Python has buffered must not end up among the held-back lines.
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


@contextmanager
def light_imports() -> Iterator[None]:
    """Import without packages that Keras only offers to work with, and without garbage collection.

    Keras imports scikit-learn (with SciPy), pandas and matplotlib where they are installed. This
    program needs none of that, and without them TensorFlow is ready in 1.9 s instead of 2.8 s.
    Only this thread does without. Garbage collection during the import takes another 0.2 s.
    """
    hidden, collects = _Hidden(), gc.isenabled()
    sys.meta_path.insert(0, hidden)  # ahead of the finders that would succeed
    gc.disable()
    try:
        yield
    finally:
        sys.meta_path.remove(hidden)
        gc.freeze()  # imported modules stay, so the collector need not look at them ever again
        if collects:
            gc.enable()


def _import_tensorflow(hides_logs: bool) -> None:
    """Import TensorFlow and Keras and set what must be set before TensorFlow runs."""
    # Whoever needs TensorFlow imports it again, and gets the error.
    with suppress(Exception):
        if not hides_logs:
            _start_tensorflow()
            return
        # Fatal errors only; the native library reads the level when it is loaded.
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        with quiet():
            _start_tensorflow()
        logging.getLogger("tensorflow").setLevel(logging.ERROR)


def _start_tensorflow() -> None:
    with light_imports():
        import keras  # noqa: F401 - in this order: Keras imports TensorFlow
        import tensorflow as tf
    # A step is too small to be shared: the classic network made 149,000 rows a second in one thread
    # and 115,000 in two. The other cores prepare rows, count, import and write.
    with suppress(RuntimeError):  # TensorFlow runs already
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.list_physical_devices()  # logs what it misses, when it looks first


class _Hidden(MetaPathFinder):
    """Hides optional packages from what one thread imports."""

    _OPTIONAL = frozenset({"matplotlib", "pandas", "scipy", "sklearn"})

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Find nothing, or raise that there is nothing."""
        del path, target
        if name in self._OPTIONAL and threading.get_ident() == self._thread:
            # Returning None would leave the package to the next finder.
            raise ModuleNotFoundError(f"{name} is hidden from Keras", name=name)


@contextmanager
def _python_writes_to(descriptor: int) -> Iterator[None]:
    """Let `sys.stderr` write to a descriptor, if it wrote to standard error's."""
    before = sys.stderr
    try:
        direct = before.fileno() == 2
    except (OSError, ValueError):  # a stream in memory, as tests have it
        direct = False
    if not direct:
        yield
        return
    # Another thread may hold the stream for a moment longer, so it is never closed.
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
