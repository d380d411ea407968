"""What each path answers."""

from __future__ import annotations

import asyncio
import json
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import HTMLResponse, Response

from embedclf.serving import open_inference
from embedclf.serving.answers import json_answer
from embedclf.serving.pages.openapi import openapi_document, render_docs
from embedclf.serving.pages.page import PageRun, render_page
from embedclf.serving.requests import (
    InferRequest,
    PredictRequest,
    RefusedRequest,
    check_rows,
    decode,
    read_body,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from embedclf.serving.metrics import Metrics
    from embedclf.serving.served_run import ServedRun
    from embedclf.serving.served_runs import ServedRuns
    from embedclf.serving.settings import Settings

_SMALL_BODY = 1 << 13
"""Bytes of a request that is answered faster than it can be handed to a thread and back."""

_NO_FRAMES = {"Content-Security-Policy": "frame-ancestors 'none'"}

_PREDICT = msgspec.json.Decoder(PredictRequest)
_INFER = msgspec.json.Decoder(InferRequest)

_Answer = tuple[bytes, str, int]
"""A body, the name of the run, and the number of rows."""


class Endpoints:
    """Answers requests about some runs."""

    def __init__(self, settings: Settings, runs: ServedRuns, metrics: Metrics) -> None:
        self._limits = settings.limits
        self._runs = runs
        self._metrics = metrics
        # Scoring is limited by the cores, and more threads would take turns at them
        self._threads = ThreadPoolExecutor(os.cpu_count() or 1, "score")
        self._page = self._render_page()
        document = openapi_document(settings, runs.names)
        self._openapi = json.dumps(document).encode()
        self._docs = render_docs(document)

    async def refresh(self) -> None:
        """Replace runs of which there are newer ones."""
        loop = asyncio.get_running_loop()
        if await loop.run_in_executor(self._threads, self._runs.refresh):
            self._page = self._render_page()

    async def predict(self, request: Request) -> Response:
        """Predict texts or records."""
        body = await read_body(request, self._limits)
        # Explanations take some milliseconds a text
        is_small = len(body) <= _SMALL_BODY and b'"explain"' not in body
        return await self._answer(request, lambda: self._predict(body), is_small=is_small)

    async def infer(self, request: Request) -> Response:
        """Predict texts in the Open Inference Protocol."""
        served = self._named(request.path_params["name"], None)
        body = await read_body(request, self._limits)
        is_small = len(body) <= _SMALL_BODY
        return await self._answer(request, lambda: self._infer(served, body), is_small=is_small)

    async def page(self, _request: Request) -> Response:
        """Show the page."""
        return HTMLResponse(self._page, headers=_NO_FRAMES)

    async def docs(self, _request: Request) -> Response:
        """Show the documentation of the paths."""
        return HTMLResponse(self._docs, headers=_NO_FRAMES)

    async def openapi(self, _request: Request) -> Response:
        """Return the OpenAPI document."""
        return Response(self._openapi, media_type="application/json")

    async def metrics_text(self, _request: Request) -> Response:
        """Return the numbers for Prometheus."""
        content = self._metrics.render()
        return Response(content, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def live(self, _request: Request) -> Response:
        """Answer that the service runs."""
        return json_answer({"status": "live"})

    async def ready(self, _request: Request) -> Response:
        """Answer that the runs are loaded; before, no connection is accepted."""
        return json_answer({"status": "ready"})

    async def v2_live(self, _request: Request) -> Response:
        """Answer that the service runs."""
        return json_answer({"live": True})

    async def v2_ready(self, _request: Request) -> Response:
        """Answer that the runs are loaded."""
        return json_answer({"ready": True})

    async def server_metadata(self, _request: Request) -> Response:
        """Describe the service."""
        return json_answer(open_inference.server_metadata())

    async def model_metadata(self, request: Request) -> Response:
        """Describe a run."""
        served = self._named(request.path_params["name"], None)
        return json_answer(open_inference.model_metadata(served))

    async def model_ready(self, request: Request) -> Response:
        """Answer that a run is loaded."""
        served = self._named(request.path_params["name"], None)
        return json_answer({"name": served.name, "ready": True})

    async def _answer(
        self, request: Request, work: Callable[[], _Answer], *, is_small: bool
    ) -> Response:
        """Return what the work returns; only small work is done on the event loop."""
        if is_small:
            content, run, rows = work()
        else:
            loop = asyncio.get_running_loop()
            content, run, rows = await loop.run_in_executor(self._threads, work)
        request.scope["state"].update(run=run, rows=rows)
        self._metrics.count_rows(run, rows)
        return Response(content, media_type="application/json")

    def _predict(self, body: bytes) -> _Answer:
        asked = decode(body, _PREDICT)
        served = self._named(asked.run, "run")
        for field in ("texts", "records"):
            if isinstance(rows := getattr(asked, field), list):
                check_rows(len(rows), self._limits, field)
        content, rows = served.answer(asked)
        return content, served.name, rows

    def _infer(self, served: ServedRun, body: bytes) -> _Answer:
        asked = decode(body, _INFER)
        texts = open_inference.read_texts(asked)
        check_rows(len(texts), self._limits, "inputs[0].data")
        answer: dict[str, Any] = open_inference.infer(served, asked, texts)
        return json.dumps(answer, ensure_ascii=False).encode(), served.name, len(texts)

    def _named(self, name: str | None, field: str | None) -> ServedRun:
        """Return the run of a name; None is the default.

        Raises:
            RefusedRequest: There is none: 422 if a field has the name, 404 if the path has it.
        """
        served = self._runs.find(name)
        if served is None:
            known = ", ".join(map(repr, self._runs.names))
            fault = f"there is no run {name!r}; there are: {known}"
            raise RefusedRequest(422 if field else 404, fault, field)
        return served

    def _render_page(self) -> str:
        return render_page(list(map(_page_run, self._runs)), max_rows=self._limits.max_rows)


def _page_run(served: ServedRun) -> PageRun:
    labels = served.classifier.labels
    return PageRun(
        served.name,
        labels.task,
        len(labels.names),
        tuple(served.columns.names),
        served.label_separator,
    )
