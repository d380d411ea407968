"""Locks between processes (goes with filelock).

SQLite locks files on every system that Python knows, waits for them, and loses none to a kill: no
process id that another may have by then, no time after which one is taken for dead.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PATIENCE = 0.5
"""Seconds that SQLite waits at a time, since meanwhile it heeds no Ctrl-C."""


@contextmanager
def held(file: Path) -> Iterator[None]:
    """Hold a lock, once no other process or thread does; Ctrl-C ends the waiting.

    Args:
        file: Stands for the lock; it is made, and may be removed when nobody needs it any more.

    Raises:
        OSError: It cannot be made.
    """
    with closing(_connected(file, seconds=_PATIENCE)) as connection:
        while not _taken(connection, file):
            pass
        yield


def is_held(file: Path) -> bool:
    """Whether a process holds a lock; none holds one without a file."""
    if not file.is_file():
        return False
    with closing(_connected(file, seconds=0.0)) as connection:
        try:
            return not _taken(connection, file)
        except PermissionError:
            return True


def remove(file: Path) -> None:
    """Remove a lock that nobody holds, and what a process that was killed left beside it."""
    for left in (file, file.with_name(f"{file.name}-journal")):
        left.unlink(missing_ok=True)


def _connected(file: Path, *, seconds: float) -> sqlite3.Connection:
    try:
        return sqlite3.connect(file, timeout=seconds, isolation_level=None)
    except sqlite3.OperationalError as error:
        raise PermissionError(13, str(error), str(file)) from error


def _taken(connection: sqlite3.Connection, file: Path) -> bool:
    """Whether the lock is now held here, or else by another."""
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:  # with or without details
            return False
        raise PermissionError(13, str(error), str(file)) from error
    return True
