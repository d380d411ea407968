"""Files and directories that are either complete or absent; their SHA-256."""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import shutil
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from embedclf.errors import DataError
from embedclf.system.progress import activity
from embedclf.system.storage import is_uri, open_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_CHUNK_BYTES = 1 << 21
"""Bytes to read at once from a store."""

DRAFT_PREFIX = ".draft-"
"""How the name of an unfinished directory begins."""


@contextmanager
def draft_directory(parent: Path) -> Iterator[Path]:
    """Create a hidden directory in `parent`, which is removed at the end unless it was renamed.

    Raises:
        OSError: The parent cannot be created or written to.
    """
    # Innermost first, the order in which they can be removed.
    created = [directory for directory in (parent, *parent.parents) if not directory.exists()]
    # Named before it exists: Ctrl-C right after mkdir must still remove it.
    draft = parent / f"{DRAFT_PREFIX}{_random_suffix()}"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        draft.mkdir()
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)  # no effect once renamed
        with suppress(OSError):  # directories that are not empty stay
            for directory in created:
                directory.rmdir()


def publish_directory(draft: Path, target: Path) -> bool:
    """Rename a draft to its final name, once all of its files are on disk.

    Returns:
        False if `target` already exists; the draft is then unchanged.
    """
    # Contents first: a power failure must not leave a final name without contents.
    for file in draft.rglob("*"):
        _sync(file)
    _sync(draft)
    # On POSIX, rename would silently replace an existing empty directory.
    if target.exists():
        return False
    try:
        draft.rename(target)
    except OSError:  # another process can create the target in between
        if target.exists():
            return False
        raise
    # The rename itself is on disk only once its directory is.
    _sync(target.parent)
    return True


@contextmanager
def draft_file(
    target: Path, mode: str = "wb", *, durable: bool = True, **options: Any
) -> Iterator[Any]:
    """Open a hidden file next to `target` that replaces it when the block succeeds.

    Pipes and devices are written to directly.

    Args:
        target: The file to write.
        mode: As for `open`.
        durable: Whether the file must survive a power failure, not only the end of the process.
        **options: For `open`.

    Raises:
        OSError: The directory, or the existing file, cannot be written to.
    """
    target = target.resolve()  # keeps a symbolic link and replaces the file it points to
    if target.exists() and not target.is_file():
        with target.open(mode, **options) as file:
            yield file
        return
    # Replacing needs no permission for the file itself, so read-only files are refused here.
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
    draft = target.with_name(f".{target.name}.{_random_suffix()}")
    try:
        with draft.open(mode.replace("w", "x"), **options) as file:
            if target.exists():
                # Otherwise the new file would lose the permissions of the old one.
                draft.chmod(stat.S_IMODE(target.stat().st_mode))
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        # Outside the block: Windows cannot rename an open file.
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def write_text(target: Path, chunks: Iterable[str]) -> None:
    """Write chunks of text as UTF-8; the file appears once all of them are written.

    Raises:
        DataError: The file cannot be written.
    """
    write_bytes(target, (chunk.encode() for chunk in chunks))


def write_bytes(target: Path, chunks: Iterable[bytes]) -> None:
    """Write chunks of bytes, like `write_text`."""
    try:
        with draft_file(target) as file:
            file.writelines(chunks)
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error.strerror}") from error


def create_text(target: Path, text: str) -> None:
    """Write a text as UTF-8 to a file that must not exist yet.

    An empty file reserves the name first. It is created atomically: of two simultaneous writers,
    one is refused.

    Raises:
        DataError: The file already exists or cannot be written.
    """
    if target.exists() and not (target.is_file() or target.is_dir()):
        write_text(target, [text])  # a pipe or a device
        return
    try:
        target.open("x").close()
    except FileExistsError as error:
        raise DataError(f"{target}: already exists; name another file, or move it") from error
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error.strerror}") from error
    try:
        write_text(target, [text])
    except BaseException:  # Ctrl-C must not leave the empty file behind
        target.unlink()
        raise


def map_file(path: Path) -> tuple[memoryview, tuple[int, ...]]:
    """Map a file into memory, where its pages are read when they are used.

    Returns:
        The content, and values that differ if the file is written again later.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
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


def _random_suffix() -> str:
    """Return a suffix that no other process has."""
    return os.urandom(8).hex()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
