"""The application: endpoints, and what surrounds them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from embedclf.serving.access import Access
from embedclf.serving.answers import error_answer
from embedclf.serving.endpoints import Endpoints
from embedclf.serving.metrics import Metrics
from embedclf.serving.requests import RefusedRequest
from embedclf.serving.served_runs import ServedRuns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response

    from embedclf.serving.settings import Settings

_REFRESH_SECONDS = 2.0

_OPEN_PATHS = frozenset(
    {"/", "/docs", "/openapi.json"}
    | {f"{version}/health/{state}" for version in ("", "/v2") for state in ("live", "ready")}
)
"""They show no predictions, and browsers and probes ask for them without a token."""


def create_app(settings: Settings) -> Access:
    """Load the runs, and create the application.

    Raises:
        RunError: A run cannot be loaded.
        RequestError: Two runs have the same name.
    """
    metrics = Metrics()
    endpoints = Endpoints(settings, ServedRuns(settings.runs), metrics)
    routes = [
        Route("/", endpoints.page),
        Route("/predict", endpoints.predict, methods=["POST"]),
        Route("/docs", endpoints.docs),
        Route("/openapi.json", endpoints.openapi),
        Route("/metrics", endpoints.metrics_text),
        Route("/health/live", endpoints.live),
        Route("/health/ready", endpoints.ready),
        Route("/v2", endpoints.server_metadata),
        Route("/v2/health/live", endpoints.v2_live),
        Route("/v2/health/ready", endpoints.v2_ready),
        Route("/v2/models/{name}", endpoints.model_metadata),
        Route("/v2/models/{name}/ready", endpoints.model_ready),
        Route("/v2/models/{name}/infer", endpoints.infer, methods=["POST"]),
    ]
    app = Starlette(
        routes=routes, exception_handlers=_HANDLERS, lifespan=lambda _app: _watch(endpoints)
    )
    app.router.redirect_slashes = False  # a redirect would trust the Host header
    names = {route.endpoint: route.path for route in routes}
    return Access(app, metrics, names, settings.token, _OPEN_PATHS)


@asynccontextmanager
async def _watch(endpoints: Endpoints) -> AsyncIterator[None]:
    """Look for newer runs as long as the service runs."""

    async def refresh() -> None:
        while True:
            await asyncio.sleep(_REFRESH_SECONDS)
            await endpoints.refresh()

    task = asyncio.create_task(refresh())
    try:
        yield
    finally:
        task.cancel()


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedRequest)  # noqa: S101 - for the type
    return error_answer(
        error.status,
        str(error),
        request.state.request_id,
        field=error.field,
        headers={"Connection": "close"} if error.status in {408, 413} else None,
    )


async def _answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - for the type
    faults = {404: "there is no such path", 405: "the path does not allow this method"}
    fault = faults.get(error.status_code, error.detail)
    request_id = request.state.request_id
    return error_answer(error.status_code, fault, request_id, headers=error.headers)


async def _answer_failure(request: Request, _error: Exception) -> Response:
    return error_answer(500, "the service failed; see its log", request.state.request_id)


_HANDLERS = {
    RefusedRequest: _refuse,
    HTTPException: _answer_http_error,
    Exception: _answer_failure,
}
