"""Around every request: its id, its token, its line in the log, and an answer to any failure."""

from __future__ import annotations

import hmac
import re
import secrets
import time
import traceback
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException

from embedclf.serving.answers import error_answer
from embedclf.serving.log import log
from embedclf.serving.requests import RefusedRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from embedclf.serving.metrics import Metrics
    from embedclf.serving.settings import Settings

OPEN_PATHS = frozenset(
    {"/", "/docs", "/openapi.json"}
    | {f"{version}/health/{state}" for version in ("", "/v2") for state in ("live", "ready")}
)
"""They show no predictions, and browsers and probes ask for them without a token."""

OTHER_PATH = "other"
"""Stands for a path that does not exist: it could hold anything, also a text."""

_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class Access:
    """ASGI middleware."""

    def __init__(
        self, app: ASGIApp, settings: Settings, metrics: Metrics, names: Mapping[Any, str]
    ) -> None:
        """Surround an application.

        Args:
            app: What answers the requests.
            settings: Who may ask, and how many at once.
            metrics: Where requests are counted.
            names: The path of each endpoint, for the log.
        """
        self._app, self._settings = app, settings
        self._metrics, self._names = metrics, names
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, headers = time.perf_counter(), dict(scope["headers"])
        request_id = _request_id(headers.get(b"x-request-id", b""))
        scope.setdefault("state", {})["request_id"] = request_id
        scope["app"] = self._app  # so that a router raises what is wrong with a path
        status = 0
        self._running += 1

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
            self._check(scope, headers)
            await self._app(scope, receive, send_with_id)
        except Exception as error:  # noqa: BLE001 - one failure must not end the service
            if not isinstance(error, RefusedRequest | HTTPException):
                _log_failure(error, request_id)
            if not status:
                await error_answer(error, request_id)(scope, receive, send_with_id)
        finally:
            self._running -= 1
            self._log_request(scope, status, time.perf_counter() - started)

    def _check(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        """Check who asks, and how many do.

        Raises:
            RefusedRequest: 421 for a foreign host name, 401 without the token, 503 if too many
                requests are being answered.
        """
        hosts, token = self._settings.hosts, self._settings.token
        if hosts is not None and not _is_own(headers.get(b"host", b""), hosts):
            fault = "the service has another name; serve it with --allowed-host"
            raise RefusedRequest(421, fault, "Host")
        if scope["path"].removeprefix(scope.get("root_path", "")) in OPEN_PATHS:
            return
        if token is not None and not _has_token(headers.get(b"authorization", b""), token):
            fault = "a token is needed: send the header Authorization: Bearer TOKEN"
            raise RefusedRequest(401, fault)
        if self._running > self._settings.limits.max_requests:
            raise RefusedRequest(503, "too many requests at once; send this one again later")

    def _log_request(self, scope: Scope, status: int, seconds: float) -> None:
        path = self._names.get(scope.get("endpoint"), OTHER_PATH)
        self._metrics.count_request(path, status, seconds)
        client, state = scope.get("client"), scope["state"]
        log(
            request_id=state["request_id"],
            client=client[0] if client else None,
            method=scope["method"] if scope["method"].isalpha() else OTHER_PATH,
            path=path,
            status=status,
            seconds=round(seconds, 6),
            **({"run": state["run"], "rows": state["rows"]} if "run" in state else {}),
        )


@lru_cache(maxsize=64)
def _is_own(host: bytes, hosts: frozenset[str]) -> bool:
    """Return whether a Host header has an address, or one of some names.

    A page of another site can reach a service on 127.0.0.1 by a name of its own (DNS rebinding).
    """
    with suppress(ValueError):
        name = urlsplit(f"//{host.decode('latin-1')}").hostname or ""
        return not host or name in hosts or bool(ip_address(name))
    return False


def _has_token(authorization: bytes, token: str) -> bool:
    scheme, _, sent = authorization.partition(b" ")
    is_right = hmac.compare_digest(sent.strip(), token.encode())
    return is_right and scheme.lower() == b"bearer"


def _request_id(sent: bytes) -> str:
    """Return the id that the client or a proxy sent, or a new one."""
    return sent.decode() if _ID.fullmatch(sent) else secrets.token_hex(16)


def _log_failure(error: Exception, request_id: str) -> None:
    """Log where the program failed. The message of the error could quote a text."""
    frames = traceback.extract_tb(error.__traceback__)
    log(
        request_id=request_id,
        error=type(error).__name__,
        frames=[f"{frame.filename}:{frame.lineno}" for frame in frames],
    )
