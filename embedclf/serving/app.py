"""The application: endpoints, and what surrounds them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.routing import Route, Router

from embedclf.serving.access import Access
from embedclf.serving.endpoints import Endpoints
from embedclf.serving.metrics import Metrics
from embedclf.serving.served_runs import ServedRuns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from embedclf.serving.settings import Settings

_REFRESH_SECONDS = 2.0


def create_app(settings: Settings) -> Access:
    """Load the runs, and create the application.

    Raises:
        RunError: A run cannot be loaded.
        RequestError: Two runs have the same name.
    """
    metrics = Metrics()
    endpoints = Endpoints(settings, ServedRuns(settings.runs), metrics)
    routes = [
        Route("/predict", endpoints.predict, methods=["POST"]),  # looked for most often
        Route("/", endpoints.page),
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
    # A redirect would trust the Host header
    router = Router(routes, redirect_slashes=False, lifespan=lambda _app: _watch(endpoints))
    names = {route.endpoint: route.path for route in routes}
    return Access(router, settings, metrics, names)


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
