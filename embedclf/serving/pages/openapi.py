"""The OpenAPI document, and a page made of it that needs no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from embedclf import __version__
from embedclf.reports.html.rendering import render_template
from embedclf.serving.requests import InferRequest, PredictRequest

if TYPE_CHECKING:
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


def openapi_document(settings: Settings) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the service."""
    types = (PredictRequest, Predictions, InferRequest, InferAnswer, Fault)
    references, components = msgspec.json.schema_components(types, ref_template=_REF)
    predict, predictions, infer, infer_answer, fault = references
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "embedclf", "version": __version__},
        "servers": [{"url": settings.root_path or "/"}],
        "paths": {
            "/predict": {
                "post": _operation("Predict texts or records", predictions, fault, predict)
            },
            "/v2/models/{name}/infer": {
                "parameters": [_NAME],
                "post": _operation("Open Inference Protocol", infer_answer, fault, infer),
            },
            "/v2/models/{name}": {"parameters": [_NAME], "get": _get("Describe a run", fault)},
            "/v2/models/{name}/ready": {
                "parameters": [_NAME],
                "get": _get("Whether a run is loaded", fault),
            },
            **{path: {"get": _get(summary, fault)} for path, summary in _PLAIN.items()},
        },
        "components": {"schemas": components},
    }
    if settings.token is not None:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document


def render_docs(document: dict[str, Any]) -> str:
    """Render the page that documents the paths."""
    return render_template(
        "docs.html.j2", title="HTTP service", document=document, schema_name=_schema_name
    )


_NAME = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}

_PLAIN = {
    "/v2": "Describe the service",
    "/v2/health/live": "Whether the service runs",
    "/v2/health/ready": "Whether the runs are loaded",
    "/health/live": "Whether the service runs",
    "/health/ready": "Whether the runs are loaded",
}


def _operation(
    summary: str, answer: dict[str, Any], fault: dict[str, Any], body: dict[str, Any]
) -> dict[str, Any]:
    statuses = {
        "400": "The body is not JSON",
        "401": "The token is missing or wrong",
        "404": "There is no such run",
        "408": "The body took too long",
        "413": "Too many rows or bytes",
        "422": "A field is wrong",
    }
    faults = {status: _content(text, fault) for status, text in statuses.items()}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"200": _content("The predictions", answer), **faults},
    }


def _get(summary: str, fault: dict[str, Any]) -> dict[str, Any]:
    answers = {
        "200": _content("Yes", {"type": "object"}),
        "401": _content("The token is missing or wrong", fault),
        "404": _content("There is no such run", fault),
    }
    return {"summary": summary, "responses": answers}


def _schema_name(body: dict[str, Any]) -> str:
    """Return the name of the schema of a body."""
    reference: str = body["content"]["application/json"]["schema"]["$ref"]
    return reference.rpartition("/")[2]


def _content(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
