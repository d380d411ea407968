"""Connections: requests that take too long, or have endless headers, end them.

uvicorn waits for the headers and the body of a request as long as the client likes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from embedclf.serving.requests import LATE

if TYPE_CHECKING:
    import asyncio

_MAX_HEADER = 1 << 16
"""Bytes in which neither headers end nor a body continues; then they can only be an attack."""


class Connection(HttpToolsProtocol):
    """A connection of a client, whose requests must each arrive within some seconds."""

    def __init__(self, timeout: float, **values: Any) -> None:
        super().__init__(**values)
        self._timeout = timeout
        self._started: float | None = None
        """When the request began that has not arrived completely."""
        self._reads_headers = True
        self._idle_bytes = 0
        """Received since something was made of them."""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time of the first request."""
        super().connection_made(transport)
        self._started = self.loop.time()
        self._timer = self.loop.call_later(self._timeout, self._check_time)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the time."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read bytes; refuse endless ones."""
        self._idle_bytes += len(data)
        super().data_received(data)
        if self._idle_bytes > _MAX_HEADER and not self.transport.is_closing():
            self._refuse(b"431 Request Header Fields Too Large", b"the headers are too large")

    def on_message_begin(self) -> None:
        """Start the time of a request."""
        super().on_message_begin()
        self._started, self._reads_headers, self._idle_bytes = self.loop.time(), True, 0

    def on_headers_complete(self) -> None:
        """Start to answer a request."""
        super().on_headers_complete()
        self._reads_headers, self._idle_bytes = False, 0

    def on_body(self, body: bytes) -> None:
        """Add a part of a body."""
        super().on_body(body)
        self._idle_bytes = 0

    def on_message_complete(self) -> None:
        """Stop the time of a request."""
        super().on_message_complete()
        self._started, self._idle_bytes = None, 0

    def send_400_response(self, msg: str) -> None:
        """Refuse bytes that are no request, as the other faults are refused."""
        del msg
        self._refuse(b"400 Bad Request", b"the request is not valid HTTP")

    def _check_time(self) -> None:
        """End a request that is late, or look again when the present one would be."""
        seconds = self._timeout
        # Nothing is read while another request of this connection is answered
        if self._started is not None and not self.pipeline:
            seconds += self._started - self.loop.time()
        if seconds > 0:
            self._timer = self.loop.call_later(seconds, self._check_time)
        elif self._reads_headers:
            self._refuse(b"408 Request Timeout", b"the headers took too long")
        elif self.cycle.response_complete:
            self.transport.close()
        else:  # the endpoint that waits for the body answers
            self.scope["state"][LATE] = True
            self.cycle.message_event.set()

    def _refuse(self, status: bytes, fault: bytes) -> None:
        """Answer what no endpoint can answer, and close the connection."""
        if self._reads_headers or not self.cycle.response_started:
            lines = [b"HTTP/1.1 " + status, b"content-type: application/json"]
            lines += [b"content-length: %d" % (len(fault) + 13), b"connection: close", b""]
            self.transport.write(b"\r\n".join([*lines, b'{"error": "%s"}' % fault]))
        self.transport.close()
