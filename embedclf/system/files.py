"""Files: mapped into memory, and their SHA-256."""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import stat
from typing import TYPE_CHECKING, Any

from embedclf.system.progress import activity
from embedclf.system.storage import is_uri, open_file

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK_BYTES = 1 << 21
"""Bytes to read at once from a store."""


def map_file(path: Path) -> tuple[memoryview, tuple[int, ...]]:
    """Map a file into memory, where its pages are read when they are used.

    Returns:
        The content, and values that differ if the file is written again later.

    Raises:
        OSError: The file cannot be read, or is a pipe or a device.
    """
    with open(path, "rb", opener=_open_at_once) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        state = (status.st_ino, status.st_size, status.st_mtime_ns)
        if not status.st_size:  # an empty file cannot be mapped
            return memoryview(b""), state
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)), state


def sha256(*paths: Path) -> str:
    """Return the SHA-256 of a file, or of several files concatenated, in hexadecimal."""
    digest = hashlib.sha256()
    for path in paths:
        with activity(f"hashing {path.name}"):
            update_digest(digest, str(path))
    return digest.hexdigest()


def update_digest(digest: Any, location: str) -> None:
    """Add the content of a file, local or in a store, to a hash."""
    if not is_uri(location):
        with open(location, "rb") as file:
            # It asks for a new hash for each file; the same one chains them.
            hashlib.file_digest(file, lambda: digest)
        return
    with open_file(location) as stored:
        while chunk := stored.read(_CHUNK_BYTES):
            digest.update(chunk)


def _open_at_once(path: str, flags: int) -> int:
    """Open a file for reading, without waiting for the writer of a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
