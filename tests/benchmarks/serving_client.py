"""A client that sends requests at a rate, whatever time the answers take."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from dataclasses import dataclass, field

_CONNECTIONS = 8


@dataclass
class Answered:
    """What came back."""

    seconds: list[float] = field(default_factory=list)
    """From when each request was due to the end of its answer."""
    bodies: Counter[bytes] = field(default_factory=Counter)
    lost: int = 0
    """Requests without an answer of status 200."""


async def ask_at_rate(port: int, body: bytes, rate: float, count: int) -> Answered:
    """Send one request after another, each when it is due.

    A request that waits for a connection is late, and this time counts: else a slow answer would
    delay the requests after it, and hide what they wait (coordinated omission).

    Args:
        port: Of the server, on this computer.
        body: Of each request.
        rate: Requests per second.
        count: Requests.
    """
    answered, numbers = Answered(), iter(range(count))
    began = time.perf_counter()

    async def work() -> None:
        connection = await asyncio.open_connection("127.0.0.1", port)
        for number in numbers:
            due = began + number / rate
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
                due = time.perf_counter()  # a sleep ends some tenths of a millisecond late
            await _ask(connection, body, due, answered)
        connection[1].close()

    await asyncio.gather(*(work() for _ in range(_CONNECTIONS)))
    return answered


async def ask_together(port: int, body: bytes, count: int) -> Answered:
    """Send requests at once, each by a connection of its own."""
    answered = Answered()

    async def work() -> None:
        connection = await asyncio.open_connection("127.0.0.1", port)
        await _ask(connection, body, time.perf_counter(), answered)
        connection[1].close()

    await asyncio.gather(*(work() for _ in range(count)))
    return answered


async def _ask(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    body: bytes,
    due: float,
    answered: Answered,
) -> None:
    reader, writer = connection
    head = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % len(body)
    try:
        writer.write(head + body)
        headers = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", headers)
        received = await reader.readexactly(int(length[1]) if length else 0)
    except (OSError, asyncio.IncompleteReadError):
        answered.lost += 1
        return
    answered.lost += not headers.startswith(b"HTTP/1.1 200")
    answered.bodies[received] += 1
    answered.seconds.append(time.perf_counter() - due)
