"""Files and directories that are written beside their place, and appear once they are complete."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import tempfile
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from embedclf.errors import DataError
from embedclf.system.publishing.ownership import (
    make_owned,
    open_owned,
    opened,
    random_suffix,
    sweep,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

DRAFT_PREFIX = ".draft-"
"""How the name of an unfinished directory begins."""


@contextmanager
def draft_directory(parent: Path) -> Iterator[Path]:
    """Create a hidden directory in `parent`, which is removed at the end unless it was renamed.

    Directories that killed processes left there are removed first.

    Raises:
        OSError: The parent cannot be created or written to.
    """
    # Innermost first, the order in which they can be removed.
    created = [directory for directory in (parent, *parent.parents) if not directory.exists()]
    # Named before it exists: Ctrl-C right after mkdir must still remove it.
    draft, handle = parent / f"{DRAFT_PREFIX}{random_suffix()}", None
    try:
        parent.mkdir(parents=True, exist_ok=True)
        sweep(parent, DRAFT_PREFIX)
        handle = make_owned(draft)
        yield draft
    finally:
        if handle is not None:
            os.close(handle)
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
    target: Path, mode: str = "wb", *, durable: bool = True, seeks: bool = False, **options: Any
) -> Iterator[Any]:
    """Open a hidden file next to `target` that replaces it when the block succeeds.

    Pipes and devices are written to directly. What killed processes left is removed first.

    Args:
        target: The file to write.
        mode: As for `open`.
        durable: Whether the file must survive a power failure, not only the end of the process.
        seeks: Whether the writer needs random access; pipes and devices then get a copy at the end.
        **options: For `open`.

    Raises:
        OSError: The directory, or the existing file, cannot be written to.
    """
    # Before links are followed: that of /dev/stdout ends at a name without a file.
    if target.exists() and not target.is_file():
        with target.open(mode, **options) as stream:
            if not seeks:
                yield stream
                return
            with tempfile.TemporaryFile() as file:
                yield file
                file.seek(0)
                shutil.copyfileobj(file, stream)
        return
    target = _follow_links(target)  # keeps a symbolic link and replaces the file it points to
    # Replacing needs no permission for the file itself, so read-only files are refused here.
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
    sweep(target.parent, f".{target.name}.")
    draft = target.with_name(f".{target.name}.{random_suffix()}")
    try:
        with open_owned(draft, mode.replace("w", "x"), **options) as file:
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

    The file appears with its content: of two simultaneous writers, one is refused.

    Raises:
        DataError: The file already exists or cannot be written.
    """
    if target.exists() and not (target.is_file() or target.is_dir()):
        write_text(target, [text])  # a pipe or a device
        return
    try:
        _create(target, text.encode())
    except FileExistsError as error:
        raise DataError(f"{target}: already exists; name another file, or move it") from error
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error.strerror}") from error


def _follow_links(path: Path) -> Path:
    """Return the path that symbolic links lead to.

    Raises:
        OSError: They lead in a circle.
    """
    try:
        return path.resolve()
    except RuntimeError as error:  # as Python reports it before 3.13
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from error


def _create(target: Path, content: bytes) -> None:
    """Write a file that must not exist yet, complete from its first moment on.

    Raises:
        OSError: It exists, or cannot be written.
    """
    sweep(target.parent, f".{target.name}.")
    if target.exists():
        raise FileExistsError
    draft = target.with_name(f".{target.name}.{random_suffix()}")
    try:
        with open_owned(draft, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            try:
                os.link(draft, target)  # unlike a rename, it never replaces a file
            except FileExistsError:
                raise
            except OSError:  # a file system without links, such as that of a memory card
                with target.open("xb") as created:
                    created.write(content)
    finally:
        draft.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    # Windows syncs files that are open for writing only, and no directories.
    if sys.platform == "win32":
        return
    with opened(path) as handle:
        os.fsync(handle)
