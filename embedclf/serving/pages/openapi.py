"""The OpenAPI document, and a page made of it that needs no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from embedclf import __version__
from embedclf.reports.html.rendering import render_template
from embedclf.serving.access import OPEN_PATHS
from embedclf.serving.requests import InferRequest, PredictRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.serving.settings import Settings

_REF = "#/components/schemas/{name}"


class Prediction(msgspec.Struct, frozen=True):
    """A row: its own columns, and these."""

    prediction: str | list[str]
    """The predicted label; in a multilabel run all labels that reach their threshold."""
    probability: float | list[float]
    truncated: bool
    """Whether the text has more tokens than the model reads."""
    unknown_share: float
    """Fraction of the tokens that are out of vocabulary."""
    no_known_token: bool
    """Whether the model knows no token of the text, so the prediction is its default."""
    explanations: list[dict[str, Any]] = []
    """With `explain`: of each explained label the contributions of the tokens."""


class Predictions(msgspec.Struct, frozen=True):
    """The answer to `/predict`; the predictions are in the order of the rows."""

    run: str
    predictions: list[Prediction]


class Tensor(msgspec.Struct, frozen=True):
    """An output tensor of the Open Inference Protocol."""

    name: str
    datatype: str
    shape: list[int]
    data: list[str | float]


class InferAnswer(msgspec.Struct, frozen=True):
    """The answer to `/v2/models/{name}/infer`."""

    model_name: str
    outputs: list[Tensor]
    id: str | None = None


class Fault(msgspec.Struct, frozen=True):
    """What was wrong with a request."""

    error: str
    request_id: str
    field: str | None = None
    """The field with the fault, such as `texts[3]`."""


def openapi_document(settings: Settings, names: Sequence[str]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the service.

    Args:
        settings: Of the service.
        names: Of the runs, the default first.
    """
    types = (PredictRequest, Predictions, InferRequest, InferAnswer, Fault)
    references, components = msgspec.json.schema_components(types, ref_template=_REF)
    predict, predictions, infer, infer_answer, fault = references
    body: dict[str, Any] = components["PredictRequest"]
    body["oneOf"] = [{"required": [rows]} for rows in ("text", "texts", "records")]
    body["properties"]["run"] = {"enum": [*names, None], "default": None}
    posts = {
        "/predict": ("Predict texts or records", predict, predictions),
        "/v2/models/{name}/infer": ("Open Inference Protocol", infer, infer_answer),
    }
    paths: dict[str, dict[str, Any]] = {
        path: {
            "post": {
                "summary": summary,
                "requestBody": {"required": True, "content": _json(body)},
                "responses": _responses(path, _json(answer), _POST_FAULTS, fault, settings),
            }
        }
        for path, (summary, body, answer) in posts.items()
    }
    for path, (summary, media_type) in _GETS.items():
        content = {media_type: {"schema": {"type": "object" if "json" in media_type else "string"}}}
        responses = _responses(path, content, {}, fault, settings)
        paths[path] = {"get": {"summary": summary, "responses": responses}}
    for path, methods in paths.items():
        if "{name}" in path:
            methods["parameters"] = [{**_NAME, "schema": {"enum": [*names]}}]
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "embedclf", "version": __version__},
        "servers": [{"url": settings.root_path or "/"}],
        "paths": paths,
        "components": {"schemas": components},
    }
    if settings.token is not None:
        components = document["components"]
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
        for path in OPEN_PATHS:
            paths[path]["get"]["security"] = []
    return document


def render_docs(document: dict[str, Any]) -> str:
    """Render the page that documents the paths."""
    return render_template(
        "docs.html.j2", title="HTTP service", document=document, schema_name=_schema_name
    )


_NAME = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "Name of a run",
}

_JSON = "application/json"

_GETS = {
    "/": ("A page where people type texts or drop a CSV", "text/html"),
    "/docs": ("This documentation as a page", "text/html"),
    "/openapi.json": ("This documentation as OpenAPI", _JSON),
    "/metrics": ("Requests, seconds and rows, for Prometheus", "text/plain"),
    "/health/live": ("Whether the service runs", _JSON),
    "/health/ready": ("Whether the runs are loaded", _JSON),
    "/v2": ("Describe the service", _JSON),
    "/v2/health/live": ("Whether the service runs", _JSON),
    "/v2/health/ready": ("Whether the runs are loaded", _JSON),
    "/v2/models/{name}": ("Describe a run", _JSON),
    "/v2/models/{name}/ready": ("Whether a run is loaded", _JSON),
}
"""What each path that is read answers, and in which format."""

_POST_FAULTS = {
    "400": "The body is not JSON",
    "408": "The request took too long",
    "413": "Too many rows or bytes",
    "422": "A field is wrong",
}


def _responses(
    path: str,
    content: dict[str, Any],
    faults: dict[str, str],
    fault: dict[str, Any],
    settings: Settings,
) -> dict[str, Any]:
    """Describe the answers of a path: the content of a success, and its faults."""
    is_open = path in OPEN_PATHS
    others = {
        "401": "The token is missing or wrong" if settings.token and not is_open else "",
        "404": "There is no such run" if "{name}" in path else "",
        "421": "The service has another host name" if settings.hosts is not None else "",
        "503": "" if is_open else "Too many requests at once",
    }
    described = {status: text for status, text in sorted({**faults, **others}.items()) if text}
    return {
        "200": {"description": "Success", "content": content},
        **{
            status: {"description": text, "content": _json(fault)}
            for status, text in described.items()
        },
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {_JSON: {"schema": schema}}


def _schema_name(body: dict[str, Any]) -> str:
    """Return the name of the schema of a body."""
    reference: str = body["content"][_JSON]["schema"]["$ref"]
    return reference.rpartition("/")[2]
