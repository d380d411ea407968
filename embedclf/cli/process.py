"""Changes to the process that the command line makes, and a library must not make."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

from embedclf.model.tensorflow_import import import_tensorflow, shows_logs
from embedclf.system.memory.limit import require_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    hides_logs = not (show_logs or shows_logs())
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


def _import_tensorflow(hides_logs: bool) -> None:
    """Import TensorFlow and Keras, and let TensorFlow look for devices."""
    # Code that needs TensorFlow imports it again, and gets the error
    with suppress(Exception):
        import_tensorflow(hides_logs=hides_logs)
