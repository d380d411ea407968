"""The limit of the address space, as `ulimit -v` sets it."""

from __future__ import annotations

import os

from embedclf.errors import EmbedclfError

_COMMAND_BYTES = 500 << 20

_TENSORFLOW_BYTES = 2250 << 20


def require_memory(*, tensorflow: bool = False) -> None:
    """Stop if the address space is limited too much; call it before Arrow is imported.

    Below these sizes, libraries abort in native code. Under any limit, Arrow reserves no memory
    ahead: its own allocator takes 1 GiB, which threads then lack.

    Args:
        tensorflow: Whether TensorFlow is needed, too.

    Raises:
        EmbedclfError: The limit is below what embedclf or TensorFlow needs.
    """
    limit = _address_space()
    if limit is None:
        return
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    needed = _TENSORFLOW_BYTES if tensorflow else _COMMAND_BYTES
    if limit < needed:
        raise EmbedclfError(
            f"not enough memory{' for TensorFlow' if tensorflow else ''}: the limit is "
            f"{limit >> 20:,} MB, and it needs {needed >> 20:,}; raise it: ulimit -v unlimited"
        )


def _address_space() -> int | None:
    """Return how many bytes of addresses the process may use; None if there is no limit."""
    try:
        import resource
    except ImportError:  # on Windows
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit
