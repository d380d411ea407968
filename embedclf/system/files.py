"""Files and folders that are whole or absent; their SHA-256."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from embedclf.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    Made = TypeVar("Made")

DRAFT = ".draft-"
"""How the name of an unfinished folder begins."""


@contextmanager
def draft_folder(parent: Path) -> Iterator[Path]:
    """Give a new hidden folder in `parent`; it is gone at the end unless it was renamed.

    Raises:
        OSError: The parent cannot be made or written to.
    """
    made = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    folder = parent / f"{DRAFT}{_chance()}"  # known before it is there, so that Ctrl-C loses none
    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # those that hold something stay
            for empty in made:
                empty.rmdir()


def publish_folder(draft: Path, target: Path) -> bool:
    """Give a draft its name, all of its files on disk first.

    Returns:
        False where `target` is taken already; the draft is then as it was.
    """
    for file in draft.rglob("*"):
        _sync(file)
    _sync(draft)
    if target.exists():
        return False
    try:
        draft.rename(target)
    except OSError:
        if target.exists():
            return False
        raise
    _sync(target.parent)
    return True


@contextmanager
def draft_file(
    target: Path, mode: str = "wb", *, durable: bool = True, **options: Any
) -> Iterator[Any]:
    """Open a hidden file beside `target` that takes its place when the block ends well.

    A pipe or a device is written to itself. Unless it is to be durable, a loss of power may take
    what was written; the end of a process does not.

    Raises:
        OSError: The folder, or the file that is there, cannot be written to.
    """
    target = target.resolve()  # a link stays, what it names is replaced
    if target.exists() and not target.is_file():
        with target.open(mode, **options) as file:  # a pipe or a device takes what comes
            yield file
        return
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
    draft = target.with_name(f".{target.name}.{_chance()}")
    try:
        with draft.open(mode.replace("w", "x"), **options) as file:
            if target.exists():
                draft.chmod(stat.S_IMODE(target.stat().st_mode))
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def write_text(target: Path, parts: Iterable[str]) -> None:
    """Write a text in parts, as UTF-8; it is there, whole, when all of them are.

    Raises:
        DataError: The file cannot be written.
    """
    write_bytes(target, (part.encode() for part in parts))


def write_bytes(target: Path, parts: Iterable[bytes]) -> None:
    """Write bytes in parts; they are there, whole, when all of them are; raises as `write_text`."""
    try:
        with draft_file(target) as file:
            file.writelines(parts)
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error.strerror}") from error


def create_text(target: Path, text: str) -> None:
    """Write a text, as UTF-8, where nothing is yet; it is there, whole, or not at all.

    The empty file that takes the name first is made by the system or refused by it, so that of two
    who write at once one is refused.

    Raises:
        DataError: Something is there already, or the file cannot be written.
    """
    if target.exists() and not (target.is_file() or target.is_dir()):
        write_text(target, [text])  # a pipe or a device takes what comes
        return
    try:
        target.open("x").close()
    except FileExistsError as error:
        raise DataError(f"{target}: is there already; name another file, or move it") from error
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error.strerror}") from error
    try:
        write_text(target, [text])
    except BaseException:
        target.unlink()
        raise


def _chance() -> str:
    """A part of a name that nothing else has."""
    return os.urandom(8).hex()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256(*paths: Path) -> str:
    """SHA-256 of a file, or of several one behind the other, in hexadecimal."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            hashlib.file_digest(file, lambda: digest)
    return digest.hexdigest()
