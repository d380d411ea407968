"""Temporary files that are mapped into memory.

The operating system can drop and reload the pages of mapped files, so they do not fill the memory.
A `tempfile.TemporaryFile` has no name, so nothing remains even after a crash.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from typing import IO
from weakref import WeakValueDictionary

import pyarrow as pa

_mapped: WeakValueDictionary[int, pa.Buffer] = WeakValueDictionary()
"""The mapped files that are still in use, by their addresses."""


def map_file(file: IO[bytes]) -> pa.Buffer:
    """Map a file into memory, to be read; it can be closed after that.

    By Arrow, because `mmap.mmap` keeps a descriptor. Of these, macOS allows 256 by default, and a
    table can have hundreds of label columns.
    """
    file.flush()
    size, name = os.fstat(file.fileno()).st_size, f"/dev/fd/{file.fileno()}"
    if not size:
        return pa.py_buffer(b"")
    if not os.path.exists(name):  # as on Windows
        return pa.py_buffer(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ))
    # By its descriptor, since the file has no name of its own.
    with pa.memory_map(name) as opened:
        buffer = opened.read_buffer()
    _mapped[buffer.address] = buffer
    return buffer


def release_pages(buffer: pa.Buffer, end: int) -> None:
    """Drop the pages of a mapped file up to a byte; they are read again if they are used.

    The system drops them only when memory is short, so they would count as memory of the process.
    """
    if hasattr(mmap, "MADV_DONTNEED") and end:
        address, size = ctypes.c_void_p(buffer.address), ctypes.c_size_t(end)
        ctypes.CDLL(None).madvise(address, size, mmap.MADV_DONTNEED)


def release_mapped_files() -> None:
    """Drop the pages of all mapped files."""
    for buffer in [*_mapped.values()]:
        release_pages(buffer, buffer.size)
