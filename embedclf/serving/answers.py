"""Answers: JSON, also for requests that are refused or fail."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from embedclf.serving.requests import RefusedRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

_FAULTS = {404: "there is no such path", 405: "the path does not allow this method"}

_HEADERS = {
    401: {"WWW-Authenticate": "Bearer"},
    # The rest of the body would be read as the next request
    408: {"Connection": "close"},
    413: {"Connection": "close"},
    503: {"Retry-After": "1"},
}


def json_answer(
    value: Any, status: int = 200, *, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a value as JSON."""
    content = json.dumps(value, ensure_ascii=False).encode()
    return Response(content, status, headers, "application/json")


def error_answer(error: Exception, request_id: str) -> Response:
    """Return what was wrong with a request, and in which field; of a failure say nothing."""
    if isinstance(error, RefusedRequest):
        value = {"error": str(error), "request_id": request_id}
        value |= {} if error.field is None else {"field": error.field}
        return json_answer(value, error.status, headers=_HEADERS.get(error.status))
    if isinstance(error, HTTPException):  # of the router
        fault = _FAULTS.get(error.status_code, error.detail)
        value = {"error": fault, "request_id": request_id}
        return json_answer(value, error.status_code, headers=error.headers)
    return json_answer({"error": "the service failed; see its log", "request_id": request_id}, 500)
