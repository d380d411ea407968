"""Drafts that belong to a process: nobody else removes them before it ends, however it ends."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SUFFIX_BYTES = 8

_DO_NOT_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


def random_suffix() -> str:
    """Return a suffix that no other process has, and that `sweep` knows."""
    return os.urandom(_SUFFIX_BYTES).hex()


def make_owned(draft: Path) -> int | None:
    """Create a directory that is not swept before the returned handle is closed.

    Returns:
        The handle; None if the system locks no directories, and so nothing is swept.
    """
    while True:
        draft.mkdir(exist_ok=True)
        if sys.platform == "win32":
            return None
        with suppress(FileNotFoundError):  # swept before it was locked
            handle = os.open(draft, os.O_RDONLY)
            _own(handle, wait=True)
            if draft.exists():
                return handle
            os.close(handle)


def open_owned(draft: Path, mode: str, **options: Any) -> IO[Any]:
    """Create a file that is not swept before it is closed."""
    while True:
        file: IO[Any] = draft.open(mode, **options)
        _own(file.fileno(), wait=True)
        if draft.exists():
            return file
        file.close()


def sweep(directory: Path, prefix: str) -> None:
    """Remove the drafts whose names begin like this, and whose processes have ended."""
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.startswith(prefix) and _is_suffix(entry.name[len(prefix) :]):
                with suppress(OSError):
                    _remove_abandoned(entry)


def _remove_abandoned(entry: os.DirEntry[str]) -> None:
    with opened(entry.path, _DO_NOT_FOLLOW) as handle:
        if not _own(handle):
            return
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            os.unlink(entry.path)


@contextmanager
def opened(path: Path | str, flags: int = 0) -> Iterator[int]:
    """Open a file or directory for reading, without Python's buffers."""
    handle = os.open(path, os.O_RDONLY | flags)
    try:
        yield handle
    finally:
        os.close(handle)


def _own(handle: int, *, wait: bool = False) -> bool:
    """Lock an open file or directory until it is closed; return whether it is locked now.

    The system unlocks it when the process ends, however it ends. Where nothing can be locked, as on
    some network drives, nothing is ever swept.

    Args:
        handle: Of the file or directory.
        wait: Whether to wait for a process that has locked it to sweep it.
    """
    try:
        import fcntl
    except ImportError:  # on Windows
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _is_suffix(text: str) -> bool:
    return len(text) == 2 * _SUFFIX_BYTES and set(text) <= set("0123456789abcdef")
