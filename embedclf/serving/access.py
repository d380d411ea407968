"""Around every request: its id, its token, its line in the log, and an answer to any failure."""

from __future__ import annotations

import hmac
import logging
import re
import time
import traceback
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedclf.serving.answers import error_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from embedclf.serving.metrics import Metrics

LOG = logging.getLogger("embedclf.serving")

OTHER_PATH = "other"
"""Stands for a path that does not exist: it could hold anything, also a text."""

_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True)
class Access:
    """ASGI middleware."""

    app: ASGIApp
    metrics: Metrics
    names: Mapping[Any, str]
    """The path of each endpoint, for the log."""
    token: str | None
    open_paths: frozenset[str]
    """Paths that need no token."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and log it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, headers = time.perf_counter(), dict(scope["headers"])
        request_id = _request_id(headers.get(b"x-request-id", b""))
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        try:
            if self._is_allowed(scope, headers.get(b"authorization", b"")):
                await self.app(scope, receive, send_with_id)
            else:
                fault = "a token is needed: send the header Authorization: Bearer TOKEN"
                refusal = error_answer(
                    401, fault, request_id, headers={"WWW-Authenticate": "Bearer"}
                )
                await refusal(scope, receive, send_with_id)
        except Exception as error:  # noqa: BLE001 - one failure must not end the service
            _log_failure(error, request_id)
            if not status:
                failure = error_answer(500, "the service failed; see its log", request_id)
                await failure(scope, receive, send_with_id)
        finally:
            self._log_request(scope, status, time.perf_counter() - started)

    def _is_allowed(self, scope: Scope, authorization: bytes) -> bool:
        if self.token is None:
            return True
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path in self.open_paths:
            return True
        scheme, _, token = authorization.partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(
            token.strip(), self.token.encode()
        )

    def _log_request(self, scope: Scope, status: int, seconds: float) -> None:
        path = self.names.get(scope.get("endpoint"), OTHER_PATH)
        self.metrics.count_request(path, status, seconds)
        client = scope.get("client")
        line = {
            "request_id": scope["state"]["request_id"],
            "client": client[0] if client else None,
            "method": scope["method"] if scope["method"].isalpha() else OTHER_PATH,
            "path": path,
            "status": status,
            "seconds": round(seconds, 6),
            **{key: scope["state"][key] for key in ("run", "rows") if key in scope["state"]},
        }
        LOG.info(line)


def _request_id(sent: bytes) -> str:
    """Return the id that the client or a proxy sent, or a new one."""
    return sent.decode() if _ID.fullmatch(sent) else uuid.uuid4().hex


def _log_failure(error: Exception, request_id: str) -> None:
    """Log where the program failed. The message of the error could quote a text."""
    frames = traceback.extract_tb(error.__traceback__)
    line = {
        "request_id": request_id,
        "error": type(error).__name__,
        "frames": [f"{frame.filename}:{frame.lineno}" for frame in frames],
    }
    LOG.error(line)
