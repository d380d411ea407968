"""Copies of somebody's data that do not outlive the process, however it ends."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from embedclf.system.publishing.drafts import draft_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

_DESCRIPTORS = Path("/proc/self/fd")
"""Where Linux has links to open files; each opens the file again."""


@contextmanager
def private_file(suffix: str) -> Iterator[tuple[str, IO[bytes]]]:
    """Create a temporary file that can be read by a name.

    On Linux, the file itself has no name, so nothing of it remains if the process is killed. The
    name is a link in a private directory.

    Args:
        suffix: Of the name, such as `.csv`.

    Yields:
        The name, and the file, open for writing.
    """
    with private_directory() as directory:
        name = directory / f"copy{suffix}"
        if not _DESCRIPTORS.is_dir():
            with name.open("wb") as file:
                yield str(name), file
            return
        with tempfile.TemporaryFile() as nameless:
            name.symlink_to(_DESCRIPTORS / str(nameless.fileno()))
            yield str(name), nameless


@contextmanager
def private_directory() -> Iterator[Path]:
    """Create a temporary directory that only this user can read, and remove it at the end.

    If the process is killed, the next one that creates such a directory removes it.
    """
    with draft_directory(Path(tempfile.gettempdir())) as directory:
        directory.chmod(0o700)
        yield directory
