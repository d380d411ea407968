"""Answers: JSON, also for errors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping


def json_answer(
    value: Any, status: int = 200, *, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a value as JSON."""
    content = json.dumps(value, ensure_ascii=False).encode()
    return Response(content, status, headers, "application/json")


def error_answer(
    status: int,
    message: str,
    request_id: str,
    *,
    field: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return what was wrong with a request, and in which field."""
    value = {"error": message, "request_id": request_id}
    if field is not None:
        value["field"] = field
    return json_answer(value, status, headers=headers)
