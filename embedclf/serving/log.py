"""The log: a JSON object a line, on standard error."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec


def log(**values: Any) -> None:
    """Write a line: the time, then these values.

    A line takes a fifth of the time of `logging`, which counts in a request of one short text.
    """
    line = msgspec.json.encode({"time": datetime.now(UTC), **values})
    with suppress(OSError):  # a reader that has gone must not end the service
        sys.stderr.write(f"{line.decode()}\n")


def log_warnings_of_uvicorn() -> None:
    """Write the warnings and errors of the server, too."""
    logger = logging.getLogger("uvicorn.error")
    logger.handlers, logger.propagate = [_Lines()], False
    logger.setLevel(logging.WARNING)


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        log(message=record.getMessage().strip())
