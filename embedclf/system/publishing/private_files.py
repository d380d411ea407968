"""Copies of somebody's data that do not outlive the process, however it ends."""

from __future__ import annotations

import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from embedclf.system.publishing.drafts import draft_directory

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def private_file(suffix: str) -> Iterator[tuple[str, IO[bytes]]]:
    """Create a temporary file that can be read by a name.

    On Linux, the file itself has no name, so nothing of it remains if the process is killed. The
    name is a link in a folder that the next process removes.

    Args:
        suffix: Of the name, such as `.csv`.

    Yields:
        The name, and the file, open for writing.
    """
    if sys.platform != "linux":
        with tempfile.NamedTemporaryFile(suffix=suffix) as file:
            yield file.name, file
        return
    folder = Path(tempfile.gettempdir())
    with tempfile.TemporaryFile() as nameless, draft_directory(folder) as draft:
        link = draft / f"copy{suffix}"
        link.symlink_to(f"/proc/self/fd/{nameless.fileno()}")
        yield str(link), nameless
